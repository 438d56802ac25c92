/**
 * What is reported of commands and responses.
 * https://opentelemetry.io/docs/specs/semconv/database/mysql/
 */
import { FROM_CLIENT, FROM_SERVER, MESSAGE_ERROR, MESSAGE_PUSH, REQUEST, RESPONSE } from '../sdk/abi';
import { frameBytes, frameFirst } from '../sdk/framer';
import { Message } from '../sdk/output';
import {
  DB_NAMESPACE,
  DB_OPERATION_NAME,
  DB_QUERY_SUMMARY,
  DB_RESPONSE_RETURNED_ROWS,
  DB_RESPONSE_STATUS_CODE,
  DB_SYSTEM_NAME,
  ERROR_TYPE,
  MYSQL_COMMAND,
  MYSQL_COMPRESSION,
  MYSQL_RESPONSE_AFFECTED_ROWS,
  MYSQL_RESPONSE_SQLSTATE,
} from './attributes';
import { LOGIN, nameAt, nameOf, STMT_PREPARE } from './commands';
import { HEADER } from './packet';
import { Connection, MARIADB_SERVER, PLAIN, SYSTEM_UNKNOWN, UNKNOWN, ZLIB } from './state';

/** Definitions: what the greeting said, and statements by their id. */
export const GREETING_KEY: u64 = 0x8000_0000_0000_0000;
/** MariaDB's name for the statement prepared last. */
export const LAST_STATEMENT: u32 = 0xffffffff;
const SQLSTATE: u32 = 5;

const digits: usize = memory.data(16, 8);

export function statementKey(id: u32): u64 {
  return id;
}

/** The request of the frame at hand; the caller adds to it and commits. */
export function beginRequest(c: Connection, command: u32, now: u64): Message {
  c.report(FROM_CLIENT, false, 0);
  const message = Message.open(c.slot, REQUEST);
  message.first = frameFirst;
  message.last = now;
  message.bytes = frameBytes;
  message.bodyBytes = frameBytes - HEADER;
  writeSystem(message, c);
  message.string(MYSQL_COMMAND, nameAt, nameOf(command));
  if (command == LOGIN && c.compression != PLAIN)
    writeText(message, MYSQL_COMPRESSION, c.compression == ZLIB ? 'zlib' : 'zstd');
  return message;
}

/** A command that is no statement names the operation itself. */
export function writeOperation(message: Message, command: u32): void {
  if (command == STMT_PREPARE) {
    writeText(message, DB_OPERATION_NAME, 'PREPARE');
    writeText(message, DB_QUERY_SUMMARY, 'PREPARE');
    return;
  }
  const length = nameOf(command);
  message.string(DB_OPERATION_NAME, nameAt, length);
  message.string(DB_QUERY_SUMMARY, nameAt, length);
}

/** Only the greeting tells; of a connection joined later nobody knows. */
function writeSystem(message: Message, c: Connection): void {
  if (c.system == SYSTEM_UNKNOWN) return;
  writeText(message, DB_SYSTEM_NAME, c.system == MARIADB_SERVER ? 'mariadb' : 'mysql');
}

function writeText(message: Message, id: u32, text: string): void {
  const units = changetype<usize>(text);
  const length = <u32>text.length;
  for (let i: u32 = 0; i < length; i++) store<u8>(digits + i, load<u8>(units + (i << 1)));
  message.string(id, digits, length);
}

/** The response that ends now. */
export function writeResponse(c: Connection, now: u64, code: u32, state: usize): void {
  c.report(FROM_SERVER, false, 0);
  const message = Message.open(c.slot, RESPONSE);
  message.first = c.first;
  message.last = now;
  message.bytes = c.bytes;
  message.bodyBytes = c.body;
  if (code != 0) writeError(message, code, state);
  if (c.hasRows) message.int(DB_RESPONSE_RETURNED_ROWS, <i64>c.rows);
  if (c.hasAffected) message.int(MYSQL_RESPONSE_AFFECTED_ROWS, <i64>c.affected);
  if (c.databaseLength != UNKNOWN && c.databaseLength > 0) message.string(DB_NAMESPACE, c.database, c.databaseLength);
  message.commit();
}

/** An error that nobody asked for: too many connections, shutdown, a time-out. */
export function writePush(c: Connection, now: u64, code: u32, state: usize): void {
  const message = Message.open(c.slot, RESPONSE);
  message.first = frameFirst;
  message.last = now;
  message.bytes = frameBytes;
  message.bodyBytes = frameBytes - HEADER;
  message.flag(MESSAGE_PUSH);
  writeSystem(message, c);
  writeError(message, code, state);
  message.commit();
}

function writeError(message: Message, code: u32, state: usize): void {
  message.status = code;
  message.flag(MESSAGE_ERROR);
  const length = writeNumber(code);
  message.string(DB_RESPONSE_STATUS_CODE, digits, length);
  message.string(ERROR_TYPE, digits, length);
  if (state != 0) message.string(MYSQL_RESPONSE_SQLSTATE, state, SQLSTATE);
}

function writeNumber(value: u32): u32 {
  let length: u32 = 1;
  for (let rest = value; rest >= 10; rest /= 10) length++;
  for (let i = length; i > 0; i--) {
    store<u8>(digits + i - 1, <u8>(0x30 + (value % 10)));
    value /= 10;
  }
  return length;
}
