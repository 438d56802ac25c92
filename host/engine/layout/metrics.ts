/**
 * RED metrics of the spans: series by number, as columns; a hash table that finds them by key; and how each protocol is
 * measured (host/metrics/shapes.ts). What a key is made of stands at KEY.
 */
import { PROTOCOLS_MAX } from './protocols.ts';
import { METRICS_REGION } from './regions.ts';
import { RESOURCES_MAX } from './spans.ts';

/** Series of a shard at most, those of overflow included. */
export const SERIES_MAX = 8192;
/** Twice as many, so that a search ends soon. */
export const SERIES_TABLE_SIZE = 16_384;
/** Buckets of a histogram, the one above the last bound included. */
export const BUCKETS_MAX = 16;
/** Lists of bounds, BUCKETS_MAX f64 each; Infinity behind the last one. */
export const BOUNDS_MAX = 8;
/** Attributes of a series are slots from 1 on. */
export const SLOTS_MAX = 15;
/** Of a value only so much tells series apart. */
export const VALUE_BYTES_MAX = 255;
/** A longer key counts as one too many. */
export const KEY_BYTES_MAX = 2048;

export const METRICS_SEED = METRICS_REGION; // u64, random: nobody can choose keys that collide
export const METRICS_LIMIT = METRICS_SEED + 8; // u32, series that are not of overflow
export const METRICS_SERIES = METRICS_LIMIT + 4; // u32, how many of these there are
export const METRICS_NEXT = METRICS_SERIES + 4; // u32, numbers from here on were never used
export const METRICS_FREE = METRICS_NEXT + 4; // u32, how many numbers wait in FREE_SERIES
export const METRICS_OVERFLOWED = METRICS_FREE + 8; // f64, spans measured in a series of overflow
export const METRICS_UNMEASURED = METRICS_OVERFLOWED + 8; // f64, spans that found no place at all

/** By protocol index: address of its shape; 0: is not measured. */
export const PROTOCOL_SHAPES = METRICS_REGION + 4096; // u32
export const SERIES_TABLE = PROTOCOL_SHAPES + 4 * PROTOCOLS_MAX; // u32, series number + 1
export const FREE_SERIES = SERIES_TABLE + 4 * SERIES_TABLE_SIZE; // u32
export const SERIES_HASH = FREE_SERIES + 4 * SERIES_MAX; // u64
export const SERIES_SUM = SERIES_HASH + 8 * SERIES_MAX; // f64, seconds
export const SERIES_LEAST = SERIES_SUM + 8 * SERIES_MAX; // f64
export const SERIES_MOST = SERIES_LEAST + 8 * SERIES_MAX; // f64
/** f64 each: they count without an end, and TypeScript reads them as they are. */
export const SERIES_BUCKETS = SERIES_MOST + 8 * SERIES_MAX;
export const SERIES_KEY_BYTES = SERIES_BUCKETS + 8 * BUCKETS_MAX * SERIES_MAX; // u32, 0: no series
export const SERIES_KEYS = SERIES_KEY_BYTES + 4 * SERIES_MAX;
export const BOUNDS = SERIES_KEYS + KEY_BYTES_MAX * SERIES_MAX; // f64
/** Shapes, one behind the other. */
export const SHAPES = BOUNDS + 8 * BUCKETS_MAX * BOUNDS_MAX;
export const SHAPES_BYTES = 4 << 20;
/** By number of a resource: how many series have it. */
export const RESOURCE_SERIES = SHAPES + SHAPES_BYTES; // u32
export const METRICS_END = RESOURCE_SERIES + 4 * RESOURCES_MAX;

// ── a key ────────────────────────────────────────────────────────────────────────────────────────────────────────
export const KEY_RESOURCE = 0; // u32
/** Number of the shape; of an overflow series the number of the kind. */
export const KEY_SHAPE = 4; // u16
export const KEY_BITS = 6; // u16
export const KEY_STATUS = 8; // u32
export const KEY_PORT = 12; // u16
export const KEY_FAMILY = 14; // u8
/** Attributes behind the address: u16 slot, u16 length, value, padded with zeros to 8 bytes. */
export const KEY_COUNT = 15; // u8
/** 16 bytes; zeros where KEY_BITS says that there is none. */
export const KEY_ADDRESS = 16;
export const KEY_ATTRIBUTES = 32;

export const KEY_IS_SERVER = 1;
/** Failed, and no attribute says how: the status does. */
export const KEY_IS_ERROR = 2;
export const KEY_HAS_ADDRESS = 4;
export const KEY_HAS_PORT = 8;
export const KEY_IS_OVERFLOW = 16;

// ── a shape ──────────────────────────────────────────────────────────────────────────────────────────────────────
export const SHAPE_NUMBER = 0; // u32
export const SHAPE_KIND = 4; // u32
/** Slots that belong to a series of servers and of clients: a bit each. */
export const SHAPE_SERVER_SLOTS = 8; // u32
export const SHAPE_CLIENT_SLOTS = 12; // u32
/** Bits of slots with a meaning of their own; 0 for one that there is not. */
export const SHAPE_ERROR_TYPE = 16; // u32
export const SHAPE_STATUS = 20; // u32
export const SHAPE_SERVER_ADDRESS = 24; // u32
export const SHAPE_SERVER_PORT = 28; // u32
/** 1: the status is an attribute of the metric. */
export const SHAPE_STATUS_LISTED = 32; // u32
/** Address of the bounds. */
export const SHAPE_BOUNDS = 36; // u32
/** Slot by attribute id (u8 each), 0 for none, and how many ids. */
export const SHAPE_IDS = 40; // u32
export const SHAPE_SLOTS = 44;
