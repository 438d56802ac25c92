/**
 * What lies between the ring and the parsers: the batch that was drained, and an area for each instance of a module, in
 * which its chunks gather. host/wasm/staging.ts hands the areas out.
 */
import { CONNECTIONS_MAX, MODULES_END, MODULES_MAX } from './connections.ts';
import { COUNTERS, COUNTERS_BYTES } from './counters.ts';

/** One drain: large enough to amortise the call, small enough to stay in the L2 cache. */
export const BATCH_BYTES = 256 * 1024;
export const BATCH = COUNTERS + COUNTERS_BYTES;
/** Highest record sequence seen, plus one; and the records seen, together with those known to be lost. */
export const TRIED = BATCH + BATCH_BYTES; // f64
export const RECORDS = TRIED + 8; // f64

/** A run's output is copied here before it is read. */
export const OUTPUT_BYTES = 1 << 20;
export const OUTPUT = TRIED + 64;

/** By index of a module: the area of the instance that its connections are in; 0 for none. */
export const AREA_OF_MODULE = OUTPUT + OUTPUT_BYTES; // u32
export const AREAS = AREA_OF_MODULE + 4 * MODULES_MAX;
/** Instances at a time: each module has one for its traffic and one that is asked who knows a connection. */
export const AREAS_MAX = 256;

/** Chunks of one run, and payload bytes beside them: a few drains' worth, and small enough to stay in L2. */
export const CHUNKS = 1024;
export const PAYLOAD_BYTES = 512 * 1024;

// ── of an area, all u32 but for what says otherwise ──
export const AREA_COUNT = 0;
/** Captured bytes of all chunks. */
export const AREA_BYTES = 4;
/** Where the next payload belongs in the module's memory, and where there is no more room for one. */
export const AREA_PAYLOAD = 8;
export const AREA_PAYLOAD_END = 12;
/** Pieces to copy, but for the first one, which is the table of chunks. */
export const AREA_PIECES = 16;
/** Address of the first slot in the module's memory; slots begin at multiples of 1 << shift from there. */
export const AREA_SLOTS_BASE = 20;
export const AREA_SLOTS_SHIFT = 24;
/** Whose slots these are, by (address - base) >> shift: connection + 1, or 0. Where the table is and its length. */
export const AREA_OWNERS = 28;
export const AREA_OWNERS_COUNT = 32;
/** What the length of an attribute's value must be, by id: how many there are. */
export const AREA_KINDS_COUNT = 36;
export const AREA_PROTOCOLS = 40;
/** i32: records that the flush may still put out. */
export const AREA_ALLOWANCE = 44;
/** f64 both: messages taken, and attributes that have to be left out. */
export const AREA_MESSAGES = 48;
export const AREA_REFUSED = 56;
/** Of the record that is wrong: what is wrong with it. */
export const AREA_WRONG = 64;
/** By chunk: its slot. The module's own table is not believed: what a run costs whom must not be the module's to say. */
export const AREA_SLOTS = 80;
/** By piece: source, target, length. */
export const AREA_PIECE_TABLE = AREA_SLOTS + 4 * CHUNKS;
/** The chunks as the module gets them, 40 bytes each (docs/abi.md). */
export const AREA_CHUNKS = AREA_PIECE_TABLE + 12 * (CHUNKS + 1) + 4;
/** u8 by attribute id. */
export const KINDS_MAX = 1 << 16;
export const AREA_KINDS = AREA_CHUNKS + 40 * CHUNKS;
export const AREA_SIZE = AREA_KINDS + KINDS_MAX;
export const AREAS_END = AREAS + AREAS_MAX * AREA_SIZE;

/** Kinds of attributes, by what the length of a value must be. */
export const KIND_UNKNOWN = 0;
export const KIND_STRING = 1;
export const KIND_EIGHT_BYTES = 2;
export const KIND_ONE_BYTE = 3;
/** Whatever its key is: which ones there may be is the configuration's to say. */
export const KIND_PAIR = 4;

/** What is wrong with output; 0 is nothing. */
export const WRONG_CUT_OFF = 1;
export const WRONG_SIZE = 2;
export const WRONG_SLOT = 3;
export const WRONG_FIELDS = 4;
export const WRONG_AMOUNT = 5;

/** Tables of owners: extents of a power of two, taken and given back. */
export const OWNERS = (MODULES_END + 63) & ~63;
export const OWNERS_BYTES = 16 * 4 * CONNECTIONS_MAX;
export const OWNERS_END = OWNERS + OWNERS_BYTES;
