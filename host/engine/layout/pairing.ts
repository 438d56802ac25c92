/**
 * What pairing keeps beside the messages: pages of the slabs, who waits for a key, what is defined, and a record for each
 * connection. All zero at first.
 */
import { MESSAGE_MAX } from '../../../parsers/sdk/abi.ts';
import { CONNECTIONS_MAX } from './connections.ts';
import { MESSAGES_MAX, SLAB_BYTES_MAX, SLAB_END } from './messages.ts';

/** MODE of a connection: how its messages pair. */
export const FIFO = 0;
export const KEY = 1;
export const NONE = 2;

/** A page of a slab, and what is known of it (assembly/slab.ts). */
export const PAGE_SHIFT = 13;
export const PAGE_RECORD = 32;

/** Record by page. */
export const SLAB_PAGES = SLAB_END;
export const DEFINITION_SLAB_BYTES_MAX = 64 << 20;
export const DEFINITION_SLAB = SLAB_PAGES + (SLAB_BYTES_MAX >>> PAGE_SHIFT) * PAGE_RECORD;
export const DEFINITION_SLAB_PAGES = DEFINITION_SLAB + DEFINITION_SLAB_BYTES_MAX;
const SLABS_END = DEFINITION_SLAB_PAGES + (DEFINITION_SLAB_BYTES_MAX >>> PAGE_SHIFT) * PAGE_RECORD;

/** Lists (assembly/lists.ts): three u32 and one to spare for each list, two for each item. */
export const LIST_RECORD = 16;
export const LINK_RECORD = 8;

/** By message that waits for its key. */
export const WAITING_KEY = SLABS_END; // u64
/** Milliseconds by the caller's clock. */
export const WAITING_SINCE = WAITING_KEY + 8 * MESSAGES_MAX; // f64
export const WAITING_SIDE = WAITING_SINCE + 8 * MESSAGES_MAX; // u8
export const KEYED_LINKS = WAITING_SIDE + MESSAGES_MAX;
export const AGE_LINKS = KEYED_LINKS + LINK_RECORD * MESSAGES_MAX;
/** By connection. */
export const KEYED_LISTS = AGE_LINKS + LINK_RECORD * MESSAGES_MAX;
export const TRIAL_LINKS = KEYED_LISTS + LIST_RECORD * CONNECTIONS_MAX;
/** Two lists by age, and that of the connections on trial. */
export const AGE_LISTS = TRIAL_LINKS + LINK_RECORD * CONNECTIONS_MAX;
export const TRIAL_LIST = AGE_LISTS + 2 * LIST_RECORD;

/** Tables of keys (assembly/key-table.ts): twice as many entries as there may be numbers, a power of two. */
export const KEY_ENTRY = 16;
export const KEYED_ENTRIES_MAX = 2 * MESSAGES_MAX;
export const KEYED_TABLE = TRIAL_LIST + LIST_RECORD;
/** A definition takes at least the smallest block of the slab. */
export const DEFINITIONS_KEPT_MAX = DEFINITION_SLAB_BYTES_MAX >>> 8;
export const DEFINITION_ENTRIES_MAX = 2 * DEFINITIONS_KEPT_MAX;
export const DEFINITION_TABLE = KEYED_TABLE + KEY_ENTRY * KEYED_ENTRIES_MAX;
export const SCOPE_ENTRIES_MAX = 2 * CONNECTIONS_MAX;
export const SCOPE_TABLE = DEFINITION_TABLE + KEY_ENTRY * DEFINITION_ENTRIES_MAX;
/** Where a table that grows puts its entries meanwhile: half of the largest. */
export const KEY_SCRATCH = SCOPE_TABLE + KEY_ENTRY * SCOPE_ENTRIES_MAX;
/** Three odd u32 that nobody outside knows. */
export const KEY_SECRET = KEY_SCRATCH + KEY_ENTRY * MESSAGES_MAX;

/** By definition. */
export const DEFINITION_KEY = KEY_SECRET + 16; // u64
export const DEFINITION_AT = DEFINITION_KEY + 8 * DEFINITIONS_KEPT_MAX; // u32
export const DEFINITION_WORDS = DEFINITION_AT + 4 * DEFINITIONS_KEPT_MAX; // u16
export const DEFINITION_ATTRIBUTES = DEFINITION_WORDS + 2 * DEFINITIONS_KEPT_MAX; // u16
export const DEFINITION_LINKS = DEFINITION_ATTRIBUTES + 2 * DEFINITIONS_KEPT_MAX;
/** Who defines: each connection, each scope. */
export const OWNERS_MAX = 2 * CONNECTIONS_MAX;
/** By owner, plus one: the first is the list of free numbers. */
export const DEFINITION_LISTS = DEFINITION_LINKS + LINK_RECORD * DEFINITIONS_KEPT_MAX;
/** By owner: attribute bytes of its definitions, and the words of the slab that they take up. */
export const OWNER_BYTES = DEFINITION_LISTS + LIST_RECORD * (OWNERS_MAX + 1); // u32
export const OWNER_WORDS = OWNER_BYTES + 4 * OWNERS_MAX; // u32
/** By connection: number of its scope plus one, 0 for none. */
export const CONNECTION_SCOPE = OWNER_WORDS + 4 * OWNERS_MAX; // u32
/** By scope: what it stands for, and how many connections are in it, or of one that is free, the next that is. */
export const SCOPE_KEY = CONNECTION_SCOPE + 4 * CONNECTIONS_MAX; // u64
export const SCOPE_CONNECTIONS = SCOPE_KEY + 8 * CONNECTIONS_MAX; // u32

/** What `merge` made: attribute words. Copies may touch 16 bytes behind them. */
export const MERGED = SCOPE_CONNECTIONS + 4 * CONNECTIONS_MAX;

/** By connection: what of it waits. Records of a cache line each. */
export const QUEUES = (MERGED + MESSAGE_MAX + 127) & ~63;
export const QUEUE_SHIFT = 6;
/** i32: first and last message that waits; first and last request of the pairs that are held back. */
export const QUEUE_HEAD = 0;
export const QUEUE_TAIL = 4;
export const QUEUE_HELD_HEAD = 8;
export const QUEUE_HELD_TAIL = 12;
/** u16: how many wait, how many are held back. */
export const QUEUE_WAITING = 16;
export const QUEUE_HELD = 18;
/** u8: which side waits; whether the connection is trusted (assembly/fifo.ts). */
export const QUEUE_SIDE = 20;
export const QUEUE_TRUST = 21;
/** u64: out of sync, when the last response came that met nobody; 0 for never. */
export const QUEUE_UNMET = 24;
/** f64, ms: when the last pair was held back; Infinity when neither silence nor an end proves those that are. */
export const QUEUE_TRIAL = 32;
/** f64, ms: when its keys were last in doubt (assembly/keyed.ts). */
export const QUEUE_DOUBT = 40;
/** u32: messages that it holds, and words of the slab. */
export const QUEUE_MESSAGES = 48;
export const QUEUE_WORDS = 52;

/** Where TypeScript puts a record that it hands in. */
export const RECORD = QUEUES + (CONNECTIONS_MAX << QUEUE_SHIFT);
export const RECORD_MAX = 2 * MESSAGE_MAX;
export const PAIRING_END = RECORD + RECORD_MAX + 64;
