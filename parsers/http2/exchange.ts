/**
 * What becomes of a stream: opened by a request, answered, ended by each side, reset. Called by frame.ts with whole
 * header blocks and with bodies as they go by.
 */

import { FROM_CLIENT, FROM_SERVER } from '../sdk/abi';
import { defineCaptured, hasCaptured, noCaptured } from '../sdk/headers';
import { HTTP_RESPONSE_HEADER, RPC_RESPONSE_METADATA } from './attributes';
import { has, hasUnknown, isGrpc, METHOD, statusOf } from './fields';
import { timeout } from './grpc';
import { sayRequest, sayReset, sayResponse } from './message';
import { Connection, Half } from './state';
import {
  HAS_HEADERS,
  HAS_REQUEST,
  HAS_RESPONSE,
  HEADERS_CUT,
  IS_GRPC,
  IS_PUSHED,
  NO_STATUS,
  REQUEST_ENDED,
  REQUEST_UNCOUNTED,
  RESPONSE_MESSAGES_LOST,
  RESPONSE_UNCOUNTED,
  Stream,
} from './streams';

const FINAL: u32 = 200;
/** Nanoseconds that a client's clock for a deadline may be ahead of its request on the wire. */
const EARLY: u64 = 5000000;

/** A header block of the client; its fields were read. */
export function clientBlock(c: Connection, half: Half, ends: bool, now: u64): void {
  const id = half.blockStream;
  let stream = c.table.find(c.base, id);
  const isNew = id > c.clientStream;
  if (isNew) c.clientStream = id;
  // Without a method it is no request; of one that is not known at all nothing is said, nor of its answer.
  if ((stream == null || (stream.flags & HAS_REQUEST) == 0) && (half.isBroken || (!has(METHOD) && !hasUnknown))) {
    if (stream != null) c.table.remove(c.base, stream);
    return;
  }
  if (stream == null && isNew) stream = enter(c, id);
  if (stream == null) return;
  if ((stream.flags & HAS_REQUEST) == 0) {
    stream.flags |= HAS_REQUEST;
    stream.requestEpoch = half.epoch;
    if (isGrpc()) {
      stream.flags |= IS_GRPC;
      const limit = timeout();
      stream.deadline = limit == 0 ? 0 : half.blockFirst + limit - min(limit >> 4, EARLY);
    }
    sayRequest(c.slot, stream, half.blockFirst, now, half.blockBytes);
  }
  if (ends) endRequest(c, stream);
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
      c.table.remove(c.base, stream);
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
  c.table.remove(c.base, stream);
}

/** RST_STREAM. After the whole response it says only that no more of the request is wanted. */
export function reset(c: Connection, id: u32, error: u32, direction: u32, now: u64): void {
  const stream = c.table.find(c.base, id);
  if (stream == null) return;
  check(c, stream);
  if ((stream.flags & (HAS_REQUEST | IS_PUSHED)) != 0) sayReset(c.slot, stream, now, error, direction == FROM_CLIENT);
  c.table.remove(c.base, stream);
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
