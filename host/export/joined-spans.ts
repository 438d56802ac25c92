/** Several batches read as one, so that what piled up during an outage goes out in a few requests. Copies nothing. */
import type { SealedBatch } from '../spans/batch.ts';
import type { Span, Spans } from '../spans/span.ts';

export class JoinedSpans implements Spans {
  readonly length: number;
  readonly #parts: readonly Spans[];
  /** The part the last read was in, and the index of its first span: reads come in order. */
  #part = 0;
  #first = 0;

  constructor(parts: readonly Spans[]) {
    this.#parts = parts;
    this.length = parts.reduce((total, part) => total + part.length, 0);
  }

  get batches(): readonly SealedBatch[] {
    return this.#parts.flatMap(({ batches }) => batches);
  }

  read(index: number): Span {
    if (index < 0 || index >= this.length) throw new RangeError(`span ${index} of ${this.length}`);
    if (index < this.#first) {
      this.#part = 0;
      this.#first = 0;
    }
    let part = this.#parts[this.#part]!;
    while (index - this.#first >= part.length) {
      this.#first += part.length;
      part = this.#parts[++this.#part]!;
    }
    return part.read(index - this.#first);
  }
}
