/**
 * All the ways out of one worker: the sinks that the configuration names, each behind a queue of its own, so that a
 * slow collector never delays the printer.
 *
 * Accounting with several sinks: the primary one (OTLP if there is one, else the printer) counts into the worker's
 * counters, any other into counters of its own, of the same layout. So for each sink holds
 *   spans_made = spans_exported + Σ spans_dropped_* + spans_queued
 * spans_made of the worker is the assembler's to count; of the secondary counters it is counted here.
 */
import type { Writable } from 'node:stream';
import { type Counters, count, createCounters } from '../self/counters.ts';
import type { FilledBatch, SpanSink } from '../spans/span.ts';
import { BatchEncoder } from './encoder/batch-encoder.ts';
import type { ExportLog } from './failure-log.ts';
import { BatchOffer } from './offer.ts';
import { createOtlpSink } from './otlp.ts';
import {
  checkOtlpConfig,
  ExportConfigError,
  type OtlpConfig,
  otlpAskedForByEnvironment,
  otlpTimeoutMs,
} from './otlp-config.ts';
import { createPrinter, PRINTERS, type PrinterKind } from './printer.ts';
import { ExportQueue, type QueueOptions } from './queue.ts';

export interface SinkConfig {
  readonly printer?: PrinterKind | 'disabled' | undefined;
  /** Present: export by OTLP, to the environment's endpoint or the default one where it names none. */
  readonly otlp?: OtlpConfig | undefined;
}

export interface SinkContext {
  readonly counters: Counters;
  /** Give shared ones where another thread wants to read them. */
  readonly secondaryCounters?: Counters;
  readonly log: ExportLog;
  /** Version of the instrumentation scope "spanwire". */
  readonly version: string;
  readonly stdout?: Writable;
  readonly queue?: Partial<QueueOptions>;
}

/** Time that closing connections may take after the queues were flushed. */
const SHUTDOWN_MS = 1000;

/** Throws ExportConfigError for settings that cannot work, no way out at all among them. */
export function createSinks(config: SinkConfig, context: SinkContext): Sinks {
  const otlp = config.otlp ?? (otlpAskedForByEnvironment() ? {} : undefined);
  const printer = config.printer === 'disabled' ? undefined : config.printer;
  if (otlp !== undefined) checkOtlpConfig(otlp);
  if (printer !== undefined && !PRINTERS.includes(printer)) {
    throw new ExportConfigError(`printer '${printer}' is not known: use ${PRINTERS.join(', ')} or disabled`);
  }
  const scope = { name: 'spanwire', version: context.version };
  const secondary = context.secondaryCounters ?? createCounters();
  const queues: ExportQueue[] = [];
  const add = (sink: SpanSink, attemptTimeoutMs: number) => {
    const counters = queues.length === 0 ? context.counters : secondary;
    queues.push(new ExportQueue(sink, counters, context.log, { ...context.queue, attemptTimeoutMs }));
  };
  if (otlp !== undefined) add(createOtlpSink(otlp, scope, context.log), otlpTimeoutMs(otlp));
  // A print that takes long is not repeated, or lines would stand there twice: no timeout.
  if (printer !== undefined) add(createPrinter(printer, context.stdout ?? process.stdout), 0);
  return new Sinks(queues, secondary, new BatchEncoder(scope));
}

export class Sinks {
  readonly secondaryCounters: Counters;
  readonly #queues: readonly ExportQueue[];
  readonly #encoder: BatchEncoder;

  constructor(queues: readonly ExportQueue[], secondaryCounters: Counters, encoder: BatchEncoder) {
    if (queues.length === 0) {
      throw new ExportConfigError('spans have no way out: name an OTLP endpoint or a printer');
    }
    this.#queues = queues;
    this.secondaryCounters = secondaryCounters;
    this.#encoder = encoder;
  }

  /** Names of the sinks, the primary one first. */
  get names(): string[] {
    return this.#queues.map(({ sink }) => sink.name);
  }

  /** Each sink takes of a batch what it sends; the batch may change afterwards. Never throws, never waits. */
  push(batch: FilledBatch): void {
    if (this.#queues.length > 1) count(this.secondaryCounters, 'spans_made', batch.length);
    const offer = new BatchOffer(batch, this.#encoder);
    for (const queue of this.#queues) queue.push(offer);
  }

  /** Exports what is queued until the deadline, counts the rest as dropped, and closes connections. */
  async shutdown(deadlineMs: number): Promise<void> {
    await Promise.all(this.#queues.map((queue) => shutdown(queue, deadlineMs)));
  }
}

async function shutdown(queue: ExportQueue, deadlineMs: number): Promise<void> {
  await queue.flush(deadlineMs);
  const { promise, resolve } = Promise.withResolvers<void>();
  const timer = setTimeout(resolve, SHUTDOWN_MS);
  await Promise.race([queue.sink.shutdown().catch(() => {}), promise]);
  clearTimeout(timer);
}
