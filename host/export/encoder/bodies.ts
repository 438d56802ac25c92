/**
 * Memory of requests, for one after the other: they are large, and as garbage they would keep the collector busy. What is
 * not given back is garbage all the same.
 */
import type { EncodedSpans } from '../../spans/span.ts';

export class Bodies {
  readonly #roundUp: number;
  readonly #keep: number;
  readonly #free: Buffer<ArrayBuffer>[] = [];

  /** Keeps up to `keep` pieces of memory, whose sizes are multiples of `roundUp`. */
  constructor(roundUp: number, keep: number) {
    this.#roundUp = roundUp;
    this.#keep = keep;
  }

  /** A request of `length` spans and so many bytes, to be filled. */
  take(length: number, bytes: number): EncodedSpans {
    const free = this.#free.pop();
    const memory = free !== undefined && free.length >= bytes ? free : Buffer.allocUnsafeSlow(this.#sizeOf(bytes));
    return new PooledRequest(length, memory.subarray(0, bytes), () => this.#give(memory));
  }

  #give(memory: Buffer<ArrayBuffer>): void {
    if (this.#free.length < this.#keep) this.#free.push(memory);
  }

  #sizeOf(bytes: number): number {
    return Math.ceil(bytes / this.#roundUp) * this.#roundUp;
  }
}

class PooledRequest implements EncodedSpans {
  readonly length: number;
  readonly body: Buffer<ArrayBuffer>;
  #give: (() => void) | undefined;

  constructor(length: number, body: Buffer<ArrayBuffer>, give: () => void) {
    this.length = length;
    this.body = body;
    this.#give = give;
  }

  get bytes(): number {
    return this.body.length;
  }

  release(): void {
    this.#give?.();
    this.#give = undefined;
  }
}

/** Requests, one behind the other; they are given back. */
export function joined(bodies: Bodies, parts: readonly EncodedSpans[]): EncodedSpans {
  const length = parts.reduce((total, part) => total + part.length, 0);
  const whole = bodies.take(
    length,
    parts.reduce((total, part) => total + part.bytes, 0),
  );
  let at = 0;
  for (const part of parts) {
    whole.body.set(part.body, at);
    at += part.bytes;
    part.release?.();
  }
  return whole;
}
