/**
 * How many spans the next batch may hold. Batches cost something each (a request, a slice, an answer), so under load they
 * are as large as allowed; otherwise they are smaller, which the cache likes, and which wait less to be filled.
 */
import { C, type Counters } from '../self/counters.ts';

/** What a batch holds at most while there is no load. */
export const ORDINARY_SPANS = 2048;
/** Spans come fast when a batch had so many for each millisecond that it took. */
const FAST_SPANS_PER_MS = 20;
/** The exporter lags when so many wait. */
const LAGGING_SPANS = 2 * ORDINARY_SPANS;

export class BatchSize {
  readonly #max: number;
  readonly #counters: Counters;
  #limit: number;
  /** Nothing is known of the first batch: it came slowly. */
  #sinceMs = Number.NEGATIVE_INFINITY;

  /** `max` is what a batch may hold in any case. */
  constructor(max: number, counters: Counters) {
    this.#max = max;
    this.#counters = counters;
    this.#limit = Math.min(max, ORDINARY_SPANS);
  }

  /** Of the batch that is being filled. */
  get limit(): number {
    return this.#limit;
  }

  /** A batch was handed on: what the next may hold follows from how fast this one came, and from what waits. */
  flushed(spans: number, nowMs: number): void {
    const isFast = spans >= (nowMs - this.#sinceMs) * FAST_SPANS_PER_MS;
    const isLagging = this.#counters[C.spans_queued]! >= LAGGING_SPANS;
    this.#limit = isFast || isLagging ? this.#max : Math.min(this.#max, ORDINARY_SPANS);
    this.#sinceMs = nowMs;
  }
}
