/**
 * Reading heads: start line and fields, line by line where they lie, up to the empty line. Only what a chunk cuts off is
 * carried in the slot: the beginning of a line, and the message so far (finish.ts).
 */

import { FROM_CLIENT, REQUEST, RESPONSE } from '../sdk/abi';
import { FULL } from '../sdk/accumulate';
import { findByte, MARKS, marks } from '../sdk/bytes';
import { wantedFrom } from '../sdk/headers';
import { Message } from '../sdk/output';
import { BEGINNINGS, mayMatter, nameDecides } from './fields';
import { headRead, keepHead, tooLong } from './finish';
import { Head } from './head';
import { headerLine, isIdle, isSpare, plainLine, requestLine, statusLine } from './message';
import { GARBAGE, LOOK, lost } from './resync';
import { AFTER_CR, CONNECT, HOLDING, ORDINARY, SKIP_LINE, UPGRADING } from './state';
import { mayStart } from './syntax';
import { Work } from './work';

const CR: u8 = 0x0d;
const LF: u8 = 0x0a;
/** BEGINNINGS when any line may be asked for. */
const ALL: u32 = 0xffffffff;

// ── start line ───────────────────────────────────────────────────────────────────────────────────────────────────

/** Between messages. Empty lines in front of a head are passed over (RFC 9112 section 2.2). */
export function readStart(): bool {
  const work = Work.current;
  if (work.side.length > 0) return readCarriedStart();
  while (work.from < work.end && (load<u8>(work.from) == CR || load<u8>(work.from) == LF)) work.from++;
  if (work.from == work.end) return true;
  const begin = work.from;
  const ends = marks(begin, work.end, LF);
  const lf = ends != 0 ? begin + <usize>ctz(ends) : findByte(min(begin + MARKS, work.end), work.end, LF);
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
    if (!side.complete(carried)) return passIdleLine(carried, false) || true;
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
  const head = Head.current;
  const anyMayMatter = wantedFrom(Work.current.direction).count != 0;
  const beginnings: u32 = anyMayMatter ? ALL : BEGINNINGS;
  for (let block = from; block < end; block += MARKS) {
    for (let ends = marks(block, end, LF); ends != 0; ends &= ends - 1) {
      const lf = block + <usize>ctz(ends);
      if (((beginnings >> load<u8>(from)) & 1) == 0) {
        // So it is with most lines; and this is all that is looked at of them.
        head.passes(lf);
        from = lf + 1;
        continue;
      }
      if (lf - from < 2 && (lf == from || load<u8>(from) == CR)) {
        head.endsAt(from, lf);
        return lf + 1;
      }
      if (anyMayMatter) headerLine(message, from, lf);
      else if (!mayMatter(from, lf)) head.passes(lf);
      else if (!plainLine(message, from, lf)) headerLine(message, from, lf);
      from = lf + 1;
    }
  }
  return from;
}

/** A carried line outgrows the slot: pass over the rest if its name allows. */
function longLine(carried: usize): bool {
  const work = Work.current;
  const side = work.side;
  const decides = <u32>nameDecides(wantedFrom(work.direction));
  const taken = side.takeUpTo(decides, carried, work.capacity - side.kept, work.from, work.end);
  if (taken == FULL) return tooLong();
  work.from += taken;
  return passIdleLine(carried, !work.canGrow) || tooLong();
}

/** Drops a carried line of no interest; true if it is one. `spares`: or one that nothing depends on. */
function passIdleLine(carried: usize, spares: bool): bool {
  const work = Work.current;
  const side = work.side;
  const head = Head.current;
  head.restore(work.area);
  const end = carried + side.length;
  if (!isIdle(work.message, carried, end) && !(spares && isSpare(work.message, carried, end))) return false;
  head.keep(work.area);
  work.message.bytes += side.length;
  side.flags = <u8>(SKIP_LINE | (load<u8>(carried + side.length - 1) == CR ? AFTER_CR : 0));
  side.length = 0;
  return true;
}

function skipLine(): bool {
  const work = Work.current;
  const lf = findByte(work.from, work.end, LF);
  if (lf == work.end) work.passPartOfLine();
  else work.passLine(lf);
  return true;
}
