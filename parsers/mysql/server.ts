/**
 * The server's direction: which packets belong to the response of the command that waits longest, and when it ends.
 *
 *   OK, ERR                                                                    ends it
 *   count │ columns … │ EOF? │ rows … │ EOF or OK                              a result; MORE_RESULTS: the next follows
 *   00 id columns parameters │ parameters … │ EOF? │ columns … │ EOF?          of a PREPARE
 *   fb │ then the client sends a file │ OK or ERR                              LOCAL INFILE
 *
 * Whether the EOF? are there is agreed in the handshake. Where that was not seen, a result tells: an EOF has 5 bytes, an
 * OK that stands for it 7 or more. Of a PREPARE only an EOF that comes tells; without one its response is left out.
 * https://dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_command_phase.html
 */
import { le16, le32 } from '../sdk/bytes';
import { Cursor } from '../sdk/cursor';
import { frameAt, frameBytes, frameFirst, frameKept } from '../sdk/framer';
import { Definition } from '../sdk/output';
import { MYSQL_SERVER_VERSION } from './attributes';
import {
  CHANGE_USER,
  FIELD_LIST,
  INIT_DB,
  isExecute,
  LOGIN,
  PROCESS_INFO,
  QUERY,
  STATISTICS,
  STMT_FETCH,
  STMT_PREPARE,
  USE,
} from './commands';
import { PROTOCOL_10, readGreeting, versionAt, versionLength } from './handshake';
import { lenenc } from './lenenc';
import { GREETING_KEY, statementKey, writePush, writeResponse } from './message';
import { FULL, Half, HEADER } from './packet';
import {
  AFTER_COLUMNS,
  AFTER_PARAMETERS,
  AFTER_PREPARED,
  BAD_BYTES,
  COLUMNS,
  Connection,
  EOF_DEPRECATED,
  EOF_SENT,
  EOF_UNKNOWN,
  FIRST,
  GREETED,
  GREETING,
  LOST_BYTES,
  PARAMETERS,
  PLAIN,
  PREPARED_COLUMNS,
  ROWS,
  UNKNOWN,
} from './state';
import { defineStatement } from './statement';

const OK: u32 = 0x00;
const INFILE: u32 = 0xfb;
const EOF: u32 = 0xfe;
const ERR: u32 = 0xff;
/** MariaDB: an ERR of this number reports progress. */
const PROGRESS: u32 = 0xffff;
const EOF_LENGTH: u32 = 5;
const OK_LENGTH: u32 = 7;
/** No table has more. */
const COLUMNS_MAX: u64 = 65535;

// Status flags.
const MORE_RESULTS: u32 = 0x0008;
const CURSOR_EXISTS: u32 = 0x0040;

/** The payload at hand: where it is, its length, its first byte. */
let payload: usize = 0;
let length: u32 = 0;
let kind: u32 = 0;
/** Of the OK or EOF read last. */
let status: u32 = 0;
let affected: u64 = 0;

/** A whole frame of the server. */
export function takeServer(c: Connection, half: Half, now: u64): void {
  payload = frameAt + HEADER;
  length = <u32>min<u64>(frameBytes - HEADER, FULL);
  // What decides was lost, or the packet is empty, which none is.
  if (frameKept <= HEADER) {
    bad(c);
    return;
  }
  kind = load<u8>(payload);
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

function bad(c: Connection): void {
  c.lose(BAD_BYTES);
  c.fail();
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
}

function take(c: Connection, now: u64): void {
  switch (c.step) {
    case FIRST:
      takeFirst(c, now);
      return;
    case COLUMNS:
    case PARAMETERS:
    case PREPARED_COLUMNS:
      takeColumn(c, now);
      return;
    case AFTER_COLUMNS:
      takeAfterColumns(c, now);
      return;
    case ROWS:
      takeRow(c, now);
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

function takeUnasked(c: Connection, now: u64): void {
  if (kind != ERR || length < 3 || frameKept < HEADER + 3) {
    bad(c);
    return;
  }
  writePush(c, now, le16(payload + 1), stateAt());
}

/** Address of the SQLSTATE of an ERR; 0 when it has none. */
function stateAt(): usize {
  return frameKept >= HEADER + 9 && load<u8>(payload, 3) == 0x23 ? payload + 4 : 0;
}

function takeError(c: Connection, now: u64): void {
  if (length < 3 || frameKept < HEADER + 3) {
    bad(c);
    return;
  }
  const code = le16(payload + 1);
  if (code != PROGRESS) finish(c, now, code);
}

// ── the first packet ──────────────────────────────────────────────────────────────────────────────────────────────

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
  if (readOk()) finish(c, now, 0);
  else bad(c);
}

function takeResult(c: Connection, now: u64): void {
  if (kind == OK) {
    if (!readOk()) {
      bad(c);
      return;
    }
    c.affected += affected;
    c.hasAffected = true;
    endResult(c, now);
    return;
  }
  if (kind == INFILE) {
    c.isInfile = true;
    c.isSequenced = false;
    return;
  }
  if (frameKept < HEADER + length) {
    bad(c);
    return;
  }
  const cursor = Cursor.over(payload, payload + length);
  const columns = kind == EOF ? 0 : lenenc(cursor);
  // MySQL and MariaDB may leave out the columns, and say so in a byte of its own.
  const isBare = cursor.left == 1 && cursor.u8() == 0;
  if (columns == 0 || columns > COLUMNS_MAX || !cursor.ok || cursor.left > 0) {
    bad(c);
    return;
  }
  c.left = <u32>columns;
  c.step = isBare ? AFTER_COLUMNS : COLUMNS;
  c.hasRows = true;
}

function takeColumn(c: Connection, now: u64): void {
  if (kind == EOF || length < 4) {
    bad(c);
    return;
  }
  if (--c.left > 0) return;
  if (c.step == COLUMNS) c.step = AFTER_COLUMNS;
  else if (c.step == PARAMETERS) endParameters(c, now);
  else endPrepared(c, now);
}

function takeAfterColumns(c: Connection, now: u64): void {
  c.step = ROWS;
  if (kind != EOF || length != EOF_LENGTH) {
    if (c.eofMode == EOF_UNKNOWN) c.eofMode = EOF_DEPRECATED;
    takeRow(c, now);
    return;
  }
  if (!readOk()) {
    bad(c);
    return;
  }
  if (c.head.flag && isExecute(c.head.command) && (status & CURSOR_EXISTS) != 0) {
    endResult(c, now);
    return;
  }
  if (c.eofMode == EOF_UNKNOWN) c.eofMode = EOF_SENT;
}

/** No row begins with fe: such a text is longer than a packet that is not continued. */
function takeRow(c: Connection, now: u64): void {
  if (kind != EOF || frameBytes >= <u64>FULL + HEADER) {
    if (c.hasRows) c.rows++;
    return;
  }
  if (readOk()) endResult(c, now);
  else bad(c);
}

/** Reads the OK or EOF at hand; false when it is none, or what matters of it was lost. */
function readOk(): bool {
  const cursor = Cursor.over(payload + 1, frameAt + frameKept);
  affected = 0;
  if (kind == EOF && length == EOF_LENGTH) {
    cursor.skip(2);
  } else {
    affected = lenenc(cursor);
    lenenc(cursor);
  }
  status = cursor.le16();
  return cursor.ok;
}

function endResult(c: Connection, now: u64): void {
  if ((status & MORE_RESULTS) == 0) {
    finish(c, now, 0);
    return;
  }
  c.hasMore = true;
  c.step = FIRST;
}

// ── PREPARE ───────────────────────────────────────────────────────────────────────────────────────────────────────

function takePrepared(c: Connection, now: u64): void {
  if (kind != OK || length < 10) {
    bad(c);
    return;
  }
  if (frameKept < HEADER + min<u32>(length, 13)) {
    c.lose(LOST_BYTES);
    return;
  }
  defineKept(c, le32(payload + 1));
  c.preparedColumns = le16(payload + 5);
  c.left = le16(payload + 7);
  const isBare = length == 13 && load<u8>(payload, 12) == 0;
  if (isBare) finish(c, now, 0);
  else if (c.left > 0) c.step = PARAMETERS;
  else beginPrepared(c, now);
}

function defineKept(c: Connection, id: u32): void {
  const isKept = c.preparing == 1 && c.hasPrepared;
  if (isKept) defineStatement(c.slot, statementKey(id), c.prepared, c.preparedLength, c.preparedCut);
}

function endParameters(c: Connection, now: u64): void {
  if (c.eofMode == EOF_DEPRECATED) {
    beginPrepared(c, now);
    return;
  }
  c.step = c.eofMode == EOF_UNKNOWN && c.preparedColumns == 0 ? AFTER_PREPARED : AFTER_PARAMETERS;
}

function beginPrepared(c: Connection, now: u64): void {
  if (c.preparedColumns == 0) {
    finish(c, now, 0);
    return;
  }
  c.left = c.preparedColumns;
  c.step = PREPARED_COLUMNS;
}

function endPrepared(c: Connection, now: u64): void {
  if (c.eofMode == EOF_DEPRECATED) {
    finish(c, now, 0);
    return;
  }
  c.step = AFTER_PREPARED;
}

function takeAfterPrepared(c: Connection, now: u64): void {
  const isEof = kind == EOF && length == EOF_LENGTH;
  if (c.step == AFTER_PREPARED) {
    if (isEof) c.eofMode = EOF_SENT;
    if (isEof) finish(c, now, 0);
    else bad(c);
    return;
  }
  if (c.eofMode == EOF_UNKNOWN) c.eofMode = isEof ? EOF_SENT : EOF_DEPRECATED;
  else if (!isEof) {
    bad(c);
    return;
  }
  beginPrepared(c, now);
  if (!isEof) takeColumn(c, now);
}

// ── the end ───────────────────────────────────────────────────────────────────────────────────────────────────────

function finish(c: Connection, now: u64, code: u32): void {
  const command = <u32>c.head.command;
  if (command == STMT_PREPARE && c.preparing > 0) c.preparing--;
  endChange(c, command, code == 0);
  c.server.confirm();
  writeResponse(c, now, code, code == 0 ? 0 : stateAt());
  c.answered();
  c.failures = 0;
  if (command == LOGIN && code == 0 && c.compression != PLAIN) c.giveUp();
}

/** What the command did to the database. */
function endChange(c: Connection, command: u32, isDone: bool): void {
  // One of several statements, of which not all were seen to be no USE.
  if (c.hasMore && command == QUERY && c.head.flag) c.databaseLength = UNKNOWN;
  if (command != LOGIN && command != CHANGE_USER && command != INIT_DB && command != USE) return;
  if (c.changes > 0) c.changes--;
  if (!isDone) return;
  c.databaseLength = c.nextLength;
  if (c.nextLength != UNKNOWN) memory.copy(c.database, c.nextDatabase, c.nextLength);
}
