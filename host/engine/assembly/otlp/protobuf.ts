/**
 * Writes protobuf at an address: varints, and fields of the numbers below 16, whose tag is one byte.
 * https://protobuf.dev/programming-guides/encoding/
 */

export const VARINT: u8 = 0;
export const FIXED64: u8 = 1;
export const BYTES: u8 = 2;
export const FIXED32: u8 = 5;

/** Bytes that `writeRoom` leaves for a length: the longest is 2²⁸ - 1. */
export const ROOM: usize = 4;

export function tag(field: u8, type: u8): u8 {
  return (field << 3) | type;
}

export function varintLength(value: u64): usize {
  return value < 0x80 ? 1 : (70 - <usize>clz(value)) / 7;
}

export function writeVarint(to: usize, value: u64): usize {
  while (value >= 0x80) {
    store<u8>(to++, <u8>value | 0x80);
    value >>= 7;
  }
  store<u8>(to, <u8>value);
  return to + 1;
}

/** The length of what was written behind `ROOM` bytes at `to`, padded to fill them: valid, if not the shortest. */
export function fillRoom(to: usize, end: usize): void {
  const length = <u32>(end - to - ROOM);
  const low = (length & 0x7f) | ((length & 0x3f80) << 1) | ((length & 0x1f_c000) << 2) | ((length & 0xfe0_0000) << 3);
  store<u32>(to, low | 0x0080_8080);
}

/** Field number 16 and above: a tag of two bytes. */
export function writeLongTag(to: usize, field: u32, type: u8): usize {
  return writeVarint(to, ((<u64>field) << 3) | type);
}

/** A field of bytes that stand at `from`. */
export function writeBytes(to: usize, field: u8, from: usize, length: usize): usize {
  store<u8>(to, tag(field, BYTES));
  to = writeVarint(to + 1, length);
  copyBytes(to, from, length);
  return to + length;
}

export function writeFixed64(to: usize, field: u8, value: u64): usize {
  store<u8>(to, tag(field, FIXED64));
  store<u64>(to, value, 1);
  return to + 9;
}

/** May write up to 15 bytes behind the copy, which the next field overwrites. */
export function copyBytes(to: usize, from: usize, length: usize): void {
  for (let i: usize = 0; i < length; i += 16) v128.store(to + i, v128.load(from + i));
}
