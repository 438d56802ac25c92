/**
 * Requests meet their responses, first in, first out, per connection.
 *
 * Two rules. In sync, the k-th request pairs with the k-th response; whichever comes first waits (a response can be
 * seen before its request when two CPUs fill the ring). Out of sync (joined in mid-stream, or after lost bytes)
 * nobody knows how many answers are still owed to requests that were never seen: pairs are held back until the
 * connection proves itself by a clean turn (a new request when nothing is outstanding, and the answer that follows:
 * a loss in front of either would have been told), by an orderly end or by silence. An answer too many disproves
 * them, and they are dropped and counted. So a span never carries a latency that was not observed.
 *
 * Per-connection state is columns by connection number; waiting messages are linked lists through Messages.next.
 */
import { C, type Counters } from '../self/counters.ts';
import { grown, type Messages } from './messages.ts';
import { INVERSION_NS, type PairSink, WAITING_MAX } from './pairing-limits.ts';

/** Pairs held back at once; the oldest goes when there are more. */
const HELD_MAX = 256;
/** Held pairs are believed after this long without a response too many. */
const SILENCE_MS = 1000;

const SYNCED = 0;
const TRIAL = 1;
/** A trial whose clean turn has begun: the next answer ends it. */
const TURN = 2;

const REQUESTS_WAIT = 0;
const RESPONSES_WAIT = 1;

export class FifoPairing {
  readonly #messages: Messages;
  readonly #counters: Counters;
  readonly #sink: PairSink;
  #head = new Int32Array(0);
  #tail = new Int32Array(0);
  #waiting = new Uint16Array(0);
  #side = new Uint8Array(0);
  #trust = new Uint8Array(0);
  #heldHead = new Int32Array(0);
  #heldTail = new Int32Array(0);
  #held = new Uint16Array(0);
  /** Out of sync: when the last response came that met nobody; 0 for never. */
  #unmetLow = new Uint32Array(0);
  #unmetHigh = new Uint32Array(0);
  /** Connections with held pairs, and when the last one came; Infinity when neither silence nor an end proves them. */
  readonly #trials = new Map<number, number>();

  constructor(messages: Messages, counters: Counters, sink: PairSink) {
    this.#messages = messages;
    this.#counters = counters;
    this.#sink = sink;
  }

  /** Starts a connection; `inSync` when its first byte was seen. */
  open(connection: number, inSync: boolean): void {
    this.#reserve(connection);
    this.#head[connection] = -1;
    this.#tail[connection] = -1;
    this.#waiting[connection] = 0;
    this.#heldHead[connection] = -1;
    this.#heldTail[connection] = -1;
    this.#held[connection] = 0;
    this.#trust[connection] = inSync ? SYNCED : TRIAL;
    this.#unmetLow[connection] = 0;
    this.#unmetHigh[connection] = 0;
  }

  /** True when no more messages may wait: too many do, or the connection holds its share of what there is for all. */
  isFull(connection: number): boolean {
    return this.#waiting[connection]! >= WAITING_MAX || !this.#messages.hasShare(connection);
  }

  /** True when a response would not wait, but pair and be gone. */
  isAwaited(connection: number): boolean {
    const isIdle = this.#waiting[connection] === 0 || this.#side[connection] === RESPONSES_WAIT;
    return !isIdle && this.#trust[connection] !== TRIAL;
  }

  /** Nothing seen before pairs with anything after. */
  desync(connection: number): void {
    this.#dropWaiting(connection, C.messages_dropped_desync);
    this.#dropHeld(connection);
    this.#trust[connection] = TRIAL;
  }

  /** Ends a connection: held pairs are believed when nothing is outstanding, or was at the last turn, and no loss since. */
  close(connection: number): void {
    const isDone = this.#waiting[connection] === 0 || this.#trust[connection] === TURN;
    if (isDone && this.#trials.get(connection) !== Number.POSITIVE_INFINITY) this.#believe(connection);
    else this.#dropHeld(connection);
    this.#dropWaiting(connection, C.messages_dropped_closed);
  }

  /** Believes pairs that nothing has contradicted for a while. Call now and then. */
  settle(nowMs: number): void {
    for (const [connection, sinceMs] of this.#trials) {
      if (nowMs - sinceMs < SILENCE_MS) continue;
      if (this.#waiting[connection] === 0) this.#believe(connection);
    }
  }

  /** Records were lost, of whatever connection: a response too many may be among them, and its absence proves nothing. */
  distrustSilence(): void {
    for (const connection of this.#trials.keys()) this.#trials.set(connection, Number.POSITIVE_INFINITY);
  }

  request(connection: number, m: number): void {
    const waits = this.#waiting[connection]! > 0;
    if (this.#trust[connection] !== SYNCED) {
      if (this.#isMissed(connection, m)) {
        this.#drop(m, C.messages_dropped_unpaired);
        return;
      }
      if (!waits && this.#held[connection]! > 0) this.#trust[connection] = TURN;
    } else if (waits && this.#side[connection] === RESPONSES_WAIT) {
      this.#meetEarlyResponse(connection, m);
      return;
    }
    this.#append(connection, m, REQUESTS_WAIT);
  }

  response(connection: number, m: number): void {
    const waits = this.#waiting[connection]! > 0;
    if (this.#trust[connection] !== SYNCED && waits && this.#isOlder(connection, m)) {
      this.#disprove(connection, m);
      return;
    }
    if (this.#trust[connection] === TURN) this.#believe(connection);
    if (this.#trust[connection] === TRIAL) {
      if (waits) this.#hold(connection, m);
      else this.#disprove(connection, m);
    } else if (waits && this.#side[connection] === REQUESTS_WAIT) {
      this.#pair(connection, this.#shift(connection), m);
    } else this.#append(connection, m, RESPONSES_WAIT);
  }

  /** An answer too many: to a request that was never seen. */
  #disprove(connection: number, response: number): void {
    this.#unmetLow[connection] = this.#messages.firstLow[response]!;
    this.#unmetHigh[connection] = this.#messages.firstHigh[response]!;
    this.#drop(response, C.messages_dropped_unpaired);
    this.#dropHeld(connection);
    this.#trust[connection] = TRIAL;
  }

  /**
   * Whether a request has missed its response: bytes that are lost at its end are noticed with the next one, and by then
   * the response has come and gone. It would wait for ever, and shift all that follow.
   */
  #isMissed(connection: number, request: number): boolean {
    const low = this.#messages.firstLow[request]!;
    const high = this.#messages.firstHigh[request]! - this.#unmetHigh[connection]!;
    return high < 0 || (high === 0 && low < this.#unmetLow[connection]!);
  }

  /**
   * Whether a response began before the oldest request that waits: a parser may be certain of it only when it has seen
   * what follows, and by then the next request has come.
   */
  #isOlder(connection: number, response: number): boolean {
    const { firstLow, firstHigh } = this.#messages;
    const request = this.#head[connection]!;
    const high = firstHigh[request]! - firstHigh[response]!;
    return high > 0 || (high === 0 && firstLow[request]! > firstLow[response]!);
  }

  /** The oldest waiting response is this request's, unless it is far too early: then it was nobody's. */
  #meetEarlyResponse(connection: number, request: number): void {
    while (this.#waiting[connection]! > 0) {
      const response = this.#shift(connection);
      if (this.#messages.nsFromLastToFirst(response, request) <= INVERSION_NS) {
        this.#pair(connection, request, response);
        return;
      }
      this.#drop(response, C.messages_dropped_unpaired);
    }
    this.#append(connection, request, REQUESTS_WAIT);
  }

  #pair(connection: number, request: number, response: number): void {
    this.#counters[C.pairs]! += 1;
    this.#sink(connection, request, response);
    this.#messages.give(request);
    this.#messages.give(response);
  }

  #hold(connection: number, response: number): void {
    if (this.#held[connection]! >= HELD_MAX) this.#dropOldestHeld(connection);
    const request = this.#shift(connection);
    this.#messages.mate[request] = response;
    this.#messages.next[request] = -1;
    if (this.#held[connection] === 0) this.#heldHead[connection] = request;
    else this.#messages.next[this.#heldTail[connection]!] = request;
    this.#heldTail[connection] = request;
    this.#held[connection]! += 1;
    this.#counters[C.pairs]! += 1;
    this.#counters[C.pairs_held]! += 1;
    this.#trials.set(connection, performance.now());
  }

  #believe(connection: number): void {
    this.#trust[connection] = SYNCED;
    this.#eachHeld(connection, (request, response) => this.#sink(connection, request, response));
  }

  #dropHeld(connection: number): void {
    const held = this.#held[connection]!;
    if (held === 0) return;
    this.#counters[C.pairs_dropped_unconfirmed]! += held;
    this.#eachHeld(connection, () => {});
  }

  #eachHeld(connection: number, visit: (request: number, response: number) => void): void {
    const held = this.#held[connection]!;
    let request = this.#heldHead[connection]!;
    for (let left = held; left > 0; left--) {
      const next = this.#messages.next[request]!;
      const response = this.#messages.mate[request]!;
      visit(request, response);
      this.#messages.give(request);
      this.#messages.give(response);
      request = next;
    }
    this.#held[connection] = 0;
    this.#counters[C.pairs_held]! -= held;
    this.#trials.delete(connection);
  }

  #dropOldestHeld(connection: number): void {
    const request = this.#heldHead[connection]!;
    this.#heldHead[connection] = this.#messages.next[request]!;
    this.#held[connection]! -= 1;
    this.#messages.give(this.#messages.mate[request]!);
    this.#messages.give(request);
    this.#counters[C.pairs_held]! -= 1;
    this.#counters[C.pairs_dropped_unconfirmed]! += 1;
  }

  #append(connection: number, m: number, side: number): void {
    this.#messages.next[m] = -1;
    if (this.#waiting[connection] === 0) this.#head[connection] = m;
    else this.#messages.next[this.#tail[connection]!] = m;
    this.#tail[connection] = m;
    this.#waiting[connection]! += 1;
    this.#side[connection] = side;
    this.#counters[C.messages_pending]! += 1;
  }

  #shift(connection: number): number {
    const m = this.#head[connection]!;
    this.#head[connection] = this.#messages.next[m]!;
    this.#waiting[connection]! -= 1;
    this.#counters[C.messages_pending]! -= 1;
    return m;
  }

  #dropWaiting(connection: number, reason: number): void {
    while (this.#waiting[connection]! > 0) this.#drop(this.#shift(connection), reason);
  }

  #drop(m: number, reason: number): void {
    this.#counters[reason]! += 1;
    this.#messages.give(m);
  }

  #reserve(connection: number): void {
    if (connection < this.#head.length) return;
    const size = Math.max(connection + 1, this.#head.length * 2, 256);
    this.#head = grown(this.#head, size);
    this.#tail = grown(this.#tail, size);
    this.#waiting = grown(this.#waiting, size);
    this.#side = grown(this.#side, size);
    this.#trust = grown(this.#trust, size);
    this.#unmetLow = grown(this.#unmetLow, size);
    this.#unmetHigh = grown(this.#unmetHigh, size);
    this.#heldHead = grown(this.#heldHead, size);
    this.#heldTail = grown(this.#heldTail, size);
    this.#held = grown(this.#held, size);
  }
}
