/**
 * The slot of a connection: two directions (frames, header blocks, HPACK tables) and the streams that are open.
 *
 *   │ Connection │ Half × 2 │ Table × 2 │ block of client │ block of server │ … │ streams │
 *
 * Larger classes have longer areas for header blocks and more streams. The streams of a class lie behind the end of the
 * class before it, so that they can be entered anew when the slot has moved.
 */

import { Table } from '../hpack/table';
import { FROM_CLIENT, FROM_SERVER, OPEN_MID_STREAM, OPEN_UPGRADED } from '../sdk/abi';
import { ConnectionState } from '../sdk/connection';
import { STREAM_SIZE, Stream, Streams } from './streams';

/** What both sides begin with; more is rarely asked for, and then the oldest entries are unknown. */
const TABLE_CAPACITY: u32 = 4096;
const HALVES: u32 = 96;
const HALF_SIZE: u32 = 192;
const TABLES: u32 = HALVES + 2 * HALF_SIZE;
// tableSize(TABLE_CAPACITY).
const TABLE_SIZE: u32 = 8432;
const BLOCKS: u32 = TABLES + 2 * TABLE_SIZE;

/**
 * Not a multiple of 4 KiB: what is used most of all slots would compete for the same places of the cache. But one of 256,
 * as the host keeps an entry for each step of all slot sizes, and has room for 16 million.
 */
const SMALL: u32 = 28928;
const MEDIUM: u32 = 65536;
const LARGE: u32 = 262144;
const HUGE: u32 = 1048576;

/** Streams that may be open for the smallest slot to be asked for again, and how many have to end before it is. */
const CALM_STREAMS: u32 = 16;
const CALM_ENOUGH: u32 = 16;
const ANY_STREAM: u32 = 0x7fffffff;

/** Bytes of a direction that are searched before the connection is given up. */
export const SEARCH_MAX: u32 = 8 * 1024 * 1024;
/** Largest payload that everybody takes. https://www.rfc-editor.org/rfc/rfc9113#section-4.2 */
export const FRAME_SIZE: u32 = 16384;
const FRAME_SIZE_MAX: u32 = 0xffffff;

// Half.step
export const SYNCED: u8 = 0;
export const PREFACE: u8 = 1;
export const SEARCHING: u8 = 2;
export const TRIAL: u8 = 3;

@unmanaged
export class Half {
  step: u8;
  /** TRIAL: good frames still wanted. */
  wanted: u8;
  /** Bytes of a frame's header, or of the preface, that are kept. */
  have: u8;
  /** The header was read, its payload is at work. */
  isPayload: bool;
  type: u8;
  flags: u8;
  /** How often the direction was lost. */
  epoch: u16;
  stream: u32;
  length: u32;
  /** Payload still to come. */
  left: u32;
  /** DATA: how much of what is left is body. */
  body: u32;
  /** What may be sent this way at most. */
  frameMax: u32;
  searched: u32;
  /** The block at work: its stream (0 when there is none), type and flags of its first frame, bytes kept so far. */
  blockStream: u32;
  blockType: u8;
  blockFlags: u8;
  /** Bytes of it were lost, or it is too long. */
  isBroken: bool;
  /** DATA: the length of the padding is yet to come. */
  isPadUnread: bool;
  blockLength: u32;
  /** Bytes of the current frame that are kept behind the block. */
  gathered: u32;
  blockBytes: u64;
  blockFirst: u64;
  /** Time of the frame's first byte. */
  first: u64;
  head0: u64;
  head1: u64;
  /** When each byte of the header came. */
  time0: u64;
  time1: u64;
  time2: u64;
  time3: u64;
  time4: u64;
  time5: u64;
  time6: u64;
  time7: u64;
  time8: u64;

  get head(): usize {
    return changetype<usize>(this) + offsetof<Half>('head0');
  }

  get times(): usize {
    return changetype<usize>(this) + offsetof<Half>('time0');
  }

  get isSynced(): bool {
    return this.step == SYNCED;
  }

  /** Counts bytes that were passed over. */
  spend(bytes: u32): void {
    this.searched = min(this.searched + bytes, SEARCH_MAX + 1);
  }

  dropBlock(): void {
    this.blockStream = 0;
    this.blockLength = 0;
    this.gathered = 0;
    this.isBroken = false;
  }
}

// Connection.posts
export const WAS_GRPC: u8 = 1;
export const WAS_HTTP: u8 = 2;

@unmanaged
export class Connection extends ConnectionState {
  /** Size of the slot when its parts were placed. */
  laidOut: u32;
  capacity: u32;
  count: u32;
  offset: u32;
  /** Highest stream that the client, and the server by a push, has opened. */
  clientStream: u32;
  serverStream: u32;
  /** Streams that were not entered because the table was full, since it was last swept. */
  refused: u32;
  /** The last stream that the server answers, as its GOAWAY says. */
  allowed: u32;
  /** The streams that a GOAWAY refuses and that are still to be looked at, from here (0: there are none) to there. */
  refusing: u32;
  refusingEnd: u32;
  /** What the POST requests were whose fields are all known: WAS_GRPC, WAS_HTTP. */
  posts: u8;
  /** Directions that have ended. */
  ends: u8;
  /** Who ended first, in order: 0 nobody, else the direction and 1. */
  leaver: u8;
  /** Place of the next stream to be looked at since the connection has ended. */
  closing: u32;
  /** Streams that have ended in a row with so few open that the smallest slot would do. */
  calm: u32;

  static at(slot: usize): Connection {
    return changetype<Connection>(slot);
  }

  get base(): usize {
    return changetype<usize>(this);
  }

  get table(): Streams {
    return changetype<Streams>(changetype<usize>(this) + offsetof<Connection>('capacity'));
  }

  half(direction: u32): Half {
    return changetype<Half>(this.base + HALVES + direction * HALF_SIZE);
  }

  hpack(direction: u32): Table {
    return changetype<Table>(this.base + TABLES + direction * TABLE_SIZE);
  }

  /** Where a header block is kept. */
  block(direction: u32): usize {
    return this.base + BLOCKS + direction * blockCapacity(this.size);
  }

  get blockCapacity(): u32 {
    return blockCapacity(this.size);
  }

  get canGrow(): bool {
    return this.size < HUGE;
  }

  open(flags: u32): void {
    const isWhole = (flags & OPEN_MID_STREAM) == 0;
    this.laidOut = this.size;
    this.allowed = ANY_STREAM;
    this.capacity = streamCapacity(this.size);
    this.offset = this.size - this.capacity * STREAM_SIZE;
    // An upgraded connection begins with stream 1, whose request was HTTP/1.
    if ((flags & OPEN_UPGRADED) != 0) this.clientStream = 1;
    for (let direction: u32 = 0; direction < 2; direction++) {
      const half = this.half(direction);
      this.hpack(direction).open(TABLE_CAPACITY, isWhole);
      half.frameMax = isWhole ? FRAME_SIZE : FRAME_SIZE_MAX;
      half.step = isWhole ? (direction == FROM_CLIENT ? PREFACE : SYNCED) : SEARCHING;
      half.epoch = isWhole ? 0 : 1;
    }
  }

  /** The slot has moved to a larger class: brings its parts to their new places. */
  settle(): void {
    if (this.laidOut == this.size) return;
    const server = this.base + BLOCKS;
    const from = blockCapacity(this.laidOut);
    this.enterAnew(this.size);
    memory.copy(server + blockCapacity(this.size), server + from, from);
    this.laidOut = this.size;
  }

  /** A larger slot has not been needed for a while, and what there is fits the smallest one. */
  get isCalm(): bool {
    return this.calm >= CALM_ENOUGH && this.size != SMALL && this.isIdle(FROM_CLIENT) && this.isIdle(FROM_SERVER);
  }

  /** Brings all parts to where they lie in the smallest slot. */
  pack(): void {
    this.calm = 0;
    this.enterAnew(SMALL);
    this.laidOut = SMALL;
  }

  /** Takes a stream out. */
  leave(stream: Stream): void {
    this.table.remove(this.base, stream);
    this.calm = this.count <= CALM_STREAMS ? this.calm + 1 : 0;
  }

  /** Enters every stream in the table of a slot of that size; the two tables have nothing in common. */
  private enterAnew(size: u32): void {
    const table = this.table;
    const places = table.capacity;
    const old = this.base + table.offset;
    table.capacity = streamCapacity(size);
    table.offset = size - table.capacity * STREAM_SIZE;
    table.count = 0;
    memory.fill(this.base + table.offset, 0, table.capacity * STREAM_SIZE);
    for (let place: u32 = 0; place < places; place++) {
      const from = old + place * STREAM_SIZE;
      const id = load<u32>(from);
      if (id != 0) memory.copy(changetype<usize>(table.add(this.base, id)), from, STREAM_SIZE);
    }
  }

  /** Nothing is kept of a block or a payload. */
  private isIdle(direction: u32): bool {
    const half = this.half(direction);
    return half.blockStream == 0 && !(half.isPayload && half.gathered > 0);
  }

  /** A direction has lost its place: what its tables held, and what open streams count, is no longer known. */
  lose(direction: u32): void {
    const half = this.half(direction);
    half.step = SEARCHING;
    half.isPayload = false;
    half.dropBlock();
    this.doubt(direction);
    // The epoch must not come round.
    if (++half.epoch == 0) this.giveUp();
  }

  /** A header block was missed. */
  doubt(direction: u32): void {
    this.hpack(direction).doubt();
  }
}

function blockCapacity(size: u32): u32 {
  if (size == SMALL) return 2560;
  if (size == MEDIUM) return 8192;
  return size == LARGE ? 20480 : 65536;
}

function streamCapacity(size: u32): u32 {
  if (size == SMALL) return 64;
  if (size == MEDIUM) return 256;
  return size == LARGE ? 2048 : 8192;
}

if (offsetof<Connection>() > HALVES || offsetof<Half>() > HALF_SIZE) ERROR('state outgrows its place in the slot');
