/**
 * A chunked response whose sizes were not captured: calls longer than what is kept of each. It has no end of its own any
 * more, so what client and server do next has to show it.
 *
 * Rule: one request was unanswered, and nothing but the end of calls is missing. Where a record was lost, or anything
 * else may stand behind the body, the direction is lost.
 */

import { FROM_CLIENT, MESSAGE_PARTIAL } from '../sdk/abi';
import { findByte } from '../sdk/bytes';
import { matchesStatus } from './body';
import { finishAt } from './finish';
import { LOST_BYTES, lost } from './resync';
import { ANSWERS_NEXT, CHUNK_SIZE_LINE, IGNORING, MAYBE_BODYLESS, START, TRAILERS, UNSEEN } from './state';
import { matchStatus, STATUS_LENGTH, statusText } from './syntax';
import { Work } from './work';

/**
 * Only one request was unanswered, so the server has nothing to say but this body until the client asks again. What it
 * says then decides: a status line ended the body with the last byte before that request; anything else is more of the
 * body, and where it ends will not show. Nor will it when a status line comes too early: of a server that speaks
 * unasked, or an answer that was seen before its request.
 */
export function unseen(): bool {
  const work = Work.current;
  const side = work.side;
  const connection = work.connection;
  if (!connection.aligned) return lost(LOST_BYTES);
  if (!connection.hasNext) return passUnseen();
  if (!side.is(ANSWERS_NEXT)) side.count = 0;
  side.set(ANSWERS_NEXT);
  return matchesStatus() || work.from == work.end || lost(LOST_BYTES);
}

function passUnseen(): bool {
  const work = Work.current;
  const behind = behindStatus();
  if (behind == 0) {
    work.pass(work.end - work.from);
    work.message.last = work.now;
    return true;
  }
  work.from = behind;
  lost(LOST_BYTES);
  work.side.take(work.area, work.capacity, statusText(), statusText() + STATUS_LENGTH);
  return true;
}

/** The address behind the first "HTTP/1.", over any cut; 0 without one. Only its first byte is an H. */
function behindStatus(): usize {
  const work = Work.current;
  const side = work.side;
  let at = work.from;
  while (at < work.end) {
    if (side.count == 0) {
      at = findByte(at, work.end, load<u8>(statusText()));
      side.firstAt = work.now;
    }
    const matched = matchStatus(at, work.end, side.count);
    at += matched;
    side.count += <u8>matched;
    if (side.count == STATUS_LENGTH) return at;
    if (at < work.end) side.count = 0;
  }
  return 0;
}

/** The connection ends: whatever the server has said was this body. */
export function endUnseen(): void {
  const work = Work.current;
  if (work.connection.aligned && !work.side.is(ANSWERS_NEXT)) finishAt(IGNORING, work.message.last);
}

/**
 * Sizes of chunks are among the bytes that were not captured. False: the direction is lost, as it is when whole records
 * are missing (of no time): a response and a request may be among them.
 */
export function sizesOverGap(bytes: u64): bool {
  const work = Work.current;
  const side = work.side;
  const connection = work.connection;
  if (work.direction == FROM_CLIENT || work.now == 0 || side.is(MAYBE_BODYLESS)) return false;
  if (!connection.aligned || connection.hasNext || connection.direction(FROM_CLIENT).state != START) return false;
  if (side.state >= CHUNK_SIZE_LINE && side.state <= TRAILERS) loseSizes();
  if (side.state != UNSEEN) return false;
  side.count = 0;
  work.message.bytes += bytes;
  work.message.last = work.now;
  return true;
}

/** What is chunk framing and what is body cannot be told any more: the message gives no size. */
function loseSizes(): void {
  const work = Work.current;
  const side = work.side;
  work.message.flag(MESSAGE_PARTIAL);
  work.message.bodyBytes = 0;
  side.state = UNSEEN;
  side.flags = 0;
}
