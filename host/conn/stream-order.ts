/**
 * Records into streams: each direction's bytes in the order of their stream position, holes named exactly.
 *
 * The rule: a record at the expected position passes at once. One ahead of it is held for a moment, because two
 * threads on one socket can report out of order; when the hole does not fill, it becomes a gap of exactly the
 * missing bytes. What lies behind the expected position was seen already and is cut off.
 * While a hole waits, so does the other direction: a response must not overtake the request that is held, or the
 * gap between them would be told too late.
 * Positions are TCP sequence numbers that wrap at 2^32; offsets count from the stream's start and do not.
 */
import { DIRECTION_IN, DIRECTION_OUT, RECORD, RECORD_SIZE } from '../kernel/layout.ts';
import { C, type Counters } from '../self/counters.ts';
import { type Connections, ENDED, RESUMED, STARTED } from './connections.ts';

/** Takes the chunks. `direction` is the record's; `offset` counts from the start of the direction's stream. */
export interface ChunkSink {
  /** `source` is the payload's address in the batch. */
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
  /** Payload that is not in the batch. */
  held(
    connection: number,
    direction: number,
    bytes: Uint8Array,
    wireLength: number,
    timeLow: number,
    timeHigh: number,
    offset: number,
  ): void;
  /** Nobody knows when these bytes went by. */
  gap(connection: number, direction: number, length: number, offset: number): void;
  end(connection: number, direction: number, timeLow: number, timeHigh: number, offset: number): void;
}

/** What lies farther behind than any window is ahead: a loss of more than 2 GiB. */
const BEHIND_MAX = 64 * 1024 * 1024;
const TWO_32 = 0x1_0000_0000;

/** A hole is given up at once when this much waits behind it. */
const HELD_RECORDS_MAX = 64;
const HELD_BYTES_MAX = 512 * 1024;
/** All holes of the shard together hold no more than this. */
const HELD_TOTAL_MAX = 32 * 1024 * 1024;

interface Held {
  readonly direction: number;
  readonly offset: number;
  readonly bytes: Uint8Array;
  readonly wireLength: number;
  readonly timeLow: number;
  readonly timeHigh: number;
}

interface Hole {
  readonly connection: number;
  readonly sinceMs: number;
  /** As they came; within a direction in ascending offsets. */
  readonly held: Held[];
  bytes: number;
}

export class StreamOrder {
  readonly #connections: Connections;
  readonly #sink: ChunkSink;
  readonly #counters: Counters;
  readonly #patienceMs: number;
  /** By connection. */
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
    if (ahead === 0 && this.#connections.hole[connection] === 0) {
      this.#connections.next[key] = next + moved;
      this.#sink.data(connection, direction, at + RECORD_SIZE, length, moved, timeLow, timeHigh, next);
      return;
    }
    const bytes = u8.slice(at + RECORD_SIZE, at + RECORD_SIZE + length);
    this.#disorder(connection, { direction, offset: next + ahead, bytes, wireLength: moved, timeLow, timeHigh });
  }

  /** The direction's orderly end at a position. */
  end(connection: number, direction: number, u32: Uint32Array, at: number, known: boolean): void {
    const key = connection * 2 + direction;
    if ((this.#connections.stream[key]! & ENDED) !== 0) return;
    const word = at >>> 2;
    const timeLow = u32[word + (RECORD.timestampNs >>> 2)]!;
    const timeHigh = u32[word + (RECORD.timestampNs >>> 2) + 1]!;
    this.#closeHole(connection);
    const ahead = this.#ahead(key, u32[word + (RECORD.position >>> 2)]!, u32[word + (RECORD.origin >>> 2)]!, known);
    if (ahead > 0) this.#gap(connection, direction, ahead);
    this.#connections.stream[key]! |= ENDED;
    this.#sink.end(connection, direction, timeLow, timeHigh, this.#connections.next[key]!);
  }

  /** The connection is gone, as the record at byte `at` says: what its streams had beyond what was seen is lost. */
  close(connection: number, u32: Uint32Array, at: number, known: boolean): void {
    const word = at >>> 2;
    this.#closeHole(connection);
    const origin = u32[word + (RECORD.origin >>> 2)]!;
    this.#loseTail(connection, DIRECTION_OUT, u32[word + (RECORD.position >>> 2)]!, origin, known);
    // The record carries one origin, that of OUT: of an IN that was never seen, nobody knows how long it was.
    if ((this.#connections.stream[connection * 2 + DIRECTION_IN]! & STARTED) === 0) return;
    this.#loseTail(connection, DIRECTION_IN, u32[word + (RECORD.endIn >>> 2)]!, 0, false);
  }

  /** The connection is given up without a last record. */
  abandon(connection: number): void {
    this.#closeHole(connection);
  }

  /** True when this direction reported its orderly end. */
  ended(connection: number, direction: number): boolean {
    return (this.#connections.stream[connection * 2 + direction]! & ENDED) !== 0;
  }

  /** Gives up holes that waited long enough. */
  expire(nowMs: number): void {
    for (const [connection, { sinceMs }] of this.#holes) {
      if (nowMs - sinceMs >= this.#patienceMs) this.#closeHole(connection);
    }
  }

  get holes(): number {
    return this.#holes.size;
  }

  /** Bytes between the expected position and this one: 0 in order, negative behind. Starts the stream if need be. */
  #ahead(key: number, position: number, origin: number, known: boolean): number {
    const connections = this.#connections;
    if ((connections.stream[key]! & STARTED) === 0) {
      connections.base[key] = known && (connections.stream[key]! & RESUMED) === 0 ? origin : position;
      connections.stream[key]! |= STARTED;
    }
    const distance = (position - ((connections.base[key]! + connections.next[key]!) >>> 0)) >>> 0;
    return distance >= TWO_32 - BEHIND_MAX ? distance - TWO_32 : distance;
  }

  #loseTail(connection: number, direction: number, position: number, origin: number, known: boolean): void {
    const key = connection * 2 + direction;
    if ((this.#connections.stream[key]! & ENDED) !== 0) return;
    const ahead = this.#ahead(key, position, origin, known);
    if (ahead > 0) this.#gap(connection, direction, ahead);
  }

  #disorder(connection: number, record: Held): void {
    const hole = this.#holes.get(connection);
    const isLate = record.offset <= this.#connections.next[connection * 2 + record.direction]!;
    if (hole === undefined && !isLate) this.#hold(connection, this.#open(connection), record);
    else if (hole === undefined) this.#deliver(connection, record);
    else if (isLate && hole.held.some(({ direction }) => direction === record.direction)) {
      this.#deliver(connection, record);
      this.#fill(hole);
    } else this.#hold(connection, hole, record);
  }

  #open(connection: number): Hole {
    const hole: Hole = { connection, sinceMs: performance.now(), held: [], bytes: 0 };
    this.#holes.set(connection, hole);
    this.#connections.hole[connection] = 1;
    return hole;
  }

  #hold(connection: number, hole: Hole, record: Held): void {
    insert(hole.held, record);
    hole.bytes += record.bytes.length;
    this.#heldBytes += record.bytes.length;
    const full = hole.held.length >= HELD_RECORDS_MAX || hole.bytes >= HELD_BYTES_MAX;
    if (this.#patienceMs === 0 || full || this.#heldBytes >= HELD_TOTAL_MAX) this.#closeHole(connection);
  }

  /** Delivers what has become contiguous. */
  #fill(hole: Hole): void {
    while (hole.held.length > 0 && this.#missing(hole) <= 0) {
      this.#counters[C.chunks_reordered]! += 1;
      this.#take(hole);
    }
    if (hole.held.length === 0) this.#forget(hole);
  }

  /** Turns the missing bytes into gaps and delivers everything held. */
  #closeHole(connection: number): void {
    if (this.#connections.hole[connection] === 0) return;
    const hole = this.#holes.get(connection);
    if (hole === undefined) return;
    this.#forget(hole);
    while (hole.held.length > 0) {
      const missing = this.#missing(hole);
      if (missing > 0) this.#gap(connection, hole.held[0]!.direction, missing);
      this.#take(hole);
    }
  }

  #forget({ connection }: Hole): void {
    this.#holes.delete(connection);
    this.#connections.hole[connection] = 0;
  }

  /** Bytes missing in front of the first record held. */
  #missing({ connection, held }: Hole): number {
    const { direction, offset } = held[0]!;
    return offset - this.#connections.next[connection * 2 + direction]!;
  }

  #take(hole: Hole): void {
    const record = hole.held.shift()!;
    hole.bytes -= record.bytes.length;
    this.#heldBytes -= record.bytes.length;
    this.#deliver(hole.connection, record);
  }

  /** A record at or behind the expected offset: what was seen already is cut off its front. */
  #deliver(connection: number, record: Held): void {
    const { direction } = record;
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

  #gap(connection: number, direction: number, length: number): void {
    const key = connection * 2 + direction;
    const next = this.#connections.next[key]!;
    this.#connections.next[key] = next + length;
    this.#counters[C.gaps]! += 1;
    this.#counters[C.bytes_gap_lost]! += length;
    this.#sink.gap(connection, direction, length, next);
  }
}

/** Before the first of its direction that lies behind it in the stream; else at the end. */
function insert(held: Held[], record: Held): void {
  const at = held.findIndex(({ direction, offset }) => direction === record.direction && offset > record.offset);
  if (at < 0) held.push(record);
  else held.splice(at, 0, record);
}
