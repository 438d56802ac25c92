/**
 * Records into streams: each direction's bytes in the order of their stream position, holes named exactly.
 *
 * The rule: a record at the expected position passes at once. One ahead of it is held for a moment, because two
 * threads on one socket can report out of order; when the hole does not fill, it becomes a gap of exactly the
 * missing bytes. What lies behind the expected position was seen already and is cut off.
 * Positions are TCP sequence numbers that wrap at 2^32; offsets count from the stream's start and do not.
 */
import { RECORD, RECORD_SIZE } from '../kernel/layout.ts';
import { C, type Counters } from '../self/counters.ts';
import type { Connections } from './connections.ts';

/** Takes the chunks. `direction` is the record's; `offset` counts from the start of the direction's stream. */
export interface ChunkSink {
  /** `source` is the payload's place in the batch buffer. */
  data(
    connection: number,
    direction: number,
    source: number,
    length: number,
    wireLength: number,
    timeLow: number,
    timeHigh: number,
    offset: number,
  ): void;
  /** Payload that is not in the batch buffer. */
  held(
    connection: number,
    direction: number,
    bytes: Uint8Array,
    wireLength: number,
    timeLow: number,
    timeHigh: number,
    offset: number,
  ): void;
  gap(connection: number, direction: number, length: number, timeLow: number, timeHigh: number, offset: number): void;
  end(connection: number, direction: number, timeLow: number, timeHigh: number, offset: number): void;
}

/** Bits of Connections.stream. */
const STARTED = 1;
const ENDED = 2;

/** A hole is given up at once when this much waits behind it. */
const HELD_RECORDS_MAX = 64;
const HELD_BYTES_MAX = 512 * 1024;
/** All holes of the shard together hold no more than this. */
const HELD_TOTAL_MAX = 32 * 1024 * 1024;

interface Held {
  readonly offset: number;
  readonly bytes: Uint8Array;
  readonly wireLength: number;
  readonly timeLow: number;
  readonly timeHigh: number;
}

interface Hole {
  readonly connection: number;
  readonly direction: number;
  readonly sinceMs: number;
  /** Ascending offsets. */
  readonly held: Held[];
  bytes: number;
}

export class StreamOrder {
  readonly #connections: Connections;
  readonly #sink: ChunkSink;
  readonly #counters: Counters;
  readonly #patienceMs: number;
  /** By connection * 2 + direction. */
  readonly #holes = new Map<number, Hole>();
  #heldBytes = 0;

  /** @param patienceMs how long a hole may wait for its bytes; 0 when the source never reorders */
  constructor(connections: Connections, sink: ChunkSink, counters: Counters, patienceMs: number) {
    this.#connections = connections;
    this.#sink = sink;
    this.#counters = counters;
    this.#patienceMs = patienceMs;
  }

  /** A data record at byte `at` of the batch. */
  data(connection: number, direction: number, u32: Uint32Array, u8: Uint8Array, at: number, known: boolean): void {
    const word = at >>> 2;
    const length = u32[word + (RECORD.captured >>> 2)]!;
    const moved = u32[word + (RECORD.moved >>> 2)]!;
    const timeLow = u32[word + (RECORD.timestampNs >>> 2)]!;
    const timeHigh = u32[word + (RECORD.timestampNs >>> 2) + 1]!;
    const key = connection * 2 + direction;
    const ahead = this.#ahead(key, u32[word + (RECORD.position >>> 2)]!, u32[word + (RECORD.origin >>> 2)]!, known);
    const next = this.#connections.next[key]!;
    if (ahead === 0 && !this.#holes.has(key)) {
      this.#connections.next[key] = next + moved;
      this.#sink.data(connection, direction, at + RECORD_SIZE, length, moved, timeLow, timeHigh, next);
      return;
    }
    const bytes = u8.slice(at + RECORD_SIZE, at + RECORD_SIZE + length);
    this.#disorder(connection, direction, { offset: next + ahead, bytes, wireLength: moved, timeLow, timeHigh });
  }

  /** The direction's orderly end at a position. */
  end(connection: number, direction: number, u32: Uint32Array, at: number, known: boolean): void {
    const key = connection * 2 + direction;
    if ((this.#connections.stream[key]! & ENDED) !== 0) return;
    const word = at >>> 2;
    const timeLow = u32[word + (RECORD.timestampNs >>> 2)]!;
    const timeHigh = u32[word + (RECORD.timestampNs >>> 2) + 1]!;
    this.#closeHole(key);
    const ahead = this.#ahead(key, u32[word + (RECORD.position >>> 2)]!, u32[word + (RECORD.origin >>> 2)]!, known);
    if (ahead > 0) this.#gap(connection, direction, ahead, timeLow, timeHigh);
    this.#connections.stream[key]! |= ENDED;
    this.#sink.end(connection, direction, timeLow, timeHigh, this.#connections.next[key]!);
  }

  /** The connection is gone: nothing more can fill its holes. */
  close(connection: number): void {
    this.#closeHole(connection * 2);
    this.#closeHole(connection * 2 + 1);
  }

  /** True when this direction reported its orderly end. */
  ended(connection: number, direction: number): boolean {
    return (this.#connections.stream[connection * 2 + direction]! & ENDED) !== 0;
  }

  /** Gives up holes that waited long enough. */
  expire(nowMs: number): void {
    for (const [key, hole] of this.#holes) if (nowMs - hole.sinceMs >= this.#patienceMs) this.#closeHole(key);
  }

  get holes(): number {
    return this.#holes.size;
  }

  /** Bytes between the expected position and this one: 0 in order, negative behind. Starts the stream if need be. */
  #ahead(key: number, position: number, origin: number, known: boolean): number {
    const connections = this.#connections;
    if ((connections.stream[key]! & STARTED) === 0) {
      connections.stream[key]! |= STARTED;
      connections.base[key] = known ? origin : position;
    }
    return (position - ((connections.base[key]! + connections.next[key]!) >>> 0)) | 0;
  }

  #disorder(connection: number, direction: number, record: Held): void {
    const key = connection * 2 + direction;
    const next = this.#connections.next[key]!;
    if (record.offset <= next) {
      this.#deliver(connection, direction, record);
      this.#fill(key);
      return;
    }
    let hole = this.#holes.get(key);
    if (hole === undefined) {
      hole = { connection, direction, sinceMs: performance.now(), held: [], bytes: 0 };
      this.#holes.set(key, hole);
    }
    insert(hole.held, record);
    hole.bytes += record.bytes.length;
    this.#heldBytes += record.bytes.length;
    const full = hole.held.length >= HELD_RECORDS_MAX || hole.bytes >= HELD_BYTES_MAX;
    if (this.#patienceMs === 0 || full || this.#heldBytes >= HELD_TOTAL_MAX) this.#closeHole(key);
  }

  /** Delivers what has become contiguous. */
  #fill(key: number): void {
    const hole = this.#holes.get(key);
    if (hole === undefined) return;
    while (hole.held.length > 0 && hole.held[0]!.offset <= this.#connections.next[key]!) {
      this.#counters[C.chunks_reordered]! += 1;
      this.#take(hole);
    }
    if (hole.held.length === 0) this.#holes.delete(key);
  }

  /** Turns the missing bytes into gaps and delivers everything held. */
  #closeHole(key: number): void {
    const hole = this.#holes.get(key);
    if (hole === undefined) return;
    this.#holes.delete(key);
    while (hole.held.length > 0) {
      const first = hole.held[0]!;
      const missing = first.offset - this.#connections.next[key]!;
      if (missing > 0) this.#gap(hole.connection, hole.direction, missing, first.timeLow, first.timeHigh);
      this.#take(hole);
    }
  }

  #take(hole: Hole): void {
    const record = hole.held.shift()!;
    hole.bytes -= record.bytes.length;
    this.#heldBytes -= record.bytes.length;
    this.#deliver(hole.connection, hole.direction, record);
  }

  /** A record at or behind the expected offset: what was seen already is cut off its front. */
  #deliver(connection: number, direction: number, record: Held): void {
    const key = connection * 2 + direction;
    const next = this.#connections.next[key]!;
    const seen = Math.min(next - record.offset, record.wireLength);
    this.#counters[C.bytes_overlap]! += seen;
    if (seen === record.wireLength) return;
    const bytes = record.bytes.subarray(Math.min(seen, record.bytes.length));
    const wireLength = record.wireLength - seen;
    this.#connections.next[key] = next + wireLength;
    this.#sink.held(connection, direction, bytes, wireLength, record.timeLow, record.timeHigh, next);
  }

  #gap(connection: number, direction: number, length: number, timeLow: number, timeHigh: number): void {
    const key = connection * 2 + direction;
    const next = this.#connections.next[key]!;
    this.#connections.next[key] = next + length;
    this.#counters[C.gaps]! += 1;
    this.#counters[C.bytes_gap_lost]! += length;
    this.#sink.gap(connection, direction, length, timeLow, timeHigh, next);
  }
}

function insert(held: Held[], record: Held): void {
  let at = held.length;
  while (at > 0 && held[at - 1]!.offset > record.offset) at--;
  held.splice(at, 0, record);
}
