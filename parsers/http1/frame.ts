/**
 * The framing of HTTP/1 on a stream with gaps: which bytes are head, which are body, where the next message begins.
 * Heads are read by lines.ts, lost directions by resync.ts.
 * https://www.rfc-editor.org/rfc/rfc9112#section-6 (length), section 7.1 (chunked)
 *
 * Rules:
 *  - Lost bytes inside a body whose length is known are only counted; anywhere else the direction is lost.
 *  - Every step uses up a byte or changes the state; a step that returns false has changed nothing that matters, and
 *    the chunk is offered again: with an empty output arena, or with the slot in another class.
 */

import { EOF, MESSAGE_PARTIAL, SHRINK } from '../sdk/abi';
import { findByte, hexValue, isBlank } from '../sdk/bytes';
import { Chunk } from '../sdk/chunk';
import { hasRoom, hint } from '../sdk/output';
import { finish, finishAt, keepMessage, passLine, passPartOfLine, readFields, readStart } from './lines';
import { GARBAGE, LOST_BYTES, lost, search } from './resync';
import {
  AFTER_CR,
  BODY,
  CHUNK_BODY,
  CHUNK_END,
  CHUNK_EXTENSION,
  CHUNK_SIZE_LINE,
  HEADERS,
  IGNORING,
  LINE_HAS_TEXT,
  MAYBE_BODYLESS,
  SEARCHING,
  SLOT_SMALL,
  START,
  TRAILERS,
  UNTIL_CLOSE,
} from './state';
import { matchStatus, STATUS_LENGTH, statusText } from './syntax';
import { Work } from './work';

const CR: u8 = 0x0d;
const LF: u8 = 0x0a;

/** Messages in a row that the smallest slot would have held before it is asked for again. */
const SMALL_ENOUGH: u8 = 16;

/** Works through a chunk. False: not to its end; what is left of it has to be offered again. */
export function consume(chunk: Chunk): bool {
  if (!hasRoom()) return false;
  const work = Work.current;
  work.begin(chunk);
  if (shrinks()) return false;
  if (chunk.isEnd) return ended(chunk.kind == EOF);
  const missing = work.missing;
  const done = feed();
  chunk.advance(<u32>work.from - chunk.data);
  chunk.advanceMissing(missing - work.missing);
  return done;
}

/** Gives a larger slot back when it has not been needed for a while. */
function shrinks(): bool {
  const connection = Work.current.connection;
  if (connection.small < SMALL_ENOUGH || connection.size == SLOT_SMALL || !connection.idle) return false;
  connection.small = 0;
  hint(connection.address, SHRINK);
  return true;
}

function feed(): bool {
  const work = Work.current;
  while (work.from < work.end || hasCarriedLine()) {
    if (!hasRoom() || !step()) return false;
  }
  if (work.missing > 0) {
    if (!hasRoom()) return false;
    overGap();
  }
  if (work.open) keepMessage();
  return true;
}

/** A line was completed before the slot had to grow; its chunk may be used up. */
function hasCarriedLine(): bool {
  const work = Work.current;
  const side = work.side;
  return side.length > 0 && side.state <= HEADERS && side.complete(work.area + side.kept);
}

function step(): bool {
  const side = Work.current.side;
  if (side.is(MAYBE_BODYLESS) && side.state != SEARCHING) return peek();
  switch (side.state) {
    case START:
      return readStart();
    case HEADERS:
      return readFields();
    case BODY:
    case CHUNK_BODY:
      return body();
    case CHUNK_SIZE_LINE:
      return chunkSize();
    case CHUNK_EXTENSION:
      return chunkExtension();
    case CHUNK_END:
      return chunkEnd();
    case TRAILERS:
      return trailers();
    case UNTIL_CLOSE:
      return untilClose();
    case SEARCHING:
      return search() || tooLongToCarry();
  }
  Work.current.from = Work.current.end;
  return true;
}

/** A candidate for a head outgrows the slot: take a larger one; there, look for another candidate. */
function tooLongToCarry(): bool {
  const work = Work.current;
  if (work.canGrow) return work.grow();
  work.side.length = 0;
  work.from = work.end;
  return true;
}

// ── bodies ───────────────────────────────────────────────────────────────────────────────────────────────────────

function body(): bool {
  const work = Work.current;
  const there = work.end - work.from;
  const bytes = <usize>min<u64>(there, work.side.remaining);
  work.pass(bytes);
  passBody(bytes);
  return true;
}

/** Counts bytes of the body off; they are captured or lost, and already part of the message. */
function passBody(bytes: u64): void {
  const work = Work.current;
  const side = work.side;
  work.message.bodyBytes += bytes;
  side.remaining -= bytes;
  if (side.remaining > 0) return;
  if (side.state == BODY) finish(START);
  else side.state = CHUNK_END;
}

function untilClose(): bool {
  const work = Work.current;
  const bytes = work.end - work.from;
  work.pass(bytes);
  work.message.bodyBytes += bytes;
  work.message.last = work.now;
  return true;
}

function chunkSize(): bool {
  const work = Work.current;
  const side = work.side;
  const begin = work.from;
  let at = begin;
  while (at < work.end) {
    const digit = hexValue(load<u8>(at));
    if (digit > 15) break;
    // A size of more than 64 bits is an attempt at an overflow.
    if (side.remaining >> 60 != 0) return garbage();
    side.remaining = (side.remaining << 4) | digit;
    side.count = 1;
    at++;
  }
  work.pass(at - begin);
  if (at == work.end) return true;
  const byte = load<u8>(at);
  if (side.count == 0 || !(byte == CR || byte == LF || byte == 0x3b || isBlank(byte))) return garbage();
  side.state = CHUNK_EXTENSION;
  return true;
}

/** Extensions have no meaning for us (RFC 9112 section 7.1.1). */
function chunkExtension(): bool {
  const work = Work.current;
  const side = work.side;
  const lf = findByte(work.from, work.end, LF);
  if (lf == work.end) {
    passPartOfLine();
    return true;
  }
  passLine(lf);
  side.count = 0;
  side.state = side.remaining == 0 ? TRAILERS : CHUNK_BODY;
  return true;
}

function chunkEnd(): bool {
  const work = Work.current;
  const side = work.side;
  const byte = load<u8>(work.from);
  if (byte == CR && !side.is(AFTER_CR)) {
    side.set(AFTER_CR);
    work.pass(1);
    return true;
  }
  if (byte != LF) return garbage();
  passLine(work.from);
  side.state = CHUNK_SIZE_LINE;
  return true;
}

/** Trailer fields are passed over; the section ends with an empty line. */
function trailers(): bool {
  const work = Work.current;
  const side = work.side;
  const lf = findByte(work.from, work.end, LF);
  if (lf == work.end) {
    passPartOfLine();
    return true;
  }
  const text = lf - work.from - (lf > work.from && load<u8>(lf - 1) == CR ? 1 : 0);
  const empty = text == 0 && !side.is(LINE_HAS_TEXT);
  passLine(lf);
  if (empty) finish(START);
  return true;
}

// ── a response whose request is unknown ──────────────────────────────────────────────────────────────────────────

/**
 * The request may have been a HEAD. Then the next bytes are not a body but the next status line; a body that begins
 * with "HTTP/1." is rare, and rarer still without its request.
 */
function peek(): bool {
  const work = Work.current;
  const side = work.side;
  const matched = matchStatus(work.from, work.end, side.count);
  if (side.count == 0) side.firstAt = work.now;
  side.count += <u8>matched;
  work.from += matched;
  if (side.count == STATUS_LENGTH) {
    const firstAt = side.firstAt;
    finishAt(START, work.message.last);
    side.firstAt = firstAt;
    side.take(work.area, work.capacity, statusText(), statusText() + STATUS_LENGTH);
  } else if (work.from < work.end) isBody();
  return true;
}

/** The bytes are a body after all; those that agreed with "HTTP/1." so far have been passed over. */
function isBody(): bool {
  const work = Work.current;
  const side = work.side;
  const bytes = <u64>side.count;
  side.unset(MAYBE_BODYLESS);
  side.count = 0;
  if (bytes == 0) return true;
  if (side.state == CHUNK_SIZE_LINE || (side.state == BODY && bytes > side.remaining)) return garbage();
  work.message.bytes += bytes;
  if (side.state == BODY) passBody(bytes);
  else work.message.bodyBytes += bytes;
  return true;
}

// ── gaps, ends and garbage ───────────────────────────────────────────────────────────────────────────────────────

/** The captured bytes are used up; `missing` more went by unseen. */
function overGap(): void {
  const work = Work.current;
  const side = work.side;
  if (side.state == UNTIL_CLOSE && !side.is(MAYBE_BODYLESS)) {
    work.message.bytes += work.missing;
    work.message.bodyBytes += work.missing;
    work.message.last = work.now;
  } else if ((side.state == BODY || side.state == CHUNK_BODY) && !side.is(MAYBE_BODYLESS)) {
    if (bodyOverGap() > 0) lost(LOST_BYTES);
  } else if (side.state == SEARCHING) side.drop(SEARCHING);
  else if (side.state < SEARCHING) lost(LOST_BYTES);
  work.missing = 0;
}

/** Returns how many of the lost bytes lie behind the body. */
function bodyOverGap(): u64 {
  const work = Work.current;
  const remaining = work.side.remaining;
  const bytes = min<u64>(remaining, work.missing);
  work.message.bytes += bytes;
  passBody(bytes);
  return work.missing - bytes;
}

/** The direction ends: a body that lasts until then is complete, if the end was an orderly one. */
function ended(orderly: bool): bool {
  const work = Work.current;
  const side = work.side;
  if (orderly && side.is(MAYBE_BODYLESS) && side.state < SEARCHING) {
    if (side.state == UNTIL_CLOSE) isBody();
    else if (side.count == 0) finishCut();
  }
  if (orderly && side.state == UNTIL_CLOSE) finishAt(IGNORING, work.message.last);
  side.drop(IGNORING);
  return true;
}

/** Not a byte of the body came: it was the answer to a HEAD, or the server broke off. */
function finishCut(): void {
  const work = Work.current;
  work.message.flag(MESSAGE_PARTIAL);
  finishAt(IGNORING, work.message.last);
}

/** The bytes make no sense; the next line may. */
function garbage(): bool {
  const work = Work.current;
  const lf = findByte(work.from, work.end, LF);
  work.from = lf < work.end ? lf + 1 : lf;
  return lost(GARBAGE);
}
