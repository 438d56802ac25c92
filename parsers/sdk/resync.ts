/**
 * Where a direction stands: in step with its frames, or on the way back after bytes were lost or made no sense.
 *
 *     SYNCED ──lost──▶ SEARCHING ──trial(n)─▶ TRIAL ──n-th good frame──▶ SYNCED
 *                          ▲ └─ budget spent: give up    │
 *                          └──────── a bad frame ────────┘
 *
 *   if (half.lost()) connection.desync(LOST_BYTES);                  // a gap, or a frame that is none
 *   if (half.isSearching) { if (half.seek(chunk, …)) half.trial(2); }   // or a line whose grammar fits: half.trial(1)
 *   if (half.confirm()) report(); else pass over it;                  // each good frame
 *   if (half.isSpent(SEARCH_MAX)) connection.giveUp();
 *
 * Rule: only frames of a direction in step are reported. `trial(1)` trusts the first frame that fits: for a grammar that
 * chance does not meet. With a header of a few bytes take `trial(2)`: the frame behind it has to fit, too.
 * A zeroed slot is in step; a connection joined in the middle begins with `lost()`.
 */

import { findByte } from './bytes';
import { Chunk } from './chunk';
import { Framer } from './framer';

export const SYNCED: u8 = 0;
export const SEARCHING: u8 = 1;
export const TRIAL: u8 = 2;

@unmanaged
export class Resync extends Framer {
  /** SYNCED, SEARCHING or TRIAL. */
  step: u8;
  /** TRIAL: good frames still wanted. */
  wanted: u8;
  /** Bytes passed over since the direction was in step. */
  searched: u32;

  get isSynced(): bool {
    return this.step == SYNCED;
  }

  get isSearching(): bool {
    return this.step == SEARCHING;
  }

  /** Out of step. True when it was in step before: the host has to hear of it (DESYNC). */
  lost(): bool {
    const wasSynced = this.isSynced;
    this.step = SEARCHING;
    this.drop();
    return wasSynced;
  }

  /** A frame may begin here: the `frames`-th good one from here on is believed. */
  trial(frames: u8): void {
    this.step = TRIAL;
    this.wanted = frames;
  }

  /** A good frame: whether it may be reported. */
  confirm(): bool {
    if (this.step == TRIAL && --this.wanted == 0) {
      this.step = SYNCED;
      this.searched = 0;
    }
    return this.isSynced;
  }

  /** Counts bytes that were passed over. */
  spend(bytes: u32): void {
    this.searched = bytes > u32.MAX_VALUE - this.searched ? u32.MAX_VALUE : this.searched + bytes;
  }

  /** Whether the search has cost more than `budget` bytes. */
  isSpent(budget: u32): bool {
    return this.searched > budget;
  }

  /**
   * Goes to the next `sequence`, ASCII text, over any cut; its first byte must not come again in it. True: found, and taken into the
   * area as the first bytes of a frame, so that `reach` goes on from there. False: the chunk is used up.
   */
  seek(chunk: Chunk, sequence: string, area: usize): bool {
    const units = changetype<usize>(sequence);
    const length = <u32>sequence.length;
    while (chunk.length > 0) {
      if (this.taken == 0) this.goTo(chunk, load<u8>(units));
      while (chunk.length > 0 && load<u8>(chunk.data) == load<u8>(units + (this.length << 1))) {
        this.collect(chunk, 1, area, length);
        if (this.length == length) return true;
      }
      if (chunk.length == 0) break;
      this.spend(this.length);
      this.drop();
    }
    return false;
  }

  /** Passes over what is before the next `byte`. */
  private goTo(chunk: Chunk, byte: u8): void {
    const bytes = <u32>(findByte(chunk.data, chunk.end, byte) - chunk.data);
    this.spend(bytes);
    chunk.advance(bytes);
  }
}
