/**
 * What the OTLP encoder needs beside the rows of spans.ts: tables, records and its output. Compiled by both: TypeScript
 * and AssemblyScript. All is little-endian; addresses are u32. An "address and length" is two u32 side by side.
 */
import { PROTOCOLS_MAX } from './protocols.ts';
import { METRICS_REGION, SPANS_REGION } from './regions.ts';
import { RESOURCES_MAX, ROWS_MAX } from './spans.ts';

// ── the memory ───────────────────────────────────────────────────────────────────────────────────────────────────
/** Behind the rows, and room for what else refers to them. */
export const OTLP_REGION = SPANS_REGION + (16 << 20);

/** Address and length of each resource by number: the field `resource` of ResourceSpans, encoded. */
export const RESOURCE_FIELDS = OTLP_REGION;
/** Of a resource whose rows are at work: the first and the last of them, plus one; 0 for none. u32 each. */
export const RESOURCE_FIRST = RESOURCE_FIELDS + 8 * RESOURCES_MAX;
export const RESOURCE_LAST = RESOURCE_FIRST + 4 * RESOURCES_MAX;
/** Address of each protocol's record. */
export const PROTOCOL_RECORDS = RESOURCE_LAST + 4 * RESOURCES_MAX;
/** Whether rows of a protocol are at work, u8. */
export const PROTOCOL_IS_USED = PROTOCOL_RECORDS + 4 * PROTOCOLS_MAX;
/** Of a row at work: the next of its resource, plus one; 0 for none. */
export const ROW_NEXT = PROTOCOL_IS_USED + PROTOCOLS_MAX;
/** Numbers of the resources and protocols at work, u32, in the order in which they first come; and how many. */
export const USED_RESOURCES = ROW_NEXT + 4 * ROWS_MAX;
export const USED_PROTOCOLS = USED_RESOURCES + 4 * ROWS_MAX;
export const USED_RESOURCE_COUNT = USED_PROTOCOLS + 4 * ROWS_MAX;
export const USED_PROTOCOL_COUNT = USED_RESOURCE_COUNT + 4;
/** Address and length of the field `scope` of ScopeSpans, encoded. */
export const SCOPE_FIELD = USED_PROTOCOL_COUNT + 4;

/** Texts of addresses of version 6, by their bytes: address.ts. */
export const ADDRESS_TEXT_SIZE = 64;
export const ADDRESS_TEXT_BITS = 10;
export const ADDRESS_TEXTS = (SCOPE_FIELD + 8 + 63) & ~63;

/** Records and fields that are written once and kept. */
export const OTLP_TABLES = ADDRESS_TEXTS + (ADDRESS_TEXT_SIZE << ADDRESS_TEXT_BITS);
export const OTLP_TABLES_END = OTLP_TABLES + (8 << 20);
/** Texts of the span at work that were not UTF-8: three times the attributes of the longest pair, and more. */
export const REPAIRED = OTLP_TABLES_END;
export const REPAIRED_END = REPAIRED + (1 << 18);
/** The request; copies may touch what is behind it. */
export const OUTPUT = REPAIRED_END;
export const OUTPUT_SLACK = 64;
export const OUTPUT_BYTES = METRICS_REGION - OUTPUT - OUTPUT_SLACK;

// ── a protocol ───────────────────────────────────────────────────────────────────────────────────────────────────
/** Address of the attribute table by id (a u32 each, see below), and its length. */
export const PROTOCOL_ATTRIBUTES = 0;
export const PROTOCOL_ATTRIBUTE_COUNT = 4;
/** Address of the constants (CONSTANT_SIZE each), and how many. */
export const PROTOCOL_CONSTANTS = 8;
export const PROTOCOL_CONSTANT_COUNT = 12;
/** Addresses of the two span name templates (lists of parts), address and length of the last resort. */
export const PROTOCOL_NAME = 16;
export const PROTOCOL_NAME_FALLBACK = 20;
export const PROTOCOL_NAME_PLAIN = 24;
export const PROTOCOL_TRACESTATE_ID = 32;
/** Keys that the host sets, NO_KEY where the protocol has none. */
export const PROTOCOL_STATUS_KEY = 36;
export const PROTOCOL_REQUEST_BODY_KEY = 40;
export const PROTOCOL_RESPONSE_BODY_KEY = 44;
export const PROTOCOL_ERROR_TYPE_KEY = 48;
export const PROTOCOL_PARTIAL_KEY = 52;
export const PROTOCOL_SUSPECT_KEY = 56;
export const PROTOCOL_SERVER_ADDRESS_KEY = 60;
export const PROTOCOL_SERVER_PORT_KEY = 64;
export const PROTOCOL_CLIENT_ADDRESS_KEY = 68;
export const PROTOCOL_CLIENT_PORT_KEY = 72;
export const PROTOCOL_PEER_ADDRESS_KEY = 76;
export const PROTOCOL_PEER_PORT_KEY = 80;
export const PROTOCOL_FIRST_BYTE_KEY = 84;
/** Whose value says whether a client produces or consumes: of messaging protocols alone. */
export const PROTOCOL_OPERATION_KEY = 88;
/**
 * Which of server, client and peer, address and port of each, somebody else sets or asks for: a bit each in this order. Of
 * the others nothing has to be known.
 */
export const PROTOCOL_SHARED = 92; // u8
export const PROTOCOL_SIZE = 96;

export const NO_KEY = 0;

/** A key is the address of its record, a multiple of the record's size. */
export const KEY_SIZE = 64;
/** What it stands for in the span at work: a stamp with the kind in the lowest byte, and the value. u64 each. */
export const KEY_NOTE = 0;
export const KEY_VALUE = 8;
/** Address and length (u16) of the encoded field `key`. */
export const KEY_NAME = 16;
export const KEY_NAME_LENGTH = 20;
/**
 * An attribute up to its value: tag, a length yet to be filled in, the field `key`, tag and length of the field `value`. How
 * long that is (u16); KEY_NO_HEAD when there is no room for it.
 */
export const KEY_HEAD_LENGTH = 22;
export const KEY_HEAD = 24;
export const KEY_HEAD_MAX = 40;
export const KEY_NO_HEAD = 0xff;

/** In the attribute table: the key, and the type in the bits that are free in it; 0 for an id that is not reported. */
export const ATTRIBUTE_TYPE = 0xf;

/** A constant: key, u8 kind, its value (values.ts), and address and length of it as an encoded attribute. */
export const CONSTANT_KEY = 0;
export const CONSTANT_KIND = 4;
export const CONSTANT_VALUE = 8;
export const CONSTANT_ENCODED = 16;
export const CONSTANT_SIZE = 24;

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
