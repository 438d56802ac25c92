/**
 * Messages that wait: columns by message number, attributes in a slab, numbers recycled through a free list.
 * `take` copies a message out of a parser's output arena (layout: parsers/sdk/abi.ts), with its references to
 * definitions replaced by what they refer to; `give` forgets it.
 * A message number is valid until it is given back; -1 means "none" everywhere.
 *
 * What a connection holds costs that connection: whoever keeps messages asks `hasShare` before, or gives up something of
 * that connection after. The share is one of both, slab and numbers (slab.ts); a connection that holds nothing has one.
 */
import {
  ATTRIBUTE_VALUE,
  MESSAGE_ATTRIBUTES,
  MESSAGE_BODY_BYTES,
  MESSAGE_FIRST,
  MESSAGE_LAST,
  MESSAGE_PARTIAL,
  MESSAGE_PROTOCOL,
  MESSAGE_SIZE,
  MESSAGE_STATUS,
  OUT_FLAGS,
  REFERENCE,
} from '../../parsers/sdk/abi.ts';
import type { Definitions } from './definitions.ts';
import { blockWords, Slab, share } from './slab.ts';

const FIRST_MESSAGES = 1024;
/** What a connection may hold while half of all is free: a pipeline of ordinary messages, or eight of the longest. */
const FLOOR_MESSAGES = 64;
const FLOOR_WORDS = (64 * 1024) >>> 2;
const TWO_32 = 0x1_0000_0000;

export class Messages {
  readonly slab: Slab;
  /** Next message of the same list (a connection's FIFO, or the free list); -1 at its end. */
  next = new Int32Array(FIRST_MESSAGES);
  /** The response of a request whose pair is held back; -1 otherwise. */
  mate = new Int32Array(FIRST_MESSAGES);
  firstLow = new Uint32Array(FIRST_MESSAGES);
  firstHigh = new Uint32Array(FIRST_MESSAGES);
  lastLow = new Uint32Array(FIRST_MESSAGES);
  lastHigh = new Uint32Array(FIRST_MESSAGES);
  status = new Uint32Array(FIRST_MESSAGES);
  flags = new Uint16Array(FIRST_MESSAGES);
  protocol = new Uint8Array(FIRST_MESSAGES);
  bodyBytes = new Float64Array(FIRST_MESSAGES);
  /** First word in slab.words, length in words, number of attributes. */
  attributesAt = new Uint32Array(FIRST_MESSAGES);
  attributesWords = new Uint32Array(FIRST_MESSAGES);
  attributes = new Uint16Array(FIRST_MESSAGES);
  connection = new Uint32Array(FIRST_MESSAGES);
  /** Messages in use. */
  used = 0;
  /** Most messages there may be. */
  readonly limit: number;
  /** By connection: messages it holds, and words of the slab. */
  #held = new Uint32Array(0);
  #heldWords = new Uint32Array(0);
  #free = -1;
  #top = 0;

  constructor(limits: { messages: number; attributeBytes: number }) {
    this.slab = new Slab(limits.attributeBytes);
    this.limit = limits.messages;
  }

  /** Copies the message at byte `at` of a parser's memory, which passed wasm/output.ts; -1 when the limit is reached. */
  take(memory: Uint32Array, at: number, connection: number, definitions: Definitions): number {
    const word = at >>> 2;
    const from = word + (MESSAGE_SIZE >>> 2);
    const count = memory[word + (MESSAGE_ATTRIBUTES >>> 2)]! & 0xffff;
    const end = attributesEnd(memory, from, count);
    if (end >= 0) return this.#keep(connection, memory, word, memory, from, end - from);
    definitions.merge(connection, memory, from, count);
    const m = this.#keep(connection, memory, word, definitions.merged, 0, definitions.mergedWords);
    if (m < 0) return -1;
    this.attributes[m] = definitions.mergedAttributes;
    if (definitions.isPartial) this.flags[m]! |= MESSAGE_PARTIAL;
    return m;
  }

  give(m: number): void {
    const connection = this.connection[m]!;
    this.slab.give(this.attributesAt[m]!);
    this.#held[connection]! -= 1;
    this.#heldWords[connection]! -= blockWords(this.attributesWords[m]!);
    this.next[m] = this.#free;
    this.#free = m;
    this.used--;
  }

  /** True when the connection holds less than it may. */
  hasShare(connection: number): boolean {
    if (connection >= this.#held.length || this.#held[connection] === 0) return true;
    const { slab, limit } = this;
    return (
      this.#held[connection]! < share(limit - this.used, limit, FLOOR_MESSAGES) &&
      this.#heldWords[connection]! < share(slab.freeWords, slab.limit, FLOOR_WORDS)
    );
  }

  /** first timestamp of `a` minus last timestamp of `b`, ns. */
  nsFromLastToFirst(b: number, a: number): number {
    return (this.firstHigh[a]! - this.lastHigh[b]!) * TWO_32 + (this.firstLow[a]! - this.lastLow[b]!);
  }

  /** A new message: header at `word` of `memory`, attributes from elsewhere. */
  #keep(
    connection: number,
    memory: Uint32Array,
    word: number,
    source: Uint32Array,
    from: number,
    words: number,
  ): number {
    const block = this.slab.take(words);
    if (block < 0) return -1;
    const m = this.#number();
    if (m < 0) {
      this.slab.give(block);
      return -1;
    }
    this.#copyHeader(m, memory, word);
    this.attributesAt[m] = block;
    this.attributesWords[m] = words;
    const target = this.slab.words;
    for (let i = 0; i < words; i++) target[block + i] = source[from + i]!;
    this.used++;
    this.#charge(connection, m);
    return m;
  }

  #charge(connection: number, m: number): void {
    if (connection >= this.#held.length) this.#reserve(connection);
    this.connection[m] = connection;
    this.#held[connection]! += 1;
    this.#heldWords[connection]! += blockWords(this.attributesWords[m]!);
  }

  #copyHeader(m: number, memory: Uint32Array, word: number): void {
    this.next[m] = -1;
    this.mate[m] = -1;
    this.status[m] = memory[word + (MESSAGE_STATUS >>> 2)]!;
    this.flags[m] = memory[word + (OUT_FLAGS >>> 2)]! >>> 16;
    this.firstLow[m] = memory[word + (MESSAGE_FIRST >>> 2)]!;
    this.firstHigh[m] = memory[word + (MESSAGE_FIRST >>> 2) + 1]!;
    this.lastLow[m] = memory[word + (MESSAGE_LAST >>> 2)]!;
    this.lastHigh[m] = memory[word + (MESSAGE_LAST >>> 2) + 1]!;
    const body = word + (MESSAGE_BODY_BYTES >>> 2);
    this.bodyBytes[m] = memory[body]! + memory[body + 1]! * TWO_32;
    const counts = memory[word + (MESSAGE_ATTRIBUTES >>> 2)]!;
    this.attributes[m] = counts & 0xffff;
    this.protocol[m] = (counts >>> ((MESSAGE_PROTOCOL & 3) * 8)) & 0xff;
  }

  #number(): number {
    if (this.#free >= 0) {
      const m = this.#free;
      this.#free = this.next[m]!;
      return m;
    }
    if (this.#top >= this.limit || (this.#top === this.next.length && !this.#grow())) return -1;
    return this.#top++;
  }

  #grow(): boolean {
    const size = Math.min(this.next.length * 2, this.limit);
    if (size <= this.next.length) return false;
    this.next = grown(this.next, size);
    this.mate = grown(this.mate, size);
    this.firstLow = grown(this.firstLow, size);
    this.firstHigh = grown(this.firstHigh, size);
    this.lastLow = grown(this.lastLow, size);
    this.lastHigh = grown(this.lastHigh, size);
    this.status = grown(this.status, size);
    this.flags = grown(this.flags, size);
    this.protocol = grown(this.protocol, size);
    this.bodyBytes = grown(this.bodyBytes, size);
    this.attributesAt = grown(this.attributesAt, size);
    this.attributesWords = grown(this.attributesWords, size);
    this.attributes = grown(this.attributes, size);
    this.connection = grown(this.connection, size);
    return true;
  }

  #reserve(connection: number): void {
    const size = Math.max(connection + 1, this.#held.length * 2, 256);
    this.#held = grown(this.#held, size);
    this.#heldWords = grown(this.#heldWords, size);
  }
}

/** The word behind `count` attributes that begin at `word`; -1 when a reference is among them. */
function attributesEnd(words: Uint32Array, word: number, count: number): number {
  let at = word;
  for (let left = count; left > 0; left--) {
    const head = words[at]!;
    if ((head & 0xffff) === REFERENCE) return -1;
    at += ((head >>> 16) + ATTRIBUTE_VALUE + 3) >>> 2;
  }
  return at;
}

type Column = Int16Array | Int32Array | Uint32Array | Uint16Array | Uint8Array | Float64Array;

/** A longer copy of a column, the new part zero. */
export function grown<T extends Column>(column: T, length: number): T {
  const next = new (column.constructor as unknown as new (length: number) => T)(length);
  next.set(column);
  return next;
}
