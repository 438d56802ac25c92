/**
 * What `add` must know of a protocol: a record of rules for each entry of the protocol table (host/spans/protocols.ts),
 * written by host/spans/protocol-rules.ts. Behind them what refining and ids need besides.
 */
import { ROWS_FREE } from './spans.ts';

export const PROTOCOLS_MAX = 4096;
/** By index in the protocol table: address of its rules. */
export const PROTOCOL_TABLE = ROWS_FREE; // u32
export const PROTOCOL_RULES = PROTOCOL_TABLE + 4 * PROTOCOLS_MAX;
export const PROTOCOL_RULES_BYTES = 4 << 20;

/** Which statuses are errors for each side: from this one on (f64, Infinity for none), or those of a list of u32. */
export const RULES_SERVER = 0;
export const RULES_CLIENT = 16;
export const RULE_FROM = 0; // f64
export const RULE_LIST = 8; // u32, address
export const RULE_COUNT = 12; // u32
/** Ids with an action (u32), and by id what becomes of the attribute (u8). */
export const RULES_IDS = 32;
export const RULES_ACTIONS = 36;

export const DROP = 0;
export const COPY = 1;
/** It holds a secret, or is a pair: TypeScript makes of it what may be shown. */
export const CHANGE = 2;
export const TRACEPARENT = 3;

/** Where TypeScript puts the value of an attribute that it changed. */
export const CHANGED = PROTOCOL_RULES + PROTOCOL_RULES_BYTES;
export const CHANGED_BYTES = 8192;
/** What random ids begin with. */
export const ID_SEED = CHANGED + CHANGED_BYTES;
export const ID_SEED_BYTES = 32;
export const SPANS_FREE = ID_SEED + ID_SEED_BYTES;
