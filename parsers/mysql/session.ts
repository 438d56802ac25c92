/**
 * What an OK says of the session, where client and server have agreed to track it: the database, once it has changed.
 *
 *   status has 4000 │ information │ bytes of all changes │ type, bytes, change │ type …      numbers are length-encoded
 *   type 1: a schema, as a string, empty when there is none any more
 *
 * https://dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_basic_ok_packet.html
 */
import { copy } from '../sdk/bytes';
import { Cursor } from '../sdk/cursor';
import { frameAt, frameCut, frameKept } from '../sdk/framer';
import { lenenc, skipString } from './lenenc';
import { informationAt, SESSION_CHANGED, status } from './ok';
import { Connection, CUT_SHORT, LOST_NAME, NAME_MAX, NAMED, UNKNOWN, UNTRACKED } from './state';

const SCHEMA: u32 = 1;

/** Reads the changes behind the OK that `readOk` has just read. */
export function readSession(c: Connection): void {
  if ((status & SESSION_CHANGED) == 0 || informationAt == 0) return;
  const cursor = Cursor.over(informationAt, frameAt + frameKept);
  skipString(cursor);
  const bytes = lenenc(cursor);
  const isWhole = cursor.ok && bytes <= cursor.left;
  if (isWhole) cursor.end = cursor.at + <u32>bytes;
  const before = c.tracked;
  c.tracked = UNTRACKED;
  while (cursor.ok && cursor.left > 0) readChange(c, cursor);
  if (c.tracked == NAMED) return;
  c.tracked = isWhole && cursor.ok ? before : frameCut ? LOST_NAME : CUT_SHORT;
}

function readChange(c: Connection, cursor: Cursor): void {
  const type = cursor.u8();
  const bytes = lenenc(cursor);
  if (bytes > cursor.left) cursor.short = true;
  const end = cursor.at + <u32>bytes;
  if (cursor.ok && type == SCHEMA) readSchema(c, cursor);
  if (cursor.ok) cursor.at = end;
}

function readSchema(c: Connection, cursor: Cursor): void {
  const length = lenenc(cursor);
  if (length > cursor.left) cursor.short = true;
  if (!cursor.ok) return;
  c.tracked = NAMED;
  c.databaseLength = length > NAME_MAX ? UNKNOWN : <u8>length;
  if (length <= NAME_MAX) copy(c.database, cursor.at, <u32>length);
}
