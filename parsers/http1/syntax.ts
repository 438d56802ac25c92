/**
 * Does a head begin here? The strict look at unknown bytes, for identification and for finding the way back: a whole
 * start line, then the name of a field up to its colon or the empty line. Answers NO, MORE or YES.
 */

import { FROM_CLIENT } from '../sdk/abi';
import { findByte, isDigit } from '../sdk/bytes';
import { beginsMethod, tokenEnd } from './methods';

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
/** " HTTP/1." */
const REQUEST_END: u64 = 0x2e312f5054544820;

/** A head whose method is in the table of methods: the bytes may be the middle of a word. */
export function headAt(from: usize, end: usize, direction: u32): u32 {
  let answer = NO;
  if (direction != FROM_CLIENT) answer = statusLineAt(from, end);
  else if (beginsMethod(from, end)) answer = requestLineAt(from, end);
  return answer == YES ? fieldNameAt(findByte(from, end, 0x0a) + 1, end) : answer;
}

/** YES: a whole request line, of any method. */
export function requestLineAt(from: usize, end: usize): u32 {
  const space = tokenEnd(from, end - from > METHOD_MAX ? from + METHOD_MAX : end);
  if (space == end) return MORE;
  if (space == from || load<u8>(space) != 0x20) return NO;
  if (space + 1 < end && load<u8>(space + 1) <= 0x20) return NO;
  const lf = findByte(space, end, 0x0a);
  if (lf == end) return end - from > LINE_MAX ? NO : MORE;
  return endsWithVersion(space + 2, lf) ? YES : NO;
}

/** YES: a whole status line. */
export function statusLineAt(from: usize, end: usize): u32 {
  const length = end - from;
  const known = matchStatus(from, end, 0);
  if (known < STATUS_LENGTH) return known == length ? MORE : NO;
  for (let i = STATUS_LENGTH; i < 13 && i < length; i++) {
    if (!fitsStatus(load<u8>(from + i), i)) return NO;
  }
  const lf = findByte(from, end, 0x0a);
  if (lf == end) return length > LINE_MAX ? NO : MORE;
  return lf - from >= 12 ? YES : NO;
}

/** The minor version, a space, three digits, a space or the line's end. */
function fitsStatus(byte: u32, index: usize): bool {
  if (index == 8) return byte == 0x20;
  if (index == 12) return byte == 0x20 || byte == 0x0d || byte == 0x0a;
  return isDigit(byte);
}

/** How many bytes of from … end agree with "HTTP/1." from its `matched`-th on. */
export function matchStatus(from: usize, end: usize, matched: usize): usize {
  let count: usize = 0;
  while (from + count < end && matched + count < STATUS_LENGTH) {
    if (load<u8>(from + count) != load<u8>(STATUS + matched + count)) break;
    count++;
  }
  return count;
}

/** Address of the text "HTTP/1." */
export function statusText(): usize {
  return STATUS;
}

/** Whether an unfinished line may still become a start line: asked of short ones, so that garbage is not carried. */
export function mayStart(from: usize, end: usize, direction: u32): bool {
  return (direction == FROM_CLIENT ? requestLineAt(from, end) : statusLineAt(from, end)) != NO;
}

/** ` HTTP/1.x` and the line's end. */
function endsWithVersion(from: usize, lf: usize): bool {
  const end = load<u8>(lf - 1) == 0x0d ? lf - 1 : lf;
  if (end < from + 9) return false;
  return load<u64>(end - 9) == REQUEST_END && isDigit(load<u8>(end - 1));
}

/** The empty line, or a name and its colon. */
function fieldNameAt(from: usize, end: usize): u32 {
  if (from == end) return MORE;
  const first = load<u8>(from);
  if (first == 0x0a) return YES;
  if (first == 0x0d) return from + 1 == end ? MORE : load<u8>(from + 1) == 0x0a ? YES : NO;
  const colon = tokenEnd(from, end - from > NAME_MAX ? from + NAME_MAX : end);
  if (colon == end) return MORE;
  return colon > from && load<u8>(colon) == 0x3a ? YES : NO;
}
