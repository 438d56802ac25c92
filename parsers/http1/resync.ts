/**
 * The way back after bytes were lost or made no sense: the next place where a head begins for certain. Candidates are
 * the start of a chunk (a message mostly starts with a write) and whatever follows an LF. A candidate that the chunk
 * cuts off is carried, line by line, until syntax.ts can tell.
 *
 * Bounded: after SEARCH_MAX bytes in vain the connection is given up, and so it is when garbage keeps coming.
 */

import { DESYNC, GIVE_UP } from '../sdk/abi';
import { FULL } from '../sdk/accumulate';
import { findByte } from '../sdk/bytes';
import { hint, hintAhead } from '../sdk/output';
import { Direction, HOLDING, IGNORING, LINE_HAS_TEXT, SEARCHING, START } from './state';
import { headAt, MORE, YES } from './syntax';
import { Work } from './work';

/** Reasons of a DESYNC. */
export const LOST_BYTES: u32 = 1;
export const GARBAGE: u32 = 2;
/** A line that matters and does not fit the largest slot. */
export const TOO_LONG: u32 = 3;
/** More special requests unanswered than are remembered. */
export const TOO_DEEP: u32 = 4;

/** Most downloads that we join end sooner; searching 4 MiB costs about a millisecond. */
const SEARCH_MAX: u32 = 4 << 20;
/** Garbage weighs as much as this many messages; a fifth of the messages may be unreadable for a while. */
const STRIKE: u32 = 4;
const STRIKES_MAX: u32 = 32;
/** A shorter line is looked at with every chunk, a longer one when it is complete: that keeps the work linear. */
export const LOOK: u32 = 32;

const LF: u8 = 0x0a;

/** The direction is lost; the rest of the chunk is searched. Always true: the work goes on. */
export function lost(reason: u32): bool {
  const work = Work.current;
  const connection = work.connection;
  work.shut();
  loseSide(work.side, reason);
  const other = connection.direction(work.direction ^ 1);
  if (other.state == HOLDING) {
    other.state = SEARCHING;
    other.remaining = 0;
  }
  if (reason == GARBAGE) {
    connection.strikes += <u8>STRIKE;
    if (connection.strikes >= STRIKES_MAX) giveUp();
  }
  return true;
}

/** The bytes make no sense; the next line may. Always true. */
export function garbage(): bool {
  const work = Work.current;
  const lf = findByte(work.from, work.end, LF);
  work.from = lf < work.end ? lf + 1 : lf;
  return lost(GARBAGE);
}

/** What was asked before a side is lost can no longer be told from what is asked after it. */
export function loseSide(side: Direction, reason: u32 = GARBAGE): void {
  const connection = Work.current.connection;
  side.drop(SEARCHING);
  side.remaining = 0;
  connection.unalign();
  const work = Work.current;
  if (work.open) work.message = hintAhead(work.message, DESYNC, reason);
  else hint(connection.address, DESYNC, reason);
}

/** Searches the chunk. False: the slot is too small for the candidate. */
export function search(): bool {
  const work = Work.current;
  const before = work.from;
  if (work.side.length > 0 && !resume()) return false;
  if (work.side.state == SEARCHING && work.side.length == 0 && !scan()) return false;
  if (work.side.state != SEARCHING) return true;
  work.side.remaining += work.from - before;
  if (work.side.remaining > SEARCH_MAX) giveUp();
  return true;
}

/** Tries every candidate of the chunk. */
function scan(): bool {
  const work = Work.current;
  const end = work.end;
  let from = work.from;
  while (from < end) {
    const answer = headAt(from, end, work.direction);
    if (answer == YES) {
      work.from = from;
      work.side.drop(START);
      return true;
    }
    if (answer == MORE) return carry(from);
    from = findByte(from, end, LF) + 1;
  }
  work.from = end;
  return true;
}

/** Carries a candidate that the chunk cuts off. */
function carry(from: usize): bool {
  const work = Work.current;
  if (work.side.take(work.area, work.capacity, from, work.end) == FULL) return false;
  work.side.firstAt = work.now;
  work.from = work.end;
  noteLine();
  return true;
}

/** Goes on with the carried candidate, until it is found true or false or the chunk ends. */
function resume(): bool {
  const work = Work.current;
  const side = work.side;
  const begin = work.from;
  let carried = side.length;
  while (side.length > 0) {
    const taken = side.takeLine(work.area, work.capacity, work.from, work.end);
    if (taken == FULL) {
      side.length = carried;
      work.from = begin;
      return false;
    }
    work.from += taken;
    const answer = judge();
    if (answer == YES) {
      side.state = START;
      side.flags = 0;
      return true;
    }
    if (answer == MORE) {
      if (work.from == work.end) return true;
      continue;
    }
    // The chunk's start is a candidate too, and what follows an LF that was carried: take the chunk back.
    work.from = begin;
    side.length = carried;
    carried = nextCandidate();
  }
  return true;
}

function judge(): u32 {
  const work = Work.current;
  const side = work.side;
  const whole = side.complete(work.area);
  if (!whole && side.length > LOOK && !side.is(LINE_HAS_TEXT)) return MORE;
  const answer = headAt(work.area, work.area + side.length, work.direction);
  if (answer == MORE) noteLine();
  return answer;
}

/** Notes that the carried start line is complete: from now on every byte counts. */
function noteLine(): void {
  const work = Work.current;
  const end = work.area + work.side.length;
  if (work.side.complete(work.area) || findByte(work.area, end, LF) != end) work.side.set(LINE_HAS_TEXT);
}

/** Drops the carried bytes up to and including their first LF; returns how many are left. */
function nextCandidate(): u32 {
  const work = Work.current;
  const side = work.side;
  const end = work.area + side.length;
  const lf = findByte(work.area, end, LF);
  side.unset(LINE_HAS_TEXT);
  side.length = lf < end ? <u32>(end - lf - 1) : 0;
  if (side.length > 0) memory.copy(work.area, lf + 1, side.length);
  return side.length;
}

/** Nothing of this connection is read any more. */
export function giveUp(): void {
  const work = Work.current;
  work.connection.direction(0).drop(IGNORING);
  work.connection.direction(1).drop(IGNORING);
  work.from = work.end;
  work.missing = 0;
  hint(work.connection.address, GIVE_UP);
}
