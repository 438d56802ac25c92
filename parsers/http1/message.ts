/**
 * Start lines and header fields into attributes and framing facts.
 * Request line: RFC 9112 section 3, status line: section 4, fields: section 5, https://www.rfc-editor.org/rfc/rfc9112
 * Names: https://opentelemetry.io/docs/specs/semconv/http/http-spans/
 *
 * Every function gets a whole line, `line` … `lf`, where `lf` is the address of its LF.
 */

import { isKnownMethod, OTHER_METHOD, OTHER_METHOD_LENGTH } from '../http/methods';
import { FROM_CLIENT, FROM_SERVER, MESSAGE_PARTIAL, MESSAGE_SUSPECT, RESPONSE } from '../sdk/abi';
import { findByte, isBlank, isDigit, skipBlank, trimEnd } from '../sdk/bytes';
import { wantedFrom } from '../sdk/headers';
import { Names, nameLength } from '../sdk/names';
import { Message } from '../sdk/output';
import {
  TRACEPARENT as ATTRIBUTE_TRACEPARENT,
  TRACESTATE as ATTRIBUTE_TRACESTATE,
  HTTP_REQUEST_HEADER,
  HTTP_REQUEST_METHOD,
  HTTP_REQUEST_METHOD_ORIGINAL,
  HTTP_RESPONSE_HEADER,
  NETWORK_PROTOCOL_VERSION,
  USER_AGENT_ORIGINAL,
} from './attributes';
import {
  CONTENT_LENGTH,
  FIELD_ID,
  fieldAt,
  HOST,
  isContentLength,
  isUserAgent,
  LOWER_4,
  NAME_LENGTH_SHIFT,
  nameDecides,
  OTHER,
  TRACEPARENT,
  TRACESTATE,
  TRANSFER_ENCODING,
  UPGRADE,
  USER_AGENT,
  WORD_CONT,
  WORD_HOST,
  wantedAt,
} from './fields';
import { Head } from './head';
import { isToken } from './methods';
import { CONNECT, HEAD } from './state';
import { authority, target } from './target';

const CR: u8 = 0x0d;
const SP: u8 = 0x20;
const COLON: u8 = 0x3a;

/** ": ", and how far behind a line's start the values of fields lie which have it behind their names. */
const COLON_SP: u32 = 0x203a;
const HOST_VALUE: usize = 6;
const USER_AGENT_VALUE: usize = 12;
const LENGTH_VALUE: usize = 16;

/** "HTTP/1." and " HTTP/1.": what a status line starts with, and what a request line ends with, but for a digit. */
const STATUS_START: u64 = 0x2e312f50545448;
const STATUS_START_MASK: u64 = 0x00ffffffffffffff;
const REQUEST_END: u64 = 0x2e312f5054544820;
/** "GET " and "POST". */
const WORD_GET: u32 = 0x20544547;
const WORD_POST: u32 = 0x54534f50;

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
  const space = method(message, line, version);
  if (space == 0) return false;
  const head = Head.current;
  if (digit == 0x30) head.old();
  message.short(NETWORK_PROTOCOL_VERSION, load<u32>(end - 3) & 0xffffff, 3);
  return target(message, space + 1, version, head.kind == CONNECT);
}

/** Returns the address of the space behind the method, 0 when there is none. */
function method(message: Message, from: usize, version: usize): usize {
  const word = load<u32>(from);
  if (word == WORD_GET) {
    message.short(HTTP_REQUEST_METHOD, WORD_GET & 0xffffff, 3);
    return from + 3;
  }
  if (word == WORD_POST && load<u8>(from, 4) == SP) {
    message.short(HTTP_REQUEST_METHOD, WORD_POST, 4);
    return from + 4;
  }
  const space = findByte(from, version, SP);
  return space != version && rarerMethod(message, from, space) ? space : 0;
}

function rarerMethod(message: Message, from: usize, end: usize): bool {
  if (isKnownMethod(from, end)) {
    message.string(HTTP_REQUEST_METHOD, from, end - from);
    if (load<u32>(from) == 0x44414548) Head.current.kind = <u8>HEAD;
    else if (load<u32>(from) == 0x4e4e4f43) Head.current.kind = <u8>CONNECT;
    return true;
  }
  message.string(HTTP_REQUEST_METHOD, OTHER_METHOD, OTHER_METHOD_LENGTH);
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

/**
 * The three fields that most messages have, in the form that most have them in: `Name: value` without other blanks, and
 * not for the second time. False: it is not one of these, and nothing has been done.
 */
export function plainLine(message: Message, line: usize, lf: usize): bool {
  const word = load<u32>(line) | LOWER_4;
  const value = line + (word == WORD_HOST ? HOST_VALUE : word == WORD_CONT ? LENGTH_VALUE : USER_AGENT_VALUE);
  const end = lf - 1;
  if (value >= end || load<u16>(value - 2) != COLON_SP || load<u8>(end) != CR) return false;
  if (load<u8>(value) <= SP || load<u8>(end - 1) <= SP) return false;
  const head = Head.current;
  if (word == WORD_CONT) return isContentLength(line) && head.plainLength(value, end);
  if (message.type == RESPONSE) return false;
  if (word == WORD_HOST) {
    if (head.hostInTarget || !head.isFirst(HOST)) return false;
    authority(message, value, end);
    return true;
  }
  if (!isUserAgent(line) || !head.isFirst(USER_AGENT)) return false;
  message.string(USER_AGENT_ORIGINAL, value, end - value);
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
  const wanted = wantedOf(message);
  if (wanted.count != 0) capture(message, wanted, line, end);
  if (field == OTHER) return;
  let colon = line + (found >> NAME_LENGTH_SHIFT);
  if (load<u8>(colon) != COLON) {
    // Space between name and colon: a server must refuse it (RFC 9112 section 5.1).
    colon = skipBlank(colon, end);
    if (colon == end || load<u8>(colon) != COLON) return;
    head.suspect();
  }
  const from = skipBlank(colon + 1, end);
  if (message.type == RESPONSE) framingField(field, from, trimEnd(from, end));
  else requestField(message, field, from, trimEnd(from, end));
}

/** The fields that were asked for of messages like this one. */
function wantedOf(message: Message): Names {
  return wantedFrom(message.type == RESPONSE ? FROM_SERVER : FROM_CLIENT);
}

/** A field that was asked for becomes an attribute, each time that it comes. */
function capture(message: Message, wanted: Names, line: usize, end: usize): void {
  const name = wantedAt(wanted, line, end);
  if (name == 0) return;
  const id = message.type == RESPONSE ? HTTP_RESPONSE_HEADER : HTTP_REQUEST_HEADER;
  const colon = findByte(line + nameLength(name), end, COLON);
  const from = skipBlank(colon + 1, end);
  message.pair(id, name, from, trimEnd(from, end) - from);
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
    case TRACEPARENT:
      message.string(ATTRIBUTE_TRACEPARENT, from, end - from);
      return;
    case TRACESTATE:
      message.string(ATTRIBUTE_TRACESTATE, from, end - from);
      return;
  }
  framingField(field, from, end);
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
export function isIdle(message: Message, line: usize, end: usize): bool {
  if (isBlank(load<u8>(line))) {
    const field = Head.current.lastField;
    if (field == CONTENT_LENGTH || field == TRANSFER_ENCODING) return false;
    Head.current.suspect();
    return true;
  }
  const wanted = wantedOf(message);
  if (end - line < nameDecides(wanted) || fieldAt(line, end) != OTHER) return false;
  if (wantedAt(wanted, line, end) != 0) return false;
  Head.current.lastField = <u8>OTHER;
  return true;
}

/** Whether a cut line that no slot can hold may be passed over: it was asked for, and nothing depends on it. */
export function isSpare(message: Message, line: usize, end: usize): bool {
  if (wantedAt(wantedOf(message), line, end) == 0 || fieldAt(line, end) != OTHER) return false;
  Head.current.lastField = <u8>OTHER;
  message.flag(MESSAGE_PARTIAL);
  return true;
}

/** Flags of the finished head. */
export function markSuspect(message: Message): void {
  if (Head.current.isSuspect) message.flag(MESSAGE_SUSPECT);
}
