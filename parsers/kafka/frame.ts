/**
 * The way of a chunk: frames, over any cut and across gaps.
 *
 * A frame of a direction in step is read as far as its schema goes (walk.ts) and reported when its last byte has come.
 * After a loss outside of frames: DESYNC, and the search for the next one (search.ts).
 */
import { FROM_CLIENT, GROW } from '../sdk/abi';
import { be16, be32 } from '../sdk/bytes';
import { Chunk } from '../sdk/chunk';
import { hasRoom, hint } from '../sdk/output';
import { API_VERSIONS, APIS, CONTROLLED_SHUTDOWN, isFlexible, isKnown, SASL_HANDSHAKE } from './apis';
import { FRAME_MAX, REQUEST_HEADER, RESPONSE_HEADER, SIZE } from './header';
import { writeRequest, writeResponse } from './message';
import { answer, apiOf, find, isCrowded, remember, settle, versionOf, wantsTopic } from './pending';
import { loseFrames, loseStep, search } from './search';
import { BODY_STAGE, CLIENT_ID_STAGE, Connection, Half, NO_TEXT, REST_STAGE, TAGS_STAGE, UNKNOWN_API } from './state';
import { walk } from './walk';

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
  if (!half.isToken) {
    if (isClient) writeRequest(c, half, now);
    else writeResponse(c, half, now);
  }
  half.drop();
}

// ── headers ──────────────────────────────────────────────────────────────────────────────────────────────────────

function beginRequest(c: Connection, half: Half, chunk: Chunk): void {
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
  answer(c, entry);
}

/** A token of the authentication: its size, and bytes of no interest. */
function passToken(half: Half, chunk: Chunk, size: u32): void {
  half.begin(<u64>size + SIZE, REST_STAGE);
  half.isToken = true;
  half.done(chunk, SIZE);
}

// ── gaps ─────────────────────────────────────────────────────────────────────────────────────────────────────────

/** The captured bytes of the chunk are used up; what is missing of it is lost. */
function loseBytes(c: Connection, half: Half, chunk: Chunk): void {
  const bytes = chunk.missing;
  chunk.advanceMissing(bytes);
  if (half.size == 0 || bytes > <u32>(half.left - half.length)) {
    loseFrames(c, half, chunk.direction == FROM_CLIENT);
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
