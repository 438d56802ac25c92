/**
 * The way of a chunk: records, over any cut, each ended by a byte that no record holds. A gap hides such bytes, so it
 * costs the rest of its record and the order of calls and results (DESYNC); the next record of the right grammar is where
 * reading goes on.
 */
import { FROM_CLIENT } from '../../sdk/abi';
import { Chunk } from '../../sdk/chunk';
import { frameAt, frameBytes, frameKept } from '../../sdk/framer';
import { hasRoom } from '../../sdk/output';
import { isRecord, writeRecord } from './message';
import { AREA, BAD_BYTES, Connection, Half, LOST_BYTES } from './state';

/** What ends a record: ASCII record separator. */
const LAST: u8 = 0x1e;
/** A record is not longer than this. */
const RECORD_MAX: u32 = 1 << 20;
/** Bytes of one direction searched in vain before the connection is given up. */
const SEARCH_MAX: u32 = 4 << 20;

/** False when the output is full before the chunk is used up. */
export function consume(chunk: Chunk): bool {
  const c = Connection.at(chunk.slot);
  const half = c.half(chunk.direction);
  while (!c.dead && chunk.wireLength > 0) {
    if (!hasRoom()) return false;
    if (chunk.length == 0) loseBytes(c, half, chunk);
    else if (half.until(chunk, LAST, half.area, AREA)) readRecord(c, half, chunk);
    else if (half.taken > RECORD_MAX) breakOff(c, half, chunk.direction, BAD_BYTES);
  }
  if (chunk.isEnd) half.drop();
  return true;
}

function readRecord(c: Connection, half: Half, chunk: Chunk): void {
  const isClient = chunk.direction == FROM_CLIENT;
  const fits = frameBytes <= RECORD_MAX && isRecord(isClient, frameAt, frameAt + frameKept);
  if (half.inside || !fits) {
    passRecord(c, half);
    return;
  }
  const isFirst = !half.isSynced;
  if (isFirst) half.trial(1);
  half.confirm();
  c.report(chunk.direction, isFirst, LOST_BYTES);
  writeRecord(c, chunk.timestamp);
}

/** The end of a record that was not seen whole, or a record that is none. */
function passRecord(c: Connection, half: Half): void {
  half.inside = false;
  if (half.lost()) c.desync(BAD_BYTES);
  search(c, half, <u32>frameBytes);
}

function loseBytes(c: Connection, half: Half, chunk: Chunk): void {
  breakOff(c, half, chunk.direction, LOST_BYTES);
  chunk.advanceMissing(chunk.missing);
}

/** The rest of the record is of no use. */
function breakOff(c: Connection, half: Half, direction: u32, reason: u32): void {
  const bytes = <u32>half.taken;
  if (c.lose(direction)) c.desync(reason);
  search(c, half, bytes);
}

function search(c: Connection, half: Half, bytes: u32): void {
  half.spend(bytes);
  if (half.isSpent(SEARCH_MAX)) c.giveUp();
}
