/**
 * The `counter` printer: no spans, but how many there were of each protocol, at most once a second. On a terminal the
 * line is written over itself.
 */
import type { ExportOutcome, SpanSink, Spans } from '../spans/span.ts';
import { READ_SPANS } from './joined-spans.ts';
import type { LineStream } from './line-stream.ts';

const INTERVAL_MS = 1000;
const CLEAR_LINE = '\r\u001b[2K';
/** A module names its protocols; that many names are told apart. */
const MOST_PROTOCOLS = 64;

export class CounterPrinter implements SpanSink<Spans> {
  readonly name = 'printer';
  readonly take = READ_SPANS.take;
  readonly join = READ_SPANS.join;
  readonly #lines: LineStream;
  readonly #totals = new Map<string, number>();
  readonly #shown = new Map<string, number>();
  #shownAt = performance.now();
  #timer: NodeJS.Timeout | undefined;

  constructor(lines: LineStream) {
    this.#lines = lines;
  }

  async export(spans: Spans, signal: AbortSignal): Promise<ExportOutcome> {
    for (let i = 0; i < spans.length; i++) this.#add(spans.read(i).protocol);
    const dueMs = this.#shownAt + INTERVAL_MS - performance.now();
    if (dueMs > 0) {
      this.#timer ??= setTimeout(() => this.#show(new AbortController().signal), dueMs).unref();
      return { ok: true };
    }
    const error = await this.#show(signal);
    if (error === undefined) return { ok: true };
    return { ok: false, retry: false, reason: `cannot print: ${error.message}` };
  }

  async shutdown(): Promise<void> {
    if (this.#timer !== undefined) await this.#show(AbortSignal.timeout(INTERVAL_MS));
    if (this.#lines.isTerminal) await this.#lines.write('\n', AbortSignal.timeout(INTERVAL_MS));
  }

  #add(protocol: string): void {
    const name = this.#totals.has(protocol) || this.#totals.size < MOST_PROTOCOLS ? protocol : 'other';
    this.#totals.set(name, (this.#totals.get(name) ?? 0) + 1);
  }

  #show(signal: AbortSignal): Promise<Error | undefined> {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const seconds = (performance.now() - this.#shownAt) / 1000;
    this.#shownAt = performance.now();
    const line = counterLine(this.#totals, this.#shown, seconds);
    for (const [name, total] of this.#totals) this.#shown.set(name, total);
    return this.#lines.write(this.#lines.isTerminal ? CLEAR_LINE + line : `${line}\n`, signal);
  }
}

/** `1200 spans +100/s   http 1000 +90/s   redis 200 +10/s`, the most frequent first. */
export function counterLine(
  totals: ReadonlyMap<string, number>,
  before: ReadonlyMap<string, number>,
  seconds: number,
): string {
  const sum = (counts: ReadonlyMap<string, number>) => [...counts.values()].reduce((total, one) => total + one, 0);
  const rate = (now: number, then: number) => `+${Math.round((now - then) / seconds)}/s`;
  const parts = [`${sum(totals)} spans ${rate(sum(totals), sum(before))}`];
  for (const [name, total] of [...totals].sort((a, b) => b[1] - a[1])) {
    parts.push(`${name} ${total} ${rate(total, before.get(name) ?? 0)}`);
  }
  return parts.join('   ');
}
