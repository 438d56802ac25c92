/**
 * The clock of the metrics: at each interval takes what the shards have measured, and exports it. What the shards gave is
 * safe in the store, whatever becomes of an export; the last one happens at the end.
 */
import { type ExportLog, FailureLog } from '../export/failure-log.ts';
import { C, type Counters } from '../self/counters.ts';
import type { ExportOutcome } from '../spans/span.ts';
import type { MetricSink } from './exporters.ts';
import type { MetricStore } from './store.ts';
import type { Taken } from './table.ts';

export interface ReaderOptions {
  readonly store: MetricStore;
  /** Asks all shards. */
  readonly take: () => Promise<readonly Taken[]>;
  /** Opens the way out; one export of it takes no longer than that. */
  readonly open: (timeoutMs: number) => Promise<MetricSink>;
  readonly intervalMs: number;
  readonly timeoutMs: number;
  /** Series of a shard at most: for the log. */
  readonly seriesMax: number;
  readonly counters: Counters;
  readonly log: ExportLog;
}

/** A shard answers between two of its turns; one that does not is stuck or gone. */
const TAKE_MS = 5000;
const SHUTDOWN_MS = 1000;

export class MetricReader {
  readonly #options: ReaderOptions;
  readonly #failures: FailureLog;
  #timer: NodeJS.Timeout | undefined;
  #sink: MetricSink | undefined;
  #running: Promise<void> | undefined;
  #saidOverflow = false;

  constructor(options: ReaderOptions) {
    this.#options = options;
    this.#failures = new FailureLog(options.log, 'metrics', () => performance.now());
  }

  start(): void {
    this.#timer = setInterval(() => this.#turn(), this.#options.intervalMs).unref();
  }

  add({ measured, overflowed, unmeasured }: Taken): void {
    this.#options.store.add(measured, Date.now());
    if (overflowed + unmeasured > 0) this.#sayOverflow();
  }

  /** Exports what the shards left behind, until the deadline. */
  async stop(deadlineMs: number): Promise<void> {
    clearInterval(this.#timer);
    const end = performance.now() + deadlineMs;
    const isFree = await within(deadlineMs, this.#running ?? Promise.resolve());
    const leftMs = Math.min(Math.max(end - performance.now(), 1), this.#options.timeoutMs);
    if (isFree) {
      await this.#close();
      await within(leftMs, this.#export(leftMs));
    }
    await within(SHUTDOWN_MS, this.#close());
  }

  /** An export that takes longer than the interval is not overtaken. */
  #turn(): void {
    this.#running ??= this.#takeAndExport().finally(() => {
      this.#running = undefined;
    });
  }

  async #takeAndExport(): Promise<void> {
    // A shard that is gone has nothing to tell; the others' is exported.
    const taking = this.#options.take().then((all) => {
      for (const taken of all) this.add(taken);
    });
    await within(
      TAKE_MS,
      taking.catch(() => {}),
    );
    await this.#export(this.#options.timeoutMs);
  }

  async #export(timeoutMs: number): Promise<void> {
    const { store } = this.#options;
    for (const request of store.collect(Date.now())) {
      const outcome = await this.#send(request.metrics, timeoutMs);
      // What was refused is not sent again.
      const isSettled = outcome.ok || !outcome.retry;
      store.settle(request, isSettled, Date.now());
      this.#count(outcome);
    }
  }

  async #send(metrics: Parameters<MetricSink['export']>[0], timeoutMs: number): Promise<ExportOutcome> {
    try {
      this.#sink ??= await this.#options.open(timeoutMs);
      return await this.#sink.export(metrics);
    } catch (error) {
      return { ok: false, retry: true, reason: `cannot export metrics: ${(error as Error).message}` };
    }
  }

  #count(outcome: ExportOutcome): void {
    const { counters } = this.#options;
    counters[C.metrics_exports]! += 1;
    if (outcome.ok) this.#failures.worked();
    else {
      counters[C.metrics_export_failures]! += 1;
      this.#failures.failed(outcome.reason, 0);
    }
  }

  #sayOverflow(): void {
    if (this.#saidOverflow) return;
    this.#saidOverflow = true;
    const { log, seriesMax } = this.#options;
    const remedy = 'choose fewer processes, or raise --metrics-series';
    log.warn({ seriesMax }, `metrics: too many series, others are summed up as otel.metric.overflow: ${remedy}`);
  }

  async #close(): Promise<void> {
    const sink = this.#sink;
    this.#sink = undefined;
    await sink?.shutdown().catch(() => {});
  }
}

/** Whether it was done by then. */
async function within(ms: number, done: Promise<unknown>): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>();
  const timer = setTimeout(() => resolve(false), ms);
  const isDone = await Promise.race([done.then(() => true), promise]);
  clearTimeout(timer);
  return isDone;
}
