/**
 * What happens to a message that is being read: it is kept in the slot when the chunk ends first, its head decides how
 * it goes on, and in the end it is committed. Here the kinds of the unanswered requests are brought up to date.
 *
 * The slot changes only when everything fits; otherwise GROW is asked for, and `from` goes back to the last place that
 * the slot knows.
 */

import { FROM_CLIENT, FROM_SERVER, MESSAGE_PARTIAL, UPGRADE, UPGRADE_TUNNEL } from '../sdk/abi';
import { hint } from '../sdk/output';
import { HEAD_BYTES, Head } from './head';
import { isIdle, isSpare, markSuspect } from './message';
import { loseSide, lost, TOO_DEEP, TOO_LONG } from './resync';
import {
  AFTER_CR,
  BODY,
  CONNECT,
  HEADERS,
  HOLDING,
  IGNORING,
  MAYBE_BODYLESS,
  ORDINARY,
  SKIP_LINE,
  START,
  UNTIL_CLOSE,
} from './state';
import { Work } from './work';

const CR: u8 = 0x0d;

const SWITCHING_PROTOCOLS: u32 = 101;

/** Keeps head and message in the slot, and behind them a line that the chunk cuts off. False: they do not fit. */
export function keepHead(line: usize, end: usize): bool {
  const work = Work.current;
  const side = work.side;
  let partial = <u32>(end - line);
  const kept = HEAD_BYTES + work.message.size;
  const tooMuch = kept + partial > work.capacity;
  const idle =
    partial > 0 && (isIdle(work.message, line, end) || (tooMuch && !work.canGrow && isSpare(work.message, line, end)));
  if (idle) {
    work.message.bytes += partial;
    partial = 0;
  }
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
export function tooLong(): bool {
  const work = Work.current;
  if (work.canGrow) return work.grow();
  work.from = work.end;
  return lost(TOO_LONG);
}

// ── the head is complete ─────────────────────────────────────────────────────────────────────────────────────────

/** `from` is behind the head. `begin`: where to go back to if the slot must grow first. */
export function headRead(begin: usize): bool {
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
  if (next == BODY && !unknown && Head.current.contentLength <= <u64>(work.end - work.from)) {
    const bytes = <usize>Head.current.contentLength;
    work.pass(bytes);
    work.message.bodyBytes = bytes;
    finish(START);
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
  Work.current.switched = true;
  hint(connection.address, UPGRADE, protocol == 0 ? UPGRADE_TUNNEL : protocol);
}
