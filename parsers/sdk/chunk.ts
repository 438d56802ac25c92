/**
 * Views over the host's records: chunks in the input arena and the header of a slot. The fields lie where abi.ts says;
 * the compiler checks it (see the end of the file).
 *
 * A parser reads `data … data + length` and nothing beyond it. What it has used of a chunk it cannot finish, it takes
 * off with `advance`, so that the host can offer the rest again.
 */

import {
  CHUNK_DATA,
  CHUNK_DIRECTION,
  CHUNK_KIND,
  CHUNK_LENGTH,
  CHUNK_OFFSET,
  CHUNK_SIZE,
  CHUNK_TIMESTAMP,
  CHUNK_WIRE_LENGTH,
  EOF,
  RESET,
  SLOT_HEADER,
  SLOT_OPEN_FLAGS,
} from './abi';
import { inputArena } from './module';

@unmanaged
export class Chunk {
  slot: u32;
  kind: u8;
  direction: u8;
  flags: u16;
  data: u32;
  length: u32;
  wireLength: u32;
  reserved: u32;
  timestamp: u64;
  offset: u64;

  @inline
  static at(index: u32): Chunk {
    return changetype<Chunk>(inputArena + <usize>index * CHUNK_SIZE);
  }

  /** EOF or RESET: no bytes, and none will follow. */
  @inline
  get isEnd(): bool {
    return this.kind == EOF || this.kind == RESET;
  }

  /** First address behind the captured bytes. */
  @inline
  get end(): usize {
    return <usize>this.data + this.length;
  }

  /** Bytes that went over the wire behind the captured ones, and are lost. */
  @inline
  get missing(): u32 {
    return this.wireLength > this.length ? this.wireLength - this.length : 0;
  }

  /** Takes captured bytes off the front. */
  advance(bytes: u32): void {
    this.data += bytes;
    this.length -= bytes;
    this.wireLength -= bytes;
    this.offset += bytes;
  }

  /** Takes lost bytes off, once all captured ones are used. */
  advanceMissing(bytes: u32): void {
    this.wireLength -= bytes;
    this.offset += bytes;
  }
}

/**
 * The 16 bytes the host owns in front of a module's own state. A parser extends this class with its state:
 * offsets and numbers only, never an address, because the host copies slots.
 */
@unmanaged
export class SlotHeader {
  size: u32;
  openFlags: u32;
  reserved: u64;
}

if (
  offsetof<Chunk>() != CHUNK_SIZE ||
  offsetof<Chunk>('kind') != CHUNK_KIND ||
  offsetof<Chunk>('direction') != CHUNK_DIRECTION ||
  offsetof<Chunk>('data') != CHUNK_DATA ||
  offsetof<Chunk>('length') != CHUNK_LENGTH ||
  offsetof<Chunk>('wireLength') != CHUNK_WIRE_LENGTH ||
  offsetof<Chunk>('timestamp') != CHUNK_TIMESTAMP ||
  offsetof<Chunk>('offset') != CHUNK_OFFSET
) {
  ERROR('Chunk differs from abi.ts');
}
if (offsetof<SlotHeader>() != SLOT_HEADER || offsetof<SlotHeader>('openFlags') != SLOT_OPEN_FLAGS) {
  ERROR('SlotHeader differs from abi.ts');
}
