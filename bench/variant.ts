/**
 * A worker thread with one pipeline, as the agent's, over prepared records; spans are thrown away. Told a number of laps,
 * it says what they took and what came of them. Each variant is a thread of its own, so that V8 compiles its code for
 * what it does, as in an agent, and not for what the other variants do.
 */
import { parentPort, workerData } from 'node:worker_threads';
import { Pipeline } from '../host/pipeline.ts';
import { C, createCounters } from '../host/self/counters.ts';
import type { ParserModule } from '../host/wasm/admit.ts';
import { type Lap, PreparedSource } from './prepared-source.ts';

export interface VariantInput {
  readonly modules: readonly ParserModule[];
  readonly lap: Lap;
}

export interface Round {
  /** CPU time of the thread: what others do on this machine costs it only cache. */
  readonly ms: number;
  readonly spans: number;
}

/** As the agent's default. */
const BATCH_SPANS = 2048;

const { modules, lap } = workerData as VariantInput;

const counters = createCounters();
const source = new PreparedSource(lap);
const pipeline = new Pipeline(source, {
  modules,
  counters,
  log: { debug() {}, info() {}, warn() {}, error: fail },
  processes: { resourceOf: () => ({ attributes: { 'service.name': 'bench' } }) },
  optIn: new Set(),
  batchSpans: BATCH_SPANS,
  batchMs: 1000,
  reorderMs: 0,
  emit() {},
  verdict() {},
  retired() {},
});
parentPort?.on('message', (laps: number) => parentPort?.postMessage(run(laps)));

function run(laps: number): Round {
  const spans = counters[C.spans_made]!;
  const before = process.threadCpuUsage();
  for (let lap = 0; lap < laps; lap++) while (pipeline.poll(performance.now()) > 0);
  const { user, system } = process.threadCpuUsage(before);
  return { ms: (user + system) / 1000, spans: counters[C.spans_made]! - spans };
}

/** Parsers do not fail on golden cases: figures of one that does are worth nothing. */
function fail(fields: object, text: string): never {
  throw new Error(`${text}: ${JSON.stringify(fields)}`);
}
