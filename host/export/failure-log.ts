/**
 * Log lines about a sink in trouble. The first failure is told at once, then at most one line per interval with what
 * happened since the last one, and one line when exporting works again: neither a dead endpoint nor one that comes
 * and goes can fill the log.
 */

/** The part of a pino logger that exporters use. */
export interface ExportLog {
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
}

const INTERVAL_MS = 30_000;

/** Counts until it may speak. */
class Tally {
  events = 0;
  spans = 0;
  #spokeAt = Number.NEGATIVE_INFINITY;

  /** True when it is time for a line; reset() after it. */
  add(spans: number, now: number): boolean {
    this.events++;
    this.spans += spans;
    if (now - this.#spokeAt < INTERVAL_MS) return false;
    this.#spokeAt = now;
    return true;
  }

  reset(): void {
    this.events = 0;
    this.spans = 0;
  }
}

export class FailureLog {
  readonly #log: ExportLog;
  readonly #sink: string;
  readonly #now: () => number;
  readonly #failed = new Tally();
  readonly #overflowed = new Tally();
  /** When the failures began that the log knows of; undefined when it believes all is well. */
  #failingSince: number | undefined;

  constructor(log: ExportLog, sink: string, now: () => number) {
    this.#log = log;
    this.#sink = sink;
    this.#now = now;
  }

  /** @param dropped spans that this failure cost */
  failed(reason: string, dropped: number): void {
    if (!this.#failed.add(dropped, this.#now())) return;
    this.#failingSince ??= this.#now();
    this.#log.warn(this.#fields(this.#failed), `${this.#sink}: ${reason}`);
    this.#failed.reset();
  }

  overflowed(capacity: number, dropped: number): void {
    if (!this.#overflowed.add(dropped, this.#now())) return;
    const remedy = 'the sink is down or slower than the spans come';
    this.#log.warn(this.#fields(this.#overflowed), `${this.#sink}: queue of ${capacity} spans overflows: ${remedy}`);
    this.#overflowed.reset();
  }

  worked(): void {
    if (this.#failingSince === undefined) return;
    const seconds = Math.round((this.#now() - this.#failingSince) / 1000);
    this.#failingSince = undefined;
    this.#log.info(this.#fields(this.#failed), `${this.#sink}: exporting again after ${seconds} s`);
    this.#failed.reset();
  }

  #fields({ events, spans }: Tally): object {
    return { sink: this.#sink, times: events, spansDropped: spans };
  }
}
