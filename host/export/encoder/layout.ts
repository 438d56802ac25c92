/**
 * The records that host and encoder share, as byte offsets. Compiled by both: TypeScript and AssemblyScript.
 * All are little-endian; addresses are u32 in the encoder's memory. An "address and length" is two u32 side by side.
 */

// ── a batch ──────────────────────────────────────────────────────────────────────────────────────────────────────
/** Addresses of the columns of host/spans/batch.ts, and of what they refer to. */
export const BATCH_SPANS = 0;
export const BATCH_PROTOCOL = 4;
export const BATCH_FLAGS = 8;
export const BATCH_TRACE_FLAGS = 12;
export const BATCH_STATUS = 16;
export const BATCH_TRACE_ID = 20;
export const BATCH_SPAN_ID = 24;
export const BATCH_PARENT_SPAN_ID = 28;
export const BATCH_START = 32;
export const BATCH_END = 36;
export const BATCH_REQUEST_BODY = 40;
export const BATCH_RESPONSE_BODY = 44;
export const BATCH_ATTRIBUTES_AT = 48;
export const BATCH_REQUEST_ATTRIBUTES = 52;
export const BATCH_RESPONSE_ATTRIBUTES = 56;
export const BATCH_WORDS = 60;
/** Addresses of the endpoint record of each span. */
export const BATCH_ENDPOINTS = 64;
/** Addresses of the protocol records, by the index that the protocol column holds. */
export const BATCH_PROTOCOLS = 68;
/** Address and length of each resource: the field `resource` of ResourceSpans, encoded. */
export const BATCH_RESOURCES = 72;
export const BATCH_RESOURCE_COUNT = 76;
/** Address and length of the field `scope` of ScopeSpans, encoded. */
export const BATCH_SCOPE = 80;
/** Room for a u32 for each span: the encoder's own. */
export const BATCH_NEXT = 88;
export const BATCH_FIRST_BYTE = 92;
export const BATCH_SIZE = 96;

// ── an endpoint ──────────────────────────────────────────────────────────────────────────────────────────────────
export const ENDPOINT_RESOURCE = 0;
export const ENDPOINT_LOCAL_PORT = 4;
export const ENDPOINT_REMOTE_PORT = 6;
/** Length of each address as text, 0 for an unknown one; then their bytes. */
export const ENDPOINT_LOCAL_LENGTH = 8;
export const ENDPOINT_REMOTE_LENGTH = 10;
export const ENDPOINT_LOCAL = 12;
export const ENDPOINT_REMOTE = 60;
export const ENDPOINT_ADDRESS_MAX = 48;
export const ENDPOINT_SIZE = 112;

// ── a protocol ───────────────────────────────────────────────────────────────────────────────────────────────────
/** Address of the key table: address and length of the encoded field `key` of each key. */
export const PROTOCOL_KEYS = 0;
/** Address of the attribute table by id (a u32 each, see below), and its length. */
export const PROTOCOL_ATTRIBUTES = 4;
export const PROTOCOL_ATTRIBUTE_COUNT = 8;
/** Address of the constants (CONSTANT_SIZE each), and how many. */
export const PROTOCOL_CONSTANTS = 12;
export const PROTOCOL_CONSTANT_COUNT = 16;
/** Addresses of the two span name templates (lists of parts), address and length of the last resort. */
export const PROTOCOL_NAME = 20;
export const PROTOCOL_NAME_FALLBACK = 24;
export const PROTOCOL_NAME_PLAIN = 28;
export const PROTOCOL_TRACESTATE_ID = 36;
/** Keys (u16) that the host sets, NO_KEY where the protocol has none. */
export const PROTOCOL_STATUS_KEY = 44;
export const PROTOCOL_REQUEST_BODY_KEY = 46;
export const PROTOCOL_RESPONSE_BODY_KEY = 48;
export const PROTOCOL_ERROR_TYPE_KEY = 50;
export const PROTOCOL_PARTIAL_KEY = 52;
export const PROTOCOL_SUSPECT_KEY = 54;
export const PROTOCOL_SERVER_ADDRESS_KEY = 56;
export const PROTOCOL_SERVER_PORT_KEY = 58;
export const PROTOCOL_CLIENT_ADDRESS_KEY = 60;
export const PROTOCOL_CLIENT_PORT_KEY = 62;
export const PROTOCOL_PEER_ADDRESS_KEY = 64;
export const PROTOCOL_PEER_PORT_KEY = 66;
export const PROTOCOL_FIRST_BYTE_KEY = 40;
/** Whose value says whether a client produces or consumes: of messaging protocols alone. */
export const PROTOCOL_OPERATION_KEY = 42;
export const PROTOCOL_SIZE = 72;

export const NO_KEY = 0xffff;

/** In the attribute table: the key in the low half, the type in the high one; 0 for an id that is not reported. */
export const ATTRIBUTE_TYPE_SHIFT = 16;

/** A constant: u16 key, u8 kind, then its value (values.ts). */
export const CONSTANT_KEY = 0;
export const CONSTANT_KIND = 2;
export const CONSTANT_VALUE = 8;
export const CONSTANT_SIZE = 16;

/** A part of a span name: a literal (address and length) or, with length PART_KEY, a key; PART_END ends the list. */
export const PART_SIZE = 8;
export const PART_KEY = 0xffff_ffff;
export const PART_END = 0xffff_fffe;

// ── kinds of values ──────────────────────────────────────────────────────────────────────────────────────────────
export const ABSENT = 0;
/** UTF-8: address in the low half, length in the high one. */
export const TEXT = 1;
export const INT = 2;
/** Bits of an f64. */
export const DOUBLE = 3;
export const BOOLEAN = 4;
/** A list of texts, in the order in which they came; a value of the module's own under that key stays alone. */
export const TEXTS = 5;
