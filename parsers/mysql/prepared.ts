/**
 * The response to a PREPARE.
 *
 *   00 │ id 4 │ columns 2 │ parameters 2 │ 00 │ warnings 2 │ columns follow? 1     then parameters … │ EOF? │ columns … │ EOF?
 *
 * Where the handshake was not seen, an EOF tells that there are EOFs. Without one at its end the response is left out, but
 * what the id stands for is remembered.
 * https://dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_com_stmt_prepare.html
 */
import { le16, le32 } from '../sdk/bytes';
import { frameKept } from '../sdk/framer';
import { bad, finish } from './ending';
import { statementKey } from './message';
import { EOF, EOF_LENGTH, kind, length, OK, payload } from './ok';
import { HEADER } from './packet';
import { isColumn } from './result';
import {
  AFTER_PARAMETERS,
  AFTER_PREPARED,
  Connection,
  EOF_DEPRECATED,
  EOF_SENT,
  EOF_UNKNOWN,
  LOST_BYTES,
  PARAMETERS,
  PREPARED_COLUMNS,
} from './state';
import { defineStatement } from './statement';

export function takePrepared(c: Connection, now: u64): void {
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

/** A parameter or column of a statement. */
export function takeDescription(c: Connection, now: u64): void {
  if (!isColumn()) {
    bad(c);
    return;
  }
  if (--c.left > 0) return;
  if (c.step == PARAMETERS) endParameters(c, now);
  else endPrepared(c, now);
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

export function takeAfterPrepared(c: Connection, now: u64): void {
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
  if (!isEof) takeDescription(c, now);
}
