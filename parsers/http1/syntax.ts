/**
 * Does a head begin here? The strict look at unknown bytes, for identification and for finding the way back: a whole
 * start line, then the name of a field up to its colon or the empty line. Answers NO, MORE or YES.
 */

import { FROM_CLIENT } from '../sdk/abi';
import { findByte, isDigit } from '../sdk/bytes';
import { isKnownMethod, isTokenByte, tokenEnd } from './methods';

export const NO: u32 = 0;
export const MORE: u32 = 1;
export const YES: u32 = 2;

/** The longest registered method has 17 characters (UPDATEREDIRECTREF). */
const METHOD_MAX: usize = 24;
/** Servers refuse longer start lines (8 KiB by default in nginx and Apache). */
const LINE_MAX: usize = 8192;
/** Longer names of fields are not seen. */
const NAME_MAX: usize = 128;

const STATUS: usize = memory.data<u8>([0x48, 0x54, 0x54, 0x50, 0x2f, 0x31, 0x2e]);
/** Length of "HTTP/1." */
export const STATUS_LENGTH: usize = 7;

/** `known`: only methods of RFC 9110 count, because the bytes may be the middle of a word. */
export function headAt(from: usize, end: usize, direction: u32, known: bool): u32 {
  const start = direction == FROM_CLIENT ? requestLineAt(from, end, known) : statusLineAt(from, end);
  if (start != YES) return start;
  return fieldNameAt(findByte(from, end, 0x0a) + 1, end);
}

/** YES: a whole request line. */
export function requestLineAt(from: usize, end: usize, known: bool): u32 {
  const space = tokenEnd(from, end);
  if (space - from > METHOD_MAX) return NO;
  if (space == end) return MORE;
  if (space == from || load<u8>(space) != 0x20) return NO;
  if (known && (end - from < 4 || !isKnownMethod(from, space))) return NO;
  if (space + 1 < end && load<u8>(space + 1) <= 0x20) return NO;
  const lf = findByte(space, end, 0x0a);
  if (lf == end) return end - from > LINE_MAX ? NO : MORE;
  return endsWithVersion(space + 2, lf) ? YES : NO;
}

/** YES: a whole status line. */
export function statusLineAt(from: usize, end: usize): u32 {
  const length = end - from;
  if (!startsStatus(from, end)) return NO;
  if (length <= STATUS_LENGTH) return MORE;
  if (!isDigit(load<u8>(from, 7)) || (length > 8 && load<u8>(from, 8) != 0x20)) return NO;
  if (length > 9 && !isDigit(load<u8>(from, 9))) return NO;
  if (length > 10 && !isDigit(load<u8>(from, 10))) return NO;
  if (length > 11 && !isDigit(load<u8>(from, 11))) return NO;
  if (length > 12 && load<u8>(from, 12) > 0x20) return NO;
  const lf = findByte(from, end, 0x0a);
  if (lf == end) return length > LINE_MAX ? NO : MORE;
  return lf - from >= 12 ? YES : NO;
}

/** Bytes of from … end that agree with "HTTP/1.", from the `matched`-th on; 0 at once when the first differs. */
export function matchStatus(from: usize, end: usize, matched: usize): usize {
  let count: usize = 0;
  while (from + count < end && matched + count < STATUS_LENGTH) {
    if (load<u8>(from + count) != load<u8>(STATUS + matched + count)) break;
    count++;
  }
  return count;
}

/** The text "HTTP/1." itself. */
export function statusText(): usize {
  return STATUS;
}

function startsStatus(from: usize, end: usize): bool {
  const length = end - from < STATUS_LENGTH ? end - from : STATUS_LENGTH;
  return matchStatus(from, end, 0) == length;
}

/** ` HTTP/1.x` and the line's end. */
function endsWithVersion(from: usize, lf: usize): bool {
  const end = load<u8>(lf - 1) == 0x0d ? lf - 1 : lf;
  if (end < from + 9) return false;
  return load<u64>(end - 9) == 0x2e312f5054544820 && isDigit(load<u8>(end - 1));
}

/** The empty line, or a name and its colon. */
function fieldNameAt(from: usize, end: usize): u32 {
  if (from == end) return MORE;
  if (load<u8>(from) == 0x0a) return YES;
  if (load<u8>(from) == 0x0d) return from + 1 == end ? MORE : load<u8>(from + 1) == 0x0a ? YES : NO;
  const stop = from + NAME_MAX < end ? from + NAME_MAX : end;
  const colon = tokenEnd(from, stop);
  if (colon == end) return MORE;
  return colon > from && load<u8>(colon) == 0x3a ? YES : NO;
}

/** Whether an unfinished line may still become a start line: decides soon, so that garbage is not carried. */
export function mayStart(from: usize, end: usize, direction: u32): bool {
  if (direction != FROM_CLIENT) return statusLineAt(from, end) != NO;
  return from < end && isTokenByte(load<u8>(from)) && requestLineAt(from, end, false) != NO;
}
