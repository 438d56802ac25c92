/**
 * Cutting one direction's bytes into frames, over any cut of the stream and across gaps. A Framer lies in the slot and
 * keeps, in an area of the same slot, the first bytes of a frame that its chunk does not hold whole.
 *
 *   // u32 length, u8 kind, …                                  // a line
 *   if (!half.reach(chunk, 5, area, AREA)) return;             if (!half.until(chunk, LF, area, AREA)) return;
 *   const size = 4 + be32(frameAt);                            read(frameAt, frameAt + frameKept);
 *   if (size < 5 || size > FRAME_MAX) return lost();
 *   if (!half.whole(chunk, size, area, AREA)) return;
 *   read(frameAt, frameAt + frameKept);
 *
 * A call takes off the chunk (`advance`) what it used. False: the chunk is used up, call again with the next one. True:
 * the frame is described by the variables below, until the next call; a frame that lies whole in its chunk is not copied.
 *
 * Invariant: however the stream was cut, a parser sees the same of a frame: its first `capacity` bytes, no more. What is
 * behind them is counted and passed over, so a gap in there costs nothing.
 */

import { Carry } from './accumulate';
import { copy, findByte } from './bytes';
import { Chunk } from './chunk';

/** Address of the frame's first byte. */
export let frameAt: usize = 0;
/** Bytes of it that may be looked at; of a frame that a byte ends, without that byte. */
export let frameKept: u32 = 0;
/** Bytes of it on the wire. */
export let frameBytes: u64 = 0;
/** When its first byte came. */
export let frameFirst: u64 = 0;
/** Some of the bytes that could be looked at were lost in a gap: frameKept ends there. */
export let frameCut: bool = false;

@unmanaged
export class Framer extends Carry {
  /** Bytes of the unfinished frame that went by: kept, passed over or lost. */
  taken: u64;
  /** Its length, once it is known. */
  size: u64;
  first: u64;

  /** A gap has just completed the frame: `whole` yields it from no bytes at all. */
  get isDue(): bool {
    return this.size > 0 && this.taken == this.size;
  }

  /** The first bytes of a frame, `bytes` of them, no more than `capacity`: enough to tell its length. */
  reach(chunk: Chunk, bytes: u32, area: usize, capacity: u32): bool {
    if (this.taken == 0 && chunk.length >= bytes) return this.describe(chunk.data, bytes, bytes, chunk.timestamp);
    if (this.taken < bytes) this.collect(chunk, bytes - <u32>this.taken, area, capacity);
    return this.taken >= bytes && this.describe(area, this.length, bytes, this.first);
  }

  /** A whole frame of `size` bytes. */
  whole(chunk: Chunk, size: u64, area: usize, capacity: u32): bool {
    const seen = <u32>min<u64>(size, capacity);
    if (this.taken == 0 && <u64>chunk.length >= size) {
      this.describe(chunk.data, seen, size, chunk.timestamp);
      chunk.advance(<u32>size);
      return true;
    }
    this.size = size;
    this.collect(chunk, size - this.taken, area, capacity);
    if (this.taken < size) return false;
    this.describe(area, this.length, size, this.first);
    frameCut = this.length < seen;
    this.drop();
    return true;
  }

  /** A whole frame that ends with the first `last`. */
  until(chunk: Chunk, last: u8, area: usize, capacity: u32): bool {
    const from = <usize>chunk.data;
    const found = findByte(from, chunk.end, last);
    const isFound = found < chunk.end;
    const text = <u32>(found - from);
    if (isFound && this.taken == 0) {
      this.describe(from, min(text, capacity), text + 1, chunk.timestamp);
      chunk.advance(text + 1);
      return true;
    }
    this.collect(chunk, text, area, capacity);
    if (!isFound) return false;
    if (this.taken == 0) this.first = chunk.timestamp;
    chunk.advance(1);
    this.describe(area, this.length, this.taken + 1, this.first);
    this.drop();
    return true;
  }

  /** Takes a gap that lies wholly inside a frame of known length; false: where the next frame begins is unknown. */
  lose(bytes: u32): bool {
    if (this.size == 0 || bytes > this.size - this.taken) return false;
    this.taken += bytes;
    return true;
  }

  /** Forgets the unfinished frame. */
  drop(): void {
    this.length = 0;
    this.taken = 0;
    this.size = 0;
  }

  /** Takes at most `wanted` bytes, and keeps those of the frame's first `capacity` that no gap precedes. */
  protected collect(chunk: Chunk, wanted: u64, area: usize, capacity: u32): void {
    const bytes = <u32>min<u64>(chunk.length, wanted);
    if (this.taken == 0) this.first = chunk.timestamp;
    if (this.taken == this.length) {
      const kept = min(bytes, capacity - this.length);
      copy(area + this.length, chunk.data, kept);
      this.length += kept;
    }
    this.taken += bytes;
    chunk.advance(bytes);
  }

  private describe(at: usize, kept: u32, bytes: u64, first: u64): bool {
    frameAt = at;
    frameKept = kept;
    frameBytes = bytes;
    frameFirst = first;
    frameCut = false;
    return true;
  }
}
