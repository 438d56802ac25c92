/** Exponential back-off with jitter: how long to wait before the next try. Bounded; starts anew after a success. */

export interface BackoffOptions {
  readonly firstMs: number;
  readonly maxMs: number;
  readonly factor: number;
  /** Share of the wait that is random, up and down: 0.2 is ±20 %. */
  readonly jitter: number;
}

export const DEFAULT_BACKOFF: BackoffOptions = { firstMs: 1000, maxMs: 30_000, factor: 1.5, jitter: 0.2 };

export class Backoff {
  readonly #options: BackoffOptions;
  readonly #random: () => number;
  #nextMs: number;

  constructor(options: BackoffOptions, random: () => number = Math.random) {
    this.#options = options;
    this.#random = random;
    this.#nextMs = options.firstMs;
  }

  next(): number {
    const { factor, jitter, maxMs } = this.#options;
    const waitMs = this.#nextMs * (1 + jitter * (2 * this.#random() - 1));
    this.#nextMs = Math.min(this.#nextMs * factor, maxMs);
    return Math.min(waitMs, maxMs);
  }

  reset(): void {
    this.#nextMs = this.#options.firstMs;
  }
}
