/** Encodes batches where their rows stand: one encoder for each engine, and an engine for batches that have none. */
import type { InstrumentationScope } from '@opentelemetry/core';
import { Engine } from '../../engine/engine.ts';
import type { EncodedSpans, FilledBatch } from '../../spans/span.ts';
import { OtlpEncoder } from './encoder.ts';
import { RowWriter } from './put-rows.ts';

export class BatchEncoder {
  readonly #scope: InstrumentationScope;
  readonly #encoders = new WeakMap<Engine, OtlpEncoder>();
  #writer: RowWriter | undefined;

  constructor(scope: InstrumentationScope) {
    this.#scope = scope;
  }

  encode(batch: FilledBatch): EncodedSpans {
    const rows = batch.rows ?? this.#rowWriter().put(batch.seal());
    let encoder = this.#encoders.get(rows.engine);
    if (encoder === undefined) {
      encoder = new OtlpEncoder(rows.engine, this.#scope);
      this.#encoders.set(rows.engine, encoder);
    }
    return encoder.encode(rows);
  }

  /** Nothing is paired in its engine. */
  #rowWriter(): RowWriter {
    this.#writer ??= new RowWriter(new Engine({ pair() {} }));
    return this.#writer;
  }
}
