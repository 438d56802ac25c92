/**
 * Bodies: of known length, in chunks, until the close; and responses that may have none.
 * https://www.rfc-editor.org/rfc/rfc9112#section-6 and section 7.1 (chunked)
 *
 * Each function is the step of one state: it uses up bytes of the chunk at work and returns true.
 */

import { findByte, hexValue, isBlank } from '../sdk/bytes';
import { finish, finishAt } from './finish';
import { garbage } from './resync';
import {
  AFTER_CR,
  BODY,
  CHUNK_BODY,
  CHUNK_END,
  CHUNK_EXTENSION,
  CHUNK_SIZE_LINE,
  LINE_HAS_TEXT,
  MAYBE_BODYLESS,
  START,
  TRAILERS,
} from './state';
import { matchStatus, STATUS_LENGTH, statusText } from './syntax';
import { Work } from './work';

const CR: u8 = 0x0d;
const LF: u8 = 0x0a;

export function body(): bool {
  const work = Work.current;
  const there = work.end - work.from;
  const bytes = <usize>min<u64>(there, work.side.remaining);
  work.pass(bytes);
  passBody(bytes);
  return true;
}

/** Counts bytes of the body off; they are captured or lost, and already part of the message. */
export function passBody(bytes: u64): void {
  const work = Work.current;
  const side = work.side;
  work.message.bodyBytes += bytes;
  side.remaining -= bytes;
  if (side.remaining > 0) return;
  if (side.state == BODY) finish(START);
  else side.state = CHUNK_END;
}

export function untilClose(): bool {
  const work = Work.current;
  const bytes = work.end - work.from;
  work.pass(bytes);
  work.message.bodyBytes += bytes;
  work.message.last = work.now;
  return true;
}

export function chunkSize(): bool {
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
export function chunkExtension(): bool {
  const work = Work.current;
  const side = work.side;
  const lf = findByte(work.from, work.end, LF);
  if (lf == work.end) {
    work.passPartOfLine();
    return true;
  }
  work.passLine(lf);
  side.count = 0;
  side.state = side.remaining == 0 ? TRAILERS : CHUNK_BODY;
  return true;
}

export function chunkEnd(): bool {
  const work = Work.current;
  const side = work.side;
  const byte = load<u8>(work.from);
  if (byte == CR && !side.is(AFTER_CR)) {
    side.set(AFTER_CR);
    work.pass(1);
    return true;
  }
  if (byte != LF) return garbage();
  work.passLine(work.from);
  side.state = CHUNK_SIZE_LINE;
  return true;
}

/** Trailer fields are passed over; the section ends with an empty line. */
export function trailers(): bool {
  const work = Work.current;
  const side = work.side;
  const lf = findByte(work.from, work.end, LF);
  if (lf == work.end) {
    work.passPartOfLine();
    return true;
  }
  const text = lf - work.from - (lf > work.from && load<u8>(lf - 1) == CR ? 1 : 0);
  const empty = text == 0 && !side.is(LINE_HAS_TEXT);
  work.passLine(lf);
  if (empty) finish(START);
  return true;
}

// ── a response whose request is unknown ──────────────────────────────────────────────────────────────────────────

/**
 * The request may have been a HEAD. Then the next bytes are not a body but the next status line; a body that begins
 * with "HTTP/1." is rare, and rarer still without its request.
 */
export function peek(): bool {
  const work = Work.current;
  if (!matchesStatus() && work.from < work.end) isBody();
  return true;
}

/** Takes what agrees with "HTTP/1."; with the whole of it the response ends before, and the next one begins. */
export function matchesStatus(): bool {
  const work = Work.current;
  const side = work.side;
  const matched = matchStatus(work.from, work.end, side.count);
  if (side.count == 0) side.firstAt = work.now;
  side.count += <u8>matched;
  work.from += matched;
  if (side.count < STATUS_LENGTH) return false;
  const firstAt = side.firstAt;
  finishAt(START, work.message.last);
  side.firstAt = firstAt;
  side.take(work.area, work.capacity, statusText(), statusText() + STATUS_LENGTH);
  return true;
}

/** The bytes are a body after all; those that agreed with "HTTP/1." so far have been passed over. */
export function isBody(): bool {
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
