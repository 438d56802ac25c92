/**
 * The way of a chunk: messages, over any cut.
 * A gap inside a message is exact: the length says where it ends. Elsewhere it takes ReadyForQuery, six bytes that are
 * found by searching, and the client's next word, to be in step again.
 */
import { FROM_CLIENT, UPGRADE, UPGRADE_TLS } from '../sdk/abi';
import { be32 } from '../sdk/bytes';
import { Chunk } from '../sdk/chunk';
import { frameAt } from '../sdk/framer';
import { hasRoom, hint } from '../sdk/output';
import { TRIAL } from '../sdk/resync';
import { readClient, readUntyped } from './client';
import { begins, fits, HEADER, isUntyped, SSL_REQUEST, UNTYPED_HEADER } from './header';
import { isInRows, readServer, takeRows } from './server';
import { areaSize, BAD_BYTES, Connection, Half, LOST_BYTES } from './state';
import { forgetStatements, forgetUnanswered } from './statement';

/** Type, length and the first byte of ReadyForQuery are found; the byte behind them is looked at in server.ts. */
const READY = 'Z\0\0\0\x05';
/** Bytes of one direction searched in vain before the connection is given up. */
const SEARCH_MAX: u32 = 64 << 20;

// The server's answers to a request for encryption.
const YES_TLS: u8 = 0x53;
const YES_GSS: u8 = 0x47;
const NO: u8 = 0x4e;
const ERROR_TYPE: u8 = 0x45;
const ROW: u8 = 0x44;

/** False when the output is full before the chunk is used up, or the connection goes on as another. */
export function consume(chunk: Chunk): bool {
  const c = Connection.at(chunk.slot);
  const isClient = chunk.direction == FROM_CLIENT;
  const half = c.half(chunk.direction);
  if (isClient && c.idle && chunk.length > 0) c.align(half);
  while (!c.dead && (chunk.wireLength > 0 || half.isDue)) {
    if (!hasRoom()) return false;
    if (chunk.length == 0 && !half.isDue) loseBytes(c, half, chunk);
    else if (half.isSearching) search(c, half, chunk);
    else if (isClient && c.isUntyped) readStart(c, half, chunk);
    else if (!isClient && c.asked != 0 && half.taken == 0) {
      if (!readAnswer(c, half, chunk)) return false;
    } else readFrame(c, half, chunk);
  }
  if (chunk.isEnd) half.drop();
  return true;
}

function readFrame(c: Connection, half: Half, chunk: Chunk): void {
  const isClient = chunk.direction == FROM_CLIENT;
  if (!isClient && half.taken == 0 && half.isSynced && passRows(c, chunk)) return;
  const size = areaSize(isClient);
  if (!half.reach(chunk, HEADER, half.area, size)) return;
  const type = <u32>load<u8>(frameAt);
  const length = be32(frameAt + 1);
  if (!fits(type, length, isClient) || (isClient && half.step == TRIAL && !begins(type, length))) {
    passHeader(c, half, chunk, HEADER);
    return;
  }
  if (!half.whole(chunk, <u64>length + 1, half.area, size) || !half.confirm()) return;
  if (isClient) readClient(c, type, chunk.timestamp);
  else if (!readServer(c, type, chunk.timestamp)) loseStep(c, half, chunk.direction, BAD_BYTES);
}

/** Rows one after the other that lie whole in the chunk, as most of an answer does; false when none begins here. */
function passRows(c: Connection, chunk: Chunk): bool {
  if (!isInRows(c)) return false;
  const end = chunk.end;
  let at = <usize>chunk.data;
  let rows: u32 = 0;
  while (end - at > HEADER && load<u8>(at) == ROW) {
    const length = be32(at + 1);
    if (!fits(ROW, length, false) || length >= <u32>(end - at)) break;
    at += length + 1;
    rows++;
  }
  if (rows == 0) return false;
  const bytes = <u32>(at - chunk.data);
  takeRows(c, rows, bytes);
  chunk.advance(bytes);
  return true;
}

function readStart(c: Connection, half: Half, chunk: Chunk): void {
  const size = areaSize(true);
  if (!half.reach(chunk, UNTYPED_HEADER, half.area, size)) return;
  const length = be32(frameAt);
  const code = be32(frameAt + 4);
  if (!isUntyped(length, code)) passHeader(c, half, chunk, UNTYPED_HEADER);
  else if (half.whole(chunk, length, half.area, size)) readUntyped(c, code, chunk.timestamp);
}

/** One byte says whether the connection is encrypted from here on. False when the connection is no longer ours. */
function readAnswer(c: Connection, half: Half, chunk: Chunk): bool {
  const byte = load<u8>(chunk.data);
  const isTls = c.asked == SSL_REQUEST && byte == YES_TLS;
  c.asked = 0;
  if (byte == ERROR_TYPE) return true;
  chunk.advance(1);
  if (isTls) {
    hint(c.slot, UPGRADE, UPGRADE_TLS);
    return false;
  }
  if (byte == YES_GSS) c.giveUp();
  else if (byte != NO) loseStep(c, half, chunk.direction, BAD_BYTES);
  return true;
}

/** What should be a header is none. */
function passHeader(c: Connection, half: Half, chunk: Chunk, bytes: u32): void {
  if (half.taken == 0) chunk.advance(bytes);
  half.spend(bytes);
  loseStep(c, half, chunk.direction, BAD_BYTES);
}

/** A server is found by its ReadyForQuery; a client, when it begins to speak after that. */
function search(c: Connection, half: Half, chunk: Chunk): void {
  if (chunk.direction == FROM_CLIENT) {
    half.spend(chunk.length);
    chunk.advance(chunk.length);
  } else if (half.seek(chunk, READY, half.area)) {
    forgetUnanswered(c);
    half.trial(1);
  }
  if (half.isSpent(SEARCH_MAX)) c.giveUp();
}

function loseBytes(c: Connection, half: Half, chunk: Chunk): void {
  const bytes = chunk.missing;
  chunk.advanceMissing(bytes);
  if (!half.lose(bytes)) loseStep(c, half, chunk.direction, LOST_BYTES);
}

function loseStep(c: Connection, half: Half, direction: u32, reason: u32): void {
  half.lost();
  c.lose(reason);
  c.asked = 0;
  if (direction == FROM_CLIENT) {
    c.isUntyped = false;
    forgetStatements(c);
  } else forgetUnanswered(c);
}
