/**
 * Start lines and header fields into attributes and framing facts.
 * Request line: RFC 9112 section 3, status line: section 4, fields: section 5, https://www.rfc-editor.org/rfc/rfc9112
 * Names: https://opentelemetry.io/docs/specs/semconv/http/http-spans/
 *
 * Every function gets a whole line, `line` … `lf`, where `lf` is the address of its LF.
 */

import { MESSAGE_SUSPECT, RESPONSE } from '../sdk/abi';
import { findByte, isBlank, isDigit, skipBlank, trimEnd } from '../sdk/bytes';
import { Message } from '../sdk/output';
import {
  TRACEPARENT as ATTRIBUTE_TRACEPARENT,
  TRACESTATE as ATTRIBUTE_TRACESTATE,
  HTTP_REQUEST_HEADER_CONTENT_TYPE,
  HTTP_REQUEST_METHOD,
  HTTP_REQUEST_METHOD_ORIGINAL,
  HTTP_RESPONSE_HEADER_CONTENT_TYPE,
  NETWORK_PROTOCOL_VERSION,
  USER_AGENT_ORIGINAL,
} from './attributes';
import {
  CONTENT_LENGTH,
  CONTENT_TYPE,
  FIELD_ID,
  fieldAt,
  HOST,
  NAME_DECIDES,
  NAME_LENGTH_SHIFT,
  OTHER,
  TRACEPARENT,
  TRACESTATE,
  TRANSFER_ENCODING,
  UPGRADE,
  USER_AGENT,
} from './fields';
import { Head } from './head';
import { isKnownMethod, isToken } from './methods';
import { CONNECT, HEAD } from './state';
import { authority, target } from './target';

const CR: u8 = 0x0d;
const SP: u8 = 0x20;
const COLON: u8 = 0x3a;

const OTHER_METHOD: usize = memory.data<u8>([0x5f, 0x4f, 0x54, 0x48, 0x45, 0x52]);

/** "HTTP/1." and " HTTP/1.": what a status line starts with, and what a request line ends with, but for a digit. */
const STATUS_START: u64 = 0x2e312f50545448;
const STATUS_START_MASK: u64 = 0x00ffffffffffffff;
const REQUEST_END: u64 = 0x2e312f5054544820;

/** Address behind the line's text. A line that ends with LF alone is readable, and suspect. */
export function lineEnd(line: usize, lf: usize): usize {
  if (lf > line && load<u8>(lf - 1) == CR) return lf - 1;
  Head.current.suspect();
  return lf;
}

/** `METHOD SP target SP HTTP/1.x`. False: not a request line. */
export function requestLine(message: Message, line: usize, lf: usize): bool {
  const end = lineEnd(line, lf);
  if (end - line < 12) return false;
  const version = end - 9;
  const digit = load<u8>(end - 1);
  if (load<u64>(version) != REQUEST_END || !isDigit(digit)) return false;
  const space = findByte(line, version, SP);
  if (space == version || !method(message, line, space)) return false;
  const head = Head.current;
  if (digit == 0x30) head.old();
  message.string(NETWORK_PROTOCOL_VERSION, end - 3, 3);
  return target(message, space + 1, version, head.kind == CONNECT);
}

function method(message: Message, from: usize, end: usize): bool {
  if (isKnownMethod(from, end)) {
    message.string(HTTP_REQUEST_METHOD, from, end - from);
    if (load<u32>(from) == 0x44414548) Head.current.kind = <u8>HEAD;
    else if (load<u32>(from) == 0x4e4e4f43) Head.current.kind = <u8>CONNECT;
    return true;
  }
  message.string(HTTP_REQUEST_METHOD, OTHER_METHOD, 6);
  message.string(HTTP_REQUEST_METHOD_ORIGINAL, from, end - from);
  return isToken(from, end);
}

/** `HTTP/1.x SP 3DIGIT [SP reason]`. False: not a status line. */
export function statusLine(message: Message, line: usize, lf: usize): bool {
  const end = lineEnd(line, lf);
  if (end - line < 12 || (load<u64>(line) & STATUS_START_MASK) != STATUS_START) return false;
  const digit = load<u8>(line, 7);
  if (!isDigit(digit) || load<u8>(line, 8) != SP) return false;
  if (end - line > 12 && load<u8>(line, 12) != SP) return false;
  const hundreds = <u32>load<u8>(line, 9) - 0x30;
  const tens = <u32>load<u8>(line, 10) - 0x30;
  const ones = <u32>load<u8>(line, 11) - 0x30;
  if (hundreds - 1 > 8 || tens > 9 || ones > 9) return false;
  if (digit == 0x30) Head.current.old();
  message.status = hundreds * 100 + tens * 10 + ones;
  return true;
}

/** One line of the header section, not the empty one. */
export function headerLine(message: Message, line: usize, lf: usize): void {
  const end = lineEnd(line, lf);
  if (isBlank(load<u8>(line))) {
    folded(line, end);
    return;
  }
  const head = Head.current;
  const found = fieldAt(line, end);
  const field = found & FIELD_ID;
  head.lastField = <u8>field;
  if (field == OTHER) return;
  let colon = line + (found >> NAME_LENGTH_SHIFT);
  if (load<u8>(colon) != COLON) {
    // Space between name and colon: a server must refuse it (RFC 9112 section 5.1).
    colon = skipBlank(colon, end);
    if (colon == end || load<u8>(colon) != COLON) return;
    head.suspect();
  }
  const from = skipBlank(colon + 1, end);
  if (message.type == RESPONSE) responseField(message, field, from, trimEnd(from, end));
  else requestField(message, field, from, trimEnd(from, end));
}

function requestField(message: Message, field: u32, from: usize, end: usize): void {
  const head = Head.current;
  if (!head.first(field)) {
    if (field == HOST) head.suspect();
    if (field != CONTENT_LENGTH && field != TRANSFER_ENCODING) return;
  }
  switch (field) {
    case HOST:
      if (!head.hostInTarget) authority(message, from, end);
      return;
    case USER_AGENT:
      message.string(USER_AGENT_ORIGINAL, from, end - from);
      return;
    case CONTENT_TYPE:
      message.string(HTTP_REQUEST_HEADER_CONTENT_TYPE, from, end - from);
      return;
    case TRACEPARENT:
      message.string(ATTRIBUTE_TRACEPARENT, from, end - from);
      return;
    case TRACESTATE:
      message.string(ATTRIBUTE_TRACESTATE, from, end - from);
      return;
  }
  framingField(field, from, end);
}

function responseField(message: Message, field: u32, from: usize, end: usize): void {
  const first = Head.current.first(field);
  if (field != CONTENT_TYPE) framingField(field, from, end);
  else if (first) message.string(HTTP_RESPONSE_HEADER_CONTENT_TYPE, from, end - from);
}

function framingField(field: u32, from: usize, end: usize): void {
  const head = Head.current;
  if (field == CONTENT_LENGTH) head.length(from, end);
  else if (field == TRANSFER_ENCODING) head.codings(from, end);
  else if (field == UPGRADE) head.upgradeTo(from, end);
}

/** obs-fold: the line goes on with the value of the field before it. What it adds to a text is not reported. */
function folded(line: usize, end: usize): void {
  const head = Head.current;
  head.suspect();
  const from = skipBlank(line, end);
  const to = trimEnd(from, end);
  if (head.lastField == CONTENT_LENGTH) head.foldLength(from, to);
  else if (head.lastField == TRANSFER_ENCODING) head.foldCodings(from, to);
}

/** Whether the rest of a cut line can be passed over: what is there of it says that nothing of it is needed. */
export function isIdle(line: usize, end: usize): bool {
  if (isBlank(load<u8>(line))) {
    const field = Head.current.lastField;
    if (field == CONTENT_LENGTH || field == TRANSFER_ENCODING) return false;
    Head.current.suspect();
    return true;
  }
  if (end - line < NAME_DECIDES || fieldAt(line, end) != OTHER) return false;
  Head.current.lastField = <u8>OTHER;
  return true;
}

/** Flags of the finished head. */
export function markSuspect(message: Message): void {
  if (Head.current.isSuspect) message.flag(MESSAGE_SUSPECT);
}
