/** Several batches read as one, so that what piled up during an outage goes out in a few requests. Copies nothing. */
import type { Offer, Span, Spans } from '../spans/span.ts';

/** What a sink does that reads spans one by one. */
export const READ_SPANS = {
  take: ({ sealed }: Offer): Spans => sealed,
  join: (parts: readonly Spans[]): Spans => new JoinedSpans(parts),
};

export class JoinedSpans implements Spans {
  readonly length: number;
  readonly bytes: number;
  readonly #parts: readonly Spans[];
  /** The part the last read was in, and the index of its first span: reads come in order. */
  #part = 0;
  #first = 0;

  constructor(parts: readonly Spans[]) {
    this.#parts = parts;
    this.length = parts.reduce((total, part) => total + part.length, 0);
    this.bytes = parts.reduce((total, part) => total + part.bytes, 0);
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
