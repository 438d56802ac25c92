/**
 * Counters that the engine keeps: f64 each, what was added since TypeScript took them (host/engine/counters.ts). Their
 * names are those of host/self/counters.ts.
 */
import { FRONT_REGION } from './regions.ts';

export const COUNTERS = FRONT_REGION;
/** Bytes set aside for them. */
export const COUNTERS_BYTES = 4096;

export const RECORDS_DATA = COUNTERS;
export const BYTES_MOVED = RECORDS_DATA + 8;
export const BYTES_CAPTURED = BYTES_MOVED + 8;
export const CHUNKS = BYTES_CAPTURED + 8;
export const BYTES_GAP_TRUNCATED = CHUNKS + 8;
export const BYTES_SKIPPED = BYTES_GAP_TRUNCATED + 8;
