/**
 * The way of a chunk: frames, over any cut and across gaps.
 *
 * A frame of a direction in step is read as far as its schema goes (walk.ts) and reported when its last byte has come.
 * After a loss outside of frames: DESYNC, and the search for a header (header.ts) whose frame is followed by another
 * one; of a response the correlation id must be one that waits. The second of them is the first to be reported. A request
 * with a client id is believed at once when it begins where the lost bytes end, and so is an awaited response where the
 * connection was joined.
 */
import { FROM_CLIENT, GROW } from '../sdk/abi';
import { be16, be32 } from '../sdk/bytes';
import { Chunk } from '../sdk/chunk';
import { hasRoom, hint } from '../sdk/output';
import { API_VERSIONS, APIS, CONTROLLED_SHUTDOWN, isFlexible, isKnown, SASL_HANDSHAKE } from './apis';
import { FRAME_MAX, NO, REQUEST_HEADER, RESPONSE_HEADER, requestHeader, responseHeader, SIZE } from './header';
import { writeRequest, writeResponse } from './message';
import { apiOf, find, forget, isCrowded, remember, settle, versionOf, wantsTopic } from './pending';
import {
  BAD_BYTES,
  BODY_STAGE,
  CLIENT_ID_STAGE,
  Connection,
  Half,
  LOST_BYTES,
  NO_TEXT,
  REST_STAGE,
  TAGS_STAGE,
  UNKNOWN_API,
} from './state';
import { walk } from './walk';

/** Good headers in a row before a frame is believed, after a loss. */
const TRIAL: u8 = 2;
/** Bytes of one direction searched in vain before the connection is given up. */
const SEARCH_MAX: u32 = 4 << 20;
/** API keys from the future that a direction in step may still use. */
const API_MAX: u32 = 255;

/** False when the output is full, or another slot was asked for, before the chunk is used up. */
export function consume(chunk: Chunk): bool {
  const c = Connection.at(chunk.slot);
  const isClient = chunk.direction == FROM_CLIENT;
  const half = c.half(chunk.direction);
  settle(c);
  while (!c.dead && (chunk.wireLength > 0 || half.isDue || half.isFresh)) {
    if (!hasRoom()) return false;
    if (half.isDue) finish(c, half, isClient, chunk.timestamp);
    else if (chunk.length == 0 && !half.isFresh) loseBytes(c, half, chunk);
    else if (half.isSearching) search(c, half, chunk, isClient);
    else if (half.size > 0) walk(c, half, chunk, isClient);
    else if (!isClient) beginResponse(c, half, chunk);
    else if (isCrowded(c)) return grow(c);
    else beginRequest(c, half, chunk);
  }
  if (chunk.isEnd) half.drop();
  return true;
}

function grow(c: Connection): bool {
  hint(c.slot, GROW);
  return false;
}

/** The frame's last byte has come. */
function finish(c: Connection, half: Half, isClient: bool, now: u64): void {
  if (half.isSynced && !half.isToken) {
    if (isClient) writeRequest(c, half, now);
    else writeResponse(c, half, now);
  }
  half.drop();
}

// ── headers ──────────────────────────────────────────────────────────────────────────────────────────────────────

function beginRequest(c: Connection, half: Half, chunk: Chunk): void {
  if (!half.isSynced) {
    beginTrial(c, half, chunk, true);
    return;
  }
  const at = half.peek(chunk, SIZE);
  if (at == 0) return;
  const size = be32(at);
  if (size > FRAME_MAX || (size < REQUEST_HEADER - SIZE && !c.isSasl)) {
    loseStep(c, half, chunk);
    return;
  }
  if (size < REQUEST_HEADER - SIZE) {
    passToken(half, chunk, size);
    return;
  }
  const header = half.peek(chunk, REQUEST_HEADER);
  if (header != 0) enterRequest(c, half, chunk, header);
}

/** A header of a direction in step. */
function enterRequest(c: Connection, half: Half, chunk: Chunk, header: usize): void {
  const size = be32(header);
  const api = be16(header + 4);
  const version = be16(header + 6);
  if (c.isSasl && !isKnown(api, version)) {
    passToken(half, chunk, size);
    return;
  }
  if (api > API_MAX || version > API_MAX) {
    loseStep(c, half, chunk);
    return;
  }
  const correlation = be32(header + 8);
  const isBare = api == CONTROLLED_SHUTDOWN && version == 0;
  half.begin(<u64>size + SIZE, isBare ? REST_STAGE : CLIENT_ID_STAGE);
  half.isFlexible = isFlexible(api, version);
  half.isPartial = api < APIS && !isKnown(api, version) && api != API_VERSIONS;
  half.api = <u16>api;
  half.version = <u16>version;
  half.correlation = correlation;
  half.done(chunk, REQUEST_HEADER);
  c.clearTexts(true);
  c.isSasl = api == SASL_HANDSHAKE && version == 0;
  remember(c, correlation, api, version);
}

function beginResponse(c: Connection, half: Half, chunk: Chunk): void {
  if (!half.isSynced) {
    beginTrial(c, half, chunk, false);
    return;
  }
  const at = half.peek(chunk, SIZE);
  if (at == 0) return;
  const size = be32(at);
  if (size > FRAME_MAX || (size < RESPONSE_HEADER - SIZE && !c.isSasl)) {
    loseStep(c, half, chunk);
    return;
  }
  if (size < RESPONSE_HEADER - SIZE) {
    passToken(half, chunk, size);
    return;
  }
  const header = half.peek(chunk, RESPONSE_HEADER);
  if (header == 0) return;
  const entry = find(c, be32(header + 4));
  if (entry == 0 && c.isSasl) {
    passToken(half, chunk, size);
    return;
  }
  enterResponse(c, half, chunk, header, entry);
}

function enterResponse(c: Connection, half: Half, chunk: Chunk, header: usize, entry: usize): void {
  const api = entry != 0 ? apiOf(entry) : UNKNOWN_API;
  const version = entry != 0 ? versionOf(entry) : 0;
  const isRead = isKnown(api, version) || api == API_VERSIONS;
  half.isFlexible = isFlexible(api, version) && api != API_VERSIONS;
  half.begin(<u64>be32(header) + SIZE, !isRead ? REST_STAGE : half.isFlexible ? TAGS_STAGE : BODY_STAGE);
  half.isPartial = !isRead;
  half.api = <u16>api;
  half.version = <u16>version;
  half.correlation = be32(header + 4);
  half.done(chunk, RESPONSE_HEADER);
  c.clearTexts(false);
  if (entry == 0) return;
  half.wantsTopic = wantsTopic(entry);
  forget(c, entry);
}

/** A token of the authentication: its size, and bytes of no interest. */
function passToken(half: Half, chunk: Chunk, size: u32): void {
  half.begin(<u64>size + SIZE, REST_STAGE);
  half.isToken = true;
  half.done(chunk, SIZE);
}

// ── after a loss ─────────────────────────────────────────────────────────────────────────────────────────────────

/**
 * The length of a header as only a real one has it, or NO; final when no more than `there`. `header.ts` says what it
 * looks like; that a response is awaited makes it one.
 */
function strongHeader(c: Connection, at: usize, there: u32, isClient: bool): u32 {
  if (isClient) return requestHeader(at, there);
  const length = responseHeader(at, there);
  return length > there || (length != NO && find(c, be32(at + 4)) != 0) ? length : NO;
}

/** A frame is passed over unless its header is the last that was wanted: then it is read as any other. */
function beginTrial(c: Connection, half: Half, chunk: Chunk, isClient: bool): void {
  const wanted = awaitHeader(c, half, chunk, isClient);
  if (wanted == AWAITED) return;
  if (wanted == NO) {
    loseStep(c, half, chunk);
    return;
  }
  // A request without a client id has too little that is its own.
  if (half.isJoin && isClient && wanted <= REQUEST_HEADER + 2) half.trial(TRIAL);
  half.isJoin = false;
  half.isFresh = half.confirm();
  if (half.isFresh) return;
  const at = half.length > 0 ? half.area : <usize>chunk.data;
  half.begin(<u64>be32(at) + SIZE, REST_STAGE);
  half.isToken = true;
  half.done(chunk, wanted);
}

const AWAITED: u32 = 0xffffffff;

/** The length of the strong header that begins here, NO, or AWAITED when the chunk ends before it is clear. */
function awaitHeader(c: Connection, half: Half, chunk: Chunk, isClient: bool): u32 {
  let wanted: u32 = 1;
  while (true) {
    const at = half.peek(chunk, wanted);
    if (at == 0) return AWAITED;
    const length = strongHeader(c, at, wanted, isClient);
    if (length <= wanted) return length;
    wanted = length;
  }
}

/** No header begins here: the search goes on one byte further. */
function loseStep(c: Connection, half: Half, chunk: Chunk): void {
  const kept = half.length;
  half.isFresh = false;
  half.isJoin = false;
  if (half.lost()) c.desync(BAD_BYTES);
  half.length = kept;
  passByte(half, chunk);
}

function passByte(half: Half, chunk: Chunk): void {
  if (half.length == 0) chunk.advance(1);
  else half.shift(1);
  half.spend(1);
}

function search(c: Connection, half: Half, chunk: Chunk, isClient: bool): void {
  while (chunk.length > 0 || half.length > 0) {
    const length = awaitHeader(c, half, chunk, isClient);
    if (length == AWAITED) return;
    if (length != NO) {
      half.trial(TRIAL);
      return;
    }
    passByte(half, chunk);
    if (half.isSpent(SEARCH_MAX)) {
      c.giveUp();
      return;
    }
  }
}

// ── gaps ─────────────────────────────────────────────────────────────────────────────────────────────────────────

/** The captured bytes of the chunk are used up; what is missing of it is lost. */
function loseBytes(c: Connection, half: Half, chunk: Chunk): void {
  const bytes = chunk.missing;
  chunk.advanceMissing(bytes);
  if (half.size == 0 || bytes > <u32>(half.left - half.length)) {
    if (half.lost()) c.desync(LOST_BYTES);
    if (chunk.direction == FROM_CLIENT) half.join();
  } else loseInside(c, half, bytes);
}

/** A gap inside a frame: harmless in a field that is passed over, and in records, whose end is known. */
function loseInside(c: Connection, half: Half, bytes: u32): void {
  if (half.length == 0 && bytes <= half.skip) {
    loseText(c, half);
    half.skip -= bytes;
    half.taken += bytes;
    return;
  }
  loseText(c, half);
  const isCounted = (half.batch > 1 || half.skip > 0) && half.behindBatch == half.behindRecords;
  half.taken += half.length + bytes;
  half.length = 0;
  if (half.batch != 0 && half.left < half.behindRecords && half.isInLast) {
    endInRecords(half, isCounted);
    return;
  }
  if (half.batch == 0 || half.left < half.behindRecords) {
    half.passRest(true);
    return;
  }
  half.isPartial = true;
  if (half.batch > 1 && half.left >= half.behindBatch) {
    passRecord(half);
    return;
  }
  half.isUncounted = true;
  half.batch = 1;
  half.skip = half.left - half.behindRecords;
}

/**
 * The gap goes from the last records beyond their end, where nothing of interest comes: so end large requests whose call
 * was captured in part. All batches are counted if the header of the last one was read.
 */
function endInRecords(half: Half, isCounted: bool): void {
  if (!isCounted) half.isUncounted = true;
  if (!isCounted || half.batch > 1) half.isPartial = true;
  half.passRest(false);
}

/** A batch whose first record is no longer read. */
function passRecord(half: Half): void {
  half.batch = 1;
  half.skip = half.left - half.behindBatch;
}

function loseText(c: Connection, half: Half): void {
  if (half.capturing == NO_TEXT) return;
  c.loseText(half.capturing);
  half.capturing = <u8>NO_TEXT;
  half.isPartial = true;
}
