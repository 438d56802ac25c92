/**
 * The beginning of a connection's slot state that most parsers share: whether it was given up, and what was reported
 * since the last DESYNC. A parser extends it, and places its two directions behind its fields:
 *
 *   @unmanaged
 *   export class Connection extends ConnectionState {
 *     half(direction: u32): Half {
 *       return changetype<Half>(partOf(this, direction, HALF_SIZE));
 *     }
 *   }
 *
 * Rule for pairing `fifo`: the k-th response answers the k-th request only when both directions are in step from the
 * same exchange on. So the direction that finds its way back last says DESYNC once more, if the other one has reported
 * anything in the meantime (`report`).
 */

import { DESYNC, FROM_CLIENT, GIVE_UP } from './abi';
import { SlotHeader } from './chunk';
import { hint } from './output';

@unmanaged
export class ConnectionState extends SlotHeader {
  /** Given up: nothing more is read. */
  dead: bool;
  /** One bit for each direction that has reported a message since the last DESYNC. */
  reported: u8;

  get slot(): u32 {
    return <u32>changetype<usize>(this);
  }

  /** The host must not pair what was before with what comes. `reason` is free. */
  desync(reason: u32): void {
    hint(this.slot, DESYNC, reason);
    this.reported = 0;
  }

  /** Pairing `fifo`: a message of this direction is about to be reported; `isFirst`: the first since it was lost. */
  report(direction: u32, isFirst: bool, reason: u32): void {
    const bit: u8 = direction == FROM_CLIENT ? 1 : 2;
    if (isFirst && (this.reported & ~bit) != 0) this.desync(reason);
    this.reported |= bit;
  }

  giveUp(): void {
    if (!this.dead) hint(this.slot, GIVE_UP);
    this.dead = true;
  }
}

/** Address of the `index`-th of several parts of `size` bytes, a multiple of 8, that lie behind the fields of `state`. */
export function partOf<T>(state: T, index: u32, size: u32): usize {
  return changetype<usize>(state) + ((offsetof<T>() + 7) & ~7) + index * size;
}
