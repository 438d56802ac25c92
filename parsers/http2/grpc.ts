/**
 * gRPC over HTTP/2. https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md
 *
 *   DATA payloads, whatever their borders:   │ compressed (1) │ length (4) │ message │ …
 */

import { FROM_CLIENT } from '../sdk/abi';
import { be32, isDigit } from '../sdk/bytes';
import { GRPC_STATUS, GRPC_TIMEOUT, has, lengthOf, valueAt } from './fields';
import { CLIENT_LEFT, REFUSED_STREAM, SERVER_LEFT } from './names';
import { IS_COMPRESSED, REQUEST_MESSAGES_LOST, RESPONSE_MESSAGES_LOST, Stream } from './streams';

const PREFIX: u8 = 5;

export const CODES: u32 = 17;
export const NO_CODE: u32 = 0xffffffff;
const CANCELLED: u32 = 1;
const UNKNOWN: u32 = 2;
const DEADLINE_EXCEEDED: u32 = 4;
const PERMISSION_DENIED: u32 = 7;
const RESOURCE_EXHAUSTED: u32 = 8;
const UNIMPLEMENTED: u32 = 12;
const INTERNAL: u32 = 13;
const UNAVAILABLE: u32 = 14;
const UNAUTHENTICATED: u32 = 16;

/** Counts the messages that begin in `bytes` of body; of these, those from `at` to `end` were captured. */
export function countMessages(stream: Stream, direction: u32, at: usize, end: usize): void {
  if (direction == FROM_CLIENT) {
    left = stream.requestLeft;
    prefix = stream.requestPrefix;
    stream.requestMessages += count(stream, at, end);
    stream.requestLeft = left;
    stream.requestPrefix = prefix;
  } else {
    left = stream.responseLeft;
    prefix = stream.responsePrefix;
    stream.responseMessages += count(stream, at, end);
    stream.responseLeft = left;
    stream.responsePrefix = prefix;
  }
}

/** Bytes of a body were not captured: nothing is lost if they lie within a message. */
export function skipMessages(stream: Stream, direction: u32, bytes: u32): void {
  const isClient = direction == FROM_CLIENT;
  const isInside = (isClient ? stream.requestPrefix : stream.responsePrefix) == 0;
  const room = isClient ? stream.requestLeft : stream.responseLeft;
  if (!isInside || bytes > room) stream.flags |= isClient ? REQUEST_MESSAGES_LOST : RESPONSE_MESSAGES_LOST;
  else if (isClient) stream.requestLeft -= bytes;
  else stream.responseLeft -= bytes;
}

let left: u32 = 0;
let prefix: u8 = 0;

function count(stream: Stream, at: usize, end: usize): u32 {
  let messages: u32 = 0;
  while (at < end) {
    if (prefix == 0 && left > 0) {
      const bytes = min(left, <u32>(end - at));
      left -= bytes;
      at += bytes;
      continue;
    }
    if (prefix == 0 && end - at >= PREFIX) {
      if ((load<u8>(at) & 1) != 0) stream.flags |= IS_COMPRESSED;
      left = be32(at + 1);
      at += PREFIX;
      messages++;
      continue;
    }
    const byte = load<u8>(at++);
    if (prefix == 0) {
      if ((byte & 1) != 0) stream.flags |= IS_COMPRESSED;
    } else left = (left << 8) | byte;
    if (++prefix < PREFIX) continue;
    prefix = 0;
    messages++;
  }
  return messages;
}

/** The code of the trailers; NO_CODE when there is none. */
export function codeOfTrailers(): u32 {
  if (!has(GRPC_STATUS)) return NO_CODE;
  const length = lengthOf(GRPC_STATUS);
  const at = valueAt(GRPC_STATUS);
  if (length == 0 || length > 2) return NO_CODE;
  let code: u32 = 0;
  for (let i: u32 = 0; i < length; i++) {
    if (!isDigit(load<u8>(at + i))) return NO_CODE;
    code = code * 10 + load<u8>(at + i) - 0x30;
  }
  return code < CODES ? code : UNKNOWN;
}

/** Where trailers have none. https://github.com/grpc/grpc/blob/master/doc/http-grpc-status-mapping.md */
export function codeOfHttp(status: u32): u32 {
  switch (status) {
    case 400:
      return INTERNAL;
    case 401:
      return UNAUTHENTICATED;
    case 403:
      return PERMISSION_DENIED;
    case 404:
      return UNIMPLEMENTED;
    case 429:
    case 502:
    case 503:
    case 504:
      return UNAVAILABLE;
  }
  return UNKNOWN;
}

/** A reset stream. The client cancels what has missed its deadline. */
export function codeOfReset(stream: Stream, error: u32, isClient: bool, now: u64): u32 {
  switch (error) {
    case REFUSED_STREAM:
    case SERVER_LEFT:
      return UNAVAILABLE;
    case CLIENT_LEFT:
      return CANCELLED;
    case 8: // CANCEL
      return isClient && stream.deadline != 0 && now >= stream.deadline ? DEADLINE_EXCEEDED : CANCELLED;
    case 11: // ENHANCE_YOUR_CALM
      return RESOURCE_EXHAUSTED;
    case 12: // INADEQUATE_SECURITY
      return PERMISSION_DENIED;
  }
  return INTERNAL;
}

/** Nanoseconds of `grpc-timeout`: up to eight digits and a unit. 0 when there is none. */
export function timeout(): u64 {
  if (!has(GRPC_TIMEOUT)) return 0;
  const length = lengthOf(GRPC_TIMEOUT);
  if (length < 2 || length > 9) return 0;
  const at = valueAt(GRPC_TIMEOUT);
  let value: u64 = 0;
  for (let i: u32 = 0; i < length - 1; i++) {
    if (!isDigit(load<u8>(at + i))) return 0;
    value = value * 10 + load<u8>(at + i) - 0x30;
  }
  return value * unit(load<u8>(at + length - 1));
}

function unit(byte: u32): u64 {
  switch (byte) {
    case 0x48: // H
      return 3600000000000;
    case 0x4d: // M
      return 60000000000;
    case 0x53: // S
      return 1000000000;
    case 0x6d: // m
      return 1000000;
    case 0x75: // u
      return 1000;
  }
  return byte == 0x6e ? 1 : 0;
}
