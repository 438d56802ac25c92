/**
 * How a response ends, and what it has changed.
 */
import { CHANGE_USER, INIT_DB, LOGIN, QUERY, STMT_PREPARE, USE } from './commands';
import { writeResponse } from './message';
import { MORE_RESULTS, stateAt, status } from './ok';
import { readSession } from './session';
import { BAD_BYTES, COMPRESSED, Connection, FIRST, LOST_NAME, NAMED, PLAIN, UNKNOWN, UNTRACKED } from './state';

/** The packet at hand belongs to no response that is waited for. */
export function bad(c: Connection): void {
  c.lose(BAD_BYTES);
  c.fail();
}

/** A result, or all that there is, has ended. */
export function endResult(c: Connection, now: u64): void {
  readSession(c);
  if ((status & MORE_RESULTS) == 0) {
    finish(c, now, 0);
    return;
  }
  c.hasMore = true;
  c.step = FIRST;
}

export function finish(c: Connection, now: u64, code: u32): void {
  const command = <u32>c.head.command;
  if (command == STMT_PREPARE && c.preparing > 0) c.preparing--;
  endChange(c, command, code == 0);
  c.server.confirm();
  writeResponse(c, now, code, code == 0 ? 0 : stateAt());
  c.answered();
  c.failures = 0;
  if (command == LOGIN && code == 0 && c.compression != PLAIN) {
    c.desync(COMPRESSED);
    c.giveUp();
  }
}

/** What the command did to the database. */
function endChange(c: Connection, command: u32, isDone: bool): void {
  const isChange = command == LOGIN || command == CHANGE_USER || command == INIT_DB || command == USE;
  if (isChange && c.changes > 0) c.changes--;
  if (c.tracked == NAMED) return;
  // Told in bytes that were not kept, or by one of several statements, of which not all were seen to be no USE.
  if (c.tracked != UNTRACKED || (c.hasMore && command == QUERY && c.head.flag)) c.databaseLength = UNKNOWN;
  if (!isChange || !isDone || c.tracked == LOST_NAME) return;
  c.databaseLength = c.nextLength;
  if (c.nextLength != UNKNOWN) memory.copy(c.database, c.nextDatabase, c.nextLength);
}
