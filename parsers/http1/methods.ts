/** Methods and the characters of a token. https://www.rfc-editor.org/rfc/rfc9110#section-9 and section 5.6.2 */

import { equal } from '../sdk/bytes';

/** One bit for each of the characters 0 … 63 and 64 … 127: !#$%&'*+-.^_`|~, digits, letters. */
const TOKEN_LOW: u64 = 0x03ff6cfa00000000;
const TOKEN_HIGH: u64 = 0x57ffffffc7fffffe;

const SP: u8 = 0x20;

/**
 * Methods that can be told from the middle of a word: those of RFC 9110, PATCH and QUERY, WebDAV (RFC 4918, 3253,
 * 5323), and PURGE, which caches use. Each ends with a space, and its length stands before it.
 */
// biome-ignore format: one method a line
const METHODS: usize = memory.data<u8>([
  4, 0x47, 0x45, 0x54, SP,
  5, 0x50, 0x4f, 0x53, 0x54, SP,
  4, 0x50, 0x55, 0x54, SP,
  5, 0x48, 0x45, 0x41, 0x44, SP,
  7, 0x44, 0x45, 0x4c, 0x45, 0x54, 0x45, SP,
  6, 0x50, 0x41, 0x54, 0x43, 0x48, SP,
  8, 0x4f, 0x50, 0x54, 0x49, 0x4f, 0x4e, 0x53, SP,
  8, 0x43, 0x4f, 0x4e, 0x4e, 0x45, 0x43, 0x54, SP,
  6, 0x54, 0x52, 0x41, 0x43, 0x45, SP,
  6, 0x51, 0x55, 0x45, 0x52, 0x59, SP,
  6, 0x50, 0x55, 0x52, 0x47, 0x45, SP,
  9, 0x50, 0x52, 0x4f, 0x50, 0x46, 0x49, 0x4e, 0x44, SP,
  10, 0x50, 0x52, 0x4f, 0x50, 0x50, 0x41, 0x54, 0x43, 0x48, SP,
  6, 0x4d, 0x4b, 0x43, 0x4f, 0x4c, SP,
  5, 0x43, 0x4f, 0x50, 0x59, SP,
  5, 0x4d, 0x4f, 0x56, 0x45, SP,
  5, 0x4c, 0x4f, 0x43, 0x4b, SP,
  7, 0x55, 0x4e, 0x4c, 0x4f, 0x43, 0x4b, SP,
  7, 0x52, 0x45, 0x50, 0x4f, 0x52, 0x54, SP,
  7, 0x53, 0x45, 0x41, 0x52, 0x43, 0x48, SP,
  0,
]);

export function isTokenByte(byte: u32): bool {
  if (byte >= 128) return false;
  return (((byte < 64 ? TOKEN_LOW : TOKEN_HIGH) >> (byte & 63)) & 1) != 0;
}

/** Whether from … end is one or more token characters. */
export function isToken(from: usize, end: usize): bool {
  return from < end && tokenEnd(from, end) == end;
}

/** Address of the first byte in from … end that no token holds, or `end`. */
export function tokenEnd(from: usize, end: usize): usize {
  while (from < end && isTokenByte(load<u8>(from))) from++;
  return from;
}

/** Whether from … end begins with a method of the table and its space, or is the beginning of one. */
export function beginsMethod(from: usize, end: usize): bool {
  if (from == end) return true;
  const first = load<u8>(from);
  for (let entry = METHODS; load<u8>(entry) != 0; entry += <usize>load<u8>(entry) + 1) {
    if (load<u8>(entry, 1) == first && equal(from, entry + 1, min<usize>(load<u8>(entry), end - from))) return true;
  }
  return false;
}
