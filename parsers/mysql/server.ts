/**
 * The server's direction: which packets belong to the response of the command that waits longest, and what begins it.
 *
 *   OK, ERR                                                                    ends it
 *   count │ columns … │ EOF? │ rows … │ EOF or OK                              a result (result.ts)
 *   00 id columns parameters │ parameters … │ EOF? │ columns … │ EOF?          of a PREPARE (prepared.ts)
 *   fb │ then the client sends a file │ OK or ERR                              LOCAL INFILE
 *
 * https://dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_command_phase.html
 */
import { le16 } from '../sdk/bytes';
import { frameAt, frameBytes, frameFirst, frameKept } from '../sdk/framer';
import { Definition } from '../sdk/output';
import { MYSQL_SERVER_VERSION } from './attributes';
import {
  CHANGE_USER,
  FIELD_LIST,
  isExecute,
  LOGIN,
  PROCESS_INFO,
  QUERY,
  STATISTICS,
  STMT_FETCH,
  STMT_PREPARE,
  USE,
} from './commands';
import { bad, endResult, finish } from './ending';
import { PROTOCOL_10, readGreeting, versionAt, versionLength } from './handshake';
import { GREETING_KEY, writePush } from './message';
import { EOF, ERR, isError, kind, length, OK, OK_LENGTH, payload, readOk, readPayload, stateAt } from './ok';
import { Half, HEADER } from './packet';
import { takeAfterPrepared, takeDescription, takePrepared } from './prepared';
import { takeAfterColumns, takeColumn, takeResult, takeRow } from './result';
import { readSession } from './session';
import {
  AFTER_COLUMNS,
  BAD_BYTES,
  COLUMNS,
  Connection,
  FIRST,
  GREETED,
  GREETING,
  PARAMETERS,
  PREPARED_COLUMNS,
  ROWS,
  UNTRACKED,
} from './state';

/** MariaDB: an ERR of this number reports progress. */
const PROGRESS: u32 = 0xffff;

/** A whole frame of the server. */
export function takeServer(c: Connection, half: Half, now: u64): void {
  if (!readPayload()) {
    bad(c);
    return;
  }
  if (c.phase == GREETING) {
    takeGreeting(c, now);
    return;
  }
  if (c.waitingCount == 0) {
    takeUnasked(c, now);
    return;
  }
  if (!isInSequence(c)) {
    bad(c);
    return;
  }
  c.sequence = half.sequence + 1;
  c.isSequenced = true;
  if (c.bytes == 0) begin(c);
  c.bytes += frameBytes;
  c.body += frameBytes - HEADER;
  if (kind == ERR) takeError(c, now);
  else take(c, now);
}

/** While both sides talk, of users or files, numbers go on over both directions. */
function isInSequence(c: Connection): bool {
  const head = c.head;
  const sequence = load<u8>(frameAt, 3);
  if (c.bytes > 0) return !c.isSequenced || sequence == c.sequence;
  return head.command == LOGIN || sequence == head.sequence;
}

function begin(c: Connection): void {
  c.first = frameFirst;
  c.body = 0;
  c.rows = 0;
  c.affected = 0;
  c.hasRows = false;
  c.hasAffected = false;
  c.hasMore = false;
  c.tracked = UNTRACKED;
}

function take(c: Connection, now: u64): void {
  switch (c.step) {
    case FIRST:
      takeFirst(c, now);
      return;
    case COLUMNS:
      takeColumn(c);
      return;
    case AFTER_COLUMNS:
      takeAfterColumns(c, now);
      return;
    case ROWS:
      takeRow(c, now);
      return;
    case PARAMETERS:
    case PREPARED_COLUMNS:
      takeDescription(c, now);
      return;
    default:
      takeAfterPrepared(c, now);
      return;
  }
}

// ── the greeting, and what nobody asked for ───────────────────────────────────────────────────────────────────────

function takeGreeting(c: Connection, now: u64): void {
  if (kind == ERR) {
    takeUnasked(c, now);
    return;
  }
  if (kind != PROTOCOL_10 || !readGreeting(c, payload, frameAt + frameKept)) {
    c.loseClient(BAD_BYTES);
    return;
  }
  c.phase = GREETED;
  const definition = Definition.open(c.slot, GREETING_KEY);
  definition.string(MYSQL_SERVER_VERSION, versionAt, versionLength);
  definition.commit();
}

/** After a loss an ERR may also be the answer to a command that nobody saw. */
function takeUnasked(c: Connection, now: u64): void {
  if (isError() && !c.hasLost) writePush(c, now, le16(payload + 1), stateAt());
  else bad(c);
}

function takeError(c: Connection, now: u64): void {
  if (!isError()) {
    bad(c);
    return;
  }
  const code = le16(payload + 1);
  if (code != PROGRESS) finish(c, now, code);
}

// ── the first packet of a response ────────────────────────────────────────────────────────────────────────────────

function takeFirst(c: Connection, now: u64): void {
  const command = <u32>c.head.command;
  if (command == QUERY || command == USE || command == PROCESS_INFO || isExecute(command)) {
    takeResult(c, now);
    return;
  }
  if (command == STMT_PREPARE) {
    takePrepared(c, now);
    return;
  }
  if (command == STMT_FETCH || command == FIELD_LIST) {
    c.step = ROWS;
    c.hasRows = command == STMT_FETCH;
    takeRow(c, now);
    return;
  }
  if (command == STATISTICS) {
    finish(c, now, 0);
    return;
  }
  if (command == LOGIN || command == CHANGE_USER) {
    takeLogin(c, now);
    return;
  }
  if ((kind == OK || kind == EOF) && readOk()) endResult(c, now);
  else bad(c);
}

/** The dialogue goes on until OK or ERR; its packets are nobody's business. */
function takeLogin(c: Connection, now: u64): void {
  c.isSequenced = false;
  if (kind != OK || length < OK_LENGTH) return;
  if (readOk()) endLogin(c, now);
  else bad(c);
}

function endLogin(c: Connection, now: u64): void {
  readSession(c);
  finish(c, now, 0);
}
