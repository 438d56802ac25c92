/**
 * Results, of which a response may have several.
 *
 *   count │ columns … │ EOF? │ rows … │ EOF or OK
 *
 * Whether the EOF? is there is agreed in the handshake. Where that was not seen, the first result tells: an EOF has 5
 * bytes, an OK that stands for it 7 or more.
 * https://dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_com_query_response_text_resultset.html
 */
import { Cursor } from '../sdk/cursor';
import { frameBytes, frameKept } from '../sdk/framer';
import { isExecute } from './commands';
import { bad, endResult } from './ending';
import { lenenc } from './lenenc';
import { affected, CURSOR_EXISTS, EOF, EOF_LENGTH, INFILE, kind, length, OK, payload, readOk, status } from './ok';
import { FULL, HEADER } from './packet';
import { AFTER_COLUMNS, COLUMNS, Connection, EOF_DEPRECATED, EOF_SENT, EOF_UNKNOWN, ROWS } from './state';

/** No table has more. */
const COLUMNS_MAX: u64 = 65535;

export function takeResult(c: Connection, now: u64): void {
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

/** A column, or a parameter: none begins like an EOF. */
export function isColumn(): bool {
  return kind != EOF && length >= 4;
}

export function takeColumn(c: Connection): void {
  if (!isColumn()) bad(c);
  else if (--c.left == 0) c.step = AFTER_COLUMNS;
}

export function takeAfterColumns(c: Connection, now: u64): void {
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
export function takeRow(c: Connection, now: u64): void {
  if (kind != EOF || frameBytes >= <u64>FULL + HEADER) {
    if (c.hasRows) c.rows++;
    return;
  }
  if (readOk()) endResult(c, now);
  else bad(c);
}
