/**
 * Huffman-coded strings. https://www.rfc-editor.org/rfc/rfc7541#section-5.2 and appendix B
 *
 * The code is canonical: codes of one length are consecutive numbers in the order of their symbols, and shorter codes
 * come first. So the lengths say it all, and two tables are made of them at the first use: one look at 10 bits gives
 * the symbol of every code up to that length (all of lower-case text), the few longer ones are found by their range.
 */

import { be64 } from '../sdk/bytes';

/** Returned for what is no valid coding: a padding that is too long or not all ones, or the end-of-string symbol. */
export const HUFFMAN_BAD: u32 = 0xffffffff;

// biome-ignore format: sixteen a line
const LENGTHS: usize = memory.data<u8>([
  13, 23, 28, 28, 28, 28, 28, 28, 28, 24, 30, 28, 28, 30, 28, 28,
  28, 28, 28, 28, 28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 28,
  6, 10, 10, 12, 13, 6, 8, 11, 10, 10, 8, 11, 8, 6, 6, 6,
  5, 5, 5, 6, 6, 6, 6, 6, 6, 6, 7, 8, 15, 6, 12, 10,
  13, 6, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7,
  7, 7, 7, 7, 7, 7, 7, 7, 8, 7, 8, 13, 19, 13, 14, 6,
  15, 5, 6, 5, 6, 5, 6, 6, 6, 5, 7, 7, 6, 6, 6, 5,
  6, 7, 6, 5, 5, 6, 7, 7, 7, 7, 7, 15, 11, 14, 13, 28,
  20, 22, 20, 20, 22, 22, 22, 23, 22, 23, 23, 23, 23, 23, 24, 23,
  24, 24, 22, 23, 24, 23, 23, 23, 23, 21, 22, 23, 22, 23, 23, 24,
  22, 21, 20, 22, 22, 23, 23, 21, 23, 22, 22, 24, 21, 22, 23, 23,
  21, 21, 22, 21, 23, 22, 23, 23, 20, 22, 22, 22, 23, 22, 22, 23,
  26, 26, 20, 19, 22, 23, 22, 25, 26, 26, 26, 27, 27, 26, 24, 25,
  19, 21, 26, 27, 27, 26, 27, 24, 21, 21, 26, 26, 28, 27, 27, 27,
  20, 24, 20, 21, 22, 21, 21, 23, 22, 22, 25, 25, 24, 24, 26, 23,
  26, 27, 26, 26, 27, 27, 27, 27, 27, 28, 27, 27, 27, 27, 27, 26,
]);

const SHORT_BITS: u32 = 10;
const LONGEST: u32 = 30;
const SYMBOLS: u32 = 256;
/** u16 by the next 10 bits: length << 8 | symbol; 0 when the code is longer. */
const SHORT: usize = memory.data(2048, 8);
/** By length: codes below this number (u32, left-aligned in 32 bits) are of that length or shorter; 0 is 2^32. */
const LIMITS: usize = memory.data(128, 8);
/** By length: place in ORDER of a code, less the code's number (i32). */
const PLACES: usize = memory.data(128, 8);
/** Symbols by length, then by number. */
const ORDER: usize = memory.data(256, 8);

let isReady: bool = false;

function prepare(): void {
  isReady = true;
  let code: u32 = 0;
  let place: u32 = 0;
  for (let length: u32 = 1; length <= LONGEST; length++) {
    code <<= 1;
    store<i32>(PLACES + (length << 2), <i32>place - <i32>code);
    for (let symbol: u32 = 0; symbol < SYMBOLS; symbol++) {
      if (load<u8>(LENGTHS + symbol) != length) continue;
      store<u8>(ORDER + place++, <u8>symbol);
      if (length <= SHORT_BITS) fillShort(code, length, symbol);
      code++;
    }
    store<u32>(LIMITS + (length << 2), code << (32 - length));
  }
}

function fillShort(code: u32, length: u32, symbol: u32): void {
  const spare = SHORT_BITS - length;
  const from = code << spare;
  for (let i: u32 = 0; i < 1 << spare; i++) store<u16>(SHORT + ((from + i) << 1), <u16>((length << 8) | symbol));
}

/** Most bytes that `length` coded ones can become. */
export function huffmanMost(length: u32): u32 {
  return <u32>(((<u64>length) << 3) / 5);
}

/** Decodes from … end to `to`, which has room for huffmanMost; returns the length, or HUFFMAN_BAD. */
export function huffman(from: usize, end: usize, to: usize): u32 {
  if (!isReady) prepare();
  const start = to;
  let bits: u64 = 0;
  let count: u32 = 0;
  while (true) {
    if (count <= 32) {
      if (from + 8 <= end) {
        // As many whole bytes as fit behind the bits that are there.
        bits |= be64(from) >> count;
        const bytes = (63 - count) >> 3;
        from += bytes;
        count += bytes << 3;
        // What was read of a further byte comes again.
        bits &= ~(<u64>-1 >> count);
      } else {
        while (count <= 56 && from < end) {
          bits |= (<u64>load<u8>(from++)) << (56 - count);
          count += 8;
        }
      }
    }
    let code = <u32>load<u16>(SHORT + ((<u32>(bits >> 54)) << 1));
    if (code == 0) code = long(<u32>(bits >> 32));
    const length = code >> 8;
    if (length > count || length == 0) return isPadding(bits, count) ? <u32>(to - start) : HUFFMAN_BAD;
    store<u8>(to++, <u8>code);
    bits <<= length;
    count -= length;
  }
}

/** length << 8 | symbol of a code longer than 10 bits that `bits` begin with; 0 for the end-of-string symbol. */
function long(bits: u32): u32 {
  for (let length: u32 = SHORT_BITS + 1; length <= LONGEST; length++) {
    if (bits >= load<u32>(LIMITS + (length << 2))) continue;
    const place = load<i32>(PLACES + (length << 2)) + <i32>(bits >> (32 - length));
    return (length << 8) | load<u8>(ORDER + place);
  }
  return 0;
}

/** Fewer than eight bits, all ones. */
function isPadding(bits: u64, count: u32): bool {
  return count < 8 && (count == 0 || bits >> (64 - count) == ((<u64>1) << count) - 1);
}
