/**
 * Reading heads: start line and fields, line by line where they lie, until the empty line. Then the head decides how
 * the message goes on (head.ts), and the kinds of the unanswered requests are brought up to date.
 *
 * What a chunk leaves unfinished is kept in the slot. Where that does not fit, GROW is asked for, and `from` goes back
 * to the last place that the slot knows; nothing of the slot has been changed by then.
 */

import {
  FROM_CLIENT,
  FROM_SERVER,
  MESSAGE_PARTIAL,
  MESSAGE_SUSPECT,
  REQUEST,
  RESPONSE,
  UPGRADE,
  UPGRADE_TUNNEL,
} from '../sdk/abi';
import { FULL } from '../sdk/accumulate';
import { findByte } from '../sdk/bytes';
import { hint, Message } from '../sdk/output';
import { NAME_DECIDES } from './fields';
import { HEAD_BYTES, Head } from './head';
import { headerLine, isIdle, markSuspect, requestLine, statusLine } from './message';
import { GARBAGE, LOOK, loseSide, lost, TOO_DEEP, TOO_LONG } from './resync';
import {
  AFTER_CR,
  BODY,
  CONNECT,
  HEADERS,
  HOLDING,
  IGNORING,
  LINE_HAS_TEXT,
  MAYBE_BODYLESS,
  ORDINARY,
  SKIP_LINE,
  START,
  UNTIL_CLOSE,
  UPGRADING,
} from './state';
import { mayStart } from './syntax';
import { Work } from './work';

const CR: u8 = 0x0d;
const LF: u8 = 0x0a;

const SWITCHING_PROTOCOLS: u32 = 101;

// ── start line ───────────────────────────────────────────────────────────────────────────────────────────────────

/** Between messages. Empty lines in front of a head are passed over (RFC 9112 section 2.2). */
export function readStart(): bool {
  const work = Work.current;
  if (work.side.length > 0) return readCarriedStart();
  while (work.from < work.end && (load<u8>(work.from) == CR || load<u8>(work.from) == LF)) work.from++;
  if (work.from == work.end) return true;
  const begin = work.from;
  const lf = findByte(begin, work.end, LF);
  if (lf == work.end) return carryStart();
  if (!openHead(begin, lf, work.now)) return notAHead(lf + 1);
  return readOn(begin, begin, lf + 1);
}

/** Carries the beginning of a start line. */
function carryStart(): bool {
  const work = Work.current;
  const side = work.side;
  const first = side.length == 0;
  if (side.take(work.area, work.capacity, work.from, work.end) == FULL) return tooLong();
  if (first) side.firstAt = work.now;
  work.from = work.end;
  if (side.length <= LOOK || first) {
    if (!mayStart(work.area, work.area + side.length, work.direction)) return notAHead(work.end);
  }
  return true;
}

/** Completes a carried start line. What follows it in the area is the beginning of the next line, or all of it. */
function readCarriedStart(): bool {
  const work = Work.current;
  const side = work.side;
  let end = work.area + side.length;
  let lf = findByte(work.area, end, LF);
  if (lf == end) {
    const next = findByte(work.from, work.end, LF);
    if (next == work.end) return carryStart();
    const taken = side.take(work.area, work.capacity, work.from, next + 1);
    if (taken == FULL) return tooLong();
    work.from = next + 1;
    end += taken;
    lf = end - 1;
  }
  if (!openHead(work.area, lf, side.firstAt)) return notAHead(work.from);
  const stop = readLines(lf + 1, end);
  work.message.bytes = stop - work.area;
  if (Head.current.done) return headRead(work.from);
  return keepHead(stop, end) || tooLong();
}

/** Opens a message with its start line. */
function openHead(line: usize, lf: usize, first: u64): bool {
  const work = Work.current;
  const isRequest = work.direction == FROM_CLIENT;
  const message = Message.open(work.connection.address, isRequest ? REQUEST : RESPONSE);
  message.first = first;
  work.message = message;
  work.open = true;
  Head.current.reset();
  return isRequest ? requestLine(message, line, lf) : statusLine(message, line, lf);
}

/** What should be a head is none. While a switch of protocols is unanswered, the client may speak the new one. */
function notAHead(next: usize): bool {
  const work = Work.current;
  work.from = next;
  const kind = work.direction == FROM_CLIENT ? work.connection.lastKind : ORDINARY;
  if (kind != CONNECT && kind != UPGRADING) return lost(GARBAGE);
  work.shut();
  work.side.drop(HOLDING);
  return true;
}

// ── fields ───────────────────────────────────────────────────────────────────────────────────────────────────────

/** Inside a head whose beginning is kept in the slot. */
export function readFields(): bool {
  const work = Work.current;
  const side = work.side;
  if (side.is(SKIP_LINE)) return skipLine();
  const carried = work.area + side.kept;
  if (side.length > 0 && !side.complete(carried)) {
    const taken = side.takeLine(carried, work.capacity - side.kept, work.from, work.end);
    if (taken == FULL) return longLine(carried);
    work.from += taken;
    if (!side.complete(carried)) return passIdleLine(carried) || true;
  }
  Head.current.restore(work.area);
  work.reopen();
  const begin = work.from;
  if (side.length > 0) {
    work.message.bytes += side.length;
    readLines(carried, carried + side.length);
    if (Head.current.done) return headRead(begin);
  }
  return readOn(begin, begin, begin);
}

/** Reads fields from `at` on; the message's bytes are counted from `counted` on. */
function readOn(begin: usize, counted: usize, at: usize): bool {
  const work = Work.current;
  const stop = readLines(at, work.end);
  work.message.bytes += stop - counted;
  work.from = stop;
  if (Head.current.done) return headRead(begin);
  if (!keepHead(stop, work.end)) {
    work.from = begin;
    return tooLong();
  }
  work.from = work.end;
  return true;
}

/** Reads whole lines up to the end of the head; returns where it stopped. */
function readLines(from: usize, end: usize): usize {
  const message = Work.current.message;
  while (true) {
    const lf = findByte(from, end, LF);
    if (lf == end) return from;
    if (lf - from < 2 && (lf == from || load<u8>(from) == CR)) {
      Head.current.endsAt(from, lf);
      return lf + 1;
    }
    headerLine(message, from, lf);
    from = lf + 1;
  }
}

/** A carried line outgrows the slot: pass over the rest if its name allows. */
function longLine(carried: usize): bool {
  const work = Work.current;
  const side = work.side;
  const taken = side.takeUpTo(<u32>NAME_DECIDES, carried, work.capacity - side.kept, work.from, work.end);
  if (taken == FULL) return tooLong();
  work.from += taken;
  return passIdleLine(carried) || tooLong();
}

/** Drops a carried line of no interest; true if it is one. */
function passIdleLine(carried: usize): bool {
  const work = Work.current;
  const side = work.side;
  const head = Head.current;
  head.restore(work.area);
  if (!isIdle(carried, carried + side.length, NAME_DECIDES)) return false;
  head.keep(work.area);
  work.message.bytes += side.length;
  side.flags = <u8>(SKIP_LINE | (load<u8>(carried + side.length - 1) == CR ? AFTER_CR : 0));
  side.length = 0;
  return true;
}

function skipLine(): bool {
  const work = Work.current;
  const lf = findByte(work.from, work.end, LF);
  if (lf == work.end) passPartOfLine();
  else passLine(lf);
  return true;
}

/** Passes over the rest of a line, its LF included. */
export function passLine(lf: usize): void {
  const work = Work.current;
  const side = work.side;
  const afterCr = lf > work.from ? load<u8>(lf - 1) == CR : side.is(AFTER_CR);
  if (!afterCr) work.message.flag(MESSAGE_SUSPECT);
  side.flags = 0;
  work.pass(lf + 1 - work.from);
}

/** Passes over a line that the chunk cuts off. A CR alone may be the beginning of an empty line's end. */
export function passPartOfLine(): void {
  const work = Work.current;
  const side = work.side;
  const length = work.end - work.from;
  const endsWithCr = load<u8>(work.end - 1) == CR;
  if (length > 1 || !endsWithCr || side.is(AFTER_CR)) side.set(LINE_HAS_TEXT);
  side.unset(AFTER_CR);
  if (endsWithCr) side.set(AFTER_CR);
  work.pass(length);
}

// ── keeping and finishing ────────────────────────────────────────────────────────────────────────────────────────

/** Keeps head and message in the slot, and behind them a line that the chunk cuts off. False: they do not fit. */
function keepHead(line: usize, end: usize): bool {
  const work = Work.current;
  const side = work.side;
  let partial = <u32>(end - line);
  const idle = partial > 0 && isIdle(line, end, NAME_DECIDES);
  if (idle) {
    work.message.bytes += partial;
    partial = 0;
  }
  const kept = HEAD_BYTES + work.message.size;
  if (kept + partial > work.capacity) return false;
  const afterCr = idle && load<u8>(end - 1) == CR;
  // The line may lie in the area itself, where the message goes: it moves first.
  memory.copy(work.area + kept, line, partial);
  side.drop(HEADERS);
  if (idle) side.set(afterCr ? SKIP_LINE | AFTER_CR : SKIP_LINE);
  keep(kept, partial);
  return true;
}

/** Keeps the message until its body has passed. */
export function keepMessage(): void {
  keep(HEAD_BYTES + Work.current.message.size, 0);
}

function keep(kept: u32, carried: u32): void {
  const work = Work.current;
  Head.current.keep(work.area);
  work.message.keep(work.area + HEAD_BYTES);
  work.side.kept = <u16>kept;
  work.side.length = carried;
  if (kept + carried > work.connection.smallCapacity(work.direction)) work.connection.small = 0;
  work.shut();
}

/** The message is complete; its last byte has just passed. */
export function finish(next: u8): void {
  finishAt(next, Work.current.now);
}

export function finishAt(next: u8, last: u64): void {
  const work = Work.current;
  const connection = work.connection;
  work.reopen();
  work.message.last = last;
  work.message.commit();
  work.side.drop(next);
  work.shut();
  if (connection.small < 255) connection.small++;
  if (connection.strikes > 0) connection.strikes--;
}

/** What must be kept does not fit the slot: take a larger one; in the largest, the direction is lost. */
function tooLong(): bool {
  const work = Work.current;
  if (work.canGrow) return work.grow();
  work.from = work.end;
  return lost(TOO_LONG);
}

// ── the head is complete ─────────────────────────────────────────────────────────────────────────────────────────

/** `from` is behind the head. `begin`: where to go back to if the slot must grow first. */
function headRead(begin: usize): bool {
  const work = Work.current;
  const connection = work.connection;
  const isResponse = work.direction != FROM_CLIENT;
  if (isResponse && isInterim(work.message.status)) {
    work.side.drop(START);
    work.shut();
    return true;
  }
  if (isResponse && connection.nextIsForgotten) return lost(TOO_DEEP);
  const head = Head.current;
  const kind = isResponse ? connection.nextKind : ORDINARY;
  const next = head.framing(work.direction, work.message.status, kind);
  const unknown = isResponse && next != START && !connection.knowsNext;
  if (!fits(next, unknown)) {
    work.from = begin;
    return tooLong();
  }
  markSuspect(work.message);
  if (isResponse) connection.answered();
  else connection.asked(head.requestKind);
  const status = work.message.status;
  enterBody(next, unknown);
  if (isResponse) settleSwitch(kind, status);
  return true;
}

/** 100 Continue, 103 Early Hints and their like announce the final response. */
function isInterim(status: u32): bool {
  return status < 200 && status != SWITCHING_PROTOCOLS;
}

/** Whether the message can be kept, if its body does not end in this chunk. */
function fits(next: u8, unknown: bool): bool {
  const work = Work.current;
  if (next == START || next == IGNORING) return true;
  if (next == BODY && !unknown && Head.current.contentLength <= work.available) return true;
  return HEAD_BYTES + work.message.size <= work.capacity;
}

function enterBody(next: u8, unknown: bool): void {
  const work = Work.current;
  const side = work.side;
  if (next == START || next == IGNORING) {
    finish(next);
    return;
  }
  side.drop(next);
  side.remaining = next == BODY ? Head.current.contentLength : 0;
  if (unknown) side.set(MAYBE_BODYLESS);
  // It may have been the answer to a CONNECT, and no body at all.
  if (unknown && next == UNTIL_CLOSE) work.message.flag(MESSAGE_PARTIAL);
  work.message.last = work.now;
}

/** The final response decides whether the connection goes on as HTTP/1. */
function settleSwitch(kind: u32, status: u32): void {
  const connection = Work.current.connection;
  const switches = status == SWITCHING_PROTOCOLS || (kind == CONNECT && status < 300);
  const client = connection.direction(FROM_CLIENT);
  if (!switches) {
    if (client.state == HOLDING && kind != ORDINARY) loseSide(client);
    return;
  }
  client.drop(IGNORING);
  connection.direction(FROM_SERVER).drop(IGNORING);
  const protocol = status == SWITCHING_PROTOCOLS ? <u32>Head.current.upgrade : 0;
  hint(connection.address, UPGRADE, protocol == 0 ? UPGRADE_TUNNEL : protocol);
}
