/**
 * Request targets: origin, absolute, authority and asterisk form, and the authority of the Host field.
 * https://www.rfc-editor.org/rfc/rfc9112#section-3.2
 */

import {
  hostAt,
  hostLength,
  hostPort,
  pathAt,
  pathLength,
  queryAt,
  queryLength,
  ROOT,
  splitAuthority,
  splitTarget,
} from '../http/target';
import { findByte, findEither } from '../sdk/bytes';
import { Message } from '../sdk/output';
import { SERVER_ADDRESS, SERVER_PORT, URL_PATH, URL_QUERY, URL_SCHEME } from './attributes';
import { Head } from './head';
import { tokenEnd } from './methods';

const SP: u8 = 0x20;
const SLASH: u8 = 0x2f;
const QUESTION: u8 = 0x3f;
const COLON: u8 = 0x3a;

/** False when there is no target. One with spaces in it is reported as it stands. */
export function target(message: Message, from: usize, end: usize, isConnect: bool): bool {
  if (from >= end) return false;
  if (load<u8>(from) == SLASH) {
    const mark = findEither(from, end, SP, QUESTION);
    if (mark == end || (load<u8>(mark) == QUESTION && findByte(mark, end, SP) == end)) {
      message.string(URL_PATH, from, mark - from);
      if (mark + 1 < end) message.string(URL_QUERY, mark + 1, end - mark - 1);
      return true;
    }
  }
  if (findByte(from, end, SP) != end) Head.current.suspect();
  if (load<u8>(from) == SLASH) pathAndQuery(message, from, end);
  else if (isConnect) authorityOfTarget(message, from, end);
  else absolute(message, from, end);
  return true;
}

function pathAndQuery(message: Message, from: usize, end: usize): void {
  splitTarget(from, end);
  message.string(URL_PATH, pathAt, pathLength);
  if (queryLength > 0) message.string(URL_QUERY, queryAt, queryLength);
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

export function authority(message: Message, from: usize, end: usize): void {
  splitAuthority(from, end);
  if (hostPort > 0) message.int(SERVER_PORT, hostPort);
  if (hostLength > 0) message.string(SERVER_ADDRESS, hostAt, hostLength);
}
