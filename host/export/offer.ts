/** What sinks may take of a batch, each made when the first of them asks. */
import type { SealedBatch } from '../spans/batch.ts';
import type { EncodedSpans, FilledBatch, Offer } from '../spans/span.ts';
import type { BatchEncoder } from './encoder/batch-encoder.ts';

export class BatchOffer implements Offer {
  readonly length: number;
  readonly isLast: boolean;
  readonly #batch: FilledBatch;
  readonly #encoder: BatchEncoder;
  #sealed: SealedBatch | undefined;
  #encoded: EncodedSpans | undefined;

  constructor(batch: FilledBatch, encoder: BatchEncoder) {
    this.length = batch.length;
    this.isLast = batch.isLast;
    this.#batch = batch;
    this.#encoder = encoder;
  }

  get sealed(): SealedBatch {
    this.#sealed ??= this.#batch.seal();
    return this.#sealed;
  }

  /** One sink's, which releases it. */
  get encoded(): EncodedSpans {
    this.#encoded ??= this.#encoder.encode(this.#batch);
    return this.#encoded;
  }
}
