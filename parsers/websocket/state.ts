/** The slot of a connection: what is known of it between two chunks. */
import { FROM_CLIENT, FROM_SERVER, OPEN_MID_STREAM } from '../sdk/abi';
import { ConnectionState, partOf } from '../sdk/connection';
import { Resync } from '../sdk/resync';

/** The longest header has 14 bytes; nothing else is looked at. */
export const AREA: u32 = 16;
const FIELDS: u32 = 40;
const HALF_SIZE: u32 = FIELDS + AREA;
/** As in manifest.json. */
const SLOT_SIZE: u32 = 192;

// Reasons of a DESYNC.
export const LOST_BYTES: u32 = 1;
export const BAD_BYTES: u32 = 2;

/** One direction; its area lies behind its fields. */
@unmanaged
export class Half extends Resync {
  get area(): usize {
    return partOf(this, 0, AREA);
  }
}

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

  open(flags: u32): void {
    if ((flags & OPEN_MID_STREAM) == 0) return;
    this.half(FROM_CLIENT).lost();
    this.half(FROM_SERVER).lost();
  }
}

if (offsetof<Half>() > FIELDS || offsetof<Connection>() > SLOT_SIZE - 2 * HALF_SIZE) {
  ERROR('the state of a connection exceeds its slot');
}
