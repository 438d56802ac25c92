/**
 * A worker thread with a ring, a pipeline and the floor. It is asked by messages, one at a time: a method of Scenario and
 * its argument. A thread of its own for each scenario, so that V8 compiles its code for what it does, as in an agent.
 */
import { Session } from 'node:inspector';
import { parentPort, workerData } from 'node:worker_threads';
import type { RecordSource } from '../../host/kernel/source.ts';
import type { Pipeline } from '../../host/pipeline.ts';
import { C, type Counters, createCounters } from '../../host/self/counters.ts';
import { type Batch, createEncoder, createOtelEncoder, type Encode } from '../encode.ts';
import { loadReference, type NativeFeeder } from '../reference.ts';
import { type Profile, shares } from './profile.ts';
import { createPipeline, feed } from './rig.ts';
import type { Count, Round, ScenarioInput } from './scenario.ts';

const TICK_MS = 100;
const NO_TIME = { pipelineNs: 0, drainNs: 0, encodeNs: 0, otelNs: 0 };
/** Between two samples of the profile. */
const SAMPLE_MICROS = 200;

class Scenario {
  readonly #feeder: NativeFeeder;
  readonly #pipeline: Pipeline;
  readonly #counters: Counters = createCounters();
  readonly #now = loadReference().threadCpuNs;
  readonly #encode: Encode = createEncoder();
  readonly #otel: Encode | undefined;
  readonly #isStaged: boolean;
  #time = { ...NO_TIME };
  #requestBytes = 0;
  #verdicts = 0;
  #tickAt = 0;

  constructor({ ring, modules, sampled, encoders, isStaged, ...feeding }: ScenarioInput) {
    const { feeder, source } = feed(ring, { lastRound: 0, ...feeding });
    this.#feeder = feeder;
    this.#isStaged = isStaged || encoders === 'both';
    this.#otel = encoders === 'both' ? createOtelEncoder() : undefined;
    const given = {
      modules,
      counters: this.#counters,
      emit: (batch: Batch) => this.#emit(batch),
      verdict: (_low: number, _high: number, isIgnored: boolean) => {
        this.#verdicts += isIgnored ? 1 : -1;
      },
    };
    this.#pipeline = createPipeline(isStaged ? this.#timed(source) : source, given, sampled);
  }

  /** Until every connection is where it repeats. */
  open(): Count {
    const before = this.#count();
    let expected = 0;
    while (this.#feeder.rounds < this.#feeder.opening) {
      expected += this.#feeder.generate().pairs;
      this.#feeder.feed();
      this.#run();
    }
    return { expected, ...this.#since(before) };
  }

  warm(ms: number): void {
    const end = performance.now() + ms;
    while (performance.now() < end) this.round(0);
  }

  /** Fills the ring twice with the same, for the floor and for the pipeline, until that has worked so long. */
  round(atLeastMs: number): Round {
    const before = this.#count();
    this.#time = { ...NO_TIME };
    const sum = { records: 0, bytes: 0, expected: 0, floorNs: 0 };
    do {
      const { records, bytes, pairs } = this.#feeder.generate();
      this.#feeder.feed();
      sum.floorNs += this.#floor();
      this.#feeder.feed();
      this.#time.pipelineNs += this.#run();
      sum.records += records;
      sum.bytes += bytes;
      sum.expected += pairs;
    } while (this.#time.pipelineNs < atLeastMs * 1e6);
    return { ...sum, ...this.#time, ...this.#since(before) };
  }

  /** Makes the next records and puts them into the ring. */
  fill(): void {
    this.#feeder.generate();
    this.#feeder.feed();
  }

  /** Takes them out again; when that began and ended, for comparison with other threads. */
  drain() {
    const pairs = this.#counters[C.pairs]!;
    const startNs = Number(process.hrtime.bigint());
    const cpuNs = this.#run();
    return { pairs: this.#counters[C.pairs]! - pairs, cpuNs, startNs, endNs: Number(process.hrtime.bigint()) };
  }

  /** Share of the pipeline's time by function, over rounds of so long. */
  profile(ms: number) {
    const session = new Session();
    session.connect();
    session.post('Profiler.enable');
    session.post('Profiler.setSamplingInterval', { interval: SAMPLE_MICROS });
    session.post('Profiler.start');
    const round = this.round(ms);
    let profile: Profile | undefined;
    session.post('Profiler.stop', (_, result) => {
      profile = result.profile as Profile;
    });
    const shared = shares(profile!, session);
    session.disconnect();
    return { round, shares: shared };
  }

  #floor(): number {
    const before = this.#now();
    this.#feeder.floor();
    return this.#now() - before;
  }

  #run(): number {
    return runPipeline(this.#now, this.#pipeline, (now) => {
      if (now < this.#tickAt) return;
      this.#tickAt = now + TICK_MS;
      this.#pipeline.tick(now);
    });
  }

  #emit(batch: Batch): void {
    if (!this.#isStaged) {
      this.#requestBytes += this.#encode(batch);
      return;
    }
    const start = this.#now();
    this.#requestBytes += this.#encode(batch);
    const end = this.#now();
    this.#time.encodeNs += end - start;
    if (this.#otel === undefined) return;
    this.#otel(batch);
    this.#time.otelNs += this.#now() - end;
  }

  #timed(source: RecordSource): RecordSource {
    return {
      drain: (buffer, offset, capacity) => {
        const start = this.#now();
        const length = source.drain(buffer, offset, capacity);
        this.#time.drainNs += this.#now() - start;
        return length;
      },
      release: (slots, count) => source.release(slots, count),
      pending: () => source.pending(),
    };
  }

  #count() {
    const [pairs, spans] = [this.#counters[C.pairs]!, this.#counters[C.spans_made]!];
    return { pairs, spans, requestBytes: this.#requestBytes, verdicts: this.#verdicts };
  }

  #since(before: Omit<Count, 'expected'>): Omit<Count, 'expected'> {
    const { pairs, spans, requestBytes, verdicts } = this.#count();
    return {
      pairs: pairs - before.pairs,
      spans: spans - before.spans,
      requestBytes: requestBytes - before.requestBytes,
      verdicts: verdicts - before.verdicts,
    };
  }
}

/** A function, and not part of a method: the profile finds what is the pipeline's below it. */
function runPipeline(now: () => number, pipeline: Pipeline, tick: (nowMs: number) => void): number {
  const before = now();
  for (;;) {
    const ms = performance.now();
    if (pipeline.poll(ms) === 0) break;
    tick(ms);
  }
  return now() - before;
}

const scenario = new Scenario(workerData as ScenarioInput);
const methods = scenario as unknown as Record<string, (argument: number) => unknown>;
parentPort?.on('message', ([method, argument]: [string, number]) => {
  parentPort?.postMessage(methods[method]!.call(scenario, argument));
});
parentPort?.postMessage('ready');
