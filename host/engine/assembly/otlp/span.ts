/**
 * One span, from its row of the columns. What host/spans/batch.ts makes of a row as an object, this writes as
 * a Span of OTLP. Fields may stand in any order: those of one size come first, each at its place, and the name, which is
 * made of attributes, behind these.
 * https://github.com/open-telemetry/opentelemetry-proto/blob/main/opentelemetry/proto/trace/v1/trace.proto
 */
import {
  NO_KEY,
  PROTOCOL_NAME,
  PROTOCOL_NAME_FALLBACK,
  PROTOCOL_NAME_PLAIN,
  PROTOCOL_OPERATION_KEY,
  PROTOCOL_RECORDS,
  TEXT,
} from '../../layout/otlp';
import {
  ROW_END,
  ROW_FLAGS,
  ROW_PARENT_SPAN_ID,
  ROW_PROTOCOL,
  ROW_SPAN_ID,
  ROW_START,
  ROW_TRACE_FLAGS,
  ROW_TRACE_ID,
  SPAN_ERROR,
  SPAN_HAS_PARENT,
  SPAN_SERVER,
} from '../../layout/spans';
import { traceStateAt, traceStateLength, writeAttributes } from './attributes';
import { BYTES, FIXED32, FIXED64, tag, VARINT, varintLength, writeBytes, writeExactVarint } from './protobuf';
import { writeName } from './text';
import { asUtf8, utf8Length } from './utf8';
import { contentOf, kindOf } from './values';

// Fields of Span.
const TRACE_ID: u8 = 1;
const SPAN_ID: u8 = 2;
const TRACE_STATE: u8 = 3;
const PARENT_SPAN_ID: u8 = 4;
const NAME: u8 = 5;
const KIND: u8 = 6;
const START: u8 = 7;
const END: u8 = 8;
const STATUS: u8 = 15;
/** Of field 16: a varint of two bytes. */
const FLAGS_TAG: u16 = 0x180 | ((16 & 0xf) << 3) | FIXED32;

// Where the fields of one size stand, and the attributes behind them.
const AT_SPAN_ID: usize = 2 + 16;
const AT_START: usize = AT_SPAN_ID + 2 + 8;
const AT_END: usize = AT_START + 9;
const AT_KIND: usize = AT_END + 9;
const AT_FLAGS: usize = AT_KIND + 2;
const AT_ATTRIBUTES: usize = AT_FLAGS + 6;

const STATUS_CODE: u8 = 3;
const STATUS_CODE_ERROR: u8 = 2;
const HAS_IS_REMOTE: u32 = 0x100;
const IS_REMOTE: u32 = 0x200;
const KIND_SERVER: u8 = 2;
const KIND_CLIENT: u8 = 3;
const KIND_PRODUCER: u8 = 4;
const KIND_CONSUMER: u8 = 5;

/** Writes the span of a row, without tag and length. */
export function writeSpan(at: usize, row: u32): usize {
  const protocol = <usize>load<u32>(PROTOCOL_RECORDS + ((<u32>load<u16>(ROW_PROTOCOL + (row << 1))) << 2));
  const flags = <u32>load<u16>(ROW_FLAGS + (row << 1));
  writeIds(at, row);
  writeTime(at + AT_START, START, load<u64>(ROW_START + (row << 3)));
  writeTime(at + AT_END, END, load<u64>(ROW_END + (row << 3)));
  let to = writeAttributes(at + AT_ATTRIBUTES, row, protocol, flags);
  to = writeSpanName(to, protocol);
  writeKind(at + AT_KIND, row, protocol, flags);
  return flags & (SPAN_ERROR | SPAN_HAS_PARENT) || traceStateLength != 0 ? writeRest(to, row, flags) : to;
}

/** The copy of an id may end behind it. */
function writeIds(at: usize, row: u32): void {
  store<u16>(at, pair(tag(TRACE_ID, BYTES), 16));
  writeId(at + 2, ROW_TRACE_ID + (row << 4));
  store<u16>(at, pair(tag(SPAN_ID, BYTES), 8), AT_SPAN_ID);
  writeId(at + AT_SPAN_ID + 2, ROW_SPAN_ID + (row << 3));
}

/** Ids are words, most significant byte first: four of them here. */
function writeId(to: usize, words: usize): void {
  const bytes = v128.load(words);
  v128.store(to, v128.shuffle<u8>(bytes, bytes, 3, 2, 1, 0, 7, 6, 5, 4, 11, 10, 9, 8, 15, 14, 13, 12));
}

function writeTime(to: usize, field: u8, time: u64): void {
  store<u8>(to, tag(field, FIXED64));
  store<u64>(to, time, 1);
}

/** Of a name that is made: one byte for its length, until it turns out to need more. */
function writeSpanName(to: usize, protocol: usize): usize {
  const text = to + 2;
  let end = writeName(text, load<u32>(protocol, PROTOCOL_NAME));
  if (end == 0) end = writeName(text, load<u32>(protocol, PROTOCOL_NAME_FALLBACK));
  if (end == 0)
    return writeBytes(to, NAME, load<u32>(protocol, PROTOCOL_NAME_PLAIN), load<u32>(protocol, PROTOCOL_NAME_PLAIN + 4));
  const length = end - text;
  store<u8>(to, tag(NAME, BYTES));
  const start = to + 1 + varintLength(length);
  if (start != text) memory.copy(start, text, length);
  writeExactVarint(to + 1, length);
  return start + length;
}

/** Kind and flags. */
function writeKind(at: usize, row: u32, protocol: usize, flags: u32): void {
  const kind = kindOfSpan(protocol, flags);
  const isRemote = (flags & SPAN_HAS_PARENT) != 0 && (kind == KIND_SERVER || kind == KIND_CONSUMER);
  store<u16>(at, pair(tag(KIND, VARINT), kind));
  store<u16>(at, FLAGS_TAG, AT_FLAGS - AT_KIND);
  const traceFlags = <u32>load<u8>(ROW_TRACE_FLAGS + row);
  store<u32>(at, traceFlags | HAS_IS_REMOTE | (isRemote ? IS_REMOTE : 0), AT_FLAGS - AT_KIND + 2);
}

/** As host/spans/protocols.ts has it. */
function kindOfSpan(protocol: usize, flags: u32): u8 {
  if (flags & SPAN_SERVER) return KIND_SERVER;
  const operation = <usize>load<u32>(protocol, PROTOCOL_OPERATION_KEY);
  if (operation == NO_KEY || kindOf(operation) != TEXT) return KIND_CLIENT;
  const value = contentOf(operation);
  if (isText(value, 'send') || isText(value, 'create')) return KIND_PRODUCER;
  return isText(value, 'receive') || isText(value, 'process') ? KIND_CONSUMER : KIND_CLIENT;
}

/** Whether a text is that one; its letters are ASCII. */
function isText(value: u64, text: string): bool {
  const length = <u32>(value >> 32);
  if (length != <u32>text.length) return false;
  for (let i: u32 = 0; i < length; i++) {
    if (load<u8>(<usize>(value & 0xffff_ffff) + i) != <u8>text.charCodeAt(i)) return false;
  }
  return true;
}

/** What not every span has. */
function writeRest(to: usize, row: u32, flags: u32): usize {
  if (flags & SPAN_HAS_PARENT) {
    store<u16>(to, pair(tag(PARENT_SPAN_ID, BYTES), 8));
    writeId(to + 2, ROW_PARENT_SPAN_ID + (row << 3));
    to += 10;
  }
  if (traceStateLength != 0) {
    const state = asUtf8(traceStateAt, traceStateLength);
    to = writeBytes(to, TRACE_STATE, state, utf8Length);
  }
  if (!(flags & SPAN_ERROR)) return to;
  store<u16>(to, pair(tag(STATUS, BYTES), 2));
  store<u16>(to, pair(tag(STATUS_CODE, VARINT), STATUS_CODE_ERROR), 2);
  return to + 4;
}

/** Two bytes, in this order. */
function pair(first: u8, second: u8): u16 {
  return <u16>first | ((<u16>second) << 8);
}
