/**
 * The way of a chunk: lines, over any cut. A gap hides line ends, so it costs the rest of its line and the order of
 * requests and answers (DESYNC); the next line of the right grammar is where reading goes on.
 */
import { FROM_CLIENT } from '../../sdk/abi';
import { Chunk } from '../../sdk/chunk';
import { frameAt, frameBytes, frameKept } from '../../sdk/framer';
import { hasRoom } from '../../sdk/output';
import { isAnswer, isCommand, writeAnswer, writeCommand } from './message';
import { AREA, BAD_BYTES, Connection, Half, LOST_BYTES } from './state';

const LF: u8 = 0x0a;
const CR: u8 = 0x0d;
/** A line is not longer than this. */
const LINE_MAX: u32 = 65536;
/** Bytes of one direction searched in vain before the connection is given up. */
const SEARCH_MAX: u32 = 1 << 20;

/** False when the output is full before the chunk is used up. */
export function consume(chunk: Chunk): bool {
  const c = Connection.at(chunk.slot);
  const half = c.half(chunk.direction);
  while (!c.dead && chunk.wireLength > 0) {
    if (!hasRoom()) return false;
    if (chunk.length == 0) loseBytes(c, half, chunk);
    else if (half.until(chunk, LF, half.area, AREA)) readLine(c, half, chunk);
    else if (half.taken > LINE_MAX) breakOff(c, half, chunk.direction, BAD_BYTES);
  }
  if (chunk.isEnd) half.drop();
  return true;
}

function readLine(c: Connection, half: Half, chunk: Chunk): void {
  const isClient = chunk.direction == FROM_CLIENT;
  const end = lineEnd();
  if (half.inside || !isLine(isClient, end)) {
    passLine(c, half);
    return;
  }
  const isFirst = !half.isSynced;
  if (isFirst) half.trial(1);
  half.confirm();
  c.report(chunk.direction, isFirst, LOST_BYTES);
  if (isClient) writeCommand(c, end, chunk.timestamp);
  else writeAnswer(c, end, chunk.timestamp);
}

function isLine(isClient: bool, end: usize): bool {
  if (frameBytes > LINE_MAX) return false;
  return isClient ? isCommand(frameAt, end) : isAnswer(frameAt, end);
}

/** A CR before the LF belongs to the line's end. */
function lineEnd(): usize {
  const end = frameAt + frameKept;
  return frameBytes == frameKept + 1 && frameKept > 0 && load<u8>(end - 1) == CR ? end - 1 : end;
}

/** The end of a line that was not seen whole, or a line that is none. */
function passLine(c: Connection, half: Half): void {
  half.inside = false;
  if (half.lost()) c.desync(BAD_BYTES);
  search(c, half, <u32>frameBytes);
}

function loseBytes(c: Connection, half: Half, chunk: Chunk): void {
  breakOff(c, half, chunk.direction, LOST_BYTES);
  chunk.advanceMissing(chunk.missing);
}

/** The rest of the line is of no use. */
function breakOff(c: Connection, half: Half, direction: u32, reason: u32): void {
  const bytes = <u32>half.taken;
  if (c.lose(direction)) c.desync(reason);
  search(c, half, bytes);
}

function search(c: Connection, half: Half, bytes: u32): void {
  half.spend(bytes);
  if (half.isSpent(SEARCH_MAX)) c.giveUp();
}
