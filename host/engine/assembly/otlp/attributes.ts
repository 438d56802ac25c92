/**
 * All attributes of a span, from its row: what host/spans/batch.ts lays over one another. What the message says comes first
 * here, being most; of the layers below it, constants and endpoints, only what it leaves.
 */
import { ATTRIBUTE_VALUE } from '../../../../parsers/sdk/abi';
import {
  ATTRIBUTE_TYPE,
  BOOLEAN,
  CONSTANT_ENCODED,
  CONSTANT_KEY,
  CONSTANT_KIND,
  CONSTANT_SIZE,
  CONSTANT_VALUE,
  DOUBLE,
  INT,
  NO_KEY,
  PROTOCOL_ATTRIBUTE_COUNT,
  PROTOCOL_ATTRIBUTES,
  PROTOCOL_CONSTANT_COUNT,
  PROTOCOL_CONSTANTS,
  PROTOCOL_ERROR_TYPE_KEY,
  PROTOCOL_FIRST_BYTE_KEY,
  PROTOCOL_PARTIAL_KEY,
  PROTOCOL_REQUEST_BODY_KEY,
  PROTOCOL_RESPONSE_BODY_KEY,
  PROTOCOL_STATUS_KEY,
  PROTOCOL_SUSPECT_KEY,
  PROTOCOL_TRACESTATE_ID,
  TEXT,
  TEXTS,
} from '../../layout/otlp';
import {
  ROW_ATTRIBUTES_AT,
  ROW_FIRST_BYTE,
  ROW_REQUEST_ATTRIBUTES,
  ROW_REQUEST_BODY,
  ROW_RESPONSE_ATTRIBUTES,
  ROW_RESPONSE_BODY,
  ROW_STATUS,
  ROW_WORDS,
  SPAN_ERROR,
  SPAN_ONE_WAY,
  SPAN_PARTIAL,
  SPAN_SERVER,
  SPAN_SUSPECT,
} from '../../layout/spans';
import { setPeer } from './endpoints';
import { addText, writeLists } from './lists';
import { copyBytes } from './protobuf';
import { NUMBER_MAX, OTHER_LENGTH, other, writeDecimal } from './text';
import { beginValues, claim, contentOf, isSet, kindOf, setAnyText, setInt, setNumber, setText } from './values';

const NS_PER_SECOND: f64 = 1e9;

const numberText: usize = memory.data(<i32>NUMBER_MAX + 16);
/** Where the message's trace state stands, if it has one. */
export let traceStateAt: usize = 0;
export let traceStateLength: usize = 0;

/** Writes them; returns where they end. */
export function writeAttributes(to: usize, row: u32, protocol: usize, flags: u32): usize {
  beginValues(to);
  to = setMessage(to, row, protocol);
  to = setPeer(to, row, protocol, (flags & SPAN_SERVER) != 0);
  to = setConstants(to, protocol);
  to = setOutcome(to, row, protocol, flags);
  return writeLists(to);
}

/** What request and response said; later values of a key win. */
function setMessage(to: usize, row: u32, protocol: usize): usize {
  const table = <usize>load<u32>(protocol, PROTOCOL_ATTRIBUTES);
  const known = load<u32>(protocol, PROTOCOL_ATTRIBUTE_COUNT);
  traceStateLength = 0;
  let at: usize = ROW_WORDS + (load<u32>(ROW_ATTRIBUTES_AT + (row << 2)) << 2);
  let left = <u32>load<u16>(ROW_REQUEST_ATTRIBUTES + (row << 1)) + load<u16>(ROW_RESPONSE_ATTRIBUTES + (row << 1));
  for (; left > 0; left--) {
    const head = load<u32>(at);
    const id = head & 0xffff;
    const length = <usize>(head >> 16);
    const value = at + ATTRIBUTE_VALUE;
    const field = id < known ? load<u32>(table + (id << 2)) : 0;
    const key = <usize>(field & ~ATTRIBUTE_TYPE);
    const kind = field & ATTRIBUTE_TYPE;
    if (kind == TEXT) to = setText(to, key, value, length);
    else if (kind == INT) to = length == 8 ? setInt(to, key, load<u64>(value)) : to;
    else if (field != 0) to = setOther(to, key, kind, value, length);
    else if (id == load<u32>(protocol, PROTOCOL_TRACESTATE_ID) && id != 0) {
      traceStateAt = value;
      traceStateLength = length;
    }
    at = value + ((length + 3) & ~(<usize>3));
  }
  return to;
}

function setOther(to: usize, key: usize, kind: u32, value: usize, length: usize): usize {
  if (kind == TEXTS) addText(key, value, length);
  else if (kind == BOOLEAN && length == 1) return setNumber(to, key, kind, load<u8>(value) != 0 ? 1 : 0);
  else if (kind == DOUBLE && length == 8) return setNumber(to, key, kind, load<u64>(value));
  return to;
}

function setConstants(to: usize, protocol: usize): usize {
  let constant = <usize>load<u32>(protocol, PROTOCOL_CONSTANTS);
  for (let left = load<u32>(protocol, PROTOCOL_CONSTANT_COUNT); left > 0; left--) {
    const key = <usize>load<u32>(constant, CONSTANT_KEY);
    if (claim(key, load<u8>(constant, CONSTANT_KIND), load<u64>(constant, CONSTANT_VALUE))) {
      const from = <usize>load<u32>(constant, CONSTANT_ENCODED);
      to = copyTo(to, from, from + load<u32>(constant, CONSTANT_ENCODED + 4));
    }
    constant += CONSTANT_SIZE;
  }
  return to;
}

/** Status, body sizes, and what the flags say. */
function setOutcome(to: usize, row: u32, protocol: usize, flags: u32): usize {
  const status = load<u32>(ROW_STATUS + (row << 2));
  const statusKey = key(protocol, PROTOCOL_STATUS_KEY);
  if (statusKey != NO_KEY && status != 0 && !isSet(statusKey)) to = setInt(to, statusKey, status);
  const requestBodyKey = key(protocol, PROTOCOL_REQUEST_BODY_KEY);
  const requestBody = load<f64>(ROW_REQUEST_BODY + (row << 3));
  if (requestBodyKey != NO_KEY && requestBody > 0) to = setInt(to, requestBodyKey, <i64>requestBody);
  const responseBodyKey = key(protocol, PROTOCOL_RESPONSE_BODY_KEY);
  const responseBody = load<f64>(ROW_RESPONSE_BODY + (row << 3));
  if (responseBodyKey != NO_KEY && !(flags & SPAN_ONE_WAY) && responseBody >= 0) {
    to = setInt(to, responseBodyKey, <i64>responseBody);
  }
  const firstByte = load<f64>(ROW_FIRST_BYTE + (row << 3));
  if (firstByte > 0) {
    const seconds = reinterpret<u64>(firstByte / NS_PER_SECOND);
    to = setNumber(to, key(protocol, PROTOCOL_FIRST_BYTE_KEY), DOUBLE, seconds);
  }
  return flags & (SPAN_ERROR | SPAN_PARTIAL | SPAN_SUSPECT) ? setFlags(to, protocol, flags, status) : to;
}

function setFlags(to: usize, protocol: usize, flags: u32, status: u32): usize {
  if (flags & SPAN_ERROR)
    to = setErrorType(to, key(protocol, PROTOCOL_ERROR_TYPE_KEY), key(protocol, PROTOCOL_STATUS_KEY), status);
  if (flags & SPAN_PARTIAL) to = setNumber(to, key(protocol, PROTOCOL_PARTIAL_KEY), BOOLEAN, 1);
  if (flags & SPAN_SUSPECT) to = setNumber(to, key(protocol, PROTOCOL_SUSPECT_KEY), BOOLEAN, 1);
  return to;
}

/** Unless the message names it: the status in its own words, as a number, or that there is none. */
function setErrorType(to: usize, errorType: usize, statusKey: usize, status: u32): usize {
  if (isSet(errorType)) return to;
  if (status == 0) return setAnyText(to, errorType, other(), OTHER_LENGTH);
  const said = statusKey != NO_KEY && isSet(statusKey);
  const content = said ? contentOf(statusKey) : 0;
  if (said && kindOf(statusKey) == TEXT) {
    return setAnyText(to, errorType, <usize>(content & 0xffff_ffff), <usize>(content >> 32));
  }
  const number = said && kindOf(statusKey) == INT ? content : status;
  return setAnyText(to, errorType, numberText, writeDecimal(numberText, <i64>number) - numberText);
}

function copyTo(to: usize, from: usize, end: usize): usize {
  copyBytes(to, from, end - from);
  return to + (end - from);
}

function key(protocol: usize, offset: usize): usize {
  return load<u32>(protocol + offset);
}
