/**
 * One direction of a TCP connection, put in order. https://www.rfc-editor.org/rfc/rfc9293#section-3.4
 *
 * The rule: bytes leave once, in the order of their sequence numbers; where two packets disagree on a byte, the first
 * seen wins. A hole is waited for until it is sure that its bytes are not in the capture: the other side has
 * acknowledged them, or more waits behind it than may be held, or the direction is over. Then what follows leaves at
 * its own position, and the jump says what is missing.
 *
 *      delivered        hole         held      hole   held
 *   ───────────────┆┄┄┄┄┄┄┄┄┄┄┄┄┆───────────┆┄┄┄┄┄┄┆────────▶ sequence numbers, modulo 2^32
 *                 next          held[0].position
 */
import type { ReplayCounters } from './counters.ts';
import type { Run } from './run.ts';

/**
 * A pure acknowledgement may have overtaken the bytes it covers on their way into the capture (several queues, several
 * CPUs), so that many more packets of the connection are waited for. One that carries an answer ends the wait: what it
 * answers must not leave after it.
 */
const PATIENCE = 8;
const PIECES_MAX = 4096;
/** What a held piece costs beside its bytes. */
const PIECE_COST = 256;

/** What all directions together hold: the bound on memory. */
export class HoldBudget {
  readonly perStream: number;
  readonly total: number;
  used = 0;

  constructor(perStream: number, total: number) {
    this.perStream = perStream;
    this.total = total;
  }
}

/** Takes what leaves a stream. */
export interface StreamSink {
  /** The run and its bytes are the caller's: they must be copied at once. */
  data(stream: Stream, run: Run): void;
  /** The direction ended in order, at `position`. */
  end(stream: Stream, position: number): void;
}

/** Distance between sequence numbers, −2^31 ≤ d < 2^31. */
export function distance(to: number, from: number): number {
  return (to - from) | 0;
}

export class Stream {
  /** As in a record: IN or OUT, seen from the server. */
  readonly direction: number;
  origin = 0;
  isOriginKnown = false;
  /** The position of the next byte to leave is known. */
  isSynchronised = false;
  next = 0;
  /** Its end has left. */
  isEnded = false;
  readonly #sink: StreamSink;
  readonly #budget: HoldBudget;
  readonly #counters: ReplayCounters;
  /** Runs that came before their turn: sorted, apart from each other, all behind `next`. */
  readonly #held: Run[] = [];
  #heldCost = 0;
  #end = 0;
  #isEndKnown = false;
  #acknowledged = 0;
  #isAcknowledged = false;
  #waited = 0;

  constructor(direction: number, sink: StreamSink, budget: HoldBudget, counters: ReplayCounters) {
    this.direction = direction;
    this.#sink = sink;
    this.#budget = budget;
    this.#counters = counters;
  }

  /** The handshake said where the stream starts. */
  setOrigin(position: number): void {
    this.origin = position;
    this.isOriginKnown = true;
    this.#synchronise(position);
  }

  /** Where the stream ends as far as is known: the other side may have acknowledged bytes that were not captured. */
  get reach(): number {
    if (this.#isEndKnown) return this.#end;
    if (!this.#isAcknowledged) return this.next;
    const isAhead = !this.isSynchronised || distance(this.#acknowledged, this.next) > 0;
    return isAhead ? this.#acknowledged : this.next;
  }

  /** A segment's payload. */
  push(run: Run): void {
    this.#synchronise(run.position);
    this.#cutAtEnd(run);
    if (run.length === 0) return;
    if (distance(run.position, this.next) > 0) {
      this.#hold(run);
      this.#settle(false);
      return;
    }
    this.#deliver(run);
    this.#deliverHeld(run);
  }

  /** A FIN behind the last byte: the stream ends at `position`. What was seen beyond it proves the FIN wrong. */
  finish(position: number): void {
    this.#synchronise(position);
    const last = this.#held.at(-1);
    const seen = last ? last.position + last.length : this.next;
    if (this.#isEndKnown || distance(position, seen) < 0) return;
    this.#end = position;
    this.#isEndKnown = true;
    this.#endIfReached();
  }

  /** The other side says it has everything before `position`. */
  acknowledge(position: number, carriesData: boolean): void {
    if (!this.#isAcknowledged || distance(position, this.#acknowledged) > 0) this.#acknowledged = position;
    this.#isAcknowledged = true;
    this.#settle(carriesData);
  }

  /** Nothing more will come: what is held leaves, with its gaps. */
  flush(): void {
    while (this.#isWaiting) this.#giveUp();
  }

  get #isWaiting(): boolean {
    return this.#held.length > 0 || (this.#isEndKnown && !this.isEnded);
  }

  /** Where the stream goes on behind the hole. */
  get #resumesAt(): number {
    return this.#held[0]?.position ?? this.#end;
  }

  #synchronise(position: number): void {
    if (this.isSynchronised) return;
    this.isSynchronised = true;
    this.next = position;
  }

  #cutAtEnd(run: Run): void {
    if (!this.#isEndKnown) return;
    const beyond = run.length - Math.max(0, distance(this.#end, run.position));
    if (beyond <= 0) return;
    this.#counters.bytes_after_end += beyond;
    run.dropBack(beyond);
  }

  /** Decides whether the hole in front will ever be filled. */
  #settle(carriesData: boolean): void {
    while (this.#isWaiting && this.#isAcknowledged && distance(this.#acknowledged, this.#resumesAt) >= 0) {
      this.#waited++;
      if (!carriesData && this.#waited <= PATIENCE) return;
      this.#giveUp();
    }
  }

  #giveUp(): void {
    this.#counters.gaps++;
    this.#counters.bytes_gap += distance(this.#resumesAt, this.next);
    this.#waited = 0;
    this.next = this.#resumesAt;
    this.#deliverHeld(undefined);
  }

  /** What is due of the held runs leaves; at the time of `filler`, if a packet closed the hole before them. */
  #deliverHeld(filler: Run | undefined): void {
    let due = 0;
    for (const run of this.#held) {
      if (distance(run.position, this.next) > 0) break;
      due++;
      this.#spend(-run.captured - PIECE_COST);
      run.timeLow = filler ? filler.timeLow : run.timeLow;
      run.timeHigh = filler ? filler.timeHigh : run.timeHigh;
      this.#deliver(run);
    }
    if (due > 0) this.#held.splice(0, due);
    this.#endIfReached();
  }

  /** Lets a run leave whose first byte is due or has left already. */
  #deliver(run: Run): void {
    const repeated = Math.min((this.next - run.position) >>> 0, run.length);
    this.#counters.bytes_repeated += repeated;
    run.dropFront(repeated);
    if (run.length === 0) return;
    this.next = (this.next + run.length) >>> 0;
    this.#waited = 0;
    this.#sink.data(this, run);
  }

  #endIfReached(): void {
    if (!this.#isEndKnown || this.isEnded || this.next !== this.#end) return;
    this.isEnded = true;
    this.#sink.end(this, this.#end);
  }

  /** Keeps those bytes of a run that no held run has yet. */
  #hold(run: Run): void {
    this.#counters.segments_held++;
    let done = 0;
    for (let index = this.#firstEndingAfter(run.position); done < run.length; index++) {
      const held = this.#held[index];
      const heldStart = held ? distance(held.position, run.position) : run.length;
      if (heldStart > done) {
        const end = Math.min(heldStart, run.length);
        this.#insert(index, run.copy(done, end));
        done = end;
      } else if (held) {
        const end = Math.min(heldStart + held.length, run.length);
        this.#counters.bytes_repeated += end - done;
        done = end;
      }
    }
    this.#makeRoom();
  }

  #firstEndingAfter(position: number): number {
    let low = 0;
    let high = this.#held.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      const held = this.#held[middle]!;
      if (distance(held.position, position) + held.length > 0) high = middle;
      else low = middle + 1;
    }
    return low;
  }

  #insert(index: number, run: Run): void {
    this.#held.splice(index, 0, run);
    this.#spend(run.captured + PIECE_COST);
  }

  #spend(cost: number): void {
    this.#heldCost += cost;
    this.#budget.used += cost;
  }

  #makeRoom(): void {
    const { perStream, total } = this.#budget;
    while (this.#held.length > 0) {
      const isFull = this.#held.length > PIECES_MAX || this.#heldCost > perStream || this.#budget.used > total;
      if (!isFull) return;
      this.#giveUp();
    }
  }
}
