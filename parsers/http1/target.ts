/**
 * Request targets: origin, absolute, authority and asterisk form, and the authority of the Host field.
 * https://www.rfc-editor.org/rfc/rfc9112#section-3.2
 */

import { findByte, isDigit } from '../sdk/bytes';
import { Message } from '../sdk/output';
import { SERVER_ADDRESS, SERVER_PORT, URL_PATH, URL_QUERY, URL_SCHEME } from './attributes';
import { Head } from './head';
import { tokenEnd } from './methods';

const SLASH: u8 = 0x2f;
const QUESTION: u8 = 0x3f;
const COLON: u8 = 0x3a;
const PORT_MAX: u32 = 65535;

const ROOT: usize = memory.data<u8>([SLASH]);

/** False when there is no target. One with spaces in it is reported as it stands. */
export function target(message: Message, from: usize, end: usize, isConnect: bool): bool {
  if (from >= end) return false;
  if (findByte(from, end, 0x20) != end) Head.current.suspect();
  if (load<u8>(from) == SLASH) pathAndQuery(message, from, end);
  else if (isConnect) authorityOfTarget(message, from, end);
  else absolute(message, from, end);
  return true;
}

function pathAndQuery(message: Message, from: usize, end: usize): void {
  const question = findByte(from, end, QUESTION);
  if (question == from) message.string(URL_PATH, ROOT, 1);
  else message.string(URL_PATH, from, question - from);
  if (question + 1 < end) message.string(URL_QUERY, question + 1, end - question - 1);
}

/** `scheme://authority/path?query`; what is not of this form (such as `*`) is taken for a path. */
function absolute(message: Message, from: usize, end: usize): void {
  const colon = tokenEnd(from, end);
  if (colon == from || end - colon < 3 || load<u8>(colon) != COLON || load<u16>(colon, 1) != 0x2f2f) {
    pathAndQuery(message, from, end);
    return;
  }
  message.string(URL_SCHEME, from, colon - from);
  let slash = colon + 3;
  while (slash < end && load<u8>(slash) != SLASH && load<u8>(slash) != QUESTION) slash++;
  authorityOfTarget(message, colon + 3, slash);
  if (slash < end) pathAndQuery(message, slash, end);
  else message.string(URL_PATH, ROOT, 1);
}

/** The target's authority stands above the Host field (RFC 9112 section 3.2.2). */
function authorityOfTarget(message: Message, from: usize, end: usize): void {
  Head.current.takeHostFromTarget();
  authority(message, from, end);
}

/** `[userinfo@]host[:port]`; the user information is dropped, and the brackets of an IPv6 address. */
export function authority(message: Message, from: usize, end: usize): void {
  for (let at = findByte(from, end, 0x40); at != end; at = findByte(from, end, 0x40)) from = at + 1;
  let close = end;
  if (from < end && load<u8>(from) == 0x5b) {
    close = findByte(from, end, 0x5d);
    from++;
    if (close < end) port(message, close + 1, end);
  } else {
    const colon = findByte(from, end, COLON);
    close = colon;
    if (colon < end) port(message, colon, end);
  }
  if (close > from) message.string(SERVER_ADDRESS, from, close - from);
}

function port(message: Message, colon: usize, end: usize): void {
  if (end - colon < 2 || end - colon > 6 || load<u8>(colon) != COLON) return;
  let value: u32 = 0;
  for (let at = colon + 1; at < end; at++) {
    if (!isDigit(load<u8>(at))) return;
    value = value * 10 + load<u8>(at) - 0x30;
  }
  if (value > 0 && value <= PORT_MAX) message.int(SERVER_PORT, value);
}
