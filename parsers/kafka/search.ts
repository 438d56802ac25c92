/**
 * The search for a frame, after a loss outside of frames: for a header (header.ts) that stands where an earlier one says
 * that its frame ends. The second of them is the first to be read. A request with a client id is believed at once when
 * it begins where the lost bytes end, and so is an awaited response where the connection was joined.
 *
 * Rule: no byte is passed over unseen because of a header that nothing confirmed. Offset and length of a record batch
 * can look like size and correlation id of a response, of which the size may be anything; so each possible frame is kept
 * by its end, and the search goes on inside of it.
 */
import { FROM_CLIENT } from '../sdk/abi';
import { be32 } from '../sdk/bytes';
import { Chunk } from '../sdk/chunk';
import { FRAME_MAX, NO, REQUEST_HEADER, RESPONSE_HEADER, requestHeader, responseHeader, SIZE } from './header';
import { find, follows, orderOf, sweep } from './pending';
import { BAD_BYTES, Connection, FRAMES, Half, LOST_BYTES, PossibleFrame } from './state';

/** Bytes of one direction searched in vain before the connection is given up; those of possible frames do not count. */
const SEARCH_MAX: u32 = 4 << 20;
/** Highest first byte of a size. */
const FIRST_MAX: u32 = FRAME_MAX >>> 24;
const AWAITED: u32 = 0xffffffff;

// ── out of step ──────────────────────────────────────────────────────────────────────────────────────────────────

/** No header begins here: the search begins one byte further. */
export function loseStep(c: Connection, half: Half, chunk: Chunk): void {
  const kept = half.length;
  half.isFresh = false;
  lose(c, half, BAD_BYTES, chunk.direction == FROM_CLIENT);
  half.length = kept;
  passBytes(half, chunk);
}

/** Bytes are missing, and nobody knows what follows them. */
export function loseFrames(c: Connection, half: Half, isClient: bool): void {
  lose(c, half, LOST_BYTES, isClient);
  half.isJoin = isClient;
}

function lose(c: Connection, half: Half, reason: u32, isClient: bool): void {
  half.isJoin = false;
  if (!half.lost()) return;
  c.desync(reason);
  half.forgetFrames();
  if (!isClient) sweep(c);
}

// ── the way back ─────────────────────────────────────────────────────────────────────────────────────────────────

export function search(c: Connection, half: Half, chunk: Chunk, isClient: bool): void {
  noteTimes(half, chunk);
  const from = chunk.data;
  while (chunk.length > 0 || half.length > 0) {
    if (half.length > 0 && chunk.data - from >= half.length) giveBack(half, chunk);
    const length = awaitHeader(c, half, chunk, isClient);
    if (length == AWAITED) return;
    if (length != NO && isBelieved(c, half, chunk, length)) {
      half.isFresh = true;
      half.trial(1);
      half.confirm();
      return;
    }
    half.isJoin = false;
    passBytes(half, chunk);
    if (half.isSpent(SEARCH_MAX)) {
      c.giveUp();
      return;
    }
  }
}

/** The length of the strong header that begins here, NO, or AWAITED when the chunk ends before it is clear. */
function awaitHeader(c: Connection, half: Half, chunk: Chunk, isClient: bool): u32 {
  const there = half.length > 0 ? half.length : min(chunk.length, isClient ? REQUEST_HEADER + 2 : RESPONSE_HEADER);
  let wanted = max<u32>(1, there);
  while (true) {
    const at = half.peek(chunk, wanted);
    if (at == 0) return AWAITED;
    const length = strongHeader(c, at, wanted, isClient);
    if (length <= wanted) return length;
    wanted = length;
  }
}

/**
 * The length of a header as only a real one has it, or NO; final when no more than `there`. `header.ts` says what it
 * looks like; that a response is awaited makes it one.
 */
function strongHeader(c: Connection, at: usize, there: u32, isClient: bool): u32 {
  if (isClient) return requestHeader(at, there);
  const length = responseHeader(at, there);
  return length > there || (length != NO && find(c, be32(at + 4)) != 0) ? length : NO;
}

/** Whether the strong header that begins here is believed. If not, its frame is a possible one. */
function isBelieved(c: Connection, half: Half, chunk: Chunk, length: u32): bool {
  const isClient = chunk.direction == FROM_CLIENT;
  // A request without a client id has too little that is its own.
  if (half.isJoin && !(isClient && length <= REQUEST_HEADER + 2)) return true;
  const at = half.length > 0 ? half.area : <usize>chunk.data;
  const entry = isClient ? 0 : find(c, be32(at + 4));
  const here = offsetOf(half, chunk);
  for (let i: u32 = 0; i < FRAMES; i++) {
    const frame = half.frame(i);
    if (frame.end != here || here == 0 || !(isClient || follows(entry, frame.order))) continue;
    half.first = frame.next;
    return true;
  }
  const end = here + SIZE + be32(at);
  const frame = half.frameFor(here, end);
  if (frame === null) return false;
  frame.end = end;
  frame.order = isClient ? 0 : orderOf(entry);
  noteTime(frame, chunk);
  return false;
}

/** What was kept for a header that is none and came with this chunk is looked at where it lies. */
function giveBack(half: Half, chunk: Chunk): void {
  const bytes = half.length;
  chunk.data -= bytes;
  chunk.length += bytes;
  chunk.wireLength += bytes;
  chunk.offset -= bytes;
  half.length = 0;
}

/** Passes over a byte, and those behind it that begin no header. */
function passBytes(half: Half, chunk: Chunk): void {
  const here = offsetOf(half, chunk);
  let bytes: u32 = 1;
  if (half.length > 0) half.shift(1);
  else {
    while (bytes < chunk.length && <u32>load<u8>(chunk.data + bytes) > FIRST_MAX) bytes++;
    chunk.advance(bytes);
  }
  const inFrame = half.framesEnd > here ? half.framesEnd - here : 0;
  if (bytes > inFrame) half.spend(bytes - <u32>inFrame);
}

/** Stream offset of the byte that is looked at. */
function offsetOf(half: Half, chunk: Chunk): u64 {
  return chunk.offset - half.length;
}

/** When the first byte behind a possible frame came. */
function noteTimes(half: Half, chunk: Chunk): void {
  if (half.framesEnd < chunk.offset) return;
  for (let i: u32 = 0; i < FRAMES; i++) noteTime(half.frame(i), chunk);
}

function noteTime(frame: PossibleFrame, chunk: Chunk): void {
  if (frame.end >= chunk.offset && frame.end - chunk.offset < chunk.length) frame.next = chunk.timestamp;
}
