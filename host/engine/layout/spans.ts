/**
 * The batch that is being filled: columns by row, one row for each span. What they mean stands in host/spans/batch.ts.
 * Behind the columns their attributes, then what the encoder needs.
 */
import { SPANS_REGION } from './regions.ts';

/** Rows that are filled before somebody must take them: they, their attributes and what is encoded of them fit the L2 cache. */
export const ROWS_MAX = 512;

/** Numbers of resources (ROW_RESOURCE) are below this. */
export const RESOURCES_MAX = 1 << 16;

/** Bits of ROW_FLAGS. */
export const SPAN_SERVER = 1;
export const SPAN_ERROR = 2;
export const SPAN_PARTIAL = 4;
export const SPAN_HAS_PARENT = 8;
export const SPAN_SUSPECT = 16;
/** The request expects no response: duration is the request's own. */
export const SPAN_ONE_WAY = 32;

/**
 * However many spans a batch may hold, as a request it stays below the 4 MiB that gRPC receivers take by default: what a
 * span takes in it beside its attributes' values, and what all may come to when no value stands in a name as well.
 */
export const REQUEST_BYTES_PER_SPAN = 560;
export const REQUEST_BYTES_MAX = 3_000_000;

export const ROW_TRACE_ID = SPANS_REGION; // 4 × u32
export const ROW_SPAN_ID = ROW_TRACE_ID + 16 * ROWS_MAX; // 2 × u32
export const ROW_PARENT_SPAN_ID = ROW_SPAN_ID + 8 * ROWS_MAX; // 2 × u32
/** Nanoseconds since the Unix epoch. */
export const ROW_START = ROW_PARENT_SPAN_ID + 8 * ROWS_MAX; // u64
export const ROW_END = ROW_START + 8 * ROWS_MAX; // u64
export const ROW_REQUEST_BODY = ROW_END + 8 * ROWS_MAX; // f64
/** NaN: not known. */
export const ROW_RESPONSE_BODY = ROW_REQUEST_BODY + 8 * ROWS_MAX; // f64
/** From the start to the response's first byte, ns; 0 where that is not told. */
export const ROW_FIRST_BYTE = ROW_RESPONSE_BODY + 8 * ROWS_MAX; // f64
export const ROW_STATUS = ROW_FIRST_BYTE + 8 * ROWS_MAX; // u32
/** First word in ROW_WORDS. */
export const ROW_ATTRIBUTES_AT = ROW_STATUS + 4 * ROWS_MAX; // u32
/** Number of what the process's spans share: host/spans/resources.ts. */
export const ROW_RESOURCE = ROW_ATTRIBUTES_AT + 4 * ROWS_MAX; // u32
/** Index in the shard's protocol table. */
export const ROW_PROTOCOL = ROW_RESOURCE + 4 * ROWS_MAX; // u16
export const ROW_FLAGS = ROW_PROTOCOL + 2 * ROWS_MAX; // u16
export const ROW_REQUEST_ATTRIBUTES = ROW_FLAGS + 2 * ROWS_MAX; // u16
export const ROW_RESPONSE_ATTRIBUTES = ROW_REQUEST_ATTRIBUTES + 2 * ROWS_MAX; // u16
export const ROW_LOCAL_PORT = ROW_RESPONSE_ATTRIBUTES + 2 * ROWS_MAX; // u16
export const ROW_REMOTE_PORT = ROW_LOCAL_PORT + 2 * ROWS_MAX; // u16
export const ROW_TRACE_FLAGS = ROW_REMOTE_PORT + 2 * ROWS_MAX; // u8
export const ROW_FAMILY = ROW_TRACE_FLAGS + ROWS_MAX; // u8
/** Local and remote, 16 bytes each, as the records have them. */
export const ROW_ADDRESSES = ROW_FAMILY + ROWS_MAX;
/** Refined attributes (host/spans/refine.ts) of request and response, one row's behind the other's. */
export const ROW_WORDS = ROW_ADDRESSES + 32 * ROWS_MAX; // u32
export const ROW_WORDS_MAX = 1 << 20;
/** Rows that are filled, and words of their attributes. */
export const ROW_COUNT = ROW_WORDS + 4 * ROW_WORDS_MAX; // u32
export const ROW_WORDS_USED = ROW_COUNT + 4; // u32
/** The caller's clock in milliseconds: now, and when the first row was filled. */
export const ROWS_NOW = ROW_COUNT + 8; // f64
export const ROWS_SINCE = ROWS_NOW + 8; // f64
/** Free for what says how protocols are refined, measured and encoded, and for the encoder's output. */
export const ROWS_FREE = ROW_COUNT + 64;
