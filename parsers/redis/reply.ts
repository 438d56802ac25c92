/**
 * The server's direction: replies, and what it sends unasked.
 *
 * The end of a reply is found by counting alone: an aggregate adds its elements to what remains to be read, each value
 * takes one off. So nesting of any depth needs no stack. Attributes (`|`) come in front of a value and are none.
 *
 * Unasked are RESP3 pushes, RESP2 messages of a subscription, MONITOR's lines, and of the confirmations of a SUBSCRIBE
 * all but the first, which is its response. After lost bytes a reply is looked for only where the server begins to
 * send after a request that was seen: a line of a value looks too much like a reply to be trusted anywhere else.
 */
import { FROM_CLIENT, MESSAGE_ERROR, MESSAGE_PARTIAL, MESSAGE_PUSH } from '../sdk/abi';
import { isDigit } from '../sdk/bytes';
import { DISCARD, EXEC, HELLO, is, isNameByte, MONITOR, NAME_MAX, RESET, SELECT, SUBSCRIBE } from './command';
import { doubtReply, isCommand } from './doubt';
import {
  AGGREGATE,
  ARRAY,
  ATTRIBUTE,
  BULK_ERROR,
  count,
  ERROR_LINE,
  Half,
  INTEGER,
  INVALID,
  isReply,
  MAP,
  MORE,
  NULL,
  NULL_LINE,
  next,
  PUSH,
  position,
  SIMPLE,
  skipBulks,
  text,
  textLength,
  textLost,
  typeByte,
} from './frame';
import { writeResponse } from './message';
import {
  BAD_BYTES,
  Connection,
  LOST_BYTES,
  NOTHING_QUEUED,
  REPORTED_REQUEST,
  REPORTED_RESPONSE,
  UNKNOWN,
} from './state';

/** Values a reply may still be short of; no server sends so many. */
const REMAINING_MAX: u64 = 0x100_0000_0000;

// Half.index in this direction: what the first element of an aggregate says it is.
const UNSEEN: u32 = 0;
const DATA: u32 = 1;
const CHANNEL_MESSAGE: u32 = 2;
const CONFIRMATION: u32 = 3;
/** The name of a command, while it is in doubt who asks. */
const COMMAND: u32 = 4;

/** Reads one thing at `at`; `offset` is its place in the stream. Returns the address behind it. */
export function readReply(c: Connection, half: Half, at: usize, end: usize, offset: u64, now: u64): usize {
  if (half.searching && !beginTrial(c, half, end - at)) return end;
  if (half.remaining == 0 && half.idle) {
    if (half.trial == 0 && isLineEnd(at, end)) return at + 1;
    beginReply(half, offset, now);
  }
  if (half.idle && at < end && !isReply(load<u8>(at))) return lostSync(c, half, at, end);
  const found = next(half, at, end);
  if (found == MORE) return position;
  if (found == INVALID) return lostSync(c, half, position, end);
  const isHeader = found == AGGREGATE && count != NULL;
  if (isHeader && !addElements(half)) return lostSync(c, half, position, end);
  if (!isHeader) takeValue(c, half);
  if (half.remaining == 0) finishReply(c, half, now, offset + (position - at));
  else if (half.aside == 0 && half.index != UNSEEN) return skipBulks(half, position, end, 1);
  return position;
}

/** A stray CR or LF between replies: no server of Redis sends it, some imitations do. */
function isLineEnd(at: usize, end: usize): bool {
  return at < end && (load<u8>(at) == 0x0a || load<u8>(at) == 0x0d);
}

function beginReply(half: Half, offset: u64, now: u64): void {
  half.start = offset;
  half.first = now;
  half.body = 0;
  half.remaining = 1;
  half.aside = 0;
  half.index = UNSEEN;
  half.top = 0;
}

/** The elements of the aggregate at hand are still to come. */
function addElements(half: Half): bool {
  const isPairs = typeByte == MAP || typeByte == ATTRIBUTE;
  const elements = isPairs ? (<u64>count) << 1 : <u64>count;
  if (typeByte == ATTRIBUTE) {
    if (half.top == 0) half.aside += elements;
    else half.remaining += elements;
  } else if (half.aside > 0) half.aside += elements - 1;
  else {
    if (half.top == 0) half.top = <u8>typeByte;
    else if (half.index == UNSEEN) half.index = DATA;
    half.remaining += elements - 1;
  }
  return half.remaining + half.aside <= REMAINING_MAX;
}

function takeValue(c: Connection, half: Half): void {
  if (count != NULL) half.body += count;
  if (half.aside > 0) {
    half.aside--;
    return;
  }
  if (half.top == 0) half.top = <u8>(count == NULL ? NULL_LINE : typeByte);
  else if (half.index == UNSEEN) half.index = kindOfFirst(c, half.top);
  half.remaining--;
}

/** What the first element of an aggregate says of it. */
function kindOfFirst(c: Connection, top: u32): u32 {
  const kind = mayBePush(c, top) ? kindOfPush(c) : DATA;
  return kind == DATA && c.doubt != 0 && isCommand(c) ? COMMAND : kind;
}

/** Only then may an aggregate come unasked. */
function mayBePush(c: Connection, top: u32): bool {
  if (top == PUSH) return true;
  if (top != ARRAY) return false;
  if (c.subscribed != 0 || c.aligned == 0) return true;
  const due = c.due;
  return due != null && due.kind == SUBSCRIBE;
}

function kindOfPush(c: Connection): u32 {
  if (textLost) {
    // It may answer a request, or not: nobody can say any more, so it answers none.
    c.desync(LOST_BYTES);
    return CHANNEL_MESSAGE;
  }
  const length = count;
  if (is(text, length, 'message') || is(text, length, 'pmessage') || is(text, length, 'smessage')) {
    return CHANNEL_MESSAGE;
  }
  if (is(text, length, 'subscribe') || is(text, length, 'psubscribe')) return CONFIRMATION;
  if (is(text, length, 'ssubscribe') || is(text, length, 'unsubscribe')) return CONFIRMATION;
  return is(text, length, 'punsubscribe') || is(text, length, 'sunsubscribe') ? CONFIRMATION : DATA;
}

/** The whole reply is read; `typeByte`, `text` and so on still show its last value. */
function finishReply(c: Connection, half: Half, now: u64, end: u64): void {
  half.trial = 0;
  if (c.doubt != 0 && !doubtReply(c, half, half.index == COMMAND)) return;
  if (c.aligned == 0 && half.top == SIMPLE && isReplicationReply()) {
    c.giveUp();
    return;
  }
  const isPush = isUnasked(c, half);
  const isError = half.top == ERROR_LINE || half.top == BULK_ERROR;
  let flags = isPush ? MESSAGE_PUSH : 0;
  if (isError) flags |= textLost ? MESSAGE_ERROR | MESSAGE_PARTIAL : MESSAGE_ERROR;
  const codeLength = isError && !textLost ? lengthOfCode() : 0;
  writeResponse(c, half, flags, text, codeLength, now, end);
  if (half.index == CONFIRMATION && typeByte == INTEGER && is(text, textLength, '0')) c.subscribed = 0;
  if (isPush) return;
  applyReply(c, half.top);
  c.reported |= REPORTED_RESPONSE;
  if (c.aligned == 0 && c.responses >= c.requests) {
    // One too many: it answers a request from before the loss, and so may those counted so far.
    c.responses = 0;
    c.requests = 0;
  } else c.responses++;
}

/** The answer to a PSYNC that was not seen: what follows is no longer request and response. */
function isReplicationReply(): bool {
  return textLength > 10 && is(text, 11, 'FULLRESYNC ');
}

function isUnasked(c: Connection, half: Half): bool {
  if (half.index == CONFIRMATION) return isFurtherConfirmation(c);
  if (half.index == CHANNEL_MESSAGE || half.top == PUSH) return true;
  return c.monitoring != 0 && half.top == SIMPLE && textLength > 0 && isDigit(load<u8>(text));
}

/** Counts confirmations: the first of a SUBSCRIBE is its response. */
function isFurtherConfirmation(c: Connection): bool {
  c.subscribed = 1;
  if (c.confirmations > 0) {
    c.confirmations--;
    return true;
  }
  const due = c.due;
  if (due == null || due.kind != SUBSCRIBE) return c.aligned != 0;
  // An UNSUBSCRIBE without arguments has as many as there were subscriptions; they are told by what is due.
  c.confirmations = due.argument > 0 ? due.argument - 1 : 0;
  return false;
}

/** What the error is called: its first word, as in `-WRONGTYPE Operation against …`. */
function lengthOfCode(): u32 {
  let length: u32 = 0;
  while (length < textLength && length <= NAME_MAX && isNameByte(load<u8>(text + length))) length++;
  const ends = length == textLength || load<u8>(text + length) == 0x20;
  return ends && length <= NAME_MAX ? length : 0;
}

/** The reply to SELECT, HELLO … changes what the connection is. */
function applyReply(c: Connection, top: u32): void {
  const due = c.due;
  if (due == null) return;
  const kind = due.kind;
  const argument = <i32>due.argument;
  c.dropExpected();
  if (top == ERROR_LINE || top == BULK_ERROR) {
    if (kind == EXEC) c.queuedDatabase = NOTHING_QUEUED;
    return;
  }
  if (kind == SELECT) applySelect(c, top, argument);
  else if (kind == HELLO) applyHello(c, top, argument);
  else if (kind == EXEC) applyExec(c, top);
  else if (kind == DISCARD) c.queuedDatabase = NOTHING_QUEUED;
  else if (kind == MONITOR) c.monitoring = 1;
  else if (kind == RESET) applyReset(c, top);
}

function applySelect(c: Connection, top: u32, database: i32): void {
  const known = database == 0xffff ? UNKNOWN : database;
  if (top == SIMPLE && is(text, textLength, 'OK')) c.database = known;
  else if (top == SIMPLE && is(text, textLength, 'QUEUED')) c.queuedDatabase = known;
  else c.misalign();
}

function applyHello(c: Connection, top: u32, version: i32): void {
  if (top != MAP && top != ARRAY) c.misalign();
  else if (version == 2 || version == 3) c.protocol = <u8>version;
}

function applyExec(c: Connection, top: u32): void {
  if (top == ARRAY && c.queuedDatabase != NOTHING_QUEUED) c.database = c.queuedDatabase;
  c.queuedDatabase = NOTHING_QUEUED;
}

function applyReset(c: Connection, top: u32): void {
  if (top != SIMPLE || !is(text, textLength, 'RESET')) {
    c.misalign();
    return;
  }
  c.database = 0;
  c.protocol = 0;
  c.subscribed = 0;
  c.monitoring = 0;
}

// ── after a loss ──────────────────────────────────────────────────────────────────────────────────────────────────

/** Returns `end`: what follows cannot be told from the inside of a value. */
function lostSync(c: Connection, half: Half, at: usize, end: usize): usize {
  if (half.trial) {
    c.search(half, false);
    skip(c, end - at);
    return end;
  }
  c.desync(BAD_BYTES);
  c.search(half, false);
  c.fail();
  return end;
}

/** Whether a reply can be looked for here: the client has just sent whole requests, and the server begins to speak. */
function beginTrial(c: Connection, half: Half, length: usize): bool {
  const client = c.half(FROM_CLIENT);
  if (c.unsure != 0 || c.lastDirection != FROM_CLIENT || client.searching || client.remaining > 0 || !client.idle) {
    skip(c, length);
    return false;
  }
  half.searching = 0;
  half.trial = 1;
  return true;
}

/** Passes over bytes of the server: the response of a request already reported may be among them. */
export function skip(c: Connection, length: usize): void {
  if ((c.reported & REPORTED_REQUEST) != 0) c.desync(LOST_BYTES);
  c.countSearched(<u32>length);
}
