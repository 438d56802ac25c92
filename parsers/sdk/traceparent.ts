/**
 * W3C trace context in bytes of any protocol: a header's value, a comment in SQL, a record's field.
 *
 *   const value = findTraceparent(text, text + length);
 *   if (value) message.string(TRACEPARENT, value, TRACEPARENT_LENGTH);      // manifest: "role": "traceparent"
 *
 *   00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01
 *   0  3                                36               53  55
 *
 * https://www.w3.org/TR/trace-context/#traceparent-header
 */

import { findByte } from './bytes';

/** Bytes of a value of version 00; those of later versions begin the same way. */
export const TRACEPARENT_LENGTH: u32 = 55;

const DASH: u8 = 0x2d;
const TRACE_ID: usize = 3;
const PARENT_ID: usize = 36;
const FLAGS: usize = 53;

/** Address of the first valid value in from … end, 0 when there is none. One look at each dash, a closer one at few. */
export function findTraceparent(from: usize, end: usize): usize {
  if (from >= end || end - from < TRACEPARENT_LENGTH) return 0;
  const limit = end - TRACEPARENT_LENGTH + TRACE_ID;
  for (let dash = findByte(from + 2, limit, DASH); dash < limit; dash = findByte(dash + 1, limit, DASH)) {
    const at = dash - 2;
    if ((at == from || !continues(load<u8>(at - 1))) && isTraceparent(at, end)) return at;
  }
  return 0;
}

/** Whether a valid value begins at an address. */
export function isTraceparent(at: usize, end: usize): bool {
  if (at >= end || end - at < TRACEPARENT_LENGTH) return false;
  if (load<u8>(at, 2) != DASH || load<u8>(at, 35) != DASH || load<u8>(at, 52) != DASH) return false;
  if (!isHex(at, 2) || !isHex(at + FLAGS, 2) || !isId(at + TRACE_ID, 32) || !isId(at + PARENT_ID, 16)) return false;
  // "ff" is invalid. Version 00 ends here; a later one may go on with a dash.
  if (load<u16>(at) == 0x6666) return false;
  if (end - at == TRACEPARENT_LENGTH) return true;
  const next = load<u8>(at + TRACEPARENT_LENGTH);
  return !continues(next) || (next == DASH && load<u16>(at) != 0x3030);
}

/** Whether this byte beside a value would belong to it. */
function continues(byte: u32): bool {
  return isHexByte(byte) || byte == DASH;
}

/** Lower-case digits that are not all zero. */
function isId(at: usize, length: usize): bool {
  let any: u32 = 0;
  for (let i: usize = 0; i < length; i++) any |= <u32>load<u8>(at + i) ^ 0x30;
  return any != 0 && isHex(at, length);
}

function isHex(at: usize, length: usize): bool {
  for (let i: usize = 0; i < length; i++) if (!isHexByte(load<u8>(at + i))) return false;
  return true;
}

function isHexByte(byte: u32): bool {
  return byte - 0x30 < 10 || byte - 0x61 < 6;
}
