/** A pipeline over a scripted source, and what comes out of it as objects. */
import { expect } from 'vitest';
import { Pipeline, type PipelineOptions } from '../../host/pipeline.ts';
import { type CounterId, type Counters, createCounters, sumCounters } from '../../host/self/counters.ts';
import type { Log } from '../../host/self/log.ts';
import type { Span } from '../../host/spans/span.ts';
import type { ParserModule } from '../../host/wasm/admit.ts';
import { ScriptedSource } from './scripted-source.ts';

export const SILENT: Log = { debug() {}, info() {}, warn() {}, error() {} };

export interface Rig {
  readonly source: ScriptedSource;
  readonly pipeline: Pipeline;
  readonly counters: Counters;
  readonly spans: Span[];
  /** Cookies of connections the kernel was told to ignore. */
  readonly ignored: number[];
  readonly failures: string[];
  /** Names of modules that were retired. */
  readonly retired: string[];
  /** Polls until the source is empty. */
  run(): void;
  /** Ends everything. */
  finish(): Span[];
  count(name: CounterId): number;
}

export function createRig(modules: readonly ParserModule[], options: Partial<PipelineOptions> = {}): Rig {
  const source = new ScriptedSource();
  const counters = createCounters();
  const spans: Span[] = [];
  const ignored: number[] = [];
  const failures: string[] = [];
  const retired: string[] = [];
  const log = { ...SILENT, error: (fields: object) => failures.push(String((fields as { reason?: string }).reason)) };
  const pipeline = new Pipeline(source, {
    modules,
    counters,
    log,
    processes: { resourceOf: (tgid) => ({ attributes: { 'service.name': `service-${tgid}` } }) },
    optIn: new Set(),
    batchSpans: 64,
    batchMs: 0,
    reorderMs: 0,
    emit: (batch) => {
      const sealed = batch.seal();
      for (let i = 0; i < sealed.length; i++) spans.push(sealed.read(i));
    },
    verdict: (cookieLow, _, isIgnored) => {
      // Told again, as it may be at any time, it is ignored once.
      if (isIgnored) ignored.includes(cookieLow) || ignored.push(cookieLow);
      else ignored.splice(ignored.indexOf(cookieLow), 1);
    },
    retired: ({ manifest }) => retired.push(manifest.name),
    ...options,
  });
  const run = () => {
    while (pipeline.poll(performance.now()) > 0);
    pipeline.tick(performance.now());
  };
  const finish = () => {
    run();
    pipeline.finish();
    pipeline.release();
    return spans;
  };
  const count = (name: CounterId) => sumCounters([counters])[name];
  return { source, pipeline, counters, spans, ignored, failures, retired, run, finish, count };
}

/** The equations of host/self/counters.ts, without the queue, which this rig has not. */
export function expectBalanced({ counters, source, spans }: Rig): void {
  const c = sumCounters([counters]);
  const dropped =
    c.messages_dropped_desync + c.messages_dropped_unpaired + c.messages_dropped_closed + c.messages_dropped_overflow;
  expect(c.records_in).toBe(source.tried - source.lost);
  expect(c.records_in).toBe(c.records_data + c.records_eof + c.records_close + c.records_malformed);
  expect(c.messages_in).toBe(2 * c.pairs + c.messages_oneway + c.messages_push + dropped + c.messages_pending);
  expect(c.pairs + c.messages_oneway).toBe(
    c.spans_made + c.spans_unsampled + c.pairs_dropped_unconfirmed + c.pairs_dropped_untimed + c.pairs_held,
  );
  expect(spans.length).toBe(c.spans_made);
  expect(Object.entries(c).filter(([, value]) => !(value >= 0))).toEqual([]);
}
