/**
 * The way of a chunk: frames, over any cut.
 * A gap inside a frame is exact: the length says where it ends. Elsewhere: DESYNC, and the search for a mark whose frame
 * is followed by another one.
 */
import { FROM_CLIENT } from '../../sdk/abi';
import { Chunk } from '../../sdk/chunk';
import { frameAt } from '../../sdk/framer';
import { hasRoom } from '../../sdk/output';
import { frameLength, HEADER, MARK } from './header';
import { writeFrame } from './message';
import { AREA, BAD_BYTES, Connection, Half, LOST_BYTES } from './state';

/** Good frames in a row before one is believed, after a loss. */
const TRIAL: u8 = 2;
/** Bytes of one direction searched in vain before the connection is given up. */
const SEARCH_MAX: u32 = 4 << 20;

/** False when the output is full before the chunk is used up. */
export function consume(chunk: Chunk): bool {
  const c = Connection.at(chunk.slot);
  const half = c.half(chunk.direction);
  while (!c.dead && (chunk.wireLength > 0 || half.isDue)) {
    if (!hasRoom()) return false;
    if (chunk.length == 0 && !half.isDue) loseBytes(c, half, chunk);
    else if (half.isSearching) search(c, half, chunk);
    else readFrame(c, half, chunk);
  }
  if (chunk.isEnd) half.drop();
  return true;
}

function readFrame(c: Connection, half: Half, chunk: Chunk): void {
  const isClient = chunk.direction == FROM_CLIENT;
  if (!half.reach(chunk, HEADER, half.area, AREA)) return;
  const bytes = frameLength(frameAt, isClient);
  if (bytes == 0) passHeader(c, half, chunk);
  else if (half.whole(chunk, bytes, half.area, AREA) && half.confirm()) writeFrame(c, isClient, chunk.timestamp);
}

/** What should be a header is none: the next mark is looked for behind it. */
function passHeader(c: Connection, half: Half, chunk: Chunk): void {
  if (half.taken == 0) chunk.advance(HEADER);
  half.spend(HEADER);
  lose(c, half, BAD_BYTES);
}

function search(c: Connection, half: Half, chunk: Chunk): void {
  if (half.seek(chunk, MARK, half.area)) half.trial(TRIAL);
  if (half.isSpent(SEARCH_MAX)) c.giveUp();
}

function loseBytes(c: Connection, half: Half, chunk: Chunk): void {
  const bytes = chunk.missing;
  chunk.advanceMissing(bytes);
  if (!half.lose(bytes)) lose(c, half, LOST_BYTES);
}

function lose(c: Connection, half: Half, reason: u32): void {
  if (half.lost()) c.desync(reason);
}
