/**
 * The way of bytes through a direction: preface, headers of frames, payloads. https://www.rfc-editor.org/rfc/rfc9113#section-4
 *
 * Payloads of DATA and of frames that say nothing are passed over by their length. Header blocks, SETTINGS and
 * RST_STREAM are read where they lie, or gathered in the slot when the chunk ends first.
 */

import { BLOCK_MAX } from '../hpack/decoder';
import { FROM_CLIENT, GROW, SHRINK } from '../sdk/abi';
import { be16, be32, copy } from '../sdk/bytes';
import { Chunk } from '../sdk/chunk';
import { hasRoom, hint } from '../sdk/output';
import {
  check,
  clientBlock,
  endDirection,
  endRequest,
  endResponse,
  goAway,
  promise,
  refuseNext,
  reset,
  serverBlock,
  UNASKED_MAX,
} from './exchange';
import { GRPC_STATUS, has, METHOD, noFields, readFields, STATUS } from './fields';
import { countMessages, skipMessages } from './grpc';
import {
  CONTINUATION,
  DATA_FRAME,
  END_HEADERS,
  END_STREAM,
  GOAWAY,
  HEADERS,
  PADDED,
  PRIORITIZED,
  PUSH_PROMISE,
  RST_STREAM,
  SETTINGS,
} from './header';
import { LOST_ERROR } from './names';
import { Connection, Half, PREFACE, SEARCHING, SYNCED, TRIAL } from './state';
import { IS_GRPC, REQUEST_UNCOUNTED, RESPONSE_UNCOUNTED, Stream } from './streams';
import { readHeader, readPreface } from './sync';

const SETTINGS_MAX_FRAME_SIZE: u32 = 5;
/** The last stream, and an error. */
const GOAWAY_SIZE: u32 = 8;

/** False when it has to stop inside the chunk: no room for output, or the slot must grow. */
export function consume(chunk: Chunk): bool {
  const c = Connection.at(chunk.slot);
  c.settle();
  const half = c.half(chunk.direction);
  if (chunk.isEnd) return c.dead || endDirection(c, chunk);
  let unasked: u32 = 0;
  while (!c.dead) {
    const refuses = c.refusing != 0 && unasked < UNASKED_MAX;
    if (chunk.wireLength == 0 && !refuses) break;
    if (!hasRoom()) return false;
    if (refuses) {
      unasked++;
      refuseNext(c, chunk.timestamp);
      continue;
    }
    if (c.isCalm) {
      c.pack();
      hint(c.slot, SHRINK);
      return false;
    }
    if (needsRoom(c, half)) {
      hint(c.slot, GROW);
      return false;
    }
    if (chunk.length == 0) lose(c, half, chunk);
    else if (half.isPayload) readPayload(c, half, chunk);
    else if (half.step == PREFACE) readPreface(c, half, chunk);
    else if (readHeader(c, half, chunk)) begin(c, half, chunk);
  }
  return true;
}

/** One stream more, or the payload to gather, would not fit. */
function needsRoom(c: Connection, half: Half): bool {
  if (!c.canGrow) return false;
  if (c.table.isFull) return true;
  return half.isPayload && isGathered(half.type) && half.left > 0 && half.blockLength + wanted(half) > c.blockCapacity;
}

function isGathered(type: u8): bool {
  switch (type) {
    case HEADERS:
    case CONTINUATION:
    case PUSH_PROMISE:
    case SETTINGS:
    case RST_STREAM:
    case GOAWAY:
      return true;
  }
  return false;
}

/** How much of a payload is read; what a GOAWAY says beyond its numbers is for people. */
function wanted(half: Half): u32 {
  return half.type == GOAWAY ? min(half.length, GOAWAY_SIZE) : half.length;
}

/** Bytes are missing: exact within a payload, else the place of the next frame is lost. */
function lose(c: Connection, half: Half, chunk: Chunk): void {
  if (!half.isPayload) {
    half.spend(chunk.missing);
    if (half.step != SEARCHING || half.have > 0) c.lose(chunk.direction);
    half.have = 0;
    chunk.advanceMissing(chunk.missing);
    return;
  }
  const bytes = min(chunk.missing, half.left);
  if (half.type == DATA_FRAME) loseBody(c, half, chunk.direction, bytes);
  else half.isBroken = true;
  half.left -= bytes;
  chunk.advanceMissing(bytes);
  if (half.left == 0) finish(c, half, chunk, 0);
}

// ── frames ───────────────────────────────────────────────────────────────────────────────────────────────────────

/** A header was read. */
function begin(c: Connection, half: Half, chunk: Chunk): void {
  const isOpen = half.blockStream != 0;
  if (isOpen != (half.type == CONTINUATION) || (isOpen && half.stream != half.blockStream)) {
    // A block whose beginning was missed may have added to the table.
    if (isOpen) {
      c.lose(chunk.direction);
      return;
    }
    c.doubt(chunk.direction);
  }
  half.isPayload = true;
  half.left = half.length;
  half.gathered = 0;
  half.isPadUnread = false;
  if (half.type == HEADERS || half.type == PUSH_PROMISE) beginBlock(half);
  else if (half.type == DATA_FRAME) beginBody(c, half, chunk.direction);
  else if (!isOpen) half.isBroken = false;
  if (half.left == 0) finish(c, half, chunk, 0);
}

function beginBlock(half: Half): void {
  half.dropBlock();
  half.isBroken = half.length > BLOCK_MAX;
  half.blockStream = half.stream;
  half.blockType = half.type;
  half.blockFlags = half.flags;
  half.blockFirst = half.first;
  half.blockBytes = 0;
}

function readPayload(c: Connection, half: Half, chunk: Chunk): void {
  const bytes = min(half.left, chunk.length);
  const at = <usize>chunk.data;
  if (half.type == DATA_FRAME) {
    readBody(c, half, chunk, bytes);
    return;
  }
  const isWhole = bytes == half.length && half.blockLength == 0;
  if (isGathered(half.type) && !isWhole) gather(c, half, chunk.direction, at, bytes);
  half.left -= bytes;
  chunk.advance(bytes);
  if (half.left == 0) finish(c, half, chunk, isWhole ? at : 0);
}

/** Keeps a part of a payload behind what is there of its block; a gap or a lack of room breaks it. */
function gather(c: Connection, half: Half, direction: u32, at: usize, bytes: u32): void {
  const end = half.blockLength + half.gathered;
  bytes = min(bytes, wanted(half) - half.gathered);
  if (half.isBroken || end + bytes > c.blockCapacity) {
    half.isBroken = true;
    return;
  }
  copy(c.block(direction) + end, at, bytes);
  half.gathered += bytes;
}

/** The frame is complete. `at`: its payload when it lies whole in the chunk, else it was gathered. */
function finish(c: Connection, half: Half, chunk: Chunk, at: usize): void {
  const direction = chunk.direction;
  const now = chunk.timestamp;
  half.isPayload = false;
  const from = at != 0 ? at : c.block(direction) + half.blockLength;
  switch (half.type) {
    case DATA_FRAME:
      endBody(c, half, direction, now);
      return;
    case HEADERS:
    case PUSH_PROMISE:
    case CONTINUATION:
      if (half.blockStream != 0) finishPart(c, half, direction, from, now);
      return;
    case SETTINGS:
      if (!half.isBroken && half.isSynced) readSettings(c, direction, from, from + half.length);
      return;
    case RST_STREAM:
      if (half.isSynced) reset(c, half.stream, half.isBroken ? LOST_ERROR : be32(from), direction, now);
      return;
    case GOAWAY:
      if (!half.isBroken && half.isSynced && direction != FROM_CLIENT) goAway(c, be32(from) & 0x7fffffff);
  }
}

/** What one direction announces holds for the other. */
function readSettings(c: Connection, direction: u32, at: usize, end: usize): void {
  const other = c.half(direction ^ 1);
  for (; at + 6 <= end; at += 6) {
    // It is in force some time later; nobody is asked to take back what is under way.
    if (be16(at) == SETTINGS_MAX_FRAME_SIZE) other.frameMax = max(other.frameMax, min<u32>(be32(at + 2), 0xffffff));
  }
}

// ── header blocks ────────────────────────────────────────────────────────────────────────────────────────────────

/** A frame of a block: takes off what is not block, and reads it when this was the last one. */
function finishPart(c: Connection, half: Half, direction: u32, from: usize, now: u64): void {
  let at = from;
  let end = from + half.length;
  half.blockBytes += half.length + 9;
  if (!half.isBroken && half.type != CONTINUATION) {
    const pad = (half.flags & PADDED) != 0 && half.length > 0 ? <u32>load<u8>(at++) : 0;
    if (half.type == HEADERS && (half.flags & PRIORITIZED) != 0) at += 5;
    if (half.type == PUSH_PROMISE) at += 4;
    if (at + pad > end) {
      c.lose(direction);
      return;
    }
    if (half.type == PUSH_PROMISE && half.isSynced) promise(c, be32(at - 4) & 0x7fffffff);
    end -= pad;
  }
  if ((half.flags & END_HEADERS) != 0) {
    // Of a block of several frames the others lie before this one.
    finishBlock(c, half, direction, half.type == CONTINUATION ? at - half.blockLength : at, end, now);
    return;
  }
  if (!half.isBroken) keepPart(c, half, direction, at, <u32>(end - at));
}

function keepPart(c: Connection, half: Half, direction: u32, at: usize, length: u32): void {
  const to = c.block(direction) + half.blockLength;
  if (half.blockLength + length > c.blockCapacity) half.isBroken = true;
  else if (to != at) memory.copy(to, at, length);
  half.blockLength += length;
}

function finishBlock(c: Connection, half: Half, direction: u32, at: usize, end: usize, now: u64): void {
  const isGood = !half.isBroken && readFields(c.hpack(direction), at, end, direction);
  if (!isGood) {
    c.doubt(direction);
    noFields(true);
    // A block that makes no sense: these are no frames.
    if (!half.isBroken) {
      c.lose(direction);
      return;
    }
  }
  if (half.step == TRIAL) {
    if (!isGood || !isProof(c, half, direction)) {
      half.dropBlock();
      c.doubt(direction);
      return;
    }
    half.step = SYNCED;
    half.searched = 0;
  }
  const ends = (half.blockFlags & END_STREAM) != 0;
  if (half.blockType == HEADERS) {
    if (direction == FROM_CLIENT) clientBlock(c, half, ends, now);
    else serverBlock(c, half, ends, now);
  }
  half.dropBlock();
}

/** Fields that only a request or a response has; or the trailers of a call that is open. */
function isProof(c: Connection, half: Half, direction: u32): bool {
  if (direction == FROM_CLIENT) return has(METHOD);
  return has(STATUS) || (has(GRPC_STATUS) && c.table.find(c.base, half.blockStream) != null);
}

// ── bodies ───────────────────────────────────────────────────────────────────────────────────────────────────────

function streamOf(c: Connection, half: Half): Stream | null {
  if (!half.isSynced) return null;
  const stream = c.table.find(c.base, half.stream);
  if (stream != null) check(c, stream);
  return stream;
}

function beginBody(c: Connection, half: Half, direction: u32): void {
  half.body = half.length;
  half.isPadUnread = (half.flags & PADDED) != 0 && half.length > 0;
  const stream = streamOf(c, half);
  if (stream == null) return;
  if (direction != FROM_CLIENT) stream.responseBytes += half.length + 9;
  if (!half.isPadUnread) addBody(stream, direction, half.length);
}

function addBody(stream: Stream, direction: u32, bytes: u32): void {
  if (direction == FROM_CLIENT) stream.requestBody += bytes;
  else stream.responseBody += bytes;
}

function readBody(c: Connection, half: Half, chunk: Chunk, bytes: u32): void {
  const stream = streamOf(c, half);
  if (half.isPadUnread) {
    half.isPadUnread = false;
    const pad = load<u8>(chunk.data);
    if (<u32>pad + 1 > half.length) {
      c.lose(chunk.direction);
      return;
    }
    half.body = half.length - 1 - pad;
    if (stream != null) addBody(stream, chunk.direction, half.body);
    bytes = 1;
  } else {
    const body = min(bytes, half.body);
    if (stream != null && (stream.flags & IS_GRPC) != 0) {
      countMessages(stream, chunk.direction, chunk.data, <usize>chunk.data + body);
    }
    half.body -= body;
  }
  half.left -= bytes;
  chunk.advance(bytes);
  if (half.left == 0) finish(c, half, chunk, 0);
}

function loseBody(c: Connection, half: Half, direction: u32, bytes: u32): void {
  const stream = streamOf(c, half);
  const body = min(bytes, half.body);
  half.body -= body;
  if (stream == null) return;
  if (half.isPadUnread) {
    half.isPadUnread = false;
    stream.flags |= direction == FROM_CLIENT ? REQUEST_UNCOUNTED : RESPONSE_UNCOUNTED;
  } else if ((stream.flags & IS_GRPC) != 0 && body > 0) skipMessages(stream, direction, body);
}

function endBody(c: Connection, half: Half, direction: u32, now: u64): void {
  if ((half.flags & END_STREAM) == 0) return;
  const stream = streamOf(c, half);
  if (stream == null) return;
  if (direction == FROM_CLIENT) endRequest(c, stream);
  else endResponse(c, stream, now, false);
}
