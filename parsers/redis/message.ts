/**
 * What is reported of a command and of a reply. Nothing of an argument leaves this parser: the query text has a `?`
 * for each, so neither a password of AUTH or HELLO nor a key or value can.
 * https://opentelemetry.io/docs/specs/semconv/database/redis/
 */
import { MESSAGE_ERROR, MESSAGE_NO_RESPONSE, MESSAGE_PARTIAL, REQUEST, RESPONSE } from '../sdk/abi';
import { copy } from '../sdk/bytes';
import { Message } from '../sdk/output';
import {
  DB_NAMESPACE,
  DB_OPERATION_NAME,
  DB_QUERY_TEXT,
  DB_RESPONSE_STATUS_CODE,
  ERROR_TYPE,
  NETWORK_PROTOCOL_VERSION,
  REDIS_REPLY_TYPE,
} from './attributes';
import { Half } from './frame';
import { replyType } from './reply-type';
import { Connection, OPERATION_MAX, UNKNOWN } from './state';

/** Placeholders written out; what a command has beyond them is `...`. */
const PLACEHOLDERS_MAX: u32 = 16;
const QUESTION: u16 = 0x3f20; // " ?"
const ELLIPSIS: u32 = 0x2e2e2e20; // " ..."

const queryText: usize = memory.data(OPERATION_MAX + 2 * PLACEHOLDERS_MAX + 4, 8);
const digits: usize = memory.data(16, 8);

/** Where in time and in its stream a message lies. */
function place(message: Message, half: Half, now: u64, end: u64): void {
  message.first = half.first;
  message.last = now;
  message.bytes = end - half.start;
  message.bodyBytes = half.body;
}

export function writeRequest(c: Connection, half: Half, words: u32, flags: u32, now: u64, end: u64): void {
  const message = Message.open(c.slot, REQUEST);
  place(message, half, now, end);
  message.flag(flags);
  if (c.operationLength > 0) {
    message.string(DB_OPERATION_NAME, c.operation, c.operationLength);
    message.string(DB_QUERY_TEXT, queryText, writeQuery(c, words - 1 - c.hasSubcommand));
  }
  if ((flags & MESSAGE_NO_RESPONSE) != 0) writeConnection(message, c);
  message.commit();
}

/** `code` is the error's first word; 0 bytes of it when there is none. */
export function writeResponse(
  c: Connection,
  half: Half,
  flags: u32,
  code: usize,
  codeLength: u32,
  now: u64,
  end: u64,
): void {
  const message = Message.open(c.slot, RESPONSE);
  place(message, half, now, end);
  message.flag(flags);
  const type = replyType(half.top);
  message.string(REDIS_REPLY_TYPE, type + 1, load<u8>(type));
  writeConnection(message, c);
  if (codeLength > 0) {
    message.string(DB_RESPONSE_STATUS_CODE, code, codeLength);
    message.string(ERROR_TYPE, code, codeLength);
  } else if ((flags & (MESSAGE_ERROR | MESSAGE_PARTIAL)) == MESSAGE_ERROR) {
    store<u64>(digits, 0x52454854_4f5f); // "_OTHER", as OpenTelemetry calls an error without a class
    message.string(ERROR_TYPE, digits, 6);
  }
  message.commit();
}

/** The database and the protocol version, as they are when the response comes: a request in a pipeline cannot know. */
function writeConnection(message: Message, c: Connection): void {
  if (c.database != UNKNOWN) message.string(DB_NAMESPACE, digits, writeNumber(c.database));
  if (c.protocol != 0) message.string(NETWORK_PROTOCOL_VERSION, digits, writeNumber(c.protocol));
}

function writeQuery(c: Connection, values: u32): u32 {
  copy(queryText, c.operation, c.operationLength);
  let at = queryText + c.operationLength;
  const shown = min(values, PLACEHOLDERS_MAX);
  for (let i: u32 = 0; i < shown; i++) {
    store<u16>(at, QUESTION);
    at += 2;
  }
  if (values > shown) {
    store<u32>(at, ELLIPSIS);
    at += 4;
  }
  return <u32>(at - queryText);
}

/** Decimal digits of a number that is not negative, at `digits`. */
function writeNumber(value: u32): u32 {
  let length: u32 = 1;
  for (let rest = value; rest >= 10; rest /= 10) length++;
  for (let i = length; i > 0; i--) {
    store<u8>(digits + i - 1, <u8>(0x30 + (value % 10)));
    value /= 10;
  }
  return length;
}
