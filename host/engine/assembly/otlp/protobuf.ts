/**
 * Writes protobuf at an address: varints, and fields of the numbers below 16, whose tag is one byte.
 * https://protobuf.dev/programming-guides/encoding/
 */

export const VARINT: u8 = 0;
export const FIXED64: u8 = 1;
export const BYTES: u8 = 2;
export const FIXED32: u8 = 5;

/** Bytes that are left for a length which `fillRoom` fills in: the longest is 2²⁸ - 1. */
export const ROOM: usize = 4;
/** Lengths below this are one byte. */
export const SHORT: usize = 0x80;

/** Numbers below this are four bytes at most. */
export const SPREAD_MAX: u64 = 1 << 28;
/** Bytes of all ones, then as many zeroes: the 16 from 16 - n on keep n of 16 bytes. */
const KEEP: usize = memory.data<u64>([-1, -1, 0, 0]);

export function tag(field: u8, type: u8): u8 {
  return (field << 3) | type;
}

export function varintLength(value: u64): usize {
  return value < 0x80 ? 1 : (70 - <usize>clz(value)) / 7;
}

/** May write up to three bytes behind it. */
export function writeVarint(to: usize, value: u64): usize {
  if (value < 0x80) {
    store<u8>(to, <u8>value);
    return to + 1;
  }
  if (value >= SPREAD_MAX) return writeExactVarint(to, value);
  const length = spreadLength(<u32>value);
  store<u32>(to, spreadVarint(<u32>value, length));
  return to + length;
}

/** Its varint of so many bytes (`spreadLength`), of a number below SPREAD_MAX. */
export function spreadVarint(value: u32, length: usize): u32 {
  return spread(value) | (0x0080_8080 & ((1 << ((<u32>length - 1) << 3)) - 1));
}

/** Touches nothing behind it. */
export function writeExactVarint(to: usize, value: u64): usize {
  while (value >= 0x80) {
    store<u8>(to++, <u8>value | 0x80);
    value >>= 7;
  }
  store<u8>(to, <u8>value);
  return to + 1;
}

/** The length of what was written behind `ROOM` bytes at `to`, padded to fill them: valid, if not the shortest. */
export function fillRoom(to: usize, end: usize): void {
  store<u32>(to, spread(<u32>(end - to - ROOM)) | 0x0080_8080);
}

/** Seven bits in each byte. */
function spread(value: u32): u32 {
  return (value & 0x7f) | ((value & 0x3f80) << 1) | ((value & 0x1f_c000) << 2) | ((value & 0xfe0_0000) << 3);
}

/** Bytes of its varint: its bits by seven, rounded up. */
export function spreadLength(value: u32): usize {
  return ((31 - clz(value)) * 9 + 73) >> 6;
}

/** A field of bytes that stand at `from`. */
export function writeBytes(to: usize, field: u8, from: usize, length: usize): usize {
  store<u8>(to, tag(field, BYTES));
  to = writeVarint(to + 1, length);
  copyBytes(to, from, length);
  return to + length;
}

/** May write up to 15 bytes behind the copy, 16 when it is empty, which the next field overwrites. */
export function copyBytes(to: usize, from: usize, length: usize): void {
  v128.store(to, v128.load(from));
  for (let i: usize = 16; i < length; i += 16) v128.store(to + i, v128.load(from + i));
}

/** As `copyBytes`; returns whether all of it is ASCII. */
export function copyText(to: usize, from: usize, length: usize): bool {
  let all = i8x16.splat(0);
  let i: usize = 0;
  for (; i + 16 < length; i += 16) {
    const block = v128.load(from + i);
    v128.store(to + i, block);
    all = v128.or(all, block);
  }
  const block = v128.load(from + i);
  v128.store(to + i, block);
  return i8x16.bitmask(v128.or(all, v128.and(block, v128.load(KEEP + 16 - (length - i))))) == 0;
}
