/**
 * Paired messages become spans: one row of the batch each, no objects. The engine does it (engine/assembly/assemble.ts);
 * here is what it asks for, and where its batches go.
 */
import { randomFillSync } from 'node:crypto';
import { takeCounters } from '../engine/counters.ts';
import type { Engine } from '../engine/engine.ts';
import { ROWS_NOW, ROWS_SINCE } from '../engine/layout/spans.ts';
import type { Counters } from '../self/counters.ts';
import { SpanBatch } from './batch.ts';
import { BatchSize } from './batch-size.ts';
import { ProtocolRules } from './protocol-rules.ts';
import type { ProtocolTable } from './protocols.ts';
import { Refiner } from './refine.ts';
import type { Resources } from './resources.ts';
import { createSampler, DEFAULT_SAMPLER, type Sampler } from './sampler.ts';
import type { FilledBatch } from './span.ts';

export interface AssemblerOptions {
  /** Of a batch at most: batch-size.ts. */
  readonly batchSpans: number;
  readonly sampler?: Sampler;
  /** Takes the rows of a batch, part by part, at once: they are filled anew afterwards. */
  readonly emit: (batch: FilledBatch) => void;
}

export class Assembler {
  readonly #engine: Engine;
  readonly #batch: SpanBatch;
  readonly #size: BatchSize;
  readonly #resources: Resources;
  readonly #counters: Counters;
  readonly #emit: (batch: FilledBatch) => void;
  /** Spans of the batch whose rows were handed on, and when the first row of it was filled. */
  #handedOn = 0;
  #since = 0;

  constructor(
    engine: Engine,
    protocols: ProtocolTable,
    resources: Resources,
    counters: Counters,
    options: AssemblerOptions,
  ) {
    this.#engine = engine;
    this.#batch = new SpanBatch(engine, options.batchSpans, protocols.list, resources);
    this.#size = new BatchSize(options.batchSpans, counters);
    this.#batch.limit = this.#size.limit;
    this.#resources = resources;
    this.#counters = counters;
    this.#emit = options.emit;
    const rules = new ProtocolRules(engine);
    protocols.each((index, protocol) => rules.put(index, protocol));
    const { followsParent, bound } = options.sampler ?? createSampler(DEFAULT_SAMPLER);
    engine.exports.setSampler!(Number(followsParent), bound);
    this.#serve(new Refiner(engine, protocols.list));
  }

  /** CLOCK_REALTIME minus the clock of the records, in two u32 halves. */
  setClockOffset(low: number, high: number): void {
    this.#engine.exports.setClockOffset!(low, high);
  }

  /** The caller's clock, for what is done from now on. */
  setTime(nowMs: number): void {
    this.#engine.f64[ROWS_NOW >>> 3] = nowMs;
  }

  /** Ends the batch, if its first span has waited long enough. */
  flushOlderThan(ms: number): void {
    const { f64 } = this.#engine;
    const since = this.#handedOn > 0 ? this.#since : f64[ROWS_SINCE >>> 3]!;
    if (this.#handedOn + this.#batch.length === 0 || f64[ROWS_NOW >>> 3]! - since >= ms) this.flush();
  }

  /** Ends the batch. */
  flush(): void {
    this.#handOn(true);
  }

  /** The rows that are filled, and with them the batch, if it is to end or is complete. */
  #handOn(isEnd: boolean): void {
    takeCounters(this.#engine, this.#counters);
    const { f64 } = this.#engine;
    const batch = this.#batch;
    if (this.#handedOn === 0) this.#since = f64[ROWS_SINCE >>> 3]!;
    this.#handedOn += batch.length;
    batch.isLast = isEnd || this.#handedOn >= this.#size.limit;
    if (this.#handedOn > 0) this.#emit(batch);
    batch.clear();
    if (batch.isLast) {
      if (this.#handedOn > 0) this.#size.flushed(this.#handedOn, f64[ROWS_NOW >>> 3]!);
      this.#handedOn = 0;
    }
    batch.limit = this.#size.limit - this.#handedOn;
    this.#resources.recycle();
  }

  #serve(refiner: Refiner): void {
    const { u8 } = this.#engine;
    this.#engine.serve({
      full: () => this.#handOn(false),
      change: (protocol: number, id: number, at: number, length: number) => refiner.change(protocol, id, at, length),
      randomize: (at: number, length: number) => void randomFillSync(u8, at, length),
    });
  }
}
