/**
 * The streams of a connection that are open: a hash table with linear probing, in the slot, `capacity` a power of two.
 * A stream enters with its first header block and leaves when its response has ended.
 */

@unmanaged
export class Stream {
  /** 0: this place is free. */
  id: u32;
  flags: u32;
  /** Time of the response's first byte. */
  first: u64;
  requestBody: u64;
  responseBody: u64;
  /** On the wire, frames that are no part of a message not counted. */
  responseBytes: u64;
  /** gRPC: messages that began. */
  requestMessages: u32;
  responseMessages: u32;
  /** gRPC: bytes of the message at work that are still to come; while its prefix is read, the length so far. */
  requestLeft: u32;
  responseLeft: u32;
  status: u16;
  /** gRPC: bytes of a prefix that were read. */
  requestPrefix: u8;
  responsePrefix: u8;
  /** How often the direction was lost before: what was counted in another epoch is not known. */
  requestEpoch: u16;
  responseEpoch: u16;
  /** gRPC: when the call has to be done; 0 when it has no deadline. */
  deadline: u64;
}

export const STREAM_SIZE: u32 = 96;
if (offsetof<Stream>() > STREAM_SIZE) ERROR('a stream outgrows its place');

// Stream.flags
export const IS_GRPC: u32 = 1;
export const HAS_REQUEST: u32 = 2;
export const REQUEST_ENDED: u32 = 4;
export const HAS_RESPONSE: u32 = 8;
/** The response's status is not known. */
export const NO_STATUS: u32 = 16;
/** What went by of a direction is no longer known. */
export const REQUEST_UNCOUNTED: u32 = 32;
export const RESPONSE_UNCOUNTED: u32 = 64;
export const IS_PUSHED: u32 = 128;
/** gRPC: a message was compressed. */
export const IS_COMPRESSED: u32 = 256;
/** gRPC: of a direction the bytes are known, but not how many messages they were. */
export const REQUEST_MESSAGES_LOST: u32 = 512;
export const RESPONSE_MESSAGES_LOST: u32 = 1024;
/** gRPC: its content type is not known; other calls of the connection tell. */
export const IS_PRESUMED: u32 = 2048;
/** Header fields of the response that were asked for are kept by the host: a definition, its key is the stream's id. */
export const HAS_HEADERS: u32 = 1 << 24;
/** There were more. */
export const HEADERS_CUT: u32 = 1 << 25;

@unmanaged
export class Streams {
  capacity: u32;
  count: u32;
  /** Offset of the table in the slot. */
  offset: u32;

  /** Whether one more should find room. */
  get isFull(): bool {
    return this.count >= this.capacity - (this.capacity >> 3);
  }

  find(base: usize, id: u32): Stream | null {
    const mask = this.capacity - 1;
    let place = hash(id) & mask;
    while (this.at(base, place).id != 0) {
      if (this.at(base, place).id == id) return this.at(base, place);
      place = (place + 1) & mask;
    }
    return null;
  }

  /** A stream that is not there yet; the caller has seen that it is not full. */
  add(base: usize, id: u32): Stream {
    const mask = this.capacity - 1;
    let place = hash(id) & mask;
    while (this.at(base, place).id != 0) place = (place + 1) & mask;
    const stream = this.at(base, place);
    // `memory.fill` costs more.
    const at = changetype<usize>(stream);
    store<u64>(at, id);
    store<u64>(at, 0, 8);
    for (let i: usize = 16; i < STREAM_SIZE; i += 16) {
      store<u64>(at + i, 0);
      store<u64>(at + i, 0, 8);
    }
    this.count++;
    return stream;
  }

  /** Takes a stream out, and closes the hole that others may have been placed behind. */
  remove(base: usize, stream: Stream): void {
    const mask = this.capacity - 1;
    let hole = <u32>((changetype<usize>(stream) - base - this.offset) / STREAM_SIZE);
    for (let place = (hole + 1) & mask; this.at(base, place).id != 0; place = (place + 1) & mask) {
      const home = hash(this.at(base, place).id) & mask;
      if (((place - home) & mask) < ((place - hole) & mask)) continue;
      memory.copy(changetype<usize>(this.at(base, hole)), changetype<usize>(this.at(base, place)), STREAM_SIZE);
      hole = place;
    }
    this.at(base, hole).id = 0;
    this.count--;
  }

  at(base: usize, place: u32): Stream {
    return changetype<Stream>(base + this.offset + place * STREAM_SIZE);
  }
}

/**
 * Consecutive streams of one side differ by two. Eight of them have one home: streams that are short take places that are
 * still in the cache, and no place is looked for far from there.
 */
function hash(id: u32): u32 {
  return ((id >> 4) * 0x9e3779b1) >> 15;
}
