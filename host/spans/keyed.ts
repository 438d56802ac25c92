/**
 * Requests meet the responses of the same correlation key, per connection, in any order.
 *
 * The rule: an equal key is proof, as long as every message with that key was seen. So a message that could not be kept
 * takes along whoever waits for its key, and a second request with a key replaces the first, whose response was missed.
 * A response without a request has two explanations: its request is about to be seen (another CPU reports it), or was
 * never seen. It waits for the request only where the second is ruled out; else a key that is soon used again would
 * lend its request to the answer of another. In doubt are connections joined in mid-stream, desynchronised or robbed of
 * a message, and those where a message missed its partner, for a minute each: longer than clients wait for answers.
 *
 * Keys that never match cost their own connection: the oldest go when more than WAITING_MAX wait, or the connection
 * holds its share of what there is for all (messages.ts). That all together leave an eighth of it to those that do not
 * pair by key takes thousands of such connections; then the oldest of all go.
 */
import { C, type Counters } from '../self/counters.ts';
import { KeyTable } from './key-table.ts';
import { Lists } from './lists.ts';
import { grown, type Messages } from './messages.ts';
import { INVERSION_NS, type PairSink, WAITING_MAX } from './pairing-limits.ts';
import { blockWords } from './slab.ts';

/** A response that waits this long for its request was nobody's. */
const EARLY_MS = 1000;
const DOUBT_MS = 60_000;
/** The part of all messages that may wait for keys. */
const OF_ALL_MAX = 7 / 8;

/** Lists by age, over all connections. */
const REQUESTS = 0;
const EARLY_RESPONSES = 1;

export class KeyedPairing {
  readonly #messages: Messages;
  readonly #counters: Counters;
  readonly #sink: PairSink;
  /** Who waits for a key: a request, or an early response. */
  readonly #table = new KeyTable();
  readonly #byConnection = new Lists();
  readonly #byAge = new Lists();
  /** By message that waits. */
  #keyLow = new Uint32Array(0);
  #keyHigh = new Uint32Array(0);
  #side = new Uint8Array(0);
  #sinceMs = new Float64Array(0);
  /** By connection: when it was last in doubt. */
  #doubtMs = new Float64Array(0);
  /** Words of the slab that all that wait take up. */
  #words = 0;
  /** As of the last settle(): waiting times need no better clock. */
  #nowMs = performance.now();

  constructor(messages: Messages, counters: Counters, sink: PairSink) {
    this.#messages = messages;
    this.#counters = counters;
    this.#sink = sink;
  }

  open(connection: number, inSync: boolean): void {
    if (connection >= this.#doubtMs.length) {
      this.#doubtMs = grown(this.#doubtMs, Math.max(connection + 1, this.#doubtMs.length * 2, 256));
    }
    this.#doubtMs[connection] = inSync ? Number.NEGATIVE_INFINITY : this.#nowMs;
  }

  request(connection: number, m: number, keyLow: number, keyHigh: number): void {
    const other = this.#table.get(connection, keyLow, keyHigh);
    if (other >= 0) {
      this.#forget(other);
      if (this.#side[other] === EARLY_RESPONSES && this.#messages.nsFromLastToFirst(other, m) <= INVERSION_NS) {
        this.#pair(connection, m, other);
        return;
      }
      this.#drop(connection, other);
    }
    this.#wait(connection, m, keyLow, keyHigh, REQUESTS);
  }

  response(connection: number, m: number, keyLow: number, keyHigh: number): void {
    const other = this.#table.get(connection, keyLow, keyHigh);
    if (other >= 0) {
      this.#forget(other);
      if (this.#side[other] === REQUESTS) {
        this.#pair(connection, other, m);
        return;
      }
      this.#drop(connection, other);
    }
    if (this.#isInDoubt(connection)) this.#drop(connection, m);
    else this.#wait(connection, m, keyLow, keyHigh, EARLY_RESPONSES);
  }

  /** A message with that key was not kept: who waits for it would meet another. */
  lose(connection: number, keyLow: number, keyHigh: number): void {
    this.#doubtMs[connection] = this.#nowMs;
    const other = this.#table.get(connection, keyLow, keyHigh);
    if (other < 0) return;
    this.#forget(other);
    this.#drop(connection, other);
  }

  /** Nothing seen before pairs with anything after. */
  desync(connection: number): void {
    this.#dropAll(connection, C.messages_dropped_desync);
    this.#doubtMs[connection] = this.#nowMs;
  }

  close(connection: number): void {
    this.#dropAll(connection, C.messages_dropped_closed);
  }

  /** Gives up early responses whose request did not come. Call now and then. */
  settle(nowMs: number): void {
    this.#nowMs = nowMs;
    for (;;) {
      const m = this.#byAge.first(EARLY_RESPONSES);
      if (m < 0 || nowMs - this.#sinceMs[m]! < EARLY_MS) return;
      this.#forget(m);
      this.#drop(this.#messages.connection[m]!, m);
    }
  }

  #wait(connection: number, m: number, keyLow: number, keyHigh: number, side: number): void {
    if (m >= this.#side.length) this.#reserve();
    this.#keyLow[m] = keyLow;
    this.#keyHigh[m] = keyHigh;
    this.#side[m] = side;
    this.#sinceMs[m] = this.#nowMs;
    this.#table.put(connection, keyLow, keyHigh, m);
    this.#byConnection.append(connection, m);
    this.#byAge.append(side, m);
    this.#words += blockWords(this.#messages.attributesWords[m]!);
    this.#counters[C.messages_pending]! += 1;
    this.#makeRoom(connection, m);
    while (this.#isOverfull()) this.#evict(this.#oldest());
  }

  /** Gives up the oldest that wait on the connection, but for the newest. */
  #makeRoom(connection: number, newest: number): void {
    let m = this.#byConnection.first(connection);
    while (m !== newest && this.#holdsTooMuch(connection)) {
      this.#evict(m);
      m = this.#byConnection.first(connection);
    }
  }

  #holdsTooMuch(connection: number): boolean {
    return this.#byConnection.length(connection) > WAITING_MAX || !this.#messages.hasShare(connection);
  }

  /** Takes a message out of everything it waits in; it stays the caller's. */
  #forget(m: number): void {
    this.#table.remove(this.#messages.connection[m]!, this.#keyLow[m]!, this.#keyHigh[m]!);
    this.#byConnection.remove(this.#messages.connection[m]!, m);
    this.#byAge.remove(this.#side[m]!, m);
    this.#words -= blockWords(this.#messages.attributesWords[m]!);
    this.#counters[C.messages_pending]! -= 1;
  }

  #pair(connection: number, request: number, response: number): void {
    this.#counters[C.pairs]! += 1;
    this.#sink(connection, request, response);
    this.#messages.give(request);
    this.#messages.give(response);
  }

  /** A message that missed its partner, which shows that others may. Doubt that is there already does not last longer. */
  #drop(connection: number, m: number): void {
    if (!this.#isInDoubt(connection)) this.#doubtMs[connection] = this.#nowMs;
    this.#counters[C.messages_dropped_unpaired]! += 1;
    this.#messages.give(m);
  }

  #evict(m: number): void {
    this.#doubtMs[this.#messages.connection[m]!] = this.#nowMs;
    this.#counters[C.messages_dropped_overflow]! += 1;
    this.#forget(m);
    this.#messages.give(m);
  }

  #dropAll(connection: number, reason: number): void {
    for (let m = this.#byConnection.first(connection); m >= 0; m = this.#byConnection.first(connection)) {
      this.#counters[reason]! += 1;
      this.#forget(m);
      this.#messages.give(m);
    }
  }

  #isInDoubt(connection: number): boolean {
    return this.#nowMs - this.#doubtMs[connection]! < DOUBT_MS;
  }

  #isOverfull(): boolean {
    const { limit, slab } = this.#messages;
    return this.#table.size > limit * OF_ALL_MAX || this.#words > slab.limit * OF_ALL_MAX;
  }

  /** Early responses have the least to lose. */
  #oldest(): number {
    const early = this.#byAge.first(EARLY_RESPONSES);
    return early >= 0 ? early : this.#byAge.first(REQUESTS);
  }

  #reserve(): void {
    const size = this.#messages.next.length;
    this.#keyLow = grown(this.#keyLow, size);
    this.#keyHigh = grown(this.#keyHigh, size);
    this.#side = grown(this.#side, size);
    this.#sinceMs = grown(this.#sinceMs, size);
  }
}
