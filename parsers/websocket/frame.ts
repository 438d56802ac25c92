/**
 * The way of a chunk: frames, over any cut, each counted by a message that pairs with nothing.
 * A gap inside a payload is exact: the header says where it ends. Elsewhere: DESYNC, and the search for a chunk that
 * begins with a header, since most writes do. A header is two bytes of which chance meets one in twenty, so four have to
 * stand in a row, each where the one before says.
 */
import { MESSAGE_PUSH, RESPONSE } from '../sdk/abi';
import { Chunk } from '../sdk/chunk';
import { frameAt, frameBytes, frameFirst } from '../sdk/framer';
import { hasRoom, Message } from '../sdk/output';
import { HEADER_MIN, headerLength, NO_HEADER, payloadLength } from './header';
import { AREA, BAD_BYTES, Connection, Half, LOST_BYTES } from './state';

/** Good frames in a row before one is believed, after a loss. */
const TRIAL: u8 = 4;
/** A frame's length is a u64 with its header. */
const PAYLOAD_MAX: i64 = i64.MAX_VALUE - 16;
/** Bytes of one direction searched in vain before the connection is given up. */
const SEARCH_MAX: u32 = 4 << 20;

/** False when the output is full before the chunk is used up. */
export function consume(chunk: Chunk): bool {
  const c = Connection.at(chunk.slot);
  const half = c.half(chunk.direction);
  if (half.isSearching && chunk.length > 0) half.trial(TRIAL);
  while (!c.dead && (chunk.wireLength > 0 || half.isDue)) {
    if (!hasRoom()) return false;
    if (half.isSearching) pass(c, half, chunk);
    else if (chunk.length == 0 && !half.isDue) loseBytes(c, half, chunk);
    else readFrame(c, half, chunk);
  }
  if (chunk.isEnd) half.drop();
  return true;
}

function readFrame(c: Connection, half: Half, chunk: Chunk): void {
  const size = half.size > 0 ? half.size : frameSize(c, half, chunk);
  if (size > 0 && half.whole(chunk, size, half.area, AREA) && half.confirm()) count(c, chunk);
}

/** Bytes of the frame that begins here; 0 while its header is not there, or when it is none. */
function frameSize(c: Connection, half: Half, chunk: Chunk): u64 {
  if (!half.reach(chunk, HEADER_MIN, half.area, AREA)) return 0;
  const header = headerLength(frameAt, chunk.direction);
  if (header != NO_HEADER) {
    if (!half.reach(chunk, header, half.area, AREA)) return 0;
    const payload = payloadLength(frameAt);
    if (payload >= 0 && payload <= PAYLOAD_MAX) return header + payload;
  }
  lose(c, half, BAD_BYTES);
  return 0;
}

/** A frame is a message without a request, whichever side it comes from: the host counts it and makes no span. */
function count(c: Connection, chunk: Chunk): void {
  const message = Message.open(c.slot, RESPONSE);
  message.flag(MESSAGE_PUSH);
  message.first = frameFirst;
  message.last = chunk.timestamp;
  message.bytes = frameBytes;
  message.bodyBytes = frameBytes - headerLength(frameAt, chunk.direction);
  message.commit();
}

/** Nothing in the rest of a chunk that has shown no header can be told from payload. */
function pass(c: Connection, half: Half, chunk: Chunk): void {
  half.spend(chunk.length);
  chunk.advance(chunk.length);
  chunk.advanceMissing(chunk.missing);
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
