/**
 * The framing of HTTP/1 on a stream with gaps: which bytes are head, which are body, where the next message begins.
 * Heads are read by lines.ts, bodies by body.ts; resync.ts finds the way back.
 * https://www.rfc-editor.org/rfc/rfc9112#section-2
 *
 * Rules:
 *  - Lost bytes inside a body whose length is known are only counted; anywhere else the direction is lost.
 *  - Every step uses up a byte or changes the state; a step that returns false has changed nothing that matters, and
 *    the chunk is offered again: with an empty output arena, or with the slot in another class.
 */

import { EOF, MESSAGE_PARTIAL, SHRINK } from '../sdk/abi';
import { Chunk } from '../sdk/chunk';
import { hasRoom, hint } from '../sdk/output';
import { body, chunkEnd, chunkExtension, chunkSize, isBody, passBody, peek, trailers, untilClose } from './body';
import { finish, finishAt, keepMessage } from './finish';
import { readFields, readStart } from './lines';
import { LOST_BYTES, lost, search } from './resync';
import {
  AFTER_CR,
  BODY,
  CHUNK_BODY,
  CHUNK_END,
  CHUNK_EXTENSION,
  CHUNK_SIZE_LINE,
  HEADERS,
  IGNORING,
  MAYBE_BODYLESS,
  SEARCHING,
  SLOT_SMALL,
  START,
  TRAILERS,
  UNSEEN,
  UNTIL_CLOSE,
} from './state';
import { endUnseen, sizesOverGap, unseen } from './unseen';
import { Work } from './work';

/** CR LF, and "0" CR LF CR LF. */
const LINE_END: u64 = 2;
const LAST_CHUNK: u64 = 5;

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
  // What is used up is not offered again.
  if (done) return true;
  chunk.advance(<u32>work.from - chunk.data);
  chunk.advanceMissing(missing - work.missing);
  return false;
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
    if (!hasRoom() || !step() || work.switched) return false;
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
    case UNSEEN:
      return unseen();
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

/** The captured bytes are used up; `missing` more went by unseen. */
function overGap(): void {
  const work = Work.current;
  const side = work.side;
  if (side.state == UNTIL_CLOSE && !side.is(MAYBE_BODYLESS)) {
    work.message.bytes += work.missing;
    work.message.bodyBytes += work.missing;
    work.message.last = work.now;
  } else if ((side.state == BODY || side.state == CHUNK_BODY) && !side.is(MAYBE_BODYLESS)) {
    const behind = bodyOverGap();
    if (behind > 0 && !chunkEndOverGap(behind) && !sizesOverGap(behind)) lost(LOST_BYTES);
  } else if (side.state == CHUNK_END && chunkEndOverGap(work.missing)) {
    // Nothing is lost but the bytes themselves.
  } else if (side.state == SEARCHING) side.drop(SEARCHING);
  else if ((side.state < SEARCHING || side.state == UNSEEN) && !sizesOverGap(work.missing)) lost(LOST_BYTES);
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

/**
 * A large chunk written by one call is captured in part, and what is missing ends with the call: behind the chunk's data
 * its CR LF, or that and the last chunk. Both are of a known length; the message says that it is not all seen.
 */
function chunkEndOverGap(bytes: u64): bool {
  const work = Work.current;
  const side = work.side;
  if (side.state != CHUNK_END || side.is(AFTER_CR) || (bytes != LINE_END && bytes != LINE_END + LAST_CHUNK))
    return false;
  work.message.bytes += bytes;
  work.message.flag(MESSAGE_PARTIAL);
  if (bytes == LINE_END) side.state = CHUNK_SIZE_LINE;
  else finish(START);
  return true;
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
  if (orderly && side.state == UNSEEN) endUnseen();
  side.drop(IGNORING);
  return true;
}

/** Not a byte of the body came: it was the answer to a HEAD, or the server broke off. */
function finishCut(): void {
  const work = Work.current;
  work.message.flag(MESSAGE_PARTIAL);
  finishAt(IGNORING, work.message.last);
}
