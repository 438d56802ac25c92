/**
 * Counters that the engine keeps: f64 each, what was added since TypeScript took them (host/engine/counters.ts). Their
 * names are those of host/self/counters.ts.
 */
import { FRONT_REGION } from './regions.ts';

export const COUNTERS = FRONT_REGION;
/** Bytes set aside for them. */
export const COUNTERS_BYTES = 4096;
