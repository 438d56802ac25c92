/**
 * Columns of the connection table, by connection number: the address of the first row of each. What they mean stands in
 * host/conn/connections.ts. Two rows of a column "by direction" belong to a connection: connection * 2 + direction.
 */
import { CONNECTIONS_REGION } from './regions.ts';

/** A shard has no more connections at a time. */
export const CONNECTIONS_MAX = 1 << 20;

/** STATE of a connection whose chunks go to a parser. */
export const STATE_PARSED = 2;
/** STATE of a connection whose bytes are only counted. */
export const STATE_IGNORED = 3;
/** When bytes of an ignored connection come in the next 1 << N seconds by the clock, the kernel is told of it once more. */
export const REMIND_SHIFT = 2;
/** Bits of STREAM: its position is known; what came before its next record was not wanted. */
export const STARTED = 1;
export const RESUMED = 4;

export const STATE = CONNECTIONS_REGION; // u8
export const ROLE = STATE + CONNECTIONS_MAX; // u8
export const CLIENT_DIRECTION = ROLE + CONNECTIONS_MAX; // u8
export const MID_STREAM = CLIENT_DIRECTION + CONNECTIONS_MAX; // u8
export const GIVEN_UP = MID_STREAM + CONNECTIONS_MAX; // u8
export const FAMILY = GIVEN_UP + CONNECTIONS_MAX; // u8
/** 1 while a hole in one of its streams waits for its bytes. */
export const HOLE = FAMILY + CONNECTIONS_MAX; // u8
/** How its messages pair: layout/pairing.ts. */
export const MODE = HOLE + CONNECTIONS_MAX; // u8
export const STREAM = MODE + CONNECTIONS_MAX; // u8, by direction
/** Index of the module that parses it, -1 for none. */
export const PARSER = STREAM + 2 * CONNECTIONS_MAX; // i16
export const LOCAL_PORT = PARSER + 2 * CONNECTIONS_MAX; // u16
export const REMOTE_PORT = LOCAL_PORT + 2 * CONNECTIONS_MAX; // u16
export const BASE = REMOTE_PORT + 2 * CONNECTIONS_MAX; // u32, by direction
export const NEXT = BASE + 8 * CONNECTIONS_MAX; // f64, by direction
export const SKIP = NEXT + 16 * CONNECTIONS_MAX; // f64, by direction
export const TGID = SKIP + 16 * CONNECTIONS_MAX; // u32
export const COOKIE_LOW = TGID + 4 * CONNECTIONS_MAX; // u32
export const COOKIE_HIGH = COOKIE_LOW + 4 * CONNECTIONS_MAX; // u32
/** Address of its state in the memory of the module that parses it; 0 for none. */
export const SLOT = COOKIE_HIGH + 4 * CONNECTIONS_MAX; // u32
/** Seconds by the caller's clock. */
export const LAST_SECOND = SLOT + 4 * CONNECTIONS_MAX; // u32
export const UNKNOWN_SINCE = LAST_SECOND + 4 * CONNECTIONS_MAX; // u32
/** Number of what its process's spans share: host/spans/resources.ts. */
export const RESOURCE = UNKNOWN_SINCE + 4 * CONNECTIONS_MAX; // u32
/** Local and remote, 16 bytes each. */
export const ADDRESSES = RESOURCE + 4 * CONNECTIONS_MAX;
export const CONNECTIONS_END = ADDRESSES + 32 * CONNECTIONS_MAX;

/** By index of a module: where its protocols begin in the protocol table (host/spans/protocols.ts). */
export const MODULES_MAX = 1 << 12;
export const FIRST_PROTOCOL = CONNECTIONS_END; // u32
export const MODULES_END = FIRST_PROTOCOL + 4 * MODULES_MAX;
