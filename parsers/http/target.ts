/**
 * What a target and an authority are made of. https://www.rfc-editor.org/rfc/rfc3986#section-3
 * Results are addresses in the text that was asked about, valid until the next call.
 */

import { findByte, findEither, isDigit } from '../sdk/bytes';

const SLASH: u8 = 0x2f;
const QUESTION: u8 = 0x3f;
const COLON: u8 = 0x3a;
const AT: u8 = 0x40;
const BRACKET_OPEN: u8 = 0x5b;
const BRACKET_CLOSE: u8 = 0x5d;
const PORT_MAX: u32 = 65535;

/** `/` */
export const ROOT: usize = memory.data<u8>([SLASH]);

export let pathAt: usize = 0;
export let pathLength: u32 = 0;
export let queryAt: usize = 0;
/** 0: there is none, or it is empty. */
export let queryLength: u32 = 0;

/** `path[?query]`; a path that is empty is the root's. */
export function splitTarget(from: usize, end: usize): void {
  const question = findByte(from, end, QUESTION);
  const isEmpty = question == from;
  pathAt = isEmpty ? ROOT : from;
  pathLength = isEmpty ? 1 : <u32>(question - from);
  queryAt = question + 1;
  queryLength = question < end ? <u32>(end - queryAt) : 0;
}

export let hostAt: usize = 0;
/** 0: there is none. */
export let hostLength: u32 = 0;
/** 0: none is given, or it is no port. */
export let hostPort: u32 = 0;

/** `[userinfo@]host[:port]`; the user information is dropped, and the brackets of an IPv6 address. */
export function splitAuthority(from: usize, end: usize): void {
  const mark = findEither(from, end, AT, COLON);
  if (from < end && load<u8>(from) != BRACKET_OPEN && (mark == end || findByte(mark, end, AT) == end)) {
    hostAt = from;
    hostLength = <u32>(mark - from);
    hostPort = mark == end ? 0 : portOf(mark + 1, end);
    return;
  }
  for (let at = findByte(from, end, AT); at != end; at = findByte(from, end, AT)) from = at + 1;
  const isBracketed = from < end && load<u8>(from) == BRACKET_OPEN;
  if (isBracketed) from++;
  const close = findByte(from, end, isBracketed ? BRACKET_CLOSE : COLON);
  const colon = isBracketed ? min(close + 1, end) : close;
  hostAt = from;
  hostLength = <u32>(close - from);
  hostPort = colon < end && load<u8>(colon) == COLON ? portOf(colon + 1, end) : 0;
}

/** One to five digits; 0 for anything else. */
function portOf(from: usize, end: usize): u32 {
  if (from == end || end - from > 5) return 0;
  let value: u32 = 0;
  for (let at = from; at < end; at++) {
    if (!isDigit(load<u8>(at))) return 0;
    value = value * 10 + load<u8>(at) - 0x30;
  }
  return value <= PORT_MAX ? value : 0;
}
