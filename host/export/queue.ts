/**
 * What stands between the assembler and a sink: a bounded queue of what the sink takes of batches, part by part, with one
 * export in flight. Parts wait until their batch is complete.
 *
 * Rules:
 * - A span that was pushed is queued, exported or dropped for a counted reason; never two of them, never none.
 * - Overflow drops the oldest batch that waits (not the one in flight): after an outage the recent past is worth more
 *   than its beginning. Parts as they came, so that spans of one moment go or stay together.
 * - Every failure worth a retry is followed by a pause, of Retry-After if the endpoint named one, else exponential.
 *   A batch that was retried for `giveUpMs` is dropped, so that one batch an endpoint chokes on cannot block the rest.
 * - No timer keeps the process alive, except while flush() runs.
 *
 * Retry and throttling: https://opentelemetry.io/docs/specs/otlp/#failures
 */
import type { Config } from '../config.ts';
import { type CounterId, type Counters, count } from '../self/counters.ts';
import type { ExportOutcome, Offer, SpanSink, Taken } from '../spans/span.ts';
import { Backoff, type BackoffOptions, DEFAULT_BACKOFF } from './backoff.ts';
import { type ExportLog, FailureLog } from './failure-log.ts';

export interface QueueOptions {
  /** Most spans held, the batch in flight included. */
  readonly capacitySpans: number;
  /** Most parts of batches held: each costs up to some 4 KiB beside its spans. */
  readonly capacityBatches: number;
  /** Waiting parts are joined up to this many spans and bytes per export; a larger one goes out as it is. */
  readonly exportSpans: number;
  readonly exportBytes: number;
  /** An attempt is aborted after this long; 0 is never. */
  readonly attemptTimeoutMs: number;
  readonly giveUpMs: number;
  /** An endpoint may not silence the queue for longer than this. */
  readonly maxRetryAfterMs: number;
  readonly backoff: BackoffOptions;
  readonly random: () => number;
  readonly now: () => number;
}

/** It drops whole batches, and one larger than itself at once: so it holds several. */
const QUEUED_BATCHES = 4;

/** Spans of a batch at most. */
export function largestBatch({ batch, queue }: Pick<Config, 'batch' | 'queue'>): number {
  return Math.max(1, Math.min(batch, Math.floor(queue / QUEUED_BATCHES)));
}

export const DEFAULT_QUEUE: QueueOptions = {
  capacitySpans: 16_384,
  capacityBatches: 1024,
  exportSpans: 8192,
  // Receivers of gRPC take 4 MiB if nothing else is set.
  exportBytes: 4_000_000,
  attemptTimeoutMs: 10_000,
  giveUpMs: 300_000,
  maxRetryAfterMs: 300_000,
  backoff: DEFAULT_BACKOFF,
  random: Math.random,
  now: () => performance.now(),
};

/** A sink has this long to settle after its signal was aborted. */
const ABORT_GRACE_MS = 250;

type Failure = Extract<ExportOutcome, { ok: false }>;

export class ExportQueue<T extends Taken = Taken> {
  readonly sink: SpanSink<T>;
  readonly #counters: Counters;
  readonly #options: QueueOptions;
  readonly #backoff: Backoff;
  readonly #failures: FailureLog;
  #waiting: T[] = [];
  /** How many of them belong to batches that are complete. */
  #ready = 0;
  #queued = 0;
  #active = false;
  #running: Promise<void> | undefined;
  #attempt: AbortController | undefined;
  #endPause: (() => void) | undefined;
  /** When the endpoint wants the next request at the earliest. */
  #notBefore = 0;
  #deadline = Number.POSITIVE_INFINITY;
  #flushed: Promise<void> | undefined;
  #closed = false;

  constructor(sink: SpanSink<T>, counters: Counters, log: ExportLog, options: Partial<QueueOptions> = {}) {
    this.sink = sink;
    this.#counters = counters;
    this.#options = { ...DEFAULT_QUEUE, ...options };
    this.#backoff = new Backoff(this.#options.backoff, this.#options.random);
    this.#failures = new FailureLog(log, sink.name, this.#options.now);
  }

  /** Spans held now, the batch in flight included. */
  get queued(): number {
    return this.#queued;
  }

  /** Takes of a part of a batch what the sink wants of it; it may change afterwards. Never throws, never waits. */
  push(offer: Offer): void {
    const { length } = offer;
    if (length > 0) {
      this.#queued += length;
      count(this.#counters, 'spans_queued', length);
      if (this.#closed) this.#settle('spans_dropped_shutdown', length);
      else this.#take(offer);
      this.#shed();
    }
    if (offer.isLast) this.#release();
  }

  /** What waits may go. */
  #release(): void {
    this.#ready = this.#waiting.length;
    if (!this.#active && this.#ready > 0) this.#running = this.#run();
  }

  #take(offer: Offer): void {
    try {
      this.#waiting.push(this.sink.take(offer));
    } catch (error) {
      this.#failed(offer.length, { ok: false, retry: false, reason: `a batch cannot be exported: ${error}` });
    }
  }

  /**
   * Exports what is queued until the deadline, counts the rest as dropped by the shutdown, and closes the queue. A
   * pause that only back-off asked for ends at once; one that the endpoint asked for is kept or, if it outlasts the
   * deadline, not waited for.
   */
  flush(deadlineMs: number): Promise<void> {
    this.#flushed ??= this.#flush(deadlineMs);
    return this.#flushed;
  }

  async #flush(deadlineMs: number): Promise<void> {
    this.#deadline = this.#options.now() + deadlineMs;
    this.#backoff.reset();
    this.#release();
    if (this.#notBefore <= this.#options.now() || this.#notBefore >= this.#deadline) this.#endPause?.();
    const alarm = Promise.withResolvers<void>();
    const timers = [deadlineMs, deadlineMs + 2 * ABORT_GRACE_MS].map((ms) => setTimeout(alarm.resolve, ms));
    await Promise.race([this.#running, alarm.promise]);
    this.#closed = true;
    this.#endPause?.();
    this.#attempt?.abort(new Error('shutdown'));
    await this.#running;
    for (const timer of timers) clearTimeout(timer);
    this.#waiting = [];
    this.#ready = 0;
    this.#settle('spans_dropped_shutdown', this.#queued);
  }

  async #run(): Promise<void> {
    this.#active = true;
    while (this.#ready > 0 && !this.#closed && this.#options.now() < this.#deadline) {
      await this.#deliver(this.#next());
    }
    this.#active = false;
  }

  /** The oldest parts, as many as fit into one export. */
  #next(): T {
    const { exportSpans, exportBytes } = this.#options;
    let spans = 0;
    let size = 0;
    let taken = 0;
    for (const { length, bytes } of this.#waiting) {
      if (taken === this.#ready || (taken > 0 && (spans + length > exportSpans || size + bytes > exportBytes))) break;
      spans += length;
      size += bytes;
      taken++;
    }
    this.#ready -= taken;
    const parts = this.#waiting.splice(0, taken);
    return taken === 1 ? parts[0]! : this.sink.join(parts);
  }

  async #deliver(spans: T): Promise<void> {
    const { now, giveUpMs } = this.#options;
    const startedAt = now();
    for (;;) {
      const outcome = await this.#try(spans);
      if (outcome.ok) return this.#succeeded(spans);
      if (!outcome.retry) return this.#failed(spans.length, outcome);
      if (this.#closed) return;
      const hopeless = now() - startedAt >= giveUpMs;
      if (hopeless) this.#failed(spans.length, { ...outcome, reason: `${outcome.reason}; gave this batch up` });
      else this.#failures.failed(outcome.reason, 0);
      const mayGoOn = await this.#pause(outcome.retryAfterMs);
      if (hopeless || !mayGoOn) return;
    }
  }

  async #try(spans: T): Promise<ExportOutcome> {
    const { attemptTimeoutMs } = this.#options;
    const attempt = new AbortController();
    this.#attempt = attempt;
    const timer =
      attemptTimeoutMs > 0 ? setTimeout(abortLate, attemptTimeoutMs, attempt, attemptTimeoutMs).unref() : null;
    count(this.#counters, 'export_attempts');
    const outcome = await Promise.race([exportSafely(this.sink, spans, attempt.signal), overdue(attempt.signal)]);
    if (timer !== null) clearTimeout(timer);
    this.#attempt = undefined;
    if (!outcome.ok) count(this.#counters, 'export_failures');
    return outcome;
  }

  /** False when the flush deadline comes before the end of the pause: there is no point in waiting for it. */
  async #pause(retryAfterMs: number | undefined): Promise<boolean> {
    const { now, maxRetryAfterMs } = this.#options;
    const backoffMs = this.#backoff.next();
    const pauseMs = retryAfterMs === undefined ? backoffMs : Math.min(Math.max(retryAfterMs, 0), maxRetryAfterMs);
    const until = now() + pauseMs;
    if (until >= this.#deadline) return this.#giveUpOnFlush();
    if (retryAfterMs !== undefined) this.#notBefore = until;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, pauseMs).unref();
      this.#endPause = () => {
        clearTimeout(timer);
        resolve();
      };
    });
    this.#endPause = undefined;
    return this.#notBefore < this.#deadline || this.#giveUpOnFlush();
  }

  #giveUpOnFlush(): false {
    this.#closed = true;
    return false;
  }

  #succeeded(spans: T): void {
    this.#settle('spans_exported', spans.length);
    spans.release?.();
    this.#backoff.reset();
    this.#failures.worked();
  }

  #failed(spans: number, { reason, delivered = 0 }: Failure): void {
    const arrived = Math.min(Math.max(delivered, 0), spans);
    this.#settle('spans_exported', arrived);
    this.#settle('spans_dropped_export_failed', spans - arrived);
    this.#failures.failed(reason, spans - arrived);
  }

  /** Drops the oldest waiting parts until what is held fits. */
  #shed(): void {
    const { capacitySpans, capacityBatches } = this.#options;
    while (this.#waiting.length > 0 && (this.#queued > capacitySpans || this.#waiting.length > capacityBatches)) {
      const dropped = this.#waiting.shift()!;
      this.#ready = Math.max(0, this.#ready - 1);
      this.#settle('spans_dropped_queue_full', dropped.length);
      this.#failures.overflowed(capacitySpans, dropped.length);
      dropped.release?.();
    }
  }

  /** Spans leave the queue, for this reason. */
  #settle(reason: CounterId, spans: number): void {
    this.#queued -= spans;
    count(this.#counters, reason, spans);
    count(this.#counters, 'spans_queued', -spans);
  }
}

function abortLate(attempt: AbortController, afterMs: number): void {
  attempt.abort(new Error(`no answer within ${afterMs} ms`));
}

/** A sink must not throw; one that does costs its batch, not the process. */
async function exportSafely<T extends Taken>(sink: SpanSink<T>, spans: T, signal: AbortSignal): Promise<ExportOutcome> {
  try {
    return await sink.export(spans, signal);
  } catch (error) {
    return { ok: false, retry: false, reason: `the exporter failed: ${error}` };
  }
}

/** Settles for a sink that does not settle although its signal was aborted. */
function overdue(signal: AbortSignal): Promise<ExportOutcome> {
  return new Promise((resolve) => {
    const late = () => resolve({ ok: false, retry: true, reason: String(signal.reason?.message ?? signal.reason) });
    signal.addEventListener('abort', () => setTimeout(late, ABORT_GRACE_MS).unref(), { once: true });
  });
}
