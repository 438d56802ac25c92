/**
 * What is reported.
 * https://opentelemetry.io/docs/specs/semconv/database/postgresql/
 */
import { MESSAGE_ERROR, MESSAGE_PARTIAL, ONEWAY, REQUEST, RESPONSE } from '../sdk/abi';
import { frameBytes, frameFirst } from '../sdk/framer';
import { Message } from '../sdk/output';
import { collectionAt, collectionLength, operationAt, operationLength, summaryAt, summaryLength } from '../sql/summary';
import {
  DB_COLLECTION_NAME,
  DB_NAMESPACE,
  DB_OPERATION_NAME,
  DB_QUERY_SUMMARY,
  DB_QUERY_TEXT,
  DB_RESPONSE_RETURNED_ROWS,
  DB_RESPONSE_STATUS_CODE,
  ERROR_TYPE,
  POSTGRESQL_AFFECTED_ROWS,
  TRACEPARENT,
} from './attributes';
import { HEADER } from './header';
import { Connection } from './state';
import { textAt, textIsCut, textLength } from './statement';
import { findComment, TRACEPARENT_LENGTH } from './trace-comment';

const CODE_LENGTH: u32 = 5;
const ABORTED = 'pipeline_aborted';
const CANCEL = 'CANCEL';
const FUNCTION_CALL = 'FUNCTION CALL';
const scratch: usize = memory.data(16, 8);

/** A request that is the frame just read. */
function openRequest(c: Connection, type: u32, now: u64): Message {
  const message = Message.open(c.slot, type);
  message.first = frameFirst;
  message.last = now;
  message.bytes = frameBytes;
  message.bodyBytes = frameBytes - HEADER;
  if (c.namespaceLength > 0) message.string(DB_NAMESPACE, c.namespace, c.namespaceLength);
  return message;
}

/** The text is what `readText` found. */
export function writeQuery(c: Connection, now: u64): void {
  const message = openRequest(c, REQUEST, now);
  if (textIsCut) message.flag(MESSAGE_PARTIAL);
  message.string(DB_QUERY_TEXT, textAt, textLength);
  if (operationLength > 0) message.string(DB_OPERATION_NAME, operationAt, operationLength);
  if (collectionLength > 0) message.string(DB_COLLECTION_NAME, collectionAt, collectionLength);
  if (summaryLength > 0) message.string(DB_QUERY_SUMMARY, summaryAt, summaryLength);
  const context = findComment(textAt, textAt + textLength);
  if (context != 0) message.string(TRACEPARENT, context, TRACEPARENT_LENGTH);
  message.commit();
}

/** `statement`: the key of its definition, 0 when it is not known. */
export function writeExecute(c: Connection, statement: u64, now: u64): void {
  const message = openRequest(c, REQUEST, now);
  if (statement != 0) message.reference(statement);
  else message.flag(MESSAGE_PARTIAL);
  message.commit();
}

/** A function is called by its number, which says nothing to anyone. */
export function writeFunction(c: Connection, now: u64): void {
  const message = openRequest(c, REQUEST, now);
  name(message, FUNCTION_CALL);
  message.commit();
}

/** A connection of its own, without an answer. Its key is a secret. */
export function writeCancel(c: Connection, now: u64): void {
  const message = openRequest(c, ONEWAY, now);
  name(message, CANCEL);
  message.commit();
}

/** What has no SQL is called by what it does. */
function name(message: Message, operation: string): void {
  text(message, DB_OPERATION_NAME, operation);
  text(message, DB_QUERY_SUMMARY, operation);
}

/** A start-up is reported when it fails: wrong password, no such database, too many connections. */
export function writeFailedStart(c: Connection, now: u64): void {
  const message = Message.open(c.slot, REQUEST);
  message.first = c.startFirst;
  message.last = c.startLast;
  message.bytes = c.startBytes;
  if (c.namespaceLength > 0) message.string(DB_NAMESPACE, c.namespace, c.namespaceLength);
  message.commit();
  writeResponse(c, now);
}

export function writeResponse(c: Connection, now: u64): void {
  const message = Message.open(c.slot, RESPONSE);
  message.first = c.responseFirst;
  message.last = now;
  message.bytes = c.responseBytes;
  message.bodyBytes = c.responseBody;
  if (c.isPartial) message.flag(MESSAGE_PARTIAL);
  if (c.isError) writeError(c, message);
  if (c.hasRows) message.int(DB_RESPONSE_RETURNED_ROWS, c.rows);
  if (c.hasAffected) message.int(POSTGRESQL_AFFECTED_ROWS, c.affected);
  message.commit();
}

function writeError(c: Connection, message: Message): void {
  message.flag(MESSAGE_ERROR);
  if (c.code == 0) return;
  store<u64>(scratch, c.code);
  message.string(DB_RESPONSE_STATUS_CODE, scratch, CODE_LENGTH);
  message.string(ERROR_TYPE, scratch, CODE_LENGTH);
}

/** What was asked for and not done, because of an error before it: libpq calls it so. */
export function writeAborted(c: Connection, now: u64): void {
  const message = Message.open(c.slot, RESPONSE);
  message.first = frameFirst;
  message.last = now;
  message.flag(MESSAGE_ERROR);
  text(message, ERROR_TYPE, ABORTED);
  message.commit();
}

/** A constant of the module: its characters, without the zeros between them. */
function text(message: Message, id: u32, constant: string): void {
  const units = changetype<usize>(constant);
  const length = constant.length;
  for (let i = 0; i < length; i++) store<u8>(scratch + i, load<u8>(units + (i << 1)));
  message.string(id, scratch, length);
}
