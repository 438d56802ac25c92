/**
 * The way of a chunk: frames of both directions, gaps, and the way back after a loss.
 *
 * A gap inside a frame is exact: its length says where it ends. After any other both directions have to be found again.
 * The protocol is a dialogue, so that is done at a turn: a client that speaks after the server begins a command, and the
 * server that speaks then begins its response. Anything else is passed over. A search never trusts a place that only
 * looks like a header.
 *
 * At such a turn a client that sends commands ahead may still be owed responses. One that waits for all of them before it
 * sends on betrays it: there is a response too many, and the host drops what was paired. One that was seen to send on in
 * between never does; after a loss its turn is the one after a silence (state.ts).
 */
import { FROM_CLIENT } from '../sdk/abi';
import { le24 } from '../sdk/bytes';
import { Chunk } from '../sdk/chunk';
import { hasRoom } from '../sdk/output';
import { isUpgrade, takeClient } from './client';
import { fits, isSilent, QUERY, STMT_PREPARE } from './commands';
import { FULL, Half, HEADER } from './packet';
import { takeServer } from './server';
import {
  AFTER_PREPARED,
  BAD_BYTES,
  CLIENT_AREA,
  CLIENT_BYTES,
  Connection,
  EOF_UNKNOWN,
  LOST,
  LOST_BYTES,
  ROWS,
  SERVER_AREA,
  SERVER_BYTES,
  TEXT_AREA,
} from './state';

/** The connection has left the module within the last `consume`. */
export let hasLeft: bool = false;

/** False when the run has to end before the chunk is used up. */
export function consume(chunk: Chunk): bool {
  const c = Connection.at(chunk.slot);
  const half = c.half(chunk.direction);
  const isClient = chunk.direction == FROM_CLIENT;
  hasLeft = false;
  while (!c.dead && (chunk.wireLength > 0 || half.isWhole)) {
    if (!hasRoom()) return false;
    if (chunk.length == 0 && !half.isWhole) loseBytes(c, half, chunk, isClient);
    else if (!isClient) readServer(c, chunk);
    else if (!readClient(c, chunk)) return false;
  }
  if (chunk.timestamp != 0) c.lastNs = chunk.timestamp;
  if (chunk.isEnd) half.forget();
  return true;
}

function loseBytes(c: Connection, half: Half, chunk: Chunk, isClient: bool): void {
  const bytes = chunk.missing;
  chunk.advanceMissing(bytes);
  if (half.lose(bytes)) return;
  if (isClient || c.turn != SERVER_BYTES) c.turn = LOST;
  if (isClient) c.loseClient(LOST_BYTES);
  else if (half.isSynced || half.isInside || c.waitingCount > 0) c.lose(LOST_BYTES);
  c.pass(half, bytes);
}

// ── the client ────────────────────────────────────────────────────────────────────────────────────────────────────

/** False when the connection needs a large slot first, or has left. */
function readClient(c: Connection, chunk: Chunk): bool {
  const half = c.client;
  // No EOF came behind what was prepared: when the response had ended is not known any more.
  if (c.step == AFTER_PREPARED && c.eofMode == EOF_UNKNOWN) c.lose(BAD_BYTES);
  if (half.isSearching) {
    const isTurn = c.isClientsTurn(chunk.timestamp);
    if (!isTurn) c.passCommands(countCommands(chunk));
    if (!beginTrial(c, half, chunk, isTurn)) return true;
  }
  c.turn = CLIENT_BYTES;
  if (!half.isWhole && !reachCommand(half, chunk)) return true;
  const command = commandOf(half, chunk);
  if (!half.isSynced && !isCandidate(half, chunk, command)) {
    refuse(c, half, chunk);
    return true;
  }
  // What has another number belongs to no command, whatever it begins with.
  const isText = (command == QUERY || command == STMT_PREPARE) && headOf(half, chunk) >>> 24 == 0;
  if (isText && !c.isLarge && needsRoom(half, chunk, command)) {
    c.grow();
    return false;
  }
  if (!half.frame(chunk, half.area, isText ? TEXT_AREA : CLIENT_AREA)) return true;
  takeClient(c, half, chunk.timestamp);
  hasLeft = isUpgrade;
  return !hasLeft;
}

/** Commands that want a response, of those that lie one behind the other from the chunk's beginning; two are enough. */
function countCommands(chunk: Chunk): u8 {
  let count: u8 = 0;
  let at = <usize>chunk.data;
  while (count < 2 && chunk.end - at > HEADER) {
    const command = <u32>load<u8>(at, HEADER);
    const length = le24(at);
    if (load<u8>(at, 3) != 0 || !fits(command, length) || length > chunk.end - at - HEADER) break;
    if (!isSilent(command)) count++;
    at += length + HEADER;
  }
  return count;
}

/** Whether the command is known: it lies in the chunk, or is kept. A packet may also be empty. */
function reachCommand(half: Half, chunk: Chunk): bool {
  if (half.taken == 0 && chunk.length > HEADER) return true;
  return half.begin(chunk, HEADER + 1, half.area, CLIENT_AREA);
}

/** The first byte of the payload; 0 when there is none, or it is lost. */
function commandOf(half: Half, chunk: Chunk): u32 {
  if (half.taken == 0) return load<u8>(chunk.data, HEADER);
  return half.length > HEADER ? load<u8>(half.area, HEADER) : 0;
}

function headOf(half: Half, chunk: Chunk): u32 {
  return half.taken == 0 ? load<u32>(chunk.data) : half.length >= HEADER ? load<u32>(half.area) : u32.MAX_VALUE;
}

/** Whether this can be the beginning of a command: all that is asked of it before its end. */
function isCandidate(half: Half, chunk: Chunk, command: u32): bool {
  const head = headOf(half, chunk);
  return head >>> 24 == 0 && fits(command, head & FULL);
}

/** A text that will be kept: of a PREPARE any, of a query one that comes in pieces. */
function needsRoom(half: Half, chunk: Chunk, command: u32): bool {
  if (command == STMT_PREPARE) return true;
  const size = (headOf(half, chunk) & FULL) + HEADER;
  return size > CLIENT_AREA && (half.taken > 0 || chunk.length < size || size >= FULL);
}

/** No command begins here: the rest of the turn is passed over. */
function refuse(c: Connection, half: Half, chunk: Chunk): void {
  c.loseClient(BAD_BYTES);
  c.fail();
  c.pass(half, chunk.length);
  chunk.advance(chunk.length);
}

// ── the server ────────────────────────────────────────────────────────────────────────────────────────────────────

function readServer(c: Connection, chunk: Chunk): void {
  const half = c.server;
  c.passed = 0;
  // An answer while the client is still asking: what was taken for its command is none.
  if (!c.client.isSynced && c.client.isInside) c.loseClient(BAD_BYTES);
  const isDue = c.turn == CLIENT_BYTES && c.waitingCount > 0 && !c.client.isInside;
  if (half.isSearching && !beginTrial(c, half, chunk, isDue)) {
    c.turn = SERVER_BYTES;
    if (c.waitingCount > 0) c.lose(LOST_BYTES);
    return;
  }
  c.turn = SERVER_BYTES;
  if (c.step == ROWS && half.taken == 0) skipRows(c, chunk);
  if (half.isWhole || chunk.length > 0) {
    if (half.frame(chunk, half.area, SERVER_AREA)) takeServer(c, half, chunk.timestamp);
  }
}

/** Rows that lie whole in the chunk: only their headers and first bytes are looked at. */
function skipRows(c: Connection, chunk: Chunk): void {
  const end = chunk.end;
  const start = <usize>chunk.data;
  let at = start;
  let sequence = c.sequence;
  let rows: u64 = 0;
  while (end - at > HEADER) {
    const head = load<u32>(at);
    const length = head & FULL;
    const size = length + HEADER;
    if (<u8>(head >>> 24) != sequence || length - 1 >= FULL - 1 || end - at < size) break;
    if (load<u8>(at, HEADER) >= 0xfe) break;
    at += size;
    sequence++;
    rows++;
  }
  if (rows == 0) return;
  c.sequence = sequence;
  c.rows += rows;
  c.bytes += at - start;
  c.body += at - start - rows * HEADER;
  chunk.advance(<u32>(at - start));
}

// ── both ──────────────────────────────────────────────────────────────────────────────────────────────────────────

/** At the right turn a frame is tried; else the chunk's bytes are passed over. */
function beginTrial(c: Connection, half: Half, chunk: Chunk, isTurn: bool): bool {
  if (isTurn) {
    half.forget();
    half.trial(1);
    return true;
  }
  c.pass(half, chunk.length);
  chunk.advance(chunk.length);
  return false;
}
