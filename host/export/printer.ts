/**
 * Console printers: sinks that write spans to a stream as lines. A slow reader makes export() wait, so that the queue
 * before it fills and drops with a count; a reader that left (EPIPE) is a permanent failure, counted, not a crash.
 *
 * From a worker thread process.stdout goes through the main thread, whose own stream is the one that breaks: the main
 * thread has to listen for its 'error' event, and to end the process (or terminate the workers) after it, as a worker
 * with unwritten output does not end by itself.
 */
import type { Writable } from 'node:stream';
import type { ExportOutcome, Span, SpanSink, Spans } from '../spans/span.ts';
import { CounterPrinter } from './counter-printer.ts';
import { READ_SPANS } from './joined-spans.ts';
import { LineStream } from './line-stream.ts';
import { jsonLine, textLine } from './span-text.ts';

export const PRINTERS = ['text', 'json', 'json_indent', 'counter'] as const;
export type PrinterKind = (typeof PRINTERS)[number];

const FORMATS: Readonly<Record<Exclude<PrinterKind, 'counter'>, (span: Span) => string>> = {
  text: textLine,
  json: (span) => jsonLine(span),
  json_indent: (span) => jsonLine(span, 2),
};

export function createPrinter(kind: PrinterKind, stream: Writable): SpanSink<Spans> {
  const lines = new LineStream(stream);
  return kind === 'counter' ? new CounterPrinter(lines) : new SpanPrinter(lines, FORMATS[kind]);
}

/** Spans per write: one system call for many lines, and little lost when the reader leaves in the middle. */
const SPANS_PER_WRITE = 64;

class SpanPrinter implements SpanSink<Spans> {
  readonly name = 'printer';
  readonly take = READ_SPANS.take;
  readonly join = READ_SPANS.join;
  readonly #lines: LineStream;
  readonly #format: (span: Span) => string;

  constructor(lines: LineStream, format: (span: Span) => string) {
    this.#lines = lines;
    this.#format = format;
  }

  async export(spans: Spans, signal: AbortSignal): Promise<ExportOutcome> {
    for (let from = 0; from < spans.length; from += SPANS_PER_WRITE) {
      const error = await this.#lines.write(this.#text(spans, from), signal);
      if (error !== undefined)
        return { ok: false, retry: false, reason: `cannot print: ${error.message}`, delivered: from };
    }
    return { ok: true };
  }

  async shutdown(): Promise<void> {}

  #text(spans: Spans, from: number): string {
    const to = Math.min(from + SPANS_PER_WRITE, spans.length);
    let text = '';
    for (let i = from; i < to; i++) text += `${this.#format(spans.read(i))}\n`;
    return text;
  }
}
