/**
 * Carrying bytes from chunk to chunk: the start of a line or a frame that the next chunk continues.
 *
 * A `Carry` is a field of the parser's slot state; the bytes lie in an area of the same slot, which the parser finds by
 * an offset. Nothing is carried on the fast path: what is complete in a chunk is parsed where it lies.
 *
 *   const taken = carry.takeLine(area, capacity, from, chunk.end);
 *   if (taken == FULL) …                      // ask for a larger slot (GROW), or give the bytes up
 *   from += taken;
 *   if (carry.complete(area)) { parse(area, area + carry.length); carry.length = 0; }
 *
 * Invariant: on FULL nothing has changed, so the chunk can be offered again after a GROW.
 */

import { copy, findByte } from './bytes';

const LF: u8 = 0x0a;

/** What take… returns when the bytes do not fit. */
export const FULL: u32 = 0xffffffff;

@unmanaged
export class Carry {
  /** Bytes carried. */
  length: u32;

  /** Appends all of from … end. */
  take(area: usize, capacity: u32, from: usize, end: usize): u32 {
    const bytes = <u32>(end - from);
    if (bytes > capacity || this.length > capacity - bytes) return FULL;
    copy(area + this.length, from, bytes);
    this.length += bytes;
    return bytes;
  }

  /** Appends from … end as far as and including the first LF. */
  takeLine(area: usize, capacity: u32, from: usize, end: usize): u32 {
    const lf = findByte(from, end, LF);
    return this.take(area, capacity, from, lf == end ? end : lf + 1);
  }

  /** Appends what is missing to `wanted` bytes, or all there is. */
  takeUpTo(wanted: u32, area: usize, capacity: u32, from: usize, end: usize): u32 {
    const missing = wanted > this.length ? wanted - this.length : 0;
    const there = <u32>(end - from);
    return this.take(area, capacity, from, from + min<u32>(there, missing));
  }

  /** Whether the last byte carried is an LF. */
  complete(area: usize): bool {
    return this.length > 0 && load<u8>(area + this.length - 1) == LF;
  }
}
