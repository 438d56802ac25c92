/**
 * Parser ABI v1: the numbers both sides agree on, and the only place they stand. This file compiles as TypeScript
 * (host) and as AssemblyScript (parsers), so it holds nothing but integer constants. The prose is docs/abi.md.
 *
 * All records are little-endian. Addresses are byte offsets into the module's own memory.
 */

/** Major in the upper 16 bits: must match. Minor in the lower: adds only what the other side may skip. */
export const ABI_MAJOR = 1;
export const ABI_MINOR = 1;

// ── layout: what `layout(inputBytes, outputBytes)` returns the address of ─────────────────────────────────────────
/** u32: address of the chunk table; `inputBytes` long, chunks grow up from its start, payload down from its end. */
export const LAYOUT_INPUT = 0;
/** u32: address of the output arena, `outputBytes` long. */
export const LAYOUT_OUTPUT = 4;
/** u32: bytes `run` has written to the output arena. The module sets it before it returns, and with LAYOUT_CURRENT. */
export const LAYOUT_OUTPUT_LENGTH = 8;
/** u32: first address the host may use for slots; 64-byte aligned. Everything from here up belongs to the host. */
export const LAYOUT_SLOTS = 12;
/**
 * u32: index of the chunk that `run` is at; the host sets NO_CHUNK before each call. A module that writes it (with
 * LAYOUT_OUTPUT_LENGTH) before it touches a chunk loses one connection to a trap; one that does not loses all of the run.
 */
export const LAYOUT_CURRENT = 16;
/** u32 at +20: reserved, zero. */
export const LAYOUT_SIZE = 24;

/** LAYOUT_CURRENT before the first chunk. */
export const NO_CHUNK = 0xffffffff;

// ── chunk: a run of bytes of one direction, or what happened instead of bytes ─────────────────────────────────────
export const CHUNK_SIZE = 40;
/** u32: address of the connection's slot. */
export const CHUNK_SLOT = 0;
/** u8: one of the CHUNK kinds below. */
export const CHUNK_KIND = 4;
/** u8: FROM_CLIENT or FROM_SERVER. */
export const CHUNK_DIRECTION = 5;
/** u16: reserved, zero. */
export const CHUNK_FLAGS = 6;
/** u32: address of the first captured byte. */
export const CHUNK_DATA = 8;
/** u32: bytes captured and readable at CHUNK_DATA. */
export const CHUNK_LENGTH = 12;
/** u32: bytes that went over the wire; what exceeds CHUNK_LENGTH is a gap that follows the captured bytes. */
export const CHUNK_WIRE_LENGTH = 16;
/** u32: reserved, zero. */
export const CHUNK_RESERVED = 20;
/** u64: when the bytes moved, nanoseconds of a monotonic clock. */
export const CHUNK_TIMESTAMP = 24;
/** u64: offset of the first byte from the start of the direction's stream (or from where the host joined it). */
export const CHUNK_OFFSET = 32;

/** Bytes. */
export const DATA = 0;
/** CHUNK_WIRE_LENGTH bytes are missing; nothing is captured. */
export const GAP = 1;
/** The direction ended in order. */
export const EOF = 2;
/** The direction ended at an unknown place (reset, idle eviction); no message may be completed by it. */
export const RESET = 3;

export const FROM_CLIENT = 0;
export const FROM_SERVER = 1;

// ── slot: all state of one connection ─────────────────────────────────────────────────────────────────────────────
/** The host writes the first 16 bytes of a slot before `open`; the module owns the rest, which `open` finds zeroed. */
export const SLOT_HEADER = 16;
/** u32: size of this slot in bytes, header included. Changes only when the host moves the slot to another class. */
export const SLOT_SIZE = 0;
/** u32: the OPEN flags given to `open`. */
export const SLOT_OPEN_FLAGS = 4;
/** Slots start at multiples of this, and their sizes are multiples of it. */
export const SLOT_ALIGN = 64;

/** open(): the stream was joined at an unknown place; the first bytes may be the middle of a message. */
export const OPEN_MID_STREAM = 1;
/** open(): the connection was upgraded to this protocol; identify was not asked. */
export const OPEN_UPGRADED = 2;

// ── identify(count): the verdict ──────────────────────────────────────────────────────────────────────────────────
export const IDENTIFY_NO = 0;
export const IDENTIFY_MORE = 1;
/** Scores run from 2 (a guess) to 100 (certain); ports only break ties. */
export const IDENTIFY_SCORE_MIN = 2;
export const IDENTIFY_SCORE_MAX = 100;
/** Added to a score: what the host took for the client is the server. */
export const IDENTIFY_SWAPPED = 0x100;

// ── output records ────────────────────────────────────────────────────────────────────────────────────────────────
/** u32: length of the record, attributes included; a multiple of 8. The first field of every output record. */
export const OUT_LENGTH = 0;
/** u32: slot address, as in the chunk. */
export const OUT_SLOT = 4;
/** u16: one of the record types below. Unknown types are skipped by their length. */
export const OUT_TYPE = 8;
/** u16: MESSAGE flags; of DEFINE, DEFINE_SHARED or 0; 0 for other records. */
export const OUT_FLAGS = 10;
/** Length of a record without a key: DESYNC, GROW, SHRINK, GIVE_UP, UPGRADE. The shortest record there is. */
export const OUT_SHORT = 16;
/** Length of SKIP and UNDEFINE, and of DEFINE without its attributes. */
export const OUT_LONG = 24;

/** Message: a request, expecting a response (fifo pairing: the next one of the other direction). */
export const REQUEST = 1;
/** Message: a response. */
export const RESPONSE = 2;
/** Message: one way; it makes a span of its own. With pairing "none" every message does. */
export const ONEWAY = 3;
/** Hint: messages before this record never pair with messages after it. OUT_VALUE: reason, free for the module. */
export const DESYNC = 16;
/** Hint: move the slot to the next larger class, then offer the current chunk again. Ends the run. */
export const GROW = 17;
/** Hint: the state fits the smallest class again. Ends the run. */
export const SHRINK = 18;
/** Hint: the module can make nothing more of this connection. */
export const GIVE_UP = 19;
/**
 * Hint: from the chunk that `run` returns on, the connection speaks another protocol. OUT_VALUE: one of the UPGRADE
 * numbers. Ends the run; the slot is closed.
 */
export const UPGRADE = 20;
/** Hint: bytes of direction OUT_VALUE before the stream offset at OUT_KEY are not needed; they may come uncaptured. */
export const SKIP = 21;
/** Attributes that later messages of the connection refer to by OUT_KEY; OUT_VALUE counts them, they begin at OUT_LONG. */
export const DEFINE = 32;
/** Forgets the definition of OUT_KEY. */
export const UNDEFINE = 33;
/** Sub-streams: numbers and layouts reserved in v1.0, skipped by the host; see docs/abi.md. */
export const SUBSTREAM_OPEN = 40;
export const SUBSTREAM_DATA = 41;
export const SUBSTREAM_CLOSE = 42;

/** Flag of DEFINE, since 1.1: the key means the same on all connections of the process, which may refer to it, too. */
export const DEFINE_SHARED = 1;

/** u32 of a record that is not a message. */
export const OUT_VALUE = 12;
/** u64 of SKIP, DEFINE and UNDEFINE. */
export const OUT_KEY = 16;

/** Message header; attributes follow at MESSAGE_SIZE. */
export const MESSAGE_SIZE = 64;
/** u32: protocol-defined status; 0 when there is none. */
export const MESSAGE_STATUS = 12;
/** u64: correlation key (pairing "key"); 0 otherwise. */
export const MESSAGE_KEY = 16;
/** u64: timestamp of the chunk with the message's first byte. */
export const MESSAGE_FIRST = 24;
/** u64: timestamp of the chunk with the message's last byte. */
export const MESSAGE_LAST = 32;
/** u64: bytes on the wire, framing included. */
export const MESSAGE_BYTES = 40;
/** u64: bytes of the body, framing excluded. */
export const MESSAGE_BODY_BYTES = 48;
/** u16: number of attributes. */
export const MESSAGE_ATTRIBUTES = 56;
/** u8: index into the manifest's protocols. */
export const MESSAGE_PROTOCOL = 58;
/** u8 + u32: reserved, zero. */

/** The protocol calls this message an error; the manifest's error rule need not look at the status. */
export const MESSAGE_ERROR = 1;
/** Bytes of the message were not captured and an attribute may be missing or cut. */
export const MESSAGE_PARTIAL = 2;
/** The message came without a request by design (push, notification). */
export const MESSAGE_PUSH = 4;
/** A request that gets no response by design. */
export const MESSAGE_NO_RESPONSE = 8;
/** The message violates its specification in a way that is a known attack shape. */
export const MESSAGE_SUSPECT = 16;

// ── attribute: follows the message header, 4-byte aligned ─────────────────────────────────────────────────────────
/** u16: id from the manifest's attribute table, or REFERENCE. */
export const ATTRIBUTE_ID = 0;
/** u16: length of the value in bytes: 8 for int (i64) and double (f64), 1 for boolean, any for string. */
export const ATTRIBUTE_LENGTH = 2;
/** The value; then padding to a multiple of 4. */
export const ATTRIBUTE_VALUE = 4;
/** Attribute id: the 8-byte value is the key of a DEFINE; its attributes belong to this message, too. */
export const REFERENCE = 0;
/** Value of a pair (v1.1): u16 length of the key at 0, the key from here on, behind it the value. */
export const PAIR_KEY = 2;

// ── UPGRADE numbers ───────────────────────────────────────────────────────────────────────────────────────────────
export const UPGRADE_TUNNEL = 1;
export const UPGRADE_WEBSOCKET = 2;
export const UPGRADE_HTTP2 = 3;
export const UPGRADE_TLS = 4;

// ── limits the host holds every module to ─────────────────────────────────────────────────────────────────────────
/** Longest message record, attributes included. A module stops a run when less than this is free in the output. */
export const MESSAGE_MAX = 8192;
/** Longest string attribute. */
export const STRING_MAX = 2048;
/** Attributes of one message or definition, references included. */
export const ATTRIBUTES_MAX = 256;
/** Pairs of one message or definition. */
export const PAIRS_MAX = 64;
/** Attribute bytes of all definitions of one connection; the oldest go first. */
export const DEFINITIONS_MAX = 65536;
