/**
 * Chunked bodies whose framing went by unseen: a large call is captured in part, and the rest of it held the next
 * chunk's size or the end of the message. The body then stays open: bytes are counted and looked through for a head.
 *
 * Rules:
 *  - Only while the exchange is the only one: nothing else is outstanding, nobody has pipelined on the connection, and
 *    the gap is the rest of one call. Lost records (GAP) may have been anything: there the direction is lost.
 *  - What ends the message is the other side (a final response, a new request) or the end of the direction; its last
 *    byte is the last one seen before that. It is marked partial.
 *  - A head that comes while the body is open was sent by someone who pipelines: the direction is lost.
 */

import { DESYNC, FROM_CLIENT, MESSAGE_PARTIAL, MESSAGE_SUSPECT } from '../sdk/abi';
import { hint, Message } from '../sdk/output';
import { finishAt, isInterim } from './finish';
import { HEAD_BYTES } from './head';
import { LOST_BYTES, lost, search, tooLongToCarry } from './resync';
import { AFTER_CR, CHUNK_END, CHUNK_SIZE_LINE, CUT, Direction, LINE_HAS_TEXT, SEARCHING, START } from './state';
import { Work } from './work';

/** `missing` bytes of the chunked body were lost where its framing must be: after what is known of them. */
export function framingLost(missing: u64): void {
  const work = Work.current;
  if (isLineEnd(missing)) return;
  const connection = work.connection;
  const waiting = connection.waiting;
  const own: i32 = work.direction == FROM_CLIENT ? 1 : 0;
  if (!work.isCall || connection.pipelined || waiting < 0 || waiting > own) {
    lost(LOST_BYTES);
  } else if (!connection.aligned) {
    // The turns of the conversation are still to be seen; without them it would never be in step again.
    const calm = connection.calm;
    lost(LOST_BYTES);
    connection.calm = calm;
  } else openEnd(missing);
}

/** The gap ends inside or right behind the line end of a chunk, which has nothing to tell. */
function isLineEnd(missing: u64): bool {
  const work = Work.current;
  const side = work.side;
  const left: u64 = side.is(AFTER_CR) ? 1 : 2;
  // Who has sent bare LFs may have sent one here.
  const isStrict = (work.message.flags & MESSAGE_SUSPECT) == 0;
  if (side.state != CHUNK_END || !isStrict || missing > left) return false;
  work.message.bytes += missing;
  side.flags = missing < left ? <u8>AFTER_CR : 0;
  if (missing == left) side.state = CHUNK_SIZE_LINE;
  return true;
}

function openEnd(missing: u64): void {
  const work = Work.current;
  const side = work.side;
  work.message.flag(MESSAGE_PARTIAL);
  count(missing);
  side.flags = 0;
  side.count = 0;
  side.searched = 0;
  side.state = CUT;
  if (work.direction != FROM_CLIENT) return;
  work.connection.doubtful = true;
  // Answered before it was read: nothing more will tell where it ends.
  if (work.connection.waiting == 0) finishAt(SEARCHING, work.now);
}

/** Bytes of the body, or framing that cannot be told from it. */
function count(bytes: u64): void {
  const work = Work.current;
  if (bytes == 0) return;
  work.message.bytes += bytes;
  work.message.bodyBytes += bytes;
  work.message.last = work.now;
}

/** Inside an open end: the step of the state CUT. */
export function cutBody(): bool {
  const work = Work.current;
  const before = work.from;
  const done = search() || tooLongToCarry();
  if (work.side.state == CUT) count(work.from - before);
  return done;
}

export function cutOverGap(): void {
  const work = Work.current;
  const side = work.side;
  if (!work.isCall || hasStartLine(side)) {
    lost(LOST_BYTES);
    return;
  }
  side.length = 0;
  count(work.missing);
}

/** A whole start line is carried: what follows the body has begun already. */
function hasStartLine(side: Direction): bool {
  return side.length > 0 && side.is(LINE_HAS_TEXT);
}

/** The direction ends in order, and its open message with it. */
export function cutAtEnd(): void {
  const work = Work.current;
  if (!hasStartLine(work.side)) finishAt(START, work.message.last);
}

/**
 * A start line has been read. If it says something about the other direction (its open message ends here, or requests
 * were missed), that comes out first: true, and the line is to be read again.
 */
export function turns(): bool {
  const work = Work.current;
  const connection = work.connection;
  const other = connection.direction(work.direction ^ 1);
  if (other.state != CUT && !connection.doubtful) return false;
  const isRequest = work.direction == FROM_CLIENT;
  if (!isRequest && isInterim(work.message.status)) return false;
  if (other.state == CUT) {
    work.shut();
    endOther(other, isRequest ? START : SEARCHING);
    return true;
  }
  // The lost end of a request can have held the next one, and this is its answer.
  if (isRequest || connection.waiting > 0) return false;
  work.shut();
  connection.unalign();
  hint(connection.address, DESYNC, LOST_BYTES);
  return true;
}

/** `next`: behind a response comes the next; behind a request that is answered, bytes of it may still come. */
function endOther(other: Direction, next: u8): void {
  const work = Work.current;
  const connection = work.connection;
  if (hasStartLine(other)) {
    connection.unalign();
    hint(connection.address, DESYNC, LOST_BYTES);
    other.drop(SEARCHING);
    return;
  }
  Message.restore(connection.area(work.direction ^ 1) + HEAD_BYTES, connection.address).commit();
  connection.committed();
  other.drop(next);
}
