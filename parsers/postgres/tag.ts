/** The tag of CommandComplete: a command, and how many rows. `SELECT 5`, `INSERT 0 1`, `UPDATE 3`, `CREATE TABLE` */
import { findByte, isDigit, startsWith } from '../sdk/bytes';
import { frameAt, frameCut, frameKept } from '../sdk/framer';
import { HEADER } from './header';
import { Connection } from './state';

const SPACE: u8 = 0x20;
/** A row count has no more digits. */
const DIGITS_MAX: usize = 19;

/** Adds the tag's count to the response: rows that came are returned, others affected. */
export function readTag(c: Connection): void {
  const from = frameAt + HEADER;
  const limit = frameAt + frameKept;
  const end = findByte(from, limit, 0);
  if (end == limit) {
    c.isPartial = c.isPartial || frameCut;
    return;
  }
  const isSelect = startsWith(from, end, 'SELECT ') || startsWith(from, end, 'FETCH ');
  const number = lastWord(from, end);
  if (number == end) return;
  const count = parse(number, end);
  // CREATE TABLE … AS says SELECT, too, and returns nothing.
  if (isSelect && (count == 0 || c.rows > 0)) c.hasRows = true;
  else {
    c.hasAffected = true;
    c.affected += count;
  }
}

/** Address of the number at the end, or `end` when there is none. */
function lastWord(from: usize, end: usize): usize {
  let at = end;
  while (at > from && isDigit(load<u8>(at - 1))) at--;
  const isNumber = at > from && load<u8>(at - 1) == SPACE && end - at <= DIGITS_MAX;
  return isNumber ? at : end;
}

function parse(at: usize, end: usize): u64 {
  let value: u64 = 0;
  for (; at < end; at++) value = value * 10 + (load<u8>(at) - 0x30);
  return value;
}
