/** The slot of a connection: what is known of it between two chunks. One Half for each direction. */
import { OPEN_MID_STREAM } from '../sdk/abi';
import { ConnectionState, partOf } from '../sdk/connection';
import { Resync } from '../sdk/resync';
import { HEADER_SIZE, METHOD_MAX } from './header';

/** All that is looked at of a frame. */
export const AREA: u32 = HEADER_SIZE + METHOD_MAX;

/** Where a direction is in its frame, and whether it is trusted. AREA bytes of the unfinished frame lie behind it. */
@unmanaged
export class Half extends Resync {
  @inline
  get area(): usize {
    return changetype<usize>(this) + offsetof<Half>();
  }

  /**
   * Goes on with bytes `from` … `to` of those that were carried. When they came is not known any more; but the first
   * frame behind a mistake is not reported.
   */
  carryOn(from: u32, to: u32): void {
    memory.copy(this.area, this.area + from, to - from);
    this.length = to - from;
    this.taken = to - from;
  }
}

const HALF_SIZE: u32 = (offsetof<Half>() + AREA + 7) & ~7;

@unmanaged
export class Connection extends ConnectionState {
  @inline
  static at(slot: usize): Connection {
    return changetype<Connection>(slot);
  }

  @inline
  half(direction: u32): Half {
    return changetype<Half>(partOf(this, direction, HALF_SIZE));
  }

  /** The slot is zero: in step from the first byte on, if that was seen. */
  open(flags: u32): void {
    if ((flags & OPEN_MID_STREAM) == 0) return;
    for (let direction: u32 = 0; direction < 2; direction++) this.half(direction).lost();
  }
}

/** The manifest's slot class must hold it all. */
if (offsetof<Connection>() + 8 + 2 * HALF_SIZE > 320) ERROR('the state of a connection exceeds its slot');
