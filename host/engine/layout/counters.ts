/**
 * Counters that the engine keeps: f64 each, what was added since TypeScript took them (host/engine/counters.ts). Their
 * names are those of host/self/counters.ts.
 */
import { FRONT_REGION } from './regions.ts';

export const COUNTERS = FRONT_REGION;
/** Bytes set aside for them. */
export const COUNTERS_BYTES = 4096;

/** Place of each: COUNT_ and the name, in capitals. */
export const COUNT_MESSAGES_IN = 0;
export const COUNT_MESSAGES_ONEWAY = 1;
export const COUNT_MESSAGES_PUSH = 2;
export const COUNT_MESSAGES_DROPPED_DESYNC = 3;
export const COUNT_MESSAGES_DROPPED_UNPAIRED = 4;
export const COUNT_MESSAGES_DROPPED_CLOSED = 5;
export const COUNT_MESSAGES_DROPPED_OVERFLOW = 6;
export const COUNT_MESSAGES_PENDING = 7;
export const COUNT_REFERENCES_UNKNOWN = 8;
export const COUNT_DEFINITIONS_DROPPED = 9;
export const COUNT_PAIRS = 10;
export const COUNT_PAIRS_DROPPED_UNCONFIRMED = 11;
export const COUNT_PAIRS_HELD = 12;
export const COUNT_PAIRS_DROPPED_UNTIMED = 13;
export const COUNT_SPANS_MADE = 14;
export const COUNT_SPANS_UNSAMPLED = 15;
export const COUNT_RECORDS_DATA = 16;
export const COUNT_BYTES_MOVED = 17;
export const COUNT_BYTES_CAPTURED = 18;
export const COUNT_CHUNKS = 19;
export const COUNT_BYTES_GAP_TRUNCATED = 20;
export const COUNT_BYTES_SKIPPED = 21;
export const COUNT_BYTES_UNKNOWN = 22;
