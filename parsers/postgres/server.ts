/**
 * What a server says, and which request it answers.
 *
 *   asked for            answered by
 *   Query, FunctionCall  everything up to ReadyForQuery
 *   Execute              rows, copied data … and CommandComplete, PortalSuspended or EmptyQueryResponse
 *   Sync                 ReadyForQuery
 *
 * An error ends an Execute, too, and from there on the server passes over everything before the next Sync: what was
 * asked for in between is answered here, at ReadyForQuery, as aborted, so that each request has one response.
 * https://www.postgresql.org/docs/current/protocol-flow.html#PROTOCOL-FLOW-PIPELINING
 */
import { findByte, startsWith } from '../sdk/bytes';
import { frameAt, frameBytes, frameCut, frameFirst, frameKept } from '../sdk/framer';
import { HEADER, isUnasked } from './header';
import { writeAborted, writeFailedStart, writeResponse } from './message';
import { COPY_END, EXECUTE, NONE, QUERY, START, SYNC } from './queue';
import { Connection, OUT_OF_ORDER } from './state';
import { forgetParsing, forgetRenamed, forgetUnanswered } from './statement';
import { readTag } from './tag';

/** Aborted responses that fit the output for certain; when there are more, DESYNC stands for them. */
const ABORTED_MAX: u32 = 64;
const CODE_BYTES: u64 = 0xffffffffff;
/** PREPARE or Parse of a name that is taken (42P05): which text it has, is not known. */
const NAME_TAKEN: u64 = 0x3530503234;

/** False when it cannot be what it seems. */
export function readServer(c: Connection, type: u32, now: u64): bool {
  if (type == 0x5a) return readReady(c, now);
  if (!c.aligned) {
    if (!isUnasked(type)) c.idle = false;
    if (type == 0x45) readCode(c);
    return true;
  }
  switch (type) {
    case 0x44: // D
      take(c, frameBytes - HEADER);
      c.rows++;
      c.hasRows = true;
      return true;
    case 0x64: // d
      take(c, frameBytes - HEADER);
      return true;
    case 0x54: // T
      if (due(c) == QUERY) take(c, 0);
      return true;
    case 0x47: // G
      take(c, 0);
      if (due(c) == EXECUTE) c.copying = !c.queue.dropSyncs();
      return true;
    case 0x48: // H
    case 0x57: // W
    case 0x63: // c
    case 0x56: // V
      take(c, 0);
      return true;
    case 0x43: // C
    case 0x49: // I
    case 0x73: // s
      readEnd(c, type, now);
      return true;
    case 0x45: // E
      readError(c, now);
  }
  return true;
}

/** What is answered next. */
function due(c: Connection): u32 {
  while (c.due == COPY_END) c.queue.pop();
  return c.due;
}

/** The frame belongs to the response of a Query or an Execute: of which there must be one. */
function take(c: Connection, body: u64): void {
  const unit = due(c);
  if (unit != QUERY && unit != EXECUTE) {
    c.lose(OUT_OF_ORDER);
    return;
  }
  begin(c);
  c.responseBytes += frameBytes;
  c.responseBody += body;
}

/** An answer has begun that rows may belong to. */
export function isInRows(c: Connection): bool {
  return c.aligned && c.responding && (c.due == QUERY || c.due == EXECUTE);
}

/** So many rows, of `bytes` bytes in all. */
export function takeRows(c: Connection, rows: u32, bytes: u32): void {
  c.responseBytes += bytes;
  c.responseBody += bytes - rows * HEADER;
  c.rows += rows;
  c.hasRows = true;
}

function begin(c: Connection): void {
  if (c.responding) return;
  c.responding = true;
  c.isError = false;
  c.isPartial = false;
  c.hasRows = false;
  c.hasAffected = false;
  c.code = 0;
  c.responseFirst = frameFirst;
  c.responseBytes = 0;
  c.responseBody = 0;
  c.rows = 0;
  c.affected = 0;
}

function readEnd(c: Connection, type: u32, now: u64): void {
  take(c, 0);
  if (!c.aligned) return;
  if (type == 0x43) readTag(c);
  if (due(c) == EXECUTE) answer(c, now);
}

function answer(c: Connection, now: u64): void {
  writeResponse(c, now);
  c.responding = false;
  c.copying = false;
  c.queue.pop();
}

function readError(c: Connection, now: u64): void {
  const unit = due(c);
  begin(c);
  c.responseBytes += frameBytes;
  if (!c.isError) readCode(c);
  c.isError = true;
  if (unit == START) {
    writeFailedStart(c, now);
    c.queue.pop();
    c.responding = false;
  }
  if (unit == QUERY && isFatal()) answer(c, now);
  if (unit == START || unit == QUERY) return;
  c.failed = true;
  if (unit == EXECUTE) answer(c, now);
}

/** Fields of an error: a letter and a text each; C is the SQLSTATE. */
function readCode(c: Connection): void {
  const end = frameAt + frameKept;
  for (let at = frameAt + HEADER; at < end; ) {
    if (load<u8>(at) == 0x43 && at + 6 < end && load<u8>(at, 6) == 0) {
      c.code = (load<u64>(at + 1 - 3) >> 24) & CODE_BYTES;
      if (c.code == NAME_TAKEN) c.epoch++;
      return;
    }
    if (load<u8>(at) == 0) return;
    at = findByte(at, end, 0) + 1;
  }
  if (!frameCut) return;
  c.isPartial = true;
  forgetUnanswered(c);
}

/** After FATAL and PANIC, in the field V, the server ends the connection: no ReadyForQuery follows. */
function isFatal(): bool {
  const end = frameAt + frameKept;
  for (let at = frameAt + HEADER; at < end && load<u8>(at) != 0; at = findByte(at, end, 0) + 1) {
    if (load<u8>(at) == 0x56) return startsWith(at + 1, end, 'FATAL') || startsWith(at + 1, end, 'PANIC');
  }
  return false;
}

function readReady(c: Connection, now: u64): bool {
  const status = frameKept > HEADER ? <u32>load<u8>(frameAt, HEADER) : 0x49;
  if (status != 0x49 && status != 0x54 && status != 0x45) return false;
  if (c.aligned) settle(c, now);
  if (!c.aligned) {
    c.idle = true;
    forgetRenamed(c);
  }
  if (!c.aligned || c.due == NONE) forgetParsing(c);
  return true;
}

function settle(c: Connection, now: u64): void {
  if (c.failed) abort(c, now);
  const unit = due(c);
  if (unit == QUERY) {
    take(c, 0);
    answer(c, now);
    return;
  }
  if (unit == SYNC || unit == START) c.queue.pop();
  else if (c.aligned) c.lose(OUT_OF_ORDER);
  c.responding = false;
  c.copying = false;
}

/** What the server has passed over. An error that no Execute had waited for is that of the first one that came. */
function abort(c: Connection, now: u64): void {
  c.failed = false;
  forgetRenamed(c);
  let left = ABORTED_MAX;
  for (let unit = due(c); unit == EXECUTE || unit == QUERY; unit = due(c)) {
    if (left-- == 0) {
      c.lose(OUT_OF_ORDER);
      return;
    }
    if (c.responding) {
      // It was asked for after the error had been told: the answer is this ReadyForQuery.
      c.responseFirst = frameFirst;
      writeResponse(c, now);
    } else writeAborted(c, now);
    c.responding = false;
    c.queue.pop();
  }
}
