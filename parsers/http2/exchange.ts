/**
 * What becomes of a stream: opened by a request, answered, ended by each side, reset. Called by frame.ts with whole
 * header blocks and with bodies as they go by.
 */

import { EOF, FROM_CLIENT, FROM_SERVER } from '../sdk/abi';
import { Chunk } from '../sdk/chunk';
import { defineCaptured, hasCaptured, noCaptured } from '../sdk/headers';
import { hasRoom } from '../sdk/output';
import { HTTP_RESPONSE_HEADER, RPC_RESPONSE_METADATA } from './attributes';
import { CONTENT_TYPE, has, hasUnknown, isGrpc, lengthOf, METHOD, statusOf, valueAt } from './fields';
import { timeout } from './grpc';
import { sayRequest, sayReset, sayResponse } from './message';
import { CLIENT_LEFT, REFUSED_STREAM, SERVER_LEFT } from './names';
import { Connection, Half, WAS_GRPC, WAS_HTTP } from './state';
import {
  HAS_HEADERS,
  HAS_REQUEST,
  HAS_RESPONSE,
  HEADERS_CUT,
  IS_GRPC,
  IS_PRESUMED,
  IS_PUSHED,
  NO_STATUS,
  REQUEST_ENDED,
  REQUEST_UNCOUNTED,
  RESPONSE_MESSAGES_LOST,
  RESPONSE_UNCOUNTED,
  Stream,
} from './streams';

/** Streams that end with a chunk that does not name them: the host bounds what a few bytes may put out. */
export const UNASKED_MAX: u32 = 32;
const FINAL: u32 = 200;
/** Nanoseconds that a client's clock for a deadline may be ahead of its request on the wire. */
const EARLY: u64 = 5000000;
const WORD_POST: u32 = 0x54534f50;

/** A header block of the client; its fields were read. */
export function clientBlock(c: Connection, half: Half, ends: bool, now: u64): void {
  const id = half.blockStream;
  let stream = c.table.find(c.base, id);
  const isNew = id > c.clientStream;
  if (isNew) c.clientStream = id;
  // Without a method it is no request; of one that is not known at all nothing is said, nor of its answer.
  if ((stream == null || (stream.flags & HAS_REQUEST) == 0) && (half.isBroken || (!has(METHOD) && !hasUnknown))) {
    if (stream != null) c.leave(stream);
    return;
  }
  if (stream == null && isNew) stream = enter(c, id);
  if (stream == null) return;
  if ((stream.flags & HAS_REQUEST) == 0) {
    stream.flags |= HAS_REQUEST;
    stream.requestEpoch = half.epoch;
    if (isCall(c)) {
      stream.flags |= has(CONTENT_TYPE) ? IS_GRPC : IS_GRPC | IS_PRESUMED;
      const limit = timeout();
      stream.deadline = limit == 0 ? 0 : half.blockFirst + limit - min(limit >> 4, EARLY);
    }
    sayRequest(c.slot, stream, half.blockFirst, now, half.blockBytes);
    if (id > c.allowed) {
      refuse(c, stream, now);
      return;
    }
  }
  if (ends) endRequest(c, stream);
}

/**
 * Whether the request is a gRPC call. A content type that an unknown entry holds is that of the connection's other
 * requests, if they were all of one kind.
 */
function isCall(c: Connection): bool {
  const isPost = has(METHOD) && lengthOf(METHOD) == 4 && load<u32>(valueAt(METHOD)) == WORD_POST;
  if (has(CONTENT_TYPE) || !hasUnknown) {
    if (isPost) c.posts |= isGrpc() ? WAS_GRPC : WAS_HTTP;
    return isGrpc();
  }
  return c.posts == WAS_GRPC && (isPost || !has(METHOD));
}

export function endRequest(c: Connection, stream: Stream): void {
  check(c, stream);
  stream.flags |= REQUEST_ENDED;
}

/** A header block of the server; its fields were read, or nothing is known of them. */
export function serverBlock(c: Connection, half: Half, ends: bool, now: u64): void {
  const id = half.blockStream;
  let stream = c.table.find(c.base, id);
  // The request is on its way; it may not be seen before its answer. After a loss nobody knows.
  if (stream == null && id > c.clientStream && (id & 1) != 0 && c.half(FROM_CLIENT).epoch == 0) stream = enter(c, id);
  if (stream == null) return;
  check(c, stream);
  const status = statusOf();
  if (status != 0 && status < FINAL && !ends) return;
  stream.responseBytes += half.blockBytes;
  if ((stream.flags & HAS_RESPONSE) == 0) {
    if (!begins(half, stream, status, ends)) {
      c.leave(stream);
      return;
    }
    if (!ends && hasCaptured()) keepHeaders(c, stream);
    // Fields behind the body are metadata of a call, and no header of anything else.
  } else if ((stream.flags & IS_GRPC) == 0) noCaptured();
  if (ends) endResponse(c, stream, now, true);
}

/** The final response begins. False: these may be the trailers of one whose beginning was lost. */
function begins(half: Half, stream: Stream, status: u32, ends: bool): bool {
  const wasLost = (stream.flags & RESPONSE_UNCOUNTED) != 0;
  if (status == 0 && ((ends && wasLost) || !hasUnknown)) return false;
  stream.flags |= HAS_RESPONSE;
  stream.first = half.blockFirst;
  if (status == 0) stream.flags |= NO_STATUS;
  else {
    stream.flags &= ~(RESPONSE_UNCOUNTED | RESPONSE_MESSAGES_LOST);
    stream.responseEpoch = half.epoch;
    stream.responseBody = 0;
    stream.responseMessages = 0;
    stream.responseLeft = 0;
    stream.responsePrefix = 0;
    stream.responseBytes = half.blockBytes;
  }
  stream.status = <u16>status;
  if ((stream.flags & HAS_REQUEST) == 0 && isGrpc()) stream.flags |= IS_GRPC;
  return true;
}

/** The response is reported when it has ended: until then its header fields are a definition. */
function keepHeaders(c: Connection, stream: Stream): void {
  const id = (stream.flags & IS_GRPC) != 0 ? RPC_RESPONSE_METADATA : HTTP_RESPONSE_HEADER;
  stream.flags |= defineCaptured(c.slot, stream.id, id) ? HAS_HEADERS : HAS_HEADERS | HEADERS_CUT;
}

export function endResponse(c: Connection, stream: Stream, now: u64, hasTrailers: bool): void {
  check(c, stream);
  if ((stream.flags & HAS_RESPONSE) != 0) sayResponse(c.slot, stream, now, hasTrailers);
  c.leave(stream);
}

/** RST_STREAM. After the whole response it says only that no more of the request is wanted. */
export function reset(c: Connection, id: u32, error: u32, direction: u32, now: u64): void {
  const stream = c.table.find(c.base, id);
  if (stream == null) return;
  check(c, stream);
  if ((stream.flags & (HAS_REQUEST | IS_PUSHED)) != 0) sayReset(c.slot, stream, now, error, direction == FROM_CLIENT);
  c.leave(stream);
}

/** GOAWAY of the server: it answers no stream behind `last`. Which of them are open, `refuseNext` finds out. */
export function goAway(c: Connection, last: u32): void {
  if (last >= c.allowed) return;
  const end = c.refusing != 0 ? c.refusingEnd : min(c.allowed, c.clientStream);
  c.allowed = last;
  // The table holds the newest ones; each number is looked at once in the life of a connection.
  const reach = c.capacity << 2;
  const begin = max<u32>(last, end > reach ? end - reach : 0) + 1;
  if (begin > end) return;
  c.refusing = begin | 1;
  c.refusingEnd = end;
}

/** Ends the next stream that a GOAWAY refuses. */
export function refuseNext(c: Connection, now: u64): void {
  for (let id = c.refusing; id <= c.refusingEnd; id += 2) {
    const stream = c.table.find(c.base, id);
    if (stream == null) continue;
    c.refusing = id + 2;
    refuse(c, stream, now);
    return;
  }
  c.refusing = 0;
}

function refuse(c: Connection, stream: Stream, now: u64): void {
  check(c, stream);
  if ((stream.flags & HAS_REQUEST) != 0) sayReset(c.slot, stream, now, REFUSED_STREAM, false);
  c.leave(stream);
}

/**
 * A direction has ended. When both have, and one in order, what is still open has failed: the calls that last as long
 * as their connection. Not of streams that may have ended in a loss. False when there is no room to say it yet.
 */
export function endDirection(c: Connection, chunk: Chunk): bool {
  if (!hasRoom()) return false;
  if (c.closing == 0) {
    if (chunk.kind == EOF && c.leaver == 0) c.leaver = chunk.direction + 1;
    if (++c.ends < 2 || c.leaver == 0) return true;
  }
  const error = c.leaver == FROM_CLIENT + 1 ? CLIENT_LEFT : SERVER_LEFT;
  for (let said: u32 = 0; c.closing < c.capacity && said < UNASKED_MAX; c.closing++) {
    if (!hasRoom()) return false;
    const stream = c.table.at(c.base, c.closing);
    if (stream.id == 0) continue;
    check(c, stream);
    if ((stream.flags & (HAS_REQUEST | REQUEST_UNCOUNTED | RESPONSE_UNCOUNTED)) != HAS_REQUEST) continue;
    // A client that has left sends no more, either.
    if (error == CLIENT_LEFT) stream.flags |= REQUEST_ENDED;
    sayReset(c.slot, stream, chunk.timestamp, error, error == CLIENT_LEFT);
    said++;
  }
  return true;
}

/** PUSH_PROMISE: what comes on that stream is an answer that nobody asked for. */
export function promise(c: Connection, id: u32): void {
  if ((id & 1) != 0 || id <= c.serverStream || c.half(FROM_SERVER).isBroken) return;
  c.serverStream = id;
  const stream = enter(c, id);
  if (stream != null) stream.flags |= IS_PUSHED;
}

/** What was counted before a loss is no count. */
export function check(c: Connection, stream: Stream): void {
  if (stream.requestEpoch != c.half(FROM_CLIENT).epoch) stream.flags |= REQUEST_UNCOUNTED;
  if (stream.responseEpoch != c.half(FROM_SERVER).epoch) stream.flags |= RESPONSE_UNCOUNTED;
}

function enter(c: Connection, id: u32): Stream | null {
  if (c.table.isFull && !sweep(c, id)) return null;
  const stream = c.table.add(c.base, id);
  stream.requestEpoch = c.half(FROM_CLIENT).epoch;
  stream.responseEpoch = c.half(FROM_SERVER).epoch;
  return stream;
}

/**
 * In the largest slot the table is full: the streams whose end was missed are let go, told by their age. A sweep looks
 * at every stream, so it is paid for by as many that were refused before.
 */
function sweep(c: Connection, newest: u32): bool {
  const table = c.table;
  if (++c.refused < table.capacity >> 4) return false;
  c.refused = 0;
  const oldest = newest > 2 * table.capacity ? newest - 2 * table.capacity : 0;
  for (let place: u32 = 0; place < table.capacity; ) {
    const stream = table.at(c.base, place);
    // What is taken out may bring another one to the same place.
    if (stream.id != 0 && stream.id < oldest) table.remove(c.base, stream);
    else place++;
  }
  return !table.isFull;
}
