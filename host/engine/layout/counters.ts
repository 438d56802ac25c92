/**
 * Counters that the engine keeps: f64 each, what was added since TypeScript took them (host/engine/counters.ts, which
 * says what they are called).
 */
import { FRONT_REGION } from './regions.ts';

export const COUNTERS = FRONT_REGION;
/** Bytes set aside for them. */
export const COUNTERS_BYTES = 4096;

// Assembling.
export const COUNT_SPANS_MADE = COUNTERS + 1024;
export const COUNT_SPANS_UNSAMPLED = COUNT_SPANS_MADE + 8;
export const COUNT_PAIRS_UNTIMED = COUNT_SPANS_MADE + 16;
