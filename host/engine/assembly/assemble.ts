/**
 * Paired messages become spans: one row of the batch each.
 * A span runs from the request's first byte to the response's last byte, as the side that owns the socket saw them.
 */
import { MESSAGE_ERROR, MESSAGE_PARTIAL, MESSAGE_SUSPECT } from '../../../parsers/sdk/abi';
import { DIRECTION_IN } from '../../kernel/record';
import {
  ADDRESSES,
  CLIENT_DIRECTION,
  FAMILY,
  FIRST_PROTOCOL,
  LOCAL_PORT,
  PARSER,
  REMOTE_PORT,
  RESOURCE,
} from '../layout/connections';
import { COUNT_PAIRS_DROPPED_UNTIMED, COUNT_SPANS_MADE, COUNT_SPANS_UNSAMPLED } from '../layout/counters';
import {
  MESSAGE_ATTRIBUTE_COUNT,
  MESSAGE_BODY,
  MESSAGE_FIRST_TIME,
  MESSAGE_FLAG_BITS,
  MESSAGE_LAST_TIME,
  MESSAGE_PROTOCOL_INDEX,
  MESSAGE_STATUS_CODE,
  MESSAGE_WORDS,
  MESSAGE_WORDS_AT,
  SLAB,
} from '../layout/messages';
import { PROTOCOL_TABLE, RULE_COUNT, RULE_FROM, RULE_LIST, RULES_CLIENT, RULES_SERVER } from '../layout/protocols';
import * as r from '../layout/spans';
import { count } from './counters';
import { full } from './host';
import { fillId } from './ids';
import { measure } from './metrics';
import { refine, refinedMax, taken, traceparentAt, traceparentLength } from './refine';
import { isSampled } from './sampler';
import { storeTraceParent, takeTraceParent, traceParentFlags } from './trace-parent';

/** Without a traceparent the span is a root of its own, and sampled. */
const SAMPLED: u8 = 1;

let capacity: i32 = r.ROWS_MAX;
let wordsMax: i32 = r.ROW_WORDS_MAX;
/** CLOCK_REALTIME minus the clock of the records. */
let clockOffset: u64 = 0;

/** What a batch holds at most: rows, and words of attributes. */
export function setBatch(rows: i32, words: i32): void {
  capacity = rows;
  wordsMax = words;
}

export function setClockOffset(low: u32, high: u32): void {
  clockOffset = <u64>low | ((<u64>high) << 32);
}

/** Whether a row with so many words more has a place in the batch. An empty one takes any span. */
export function hasRoom(words: i32): bool {
  const rows = load<i32>(r.ROW_COUNT);
  if (rows == 0) return true;
  const used = load<i32>(r.ROW_WORDS_USED) + words;
  const bytes = (rows + 1) * r.REQUEST_BYTES_PER_SPAN + used * 4;
  return rows < capacity && used <= wordsMax && bytes <= r.REQUEST_BYTES_MAX;
}

/** Adds the span of a pair; `response` is -1 for a request that gets none. The messages stay the caller's. */
export function add(connection: i32, request: i32, response: i32): void {
  const last = response < 0 ? request : response;
  // The time of lost bytes is 0.
  if (firstTime(request) == 0 || lastTime(last) == 0) {
    count(COUNT_PAIRS_DROPPED_UNTIMED);
    return;
  }
  if (!hasRoom(mostWords(request) + (response < 0 ? 0 : mostWords(response)))) full();
  const row = load<i32>(r.ROW_COUNT);
  const words = load<i32>(r.ROW_WORDS_USED);
  if (row == 0) store<f64>(r.ROWS_SINCE, load<f64>(r.ROWS_NOW));
  const from = (<i32>load<i16>(PARSER + (connection << 1))) << 2;
  const protocol = load<i32>(FIRST_PROTOCOL + from) + <i32>load<u8>(MESSAGE_PROTOCOL_INDEX + request);
  const rules = load<i32>(PROTOCOL_TABLE + (protocol << 2));
  store<u16>(r.ROW_PROTOCOL + (row << 1), <u16>protocol);
  putEndpoint(row, connection);
  putTimes(row, request, last);
  putResponse(row, request, response);
  store<u32>(r.ROW_ATTRIBUTES_AT + (row << 2), words);
  let end = putAttributes(r.ROW_REQUEST_ATTRIBUTES + (row << 1), protocol, rules, request, words);
  const hasParent = identify(row);
  store<u16>(r.ROW_RESPONSE_ATTRIBUTES + (row << 1), 0);
  if (response >= 0) end = putAttributes(r.ROW_RESPONSE_ATTRIBUTES + (row << 1), protocol, rules, response, end);
  putOutcome(row, connection, request, last, rules, (hasParent ? r.SPAN_HAS_PARENT : 0) | oneWay(response));
  measure(row);
  if (isSampled(r.ROW_TRACE_ID + (row << 4), hasParent, load<u8>(r.ROW_TRACE_FLAGS + row))) {
    store<i32>(r.ROW_COUNT, row + 1);
    store<i32>(r.ROW_WORDS_USED, end);
    count(COUNT_SPANS_MADE);
  } else count(COUNT_SPANS_UNSAMPLED);
}

function putEndpoint(row: i32, connection: i32): void {
  const from = ADDRESSES + (connection << 5);
  const to = r.ROW_ADDRESSES + (row << 5);
  v128.store(to, v128.load(from));
  v128.store(to, v128.load(from, 16), 16);
  store<u8>(r.ROW_FAMILY + row, load<u8>(FAMILY + connection));
  store<u16>(r.ROW_LOCAL_PORT + (row << 1), load<u16>(LOCAL_PORT + (connection << 1)));
  store<u16>(r.ROW_REMOTE_PORT + (row << 1), load<u16>(REMOTE_PORT + (connection << 1)));
  store<u32>(r.ROW_RESOURCE + (row << 2), load<u32>(RESOURCE + (connection << 2)));
}

function putTimes(row: i32, request: i32, last: i32): void {
  const start = firstTime(request) + clockOffset;
  const end = lastTime(last) + clockOffset;
  store<u64>(r.ROW_START + (row << 3), start);
  store<u64>(r.ROW_END + (row << 3), end < start ? start : end);
}

/** Sizes of bodies, and when the response began. */
function putResponse(row: i32, request: i32, response: i32): void {
  store<f64>(r.ROW_REQUEST_BODY + (row << 3), <f64>load<u64>(MESSAGE_BODY + (request << 3)));
  store<f64>(r.ROW_RESPONSE_BODY + (row << 3), response < 0 ? 0 : bodyBytes(response));
  store<f64>(r.ROW_FIRST_BYTE + (row << 3), response < 0 ? 0 : firstByteNs(request, response));
}

/** A message that is not all there may have lost the length of its body with the rest: then it says 0, and who knows. */
function bodyBytes(m: i32): f64 {
  const bytes = load<u64>(MESSAGE_BODY + (m << 3));
  return bytes == 0 && (flagsOf(m) & MESSAGE_PARTIAL) != 0 ? NaN : <f64>bytes;
}

/** Of a response that came in more than one piece; of another it is the span's duration. */
function firstByteNs(request: i32, response: i32): f64 {
  const start = firstTime(request);
  const first = <i64>(firstTime(response) - start);
  return first > 0 && first < <i64>(lastTime(response) - start) ? <f64>first : 0;
}

/** Takes a message's attributes to word `to`, their number to the address `number`; returns the word behind them. */
function putAttributes(number: i32, protocol: i32, rules: i32, m: i32, to: i32): i32 {
  const from = SLAB + (load<i32>(MESSAGE_WORDS_AT + (m << 2)) << 2);
  const attributes = <i32>load<u16>(MESSAGE_ATTRIBUTE_COUNT + (m << 1));
  const end = refine(protocol, rules, from, attributes, r.ROW_WORDS + (to << 2));
  store<u16>(number, <u16>taken);
  return (end - r.ROW_WORDS) >> 2;
}

/** Trace, parent and span id of a row whose request was just taken. */
function identify(row: i32): bool {
  const trace = r.ROW_TRACE_ID + (row << 4);
  fillId(r.ROW_SPAN_ID + (row << 3), 2);
  if (traceparentAt != 0 && takeTraceParent(traceparentAt, traceparentLength)) {
    storeTraceParent(trace, r.ROW_PARENT_SPAN_ID + (row << 3));
    store<u8>(r.ROW_TRACE_FLAGS + row, <u8>traceParentFlags());
    return true;
  }
  fillId(trace, 4);
  store<u64>(r.ROW_PARENT_SPAN_ID + (row << 3), 0);
  store<u8>(r.ROW_TRACE_FLAGS + row, SAMPLED);
  return false;
}

/** Status and flags. */
function putOutcome(row: i32, connection: i32, request: i32, last: i32, rules: i32, known: i32): void {
  const status = load<u32>(MESSAGE_STATUS_CODE + (last << 2));
  const seen = flagsOf(request) | flagsOf(last);
  // Who gets the client's bytes is the server.
  const isServer = <i32>load<u8>(CLIENT_DIRECTION + connection) == DIRECTION_IN;
  let flags = known | (isServer ? r.SPAN_SERVER : 0);
  if ((seen & MESSAGE_ERROR) != 0 || isError(rules + (isServer ? RULES_SERVER : RULES_CLIENT), status)) {
    flags |= r.SPAN_ERROR;
  }
  if ((seen & MESSAGE_PARTIAL) != 0) flags |= r.SPAN_PARTIAL;
  if ((seen & MESSAGE_SUSPECT) != 0) flags |= r.SPAN_SUSPECT;
  store<u32>(r.ROW_STATUS + (row << 2), status);
  store<u16>(r.ROW_FLAGS + (row << 1), <u16>flags);
}

function isError(rule: i32, status: u32): bool {
  if (<f64>status >= load<f64>(rule, RULE_FROM)) return true;
  const list = load<i32>(rule, RULE_LIST);
  for (let left = load<i32>(rule, RULE_COUNT); left > 0; left--) {
    if (load<u32>(list + ((left - 1) << 2)) == status) return true;
  }
  return false;
}

function oneWay(response: i32): i32 {
  return response < 0 ? r.SPAN_ONE_WAY : 0;
}

/** Room that the attributes of a message may need. */
function mostWords(m: i32): i32 {
  return refinedMax(load<i32>(MESSAGE_WORDS + (m << 2)), <i32>load<u16>(MESSAGE_ATTRIBUTE_COUNT + (m << 1)));
}

function firstTime(m: i32): u64 {
  return load<u64>(MESSAGE_FIRST_TIME + (m << 3));
}

function lastTime(m: i32): u64 {
  return load<u64>(MESSAGE_LAST_TIME + (m << 3));
}

function flagsOf(m: i32): i32 {
  return load<u16>(MESSAGE_FLAG_BITS + (m << 1));
}
