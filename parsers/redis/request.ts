/**
 * The client's direction: commands as arrays of bulk strings, or inline.
 *
 *   *3\r\n$3\r\nSET\r\n$3\r\nkey\r\n$5\r\nvalue\r\n           SET key value\r\n
 *
 * Only the command, its subcommand and the argument of SELECT, HELLO and CLIENT REPLY are looked at; all else is passed
 * over by its length. After lost bytes, resync.ts finds the next request.
 */
import { MESSAGE_NO_RESPONSE, MESSAGE_PARTIAL } from '../sdk/abi';
import { isBlank, isDigit, skipBlank } from '../sdk/bytes';
import {
  CLIENT,
  CLIENT_REPLY,
  CONTAINER,
  copyUpper,
  DISCARD,
  EXEC,
  HELLO,
  isAnyCase,
  isName,
  kindOf,
  PLAIN,
  REPLICATION,
  RESET,
  SELECT,
} from './command';
import { doubtName } from './doubt';
import {
  AGGREGATE,
  ARRAY,
  BULK,
  count,
  Half,
  INVALID,
  isReply,
  MORE,
  NULL,
  next,
  position,
  skipBulks,
  text,
  textLength,
  textLost,
  typeByte,
} from './frame';
import { writeRequest } from './message';
import { candidate, recovered, searchRequest } from './resync';
import { BAD_BYTES, Connection, LOST_BYTES, REPLY_OFF, REPLY_ON, REPLY_SKIP, REPORTED_REQUEST } from './state';

/** An argument that is not a number this parser can use. */
const NO_ARGUMENT: u32 = 0xffff;

// Connection.lost: a part of the name; or what decides whether there is a response.
const LOST_NAME: u8 = 1;
const LOST_MEANING: u8 = 2;

/** Reads one thing at `at`; `offset` is its place in the stream. Returns the address behind it. */
export function readRequest(c: Connection, half: Half, at: usize, end: usize, offset: u64, now: u64): usize {
  if (half.searching) {
    const rest = searchRequest(c, half, at, end, offset, now);
    if (recovered > 0) readRecovered(c, half, offset + (rest - at), now);
    return rest;
  }
  if (half.remaining == 0 && half.idle) beginRequest(c, half, offset, now);
  return readValue(c, half, at, end, offset, now);
}

/** Reads the headers and name at `candidate`; their last byte lies in front of `end` in the stream. */
function readRecovered(c: Connection, half: Half, end: u64, now: u64): void {
  const limit = candidate + recovered;
  beginRequest(c, half, half.start, half.first);
  for (let at = candidate; at < limit; ) at = readValue(c, half, at, limit, end - (limit - at), now);
}

function readValue(c: Connection, half: Half, at: usize, end: usize, offset: u64, now: u64): usize {
  const found = next(half, at, end);
  if (found == MORE) return position;
  if (found == INVALID) return lostSync(c, half, false);
  const after = offset + (position - at);
  if (found == AGGREGATE) return beginArguments(c, half);
  if (half.remaining == 0) return isReply(typeByte) ? noRequest(c, half) : inlineRequest(c, half, now, after);
  if (typeByte != BULK || count == NULL) return noRequest(c, half);
  if (half.index < 3) readArgument(c, half.index, text, count);
  half.index++;
  half.body += count;
  half.remaining--;
  const rest = c.kind == PLAIN || half.index > 2 ? passArguments(half, end) : position;
  if (half.remaining == 0) finishRequest(c, half, now, after + (rest - position));
  return rest;
}

/** A value of RESP that no request has here: while it is in doubt who asks, a reply. */
function noRequest(c: Connection, half: Half): usize {
  if (c.doubt == 0 || c.unsure != 0) return lostSync(c, half, true);
  c.giveUp();
  return position;
}

function lostSync(c: Connection, half: Half, atStart: bool): usize {
  const place = position;
  const wasUnsure = c.unsure != 0;
  c.search(half, atStart);
  // Nothing was reported of it, and the text of a value may deceive as often as it likes.
  if (wasUnsure) return place;
  c.desync(BAD_BYTES);
  c.replyMode = REPLY_ON;
  c.fail();
  return place;
}

function beginRequest(c: Connection, half: Half, offset: u64, now: u64): void {
  half.start = offset;
  half.first = now;
  half.body = 0;
  half.index = 0;
  c.kind = PLAIN;
  c.operationLength = 0;
  c.hasSubcommand = 0;
  c.lost = 0;
  c.argument = <u16>NO_ARGUMENT;
}

function beginArguments(c: Connection, half: Half): usize {
  if (half.remaining != 0 || typeByte != ARRAY) return noRequest(c, half);
  // An empty request is legal and has no reply.
  half.remaining = count == NULL ? 0 : count;
  return position;
}

/** Passes over arguments nobody looks at; returns the address behind them. */
function passArguments(half: Half, end: usize): usize {
  const before = half.remaining;
  const rest = skipBulks(half, position, end, 0);
  half.index += <u32>(before - half.remaining);
  return rest;
}

/** Takes what matters of an argument; of one longer than TEXT_MAX, `from` has the first TEXT_MAX bytes. */
function readArgument(c: Connection, index: u32, from: usize, length: u32): void {
  if (textLost) {
    c.lost |= whatIsLost(c.kind, index);
    return;
  }
  if (index == 0) readName(c, from, length);
  else if (index == 1) readFirst(c, from, length);
  else if (c.kind == CLIENT_REPLY) c.argument = <u16>replyModeOf(from, length);
}

function whatIsLost(kind: u8, index: u32): u8 {
  if (index == 0 || kind == CLIENT || kind == CLIENT_REPLY) return LOST_MEANING;
  return kind == CONTAINER && index == 1 ? LOST_NAME : 0;
}

function readName(c: Connection, from: usize, length: u32): void {
  if (c.doubt != 0) doubtName(c, from, length);
  if (!isName(from, length)) return;
  appendUpper(c, from, length);
  c.kind = kindOf(c.operation, length);
}

function readFirst(c: Connection, from: usize, length: u32): void {
  const kind = c.kind;
  if (kind == SELECT || kind == HELLO) c.argument = <u16>numberOf(from, length);
  else if ((kind == CONTAINER || kind == CLIENT) && isName(from, length)) {
    if (kind == CLIENT && isAnyCase(from, length, 'REPLY')) c.kind = CLIENT_REPLY;
    store<u8>(c.operation + c.operationLength, 0x20);
    c.operationLength++;
    c.hasSubcommand = 1;
    appendUpper(c, from, length);
  }
}

function appendUpper(c: Connection, from: usize, length: u32): void {
  copyUpper(c.operation + c.operationLength, from, length);
  c.operationLength += <u8>length;
}

function numberOf(from: usize, length: u32): u32 {
  if (length == 0 || length > 4) return NO_ARGUMENT;
  let value: u32 = 0;
  for (let i: u32 = 0; i < length; i++) {
    const byte = <u32>load<u8>(from + i);
    if (!isDigit(byte)) return NO_ARGUMENT;
    value = value * 10 + (byte - 0x30);
  }
  return value;
}

function replyModeOf(from: usize, length: u32): u32 {
  if (isAnyCase(from, length, 'OFF')) return REPLY_OFF;
  if (isAnyCase(from, length, 'SKIP')) return REPLY_SKIP;
  return isAnyCase(from, length, 'ON') ? REPLY_ON : NO_ARGUMENT;
}

function finishRequest(c: Connection, half: Half, now: u64, end: u64): void {
  if (c.unsure != 0) return;
  if (c.aligned == 0 && c.responses > 0 && c.requests == c.responses) align(c);
  if ((c.lost & LOST_MEANING) != 0) {
    // It may have been a CLIENT REPLY OFF, and then the next reply answers something else.
    c.desync(LOST_BYTES);
    c.unsure = 1;
    return;
  }
  const silent = isSilent(c);
  const flags = (silent ? MESSAGE_NO_RESPONSE : 0) | (c.lost != 0 ? MESSAGE_PARTIAL : 0);
  writeRequest(c, half, half.index, flags, now, end);
  c.failures = 0;
  if (c.kind == REPLICATION) {
    c.giveUp();
    return;
  }
  if (silent) return;
  c.reported |= REPORTED_REQUEST;
  if (c.kind >= SELECT && c.kind != CLIENT_REPLY) expectReply(c, half.index);
  c.requests++;
}

/** A clean turn: nothing is outstanding, so counting can begin anew. */
function align(c: Connection): void {
  c.aligned = 1;
  c.requests = 0;
  c.responses = 0;
  c.expectedCount = 0;
}

/** Whether CLIENT REPLY keeps the server from answering this one. */
function isSilent(c: Connection): bool {
  const mode = c.replyMode;
  if (c.kind == CLIENT_REPLY && c.argument != NO_ARGUMENT) {
    if (c.argument != REPLY_SKIP || mode != REPLY_OFF) c.replyMode = <u8>c.argument;
    return c.argument != REPLY_ON;
  }
  if (c.kind == RESET || mode == REPLY_SKIP) c.replyMode = REPLY_ON;
  return mode == REPLY_SKIP || (mode == REPLY_OFF && c.kind != RESET);
}

function expectReply(c: Connection, words: u32): void {
  const kind = c.kind;
  if (kind == EXEC || kind == DISCARD) c.expect(kind, 0);
  else if (kind == SELECT || kind == HELLO) c.expect(kind, c.argument);
  else c.expect(kind, min(words - 1, NO_ARGUMENT));
}

// ── inline requests ───────────────────────────────────────────────────────────────────────────────────────────────

/** `text` is the line, or the first 64 bytes of it. Words beyond them are not counted. */
function inlineRequest(c: Connection, half: Half, now: u64, end: u64): usize {
  const place = position;
  const last = text + textLength;
  const length = count;
  let at = skipBlank(text, last);
  // An empty line is legal and has no reply. But behind a request that was searched for it ends the value it lay in.
  if (at == last && length == textLength && c.found == 0) return place;
  half.body = length;
  while (at < last) {
    const word = at;
    at = endOfWord(at, last);
    if (half.index < 3) readArgument(c, half.index, word, <u32>(at - word));
    half.index++;
    at = skipBlank(at, last);
  }
  if (c.operationLength == 0 || c.found != 0) return lostSync(c, half, true);
  finishRequest(c, half, now, end);
  return place;
}

/** A word may be quoted; a quote ends at its like, and `\"` does not end it. */
function endOfWord(at: usize, end: usize): usize {
  const quote = <u32>load<u8>(at);
  if (quote != 0x22 && quote != 0x27) {
    while (at < end && !isBlank(load<u8>(at))) at++;
    return at;
  }
  for (at++; at < end; at++) {
    const byte = <u32>load<u8>(at);
    if (byte == quote) return at + 1;
    if (byte == 0x5c) at++;
  }
  return end;
}
