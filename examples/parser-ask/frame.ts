/**
 * The way of a chunk: frames of one direction, over any cut of the stream. The SDK's Framer keeps the first AREA bytes
 * of a frame that its chunk does not hold whole, and counts the others.
 *
 * A gap inside a frame is exact: the length says where it ends. Anywhere else: DESYNC, and the search for a header that
 * is followed by another one just where its length says.
 */
import { FROM_CLIENT } from '../sdk/abi';
import { be32, copy, findByte } from '../sdk/bytes';
import { Chunk } from '../sdk/chunk';
import { frameAt, frameBytes } from '../sdk/framer';
import { hasRoom } from '../sdk/output';
import { HEADER_SIZE, LENGTH_SIZE, matchHeader, NO } from './header';
import { writeMessage } from './message';
import { AREA, Connection, Half } from './state';

/** Good frames in a row before one is believed, after a loss: a payload may hold what looks like a header. */
const TRIAL: u8 = 2;
/** Bytes of one direction that are searched, without a message, before the connection is given up. */
const SEARCH_MAX: u32 = 1024 * 1024;

// Reasons of a DESYNC.
const LOST_BYTES: u32 = 1;
const BAD_BYTES: u32 = 2;

/** What is carried of a header, and the chunk's first bytes behind it. */
const both: usize = memory.data(24, 8);

/** False when the output is full before the chunk is used up. */
export function consume(chunk: Chunk): bool {
  const c = Connection.at(chunk.slot);
  const half = c.half(chunk.direction);
  while (chunk.length > 0 && !c.dead) {
    if (!hasRoom()) return false;
    read(c, half, chunk);
  }
  if (c.dead || chunk.missing == 0) return true;
  if (!hasRoom()) return false;
  lose(c, half, chunk);
  return true;
}

/** Reads on, at most to the end of a frame. */
function read(c: Connection, half: Half, chunk: Chunk): void {
  if (half.size == 0) seek(c, half, chunk);
  if (!half.reach(chunk, HEADER_SIZE, half.area, AREA)) return;
  if (half.isSearching) half.trial(TRIAL);
  if (half.whole(chunk, <u64>LENGTH_SIZE + be32(frameAt), half.area, AREA)) finish(c, half, chunk);
}

function finish(c: Connection, half: Half, chunk: Chunk): void {
  if (half.confirm()) writeMessage(c.slot, chunk.timestamp);
  else spend(c, half, <u32>frameBytes);
}

/** Goes to where a header begins, or may begin, among the bytes carried, else in the chunk. In step it is right here. */
function seek(c: Connection, half: Half, chunk: Chunk): void {
  const isClient = chunk.direction == FROM_CLIENT;
  const carried = half.length;
  if (carried > 0) {
    const fresh = min(chunk.length, HEADER_SIZE);
    copy(both, half.area, carried);
    copy(both + carried, chunk.data, fresh);
    const skipped = <u32>(findHeader(both, both + carried, both + carried + fresh, isClient) - both);
    if (skipped > 0) {
      mistake(c, half, skipped);
      half.carryOn(skipped, carried);
    }
    if (skipped < carried) return;
  }
  const skipped = <u32>(findHeader(chunk.data, chunk.end, chunk.end, isClient) - <usize>chunk.data);
  if (skipped > 0) mistake(c, half, skipped);
  chunk.advance(skipped);
}

/** The first place in from … limit where a header can begin, as far as the bytes up to `end` can tell; or `limit`. */
function findHeader(from: usize, limit: usize, end: usize, isClient: bool): usize {
  while (from < limit && matchHeader(from, <u32>min<usize>(end - from, HEADER_SIZE), isClient) == NO) {
    from = findByte(from + 1, limit, 0); // as every length does, it begins with a zero
  }
  return from;
}

/** In so many bytes no header begins. */
function mistake(c: Connection, half: Half, bytes: u32): void {
  if (half.lost()) c.desync(BAD_BYTES);
  spend(c, half, bytes);
}

/** Takes a gap. Inside the rest of a frame it is only counted; anywhere else the place of the next header is lost. */
function lose(c: Connection, half: Half, chunk: Chunk): void {
  if (!half.lose(chunk.missing)) {
    if (half.lost()) c.desync(LOST_BYTES);
  } else if (half.isDue && half.whole(chunk, half.size, half.area, AREA)) finish(c, half, chunk);
}

function spend(c: Connection, half: Half, bytes: u32): void {
  half.spend(bytes);
  if (half.isSpent(SEARCH_MAX)) c.giveUp();
}
