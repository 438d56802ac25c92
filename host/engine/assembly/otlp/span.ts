/**
 * One span, from its row of the columns. What host/spans/batch.ts makes of a row as an object, this writes as
 * a Span of OTLP: the same layers of attributes in the same order, a later one over an earlier one.
 * https://github.com/open-telemetry/opentelemetry-proto/blob/main/opentelemetry/proto/trace/v1/trace.proto
 */
import { ATTRIBUTE_VALUE } from '../../../../parsers/sdk/abi';
import {
  ABSENT,
  ATTRIBUTE_TYPE_SHIFT,
  BOOLEAN,
  CONSTANT_KEY,
  CONSTANT_KIND,
  CONSTANT_SIZE,
  CONSTANT_VALUE,
  DOUBLE,
  INT,
  NO_KEY,
  PROTOCOL_ATTRIBUTE_COUNT,
  PROTOCOL_ATTRIBUTES,
  PROTOCOL_CLIENT_ADDRESS_KEY,
  PROTOCOL_CLIENT_PORT_KEY,
  PROTOCOL_CONSTANT_COUNT,
  PROTOCOL_CONSTANTS,
  PROTOCOL_ERROR_TYPE_KEY,
  PROTOCOL_FIRST_BYTE_KEY,
  PROTOCOL_KEYS,
  PROTOCOL_NAME,
  PROTOCOL_NAME_FALLBACK,
  PROTOCOL_NAME_PLAIN,
  PROTOCOL_OPERATION_KEY,
  PROTOCOL_PARTIAL_KEY,
  PROTOCOL_PEER_ADDRESS_KEY,
  PROTOCOL_PEER_PORT_KEY,
  PROTOCOL_RECORDS,
  PROTOCOL_REQUEST_BODY_KEY,
  PROTOCOL_RESPONSE_BODY_KEY,
  PROTOCOL_SERVER_ADDRESS_KEY,
  PROTOCOL_SERVER_PORT_KEY,
  PROTOCOL_STATUS_KEY,
  PROTOCOL_SUSPECT_KEY,
  PROTOCOL_TRACESTATE_ID,
  REPAIRED,
  TEXT,
  TEXTS,
} from '../../layout/otlp';
import {
  ROW_ADDRESSES,
  ROW_ATTRIBUTES_AT,
  ROW_END,
  ROW_FAMILY,
  ROW_FIRST_BYTE,
  ROW_FLAGS,
  ROW_LOCAL_PORT,
  ROW_PARENT_SPAN_ID,
  ROW_PROTOCOL,
  ROW_REMOTE_PORT,
  ROW_REQUEST_ATTRIBUTES,
  ROW_REQUEST_BODY,
  ROW_RESPONSE_ATTRIBUTES,
  ROW_RESPONSE_BODY,
  ROW_SPAN_ID,
  ROW_START,
  ROW_STATUS,
  ROW_TRACE_FLAGS,
  ROW_TRACE_ID,
  ROW_WORDS,
} from '../../layout/spans';
import { ADDRESS_MAX, writeAddress } from './address';
import { BYTES, FIXED32, fillRoom, ROOM, tag, VARINT, writeBytes, writeFixed64, writeLongTag } from './protobuf';
import { NUMBER_MAX, OTHER_LENGTH, other, writeDecimal, writeName } from './text';
import { isUtf8, repair } from './utf8';
import { addText, clearValues, contentOf, kindOf, setText, setValue, writeValues } from './values';

// Span flags of host/spans/batch.ts.
const SERVER: u32 = 1;
const ERROR: u32 = 2;
const PARTIAL: u32 = 4;
const HAS_PARENT: u32 = 8;
const SUSPECT: u32 = 16;
const ONE_WAY: u32 = 32;

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
const FLAGS: u32 = 16;

const STATUS_CODE: u8 = 3;
const STATUS_CODE_ERROR: u8 = 2;
const HAS_IS_REMOTE: u32 = 0x100;
const IS_REMOTE: u32 = 0x200;
const KIND_SERVER: u8 = 2;
const KIND_CLIENT: u8 = 3;
const KIND_PRODUCER: u8 = 4;
const KIND_CONSUMER: u8 = 5;
const NS_PER_SECOND: f64 = 1e9;

/** Where texts of the span at work are put that do not stand in its attributes as they are. */
const numberText: usize = memory.data(<i32>NUMBER_MAX + 16);
const localText: usize = memory.data(ADDRESS_MAX + 16);
const remoteText: usize = memory.data(ADDRESS_MAX + 16);
let scratch: usize = 0;
/** `text`: how long it is. */
let textLength: usize = 0;
let traceStateAt: usize = 0;
let traceStateLength: usize = 0;

/** Writes the span of a row, without tag and length. */
export function writeSpan(to: usize, row: u32): usize {
  const protocol = <usize>load<u32>(PROTOCOL_RECORDS + ((<u32>load<u16>(ROW_PROTOCOL + (row << 1))) << 2));
  const flags = <u32>load<u16>(ROW_FLAGS + (row << 1));
  scratch = REPAIRED;
  gather(row, protocol, flags);

  to = writeId(to, TRACE_ID, ROW_TRACE_ID + (row << 4), 4);
  to = writeId(to, SPAN_ID, ROW_SPAN_ID + (row << 3), 2);
  if (traceStateLength != 0) to = writeBytes(to, TRACE_STATE, traceStateAt, traceStateLength);
  if (flags & HAS_PARENT) to = writeId(to, PARENT_SPAN_ID, ROW_PARENT_SPAN_ID + (row << 3), 2);
  to = writeSpanName(to, protocol);
  const kind = kindOfSpan(protocol, flags);
  store<u8>(to, tag(KIND, VARINT));
  store<u8>(to, kind, 1);
  to = writeFixed64(to + 2, START, load<u64>(ROW_START + (row << 3)));
  to = writeFixed64(to, END, load<u64>(ROW_END + (row << 3)));
  to = writeValues(to, load<u32>(protocol, PROTOCOL_KEYS));
  clearValues();
  return writeEnd(to, flags, kind, load<u8>(ROW_TRACE_FLAGS + row));
}

/** All layers of attributes, into values.ts. */
function gather(row: u32, protocol: usize, flags: u32): void {
  setConstants(protocol);
  setPeer(row, protocol, (flags & SERVER) != 0);
  traceStateLength = 0;
  const count = <u32>load<u16>(ROW_REQUEST_ATTRIBUTES + (row << 1)) + load<u16>(ROW_RESPONSE_ATTRIBUTES + (row << 1));
  setMessage(protocol, ROW_WORDS + (load<u32>(ROW_ATTRIBUTES_AT + (row << 2)) << 2), count);
  setOutcome(row, protocol, flags);
}

function setConstants(protocol: usize): void {
  let constant = <usize>load<u32>(protocol, PROTOCOL_CONSTANTS);
  for (let left = load<u32>(protocol, PROTOCOL_CONSTANT_COUNT); left > 0; left--) {
    const key = load<u16>(constant, CONSTANT_KEY);
    setValue(key, load<u8>(constant, CONSTANT_KIND), load<u64>(constant, CONSTANT_VALUE));
    constant += CONSTANT_SIZE;
  }
}

function setPeer(row: u32, protocol: usize, isServer: bool): void {
  const family = <u32>load<u8>(ROW_FAMILY + row);
  const addresses = <usize>ROW_ADDRESSES + (row << 5);
  const remoteLength = writeAddress(remoteText, addresses + 16, family) - remoteText;
  if (remoteLength == 0) return;
  const localLength = writeAddress(localText, addresses, family) - localText;
  const localPort = <u64>load<u16>(ROW_LOCAL_PORT + (row << 1));
  const remotePort = <u64>load<u16>(ROW_REMOTE_PORT + (row << 1));
  const server = key(protocol, PROTOCOL_SERVER_ADDRESS_KEY);
  setText(server, isServer ? localText : remoteText, isServer ? localLength : remoteLength);
  setValue(key(protocol, PROTOCOL_SERVER_PORT_KEY), INT, isServer ? localPort : remotePort);
  if (isServer) {
    setText(key(protocol, PROTOCOL_CLIENT_ADDRESS_KEY), remoteText, remoteLength);
    setValue(key(protocol, PROTOCOL_CLIENT_PORT_KEY), INT, remotePort);
  }
  setText(key(protocol, PROTOCOL_PEER_ADDRESS_KEY), remoteText, remoteLength);
  setValue(key(protocol, PROTOCOL_PEER_PORT_KEY), INT, remotePort);
}

/** What request and response said; later values of a key win. */
function setMessage(protocol: usize, at: usize, count: u32): void {
  const table = <usize>load<u32>(protocol, PROTOCOL_ATTRIBUTES);
  const known = load<u32>(protocol, PROTOCOL_ATTRIBUTE_COUNT);
  const traceState = load<u32>(protocol, PROTOCOL_TRACESTATE_ID);
  for (let left = count; left > 0; left--) {
    const id = <u32>load<u16>(at);
    const length = <usize>load<u16>(at, 2);
    const value = at + ATTRIBUTE_VALUE;
    const field = id < known ? load<u32>(table + id * 4) : 0;
    if (field != 0) setAttribute(field & 0xffff, field >> ATTRIBUTE_TYPE_SHIFT, value, length);
    else if (id == traceState && id != 0) setTraceState(value, length);
    at = value + ((length + 3) & ~(<usize>3));
  }
}

function setAttribute(key: u32, kind: u32, value: usize, length: usize): void {
  if (kind == TEXT || kind == TEXTS) {
    const at = text(value, length);
    if (kind == TEXT) setText(key, at, textLength);
    else addText(key, at, textLength);
  } else if (kind == BOOLEAN) {
    if (length == 1) setValue(key, kind, load<u8>(value) != 0 ? 1 : 0);
  } else if (length == 8) setValue(key, kind, load<u64>(value));
}

/** Address of the value as UTF-8, its length in `textLength`: itself, or a repaired copy. */
function text(value: usize, length: usize): usize {
  textLength = length;
  if (isUtf8(value, length)) return value;
  const at = scratch;
  scratch = repair(at, value, length);
  textLength = scratch - at;
  return at;
}

function setTraceState(value: usize, length: usize): void {
  traceStateAt = text(value, length);
  traceStateLength = textLength;
}

/** Status, body sizes, and what the flags say. */
function setOutcome(row: u32, protocol: usize, flags: u32): void {
  const status = load<u32>(ROW_STATUS + (row << 2));
  const statusKey = key(protocol, PROTOCOL_STATUS_KEY);
  if (statusKey != NO_KEY && status != 0 && kindOf(statusKey) == ABSENT) setValue(statusKey, INT, status);
  const requestBody = load<f64>(ROW_REQUEST_BODY + (row << 3));
  const requestBodyKey = key(protocol, PROTOCOL_REQUEST_BODY_KEY);
  if (requestBodyKey != NO_KEY && requestBody > 0) setValue(requestBodyKey, INT, <u64>requestBody);
  const responseBodyKey = key(protocol, PROTOCOL_RESPONSE_BODY_KEY);
  const responseBody = load<f64>(ROW_RESPONSE_BODY + (row << 3));
  if (responseBodyKey != NO_KEY && !(flags & ONE_WAY) && responseBody >= 0) {
    setValue(responseBodyKey, INT, <u64>responseBody);
  }
  const firstByte = load<f64>(ROW_FIRST_BYTE + (row << 3));
  if (firstByte > 0) {
    setValue(key(protocol, PROTOCOL_FIRST_BYTE_KEY), DOUBLE, reinterpret<u64>(firstByte / NS_PER_SECOND));
  }
  if (flags & ERROR) setErrorType(key(protocol, PROTOCOL_ERROR_TYPE_KEY), statusKey, status);
  if (flags & PARTIAL) setValue(key(protocol, PROTOCOL_PARTIAL_KEY), BOOLEAN, 1);
  if (flags & SUSPECT) setValue(key(protocol, PROTOCOL_SUSPECT_KEY), BOOLEAN, 1);
}

/** Unless the message names it: the status in its own words, as a number, or that there is none. */
function setErrorType(errorType: u32, statusKey: u32, status: u32): void {
  if (kindOf(errorType) != ABSENT) return;
  const said = statusKey == NO_KEY ? ABSENT : kindOf(statusKey);
  if (status == 0) setText(errorType, other(), OTHER_LENGTH);
  else if (said == TEXT) setValue(errorType, TEXT, contentOf(statusKey));
  else {
    const end = writeDecimal(numberText, said == INT ? <i64>contentOf(statusKey) : <i64>status);
    setText(errorType, numberText, end - numberText);
  }
}

function key(protocol: usize, offset: usize): u32 {
  return load<u16>(protocol + offset);
}

/** Ids are words, most significant byte first. */
function writeId(to: usize, field: u8, words: usize, count: usize): usize {
  store<u8>(to, tag(field, BYTES));
  store<u8>(to, <u8>(count * 4), 1);
  for (let i: usize = 0; i < count; i++) store<u32>(to + i * 4, bswap<u32>(load<u32>(words + i * 4)), 2);
  return to + 2 + count * 4;
}

function writeSpanName(to: usize, protocol: usize): usize {
  store<u8>(to, tag(NAME, BYTES));
  const text = to + 1 + ROOM;
  let end = writeName(text, load<u32>(protocol, PROTOCOL_NAME));
  if (end == 0) end = writeName(text, load<u32>(protocol, PROTOCOL_NAME_FALLBACK));
  if (end == 0)
    return writeBytes(to, NAME, load<u32>(protocol, PROTOCOL_NAME_PLAIN), load<u32>(protocol, PROTOCOL_NAME_PLAIN + 4));
  fillRoom(to + 1, end);
  return end;
}

/** As host/spans/protocols.ts has it. */
function kindOfSpan(protocol: usize, flags: u32): u8 {
  if (flags & SERVER) return KIND_SERVER;
  const operation = key(protocol, PROTOCOL_OPERATION_KEY);
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

function writeEnd(to: usize, flags: u32, kind: u8, traceFlags: u32): usize {
  if (flags & ERROR) {
    store<u8>(to, tag(STATUS, BYTES));
    store<u8>(to, 2, 1);
    store<u8>(to, tag(STATUS_CODE, VARINT), 2);
    store<u8>(to, STATUS_CODE_ERROR, 3);
    to += 4;
  }
  const isRemote = (flags & HAS_PARENT) != 0 && (kind == KIND_SERVER || kind == KIND_CONSUMER);
  to = writeLongTag(to, FLAGS, FIXED32);
  store<u32>(to, traceFlags | HAS_IS_REMOTE | (isRemote ? IS_REMOTE : 0));
  return to + 4;
}
