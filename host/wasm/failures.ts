/**
 * What becomes of a module that failed. Once: it goes on without the connection that was at work. Again soon: it loses
 * all connections and is paused, twice as long each time. Too often: it is retired, and the registry decides whether an
 * older version takes its place (host/modules/registry.ts).
 */

export const RECOVER = 'recover';
export const PAUSE = 'pause';
export const RETIRE = 'retire';
export type Consequence = typeof RECOVER | typeof PAUSE | typeof RETIRE;

/** Failures at least this far apart are each the first one. */
const SOON_MS = 10_000;
const FIRST_PAUSE_MS = 1_000;
const STRIKES_MAX = 5;
/** After this long without a failure all is forgotten. */
const FORGIVEN_MS = 600_000;

export class FailurePolicy {
  failures = 0;
  /** The clock of `next` before which the module gets no connections; Infinity when it is retired. */
  pausedUntil = Number.NEGATIVE_INFINITY;
  #strikes = 0;
  #isPaused = false;
  #last = Number.NEGATIVE_INFINITY;

  /** Counts a failure at `nowMs` and says what follows from it. */
  next(nowMs: number): Consequence {
    this.failures++;
    const since = nowMs - Math.max(this.#last, this.pausedUntil);
    this.#last = nowMs;
    if (since > FORGIVEN_MS) this.#strikes = 0;
    if (since > SOON_MS) return RECOVER;
    this.#strikes++;
    this.#isPaused = this.#strikes < STRIKES_MAX;
    if (this.#strikes >= STRIKES_MAX) {
      this.pausedUntil = Number.POSITIVE_INFINITY;
      return RETIRE;
    }
    this.pausedUntil = nowMs + FIRST_PAUSE_MS * 2 ** (this.#strikes - 1);
    return PAUSE;
  }

  /** True once after each pause that has come to its end. */
  resumes(nowMs: number): boolean {
    if (!this.#isPaused || this.pausedUntil > nowMs) return false;
    this.#isPaused = false;
    return true;
  }

  /** For the log: how long a pause that has just begun lasts. */
  pauseAt(nowMs: number): { readonly pauseMs?: number } {
    const pauseMs = Math.round(this.pausedUntil - nowMs);
    return pauseMs > 0 && Number.isFinite(pauseMs) ? { pauseMs } : {};
  }
}
