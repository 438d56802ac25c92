/**
 * Packets of one direction, over any cut of the stream and across gaps.
 *
 *   0        3     4
 *   │ length │ seq │ payload: length bytes │        little-endian
 *
 * A payload of 0xffffff bytes goes on in the next packet; together they are one frame here, of which the first bytes are
 * kept. So no caller sees a continuation.
 * https://dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_basic_packets.html
 */
import { le24 } from '../sdk/bytes';
import { Chunk } from '../sdk/chunk';
import { partOf } from '../sdk/connection';
import { Resync } from '../sdk/resync';

export const HEADER: u32 = 4;
/** A packet this long is continued. */
export const FULL: u32 = 0xffffff;

@unmanaged
export class Half extends Resync {
  /** The header being read, or the last one that was. */
  head: u32;
  headLength: u8;
  /** Of the frame's last packet. */
  sequence: u8;
  /** Bytes kept in the area for a frame that is not whole in its chunk; set by the caller. */
  room: u16;

  get area(): usize {
    return partOf(this, 0, 0);
  }

  /** A gap has just completed the frame: `frame` yields it from no bytes at all. */
  get isWhole(): bool {
    return this.isDue && this.headLength == HEADER && (this.head & FULL) != FULL;
  }

  /** Some of a frame has gone by. */
  get isInside(): bool {
    return this.taken > 0;
  }

  forget(): void {
    this.drop();
    this.headLength = 0;
  }

  /** A whole frame of one or more packets; `capacity` bytes of it at most are described. */
  frame(chunk: Chunk, area: usize, capacity: u32): bool {
    if (this.taken == 0 && chunk.length >= HEADER) {
      const bytes = le24(chunk.data);
      if (bytes != FULL && chunk.length >= bytes + HEADER) {
        this.sequence = load<u8>(chunk.data, 3);
        return this.whole(chunk, bytes + HEADER, area, capacity);
      }
    }
    return this.assemble(chunk, area, capacity);
  }

  /** Takes bytes of a frame until `bytes` of it went by; false when the chunk ends before. */
  begin(chunk: Chunk, bytes: u32, area: usize, capacity: u32): bool {
    while (this.taken < bytes) {
      if (this.headLength < HEADER) {
        if (!this.readHeader(chunk, area, capacity)) return false;
      } else {
        if (this.taken >= this.size) return true;
        this.collect(chunk, min<u64>(this.size, bytes) - this.taken, area, capacity);
        if (chunk.length == 0) break;
      }
    }
    return this.taken >= bytes || (this.headLength == HEADER && this.taken == this.size);
  }

  private assemble(chunk: Chunk, area: usize, capacity: u32): bool {
    while (true) {
      if (this.headLength < HEADER && !this.readHeader(chunk, area, capacity)) return false;
      if (this.taken < this.size) this.collect(chunk, this.size - this.taken, area, capacity);
      if (this.taken < this.size) return false;
      this.headLength = 0;
      if ((this.head & FULL) != FULL) return this.whole(chunk, this.size, area, capacity);
      this.head = 0;
    }
  }

  private readHeader(chunk: Chunk, area: usize, capacity: u32): bool {
    if (this.headLength == 0) this.head = 0;
    while (this.headLength < HEADER) {
      if (chunk.length == 0) return false;
      this.head |= (<u32>load<u8>(chunk.data)) << ((<u32>this.headLength) << 3);
      this.headLength++;
      this.collect(chunk, 1, area, capacity);
    }
    this.size = this.taken + (this.head & FULL);
    this.sequence = <u8>(this.head >>> 24);
    return true;
  }
}
