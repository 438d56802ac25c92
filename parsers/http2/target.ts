/**
 * Method, path and authority of a request. https://www.rfc-editor.org/rfc/rfc9113#section-8.3.1
 * Names: https://opentelemetry.io/docs/specs/semconv/http/http-spans/
 */

import { findByte, isDigit, isText } from '../sdk/bytes';
import { Message } from '../sdk/output';
import {
  HTTP_REQUEST_METHOD,
  HTTP_REQUEST_METHOD_ORIGINAL,
  SERVER_ADDRESS,
  SERVER_PORT,
  URL_PATH,
  URL_QUERY,
} from './attributes';
import { AUTHORITY, endOf, HOST, has, lengthOf, METHOD, PATH, valueAt } from './fields';
import { sayText } from './names';

const QUESTION: u8 = 0x3f;
const COLON: u8 = 0x3a;
const PORT_MAX: u32 = 65535;

export function sayMethod(message: Message): void {
  if (!has(METHOD)) return;
  const at = valueAt(METHOD);
  if (isKnown(at, endOf(METHOD))) {
    message.string(HTTP_REQUEST_METHOD, at, lengthOf(METHOD));
    return;
  }
  sayText(message, HTTP_REQUEST_METHOD, '_OTHER');
  message.string(HTTP_REQUEST_METHOD_ORIGINAL, at, lengthOf(METHOD));
}

function isKnown(at: usize, end: usize): bool {
  switch (<u32>(end - at)) {
    case 3:
      return isText(at, end, 'GET') || isText(at, end, 'PUT');
    case 4:
      return isText(at, end, 'POST') || isText(at, end, 'HEAD');
    case 5:
      return isText(at, end, 'PATCH') || isText(at, end, 'TRACE');
    case 6:
      return isText(at, end, 'DELETE');
    case 7:
      return isText(at, end, 'OPTIONS') || isText(at, end, 'CONNECT');
  }
  return false;
}

export function sayPath(message: Message): void {
  if (!has(PATH) || lengthOf(PATH) == 0) return;
  const at = valueAt(PATH);
  const end = endOf(PATH);
  const question = findByte(at, end, QUESTION);
  message.string(URL_PATH, at, question - at);
  if (question + 1 < end) message.string(URL_QUERY, question + 1, end - question - 1);
}

/** `host[:port]`; user information is dropped, and the brackets of an IPv6 address. */
export function sayAuthority(message: Message): void {
  const kind = has(AUTHORITY) ? AUTHORITY : HOST;
  if (!has(kind)) return;
  let at = valueAt(kind);
  const end = endOf(kind);
  for (let sign = findByte(at, end, 0x40); sign != end; sign = findByte(at, end, 0x40)) at = sign + 1;
  let close = end;
  if (at < end && load<u8>(at) == 0x5b) {
    close = findByte(++at, end, 0x5d);
    if (close < end) sayPort(message, close + 1, end);
  } else {
    close = findByte(at, end, COLON);
    sayPort(message, close, end);
  }
  if (close > at) message.string(SERVER_ADDRESS, at, close - at);
}

function sayPort(message: Message, colon: usize, end: usize): void {
  if (end - colon < 2 || end - colon > 6 || load<u8>(colon) != COLON) return;
  let value: u32 = 0;
  for (let at = colon + 1; at < end; at++) {
    if (!isDigit(load<u8>(at))) return;
    value = value * 10 + load<u8>(at) - 0x30;
  }
  if (value > 0 && value <= PORT_MAX) message.int(SERVER_PORT, value);
}
