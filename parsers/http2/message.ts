/**
 * Streams as messages: a REQUEST when its header block is complete, a RESPONSE when it has ended or was reset.
 *
 * A request may go on while it is answered, so what is known of it only in the end (body, messages) stands on the
 * response. Rule: a number or a status that could not be followed to the end is left out.
 * Names: https://opentelemetry.io/docs/specs/semconv/rpc/grpc/ and .../http/http-spans/
 */

import { MESSAGE_ERROR, MESSAGE_PARTIAL, MESSAGE_PUSH, REQUEST, RESPONSE } from '../sdk/abi';
import { hexValue } from '../sdk/bytes';
import { sayCaptured } from '../sdk/headers';
import { Message, undefine } from '../sdk/output';
import { isTraceparent, TRACEPARENT_LENGTH } from '../sdk/traceparent';
import {
  TRACEPARENT as ATTRIBUTE_TRACEPARENT,
  TRACESTATE as ATTRIBUTE_TRACESTATE,
  ERROR_TYPE,
  HTTP_REQUEST_BODY_SIZE,
  HTTP_REQUEST_HEADER,
  HTTP_RESPONSE_BODY_SIZE,
  HTTP_RESPONSE_HEADER,
  RPC_GRPC_COMPRESSED,
  RPC_GRPC_KIND,
  RPC_METHOD,
  RPC_REQUEST_BODY_SIZE,
  RPC_REQUEST_MESSAGE_COUNT,
  RPC_REQUEST_METADATA,
  RPC_REQUEST_METADATA_GRPC_ENCODING,
  RPC_REQUEST_METADATA_GRPC_TIMEOUT,
  RPC_RESPONSE_BODY_SIZE,
  RPC_RESPONSE_MESSAGE_COUNT,
  RPC_RESPONSE_METADATA,
  RPC_RESPONSE_METADATA_GRPC_MESSAGE,
  RPC_RESPONSE_STATUS_CODE,
  URL_SCHEME,
  USER_AGENT_ORIGINAL,
} from './attributes';
import {
  endOf,
  GRPC_ENCODING,
  GRPC_MESSAGE,
  GRPC_TIMEOUT,
  has,
  hasUnknown,
  lengthOf,
  METHOD,
  PATH,
  SCHEME,
  TRACEPARENT,
  TRACESTATE,
  USER_AGENT,
  valueAt,
} from './fields';
import { codeOfHttp, codeOfReset, codeOfTrailers, NO_CODE } from './grpc';
import { codeName, errorName, LOST_ERROR, sayText } from './names';
import {
  HAS_HEADERS,
  HAS_RESPONSE,
  HEADERS_CUT,
  IS_COMPRESSED,
  IS_GRPC,
  IS_PRESUMED,
  IS_PUSHED,
  NO_STATUS,
  REQUEST_ENDED,
  REQUEST_MESSAGES_LOST,
  REQUEST_UNCOUNTED,
  RESPONSE_MESSAGES_LOST,
  RESPONSE_UNCOUNTED,
  Stream,
} from './streams';
import { sayAuthority, sayMethod, sayPath } from './target';

const HTTP: u8 = 0;
const GRPC: u8 = 1;
const SLASH: u8 = 0x2f;
const PERCENT: u8 = 0x25;

/** The request whose fields were read last. */
export function sayRequest(slot: u32, stream: Stream, first: u64, last: u64, bytes: u64): void {
  const message = Message.open(slot, REQUEST);
  const isGrpc = (stream.flags & IS_GRPC) != 0;
  message.key = stream.id;
  message.first = first;
  message.last = last;
  message.bytes = bytes;
  message.protocol = isGrpc ? GRPC : HTTP;
  if (hasUnknown || !has(METHOD)) message.flag(MESSAGE_PARTIAL);
  if (isGrpc) sayCall(message);
  else sayHttp(message);
  sayAuthority(message);
  say(message, USER_AGENT_ORIGINAL, USER_AGENT);
  if (has(TRACEPARENT) && isTraceparent(valueAt(TRACEPARENT), endOf(TRACEPARENT))) {
    message.string(ATTRIBUTE_TRACEPARENT, valueAt(TRACEPARENT), TRACEPARENT_LENGTH);
  }
  say(message, ATTRIBUTE_TRACESTATE, TRACESTATE);
  sayCaptured(message, isGrpc ? RPC_REQUEST_METADATA : HTTP_REQUEST_HEADER);
  message.commit();
}

function sayHttp(message: Message): void {
  sayMethod(message);
  sayPath(message);
  say(message, URL_SCHEME, SCHEME);
}

/** `/package.Service/Method` */
function sayCall(message: Message): void {
  const at = valueAt(PATH);
  if (has(PATH) && lengthOf(PATH) > 1) {
    const isRooted = load<u8>(at) == SLASH;
    message.string(RPC_METHOD, isRooted ? at + 1 : at, lengthOf(PATH) - (isRooted ? 1 : 0));
  }
  say(message, RPC_REQUEST_METADATA_GRPC_TIMEOUT, GRPC_TIMEOUT);
  say(message, RPC_REQUEST_METADATA_GRPC_ENCODING, GRPC_ENCODING);
}

function say(message: Message, id: u32, kind: u32): void {
  if (has(kind) && lengthOf(kind) > 0) message.string(id, valueAt(kind), lengthOf(kind));
}

/** The stream's response has ended; of gRPC the fields that were read last are its trailers, if `hasTrailers`. */
export function sayResponse(slot: u32, stream: Stream, last: u64, hasTrailers: bool): void {
  const message = open(slot, stream, last);
  if ((stream.flags & IS_GRPC) != 0) {
    if (hasTrailers) sayTrailers(message, stream);
    else sayCodeOfHttp(message, stream);
    sayCallSizes(message, stream);
  } else saySizes(message, stream);
  sayHeaders(message, stream, hasTrailers);
  close(message, stream);
}

/** Header fields that were asked for: those that came with the beginning, and those of the block that was read last. */
function sayHeaders(message: Message, stream: Stream, hasBlock: bool): void {
  if ((stream.flags & HAS_HEADERS) != 0) message.reference(stream.id);
  if ((stream.flags & HEADERS_CUT) != 0) message.flag(MESSAGE_PARTIAL);
  if (!hasBlock) return;
  sayCaptured(message, (stream.flags & IS_GRPC) != 0 ? RPC_RESPONSE_METADATA : HTTP_RESPONSE_HEADER);
}

function close(message: Message, stream: Stream): void {
  message.commit();
  if ((stream.flags & HAS_HEADERS) != 0) undefine(message.slot, stream.id);
}

/** The stream was reset by either side, or refused. */
export function sayReset(slot: u32, stream: Stream, last: u64, error: u32, isClient: bool): void {
  if ((stream.flags & HAS_RESPONSE) == 0) stream.first = last;
  const message = open(slot, stream, last);
  const isKnown = error != LOST_ERROR;
  if (!isKnown) message.flag(MESSAGE_PARTIAL);
  // Of gRPC the code tells for whom it is an error.
  if (!isKnown || (stream.flags & IS_GRPC) == 0) message.flag(MESSAGE_ERROR);
  if ((stream.flags & IS_GRPC) != 0) {
    if (isKnown) sayCode(message, codeOfReset(stream, error, isClient, last));
    sayCallSizes(message, stream);
  } else {
    sayText(message, ERROR_TYPE, errorName(error));
    saySizes(message, stream);
  }
  sayHeaders(message, stream, false);
  close(message, stream);
}

function open(slot: u32, stream: Stream, last: u64): Message {
  const flags = stream.flags;
  const message = Message.open(slot, RESPONSE);
  message.key = stream.id;
  message.first = stream.first;
  message.last = last;
  message.bytes = stream.responseBytes;
  message.protocol = (flags & IS_GRPC) != 0 ? GRPC : HTTP;
  if ((flags & IS_GRPC) == 0) message.status = stream.status;
  if ((flags & (NO_STATUS | RESPONSE_UNCOUNTED)) != 0) message.flag(MESSAGE_PARTIAL);
  if ((flags & IS_PUSHED) != 0) message.flag(MESSAGE_PUSH);
  if ((flags & RESPONSE_UNCOUNTED) == 0) message.bodyBytes = stream.responseBody;
  return message;
}

function isRequestCounted(stream: Stream): bool {
  return (stream.flags & (REQUEST_ENDED | REQUEST_UNCOUNTED)) == REQUEST_ENDED;
}

function saySizes(message: Message, stream: Stream): void {
  const flags = stream.flags;
  if (isRequestCounted(stream) && stream.requestBody > 0) message.int(HTTP_REQUEST_BODY_SIZE, stream.requestBody);
  if ((flags & HAS_RESPONSE) == 0) return;
  if ((flags & RESPONSE_UNCOUNTED) == 0) message.int(HTTP_RESPONSE_BODY_SIZE, stream.responseBody);
}

function sayCallSizes(message: Message, stream: Stream): void {
  const flags = stream.flags;
  const isRequest = isRequestCounted(stream);
  const isResponse = (flags & RESPONSE_UNCOUNTED) == 0;
  if (isRequest) message.int(RPC_REQUEST_BODY_SIZE, stream.requestBody);
  if (isResponse) message.int(RPC_RESPONSE_BODY_SIZE, stream.responseBody);
  const asks = isRequest && (flags & REQUEST_MESSAGES_LOST) == 0;
  const answers = isResponse && (flags & RESPONSE_MESSAGES_LOST) == 0;
  if (asks) message.int(RPC_REQUEST_MESSAGE_COUNT, stream.requestMessages);
  if (answers) message.int(RPC_RESPONSE_MESSAGE_COUNT, stream.responseMessages);
  if (asks && answers) sayKind(message, stream);
  if ((flags & IS_COMPRESSED) != 0) message.bool(RPC_GRPC_COMPRESSED, true);
}

/** What was seen of it: a stream of one message cannot be told from a single one, nor one that ended before. */
function sayKind(message: Message, stream: Stream): void {
  const asksMany = stream.requestMessages > 1;
  const answersMany = stream.responseMessages > 1;
  if (asksMany) sayText(message, RPC_GRPC_KIND, answersMany ? 'bidi_stream' : 'client_stream');
  else if (answersMany) sayText(message, RPC_GRPC_KIND, 'server_stream');
  else if ((stream.requestMessages & stream.responseMessages) == 1) sayText(message, RPC_GRPC_KIND, 'unary');
}

function sayTrailers(message: Message, stream: Stream): void {
  const code = codeOfTrailers();
  if (code != NO_CODE) sayCode(message, code);
  else if (hasUnknown) message.flag(MESSAGE_PARTIAL);
  else sayCodeOfHttp(message, stream);
  if (!has(GRPC_MESSAGE)) return;
  const length = decodePercent(valueAt(GRPC_MESSAGE), endOf(GRPC_MESSAGE));
  if (length > 0) message.string(RPC_RESPONSE_METADATA_GRPC_MESSAGE, valueAt(GRPC_MESSAGE), length);
}

/** Where no code was sent. */
function sayCodeOfHttp(message: Message, stream: Stream): void {
  if ((stream.flags & (NO_STATUS | IS_PRESUMED)) != 0) message.flag(MESSAGE_PARTIAL);
  else sayCode(message, codeOfHttp(stream.status));
}

function sayCode(message: Message, code: u32): void {
  message.status = code;
  sayText(message, RPC_RESPONSE_STATUS_CODE, codeName(code));
}

/** In place; returns the new length. */
function decodePercent(at: usize, end: usize): usize {
  let to = at;
  for (let from = at; from < end; from++) {
    let byte = <u32>load<u8>(from);
    if (byte == PERCENT && end - from > 2) {
      const high = hexValue(load<u8>(from, 1));
      const low = hexValue(load<u8>(from, 2));
      if (high < 16 && low < 16) {
        byte = (high << 4) | low;
        from += 2;
      }
    }
    store<u8>(to++, <u8>byte);
  }
  return to - at;
}
