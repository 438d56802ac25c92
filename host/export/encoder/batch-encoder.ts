/** Encodes rows where they stand: one encoder for each engine. */
import type { InstrumentationScope } from '@opentelemetry/core';
import type { Engine } from '../../engine/engine.ts';
import type { Rows } from '../../engine/rows.ts';
import type { EncodedSpans } from '../../spans/span.ts';
import { OtlpEncoder } from './encoder.ts';

export class BatchEncoder {
  readonly #scope: InstrumentationScope;
  readonly #encoders = new WeakMap<Engine, OtlpEncoder>();

  constructor(scope: InstrumentationScope) {
    this.#scope = scope;
  }

  encode(rows: Rows): EncodedSpans {
    let encoder = this.#encoders.get(rows.engine);
    if (encoder === undefined) {
      encoder = new OtlpEncoder(rows.engine, this.#scope);
      this.#encoders.set(rows.engine, encoder);
    }
    return encoder.encode(rows);
  }
}
