/**
 * The text of a statement: where it lies in a command, what is reported of it, and whether it changes the database.
 *
 *   03 │ text                                                        COM_QUERY
 *   03 │ count │ 1 │ null bitmap, 1, types and names, values │ text  with CLIENT_QUERY_ATTRIBUTES
 */
import { MESSAGE_PARTIAL } from '../sdk/abi';
import { findByte, startsWith } from '../sdk/bytes';
import { CURSOR_SIZE, Cursor } from '../sdk/cursor';
import { Definition, Message } from '../sdk/output';
import {
  CUT,
  collectionAt,
  collectionLength,
  MYSQL,
  operationAt,
  operationLength,
  summarize,
  summaryAt,
  summaryLength,
} from '../sql/summary';
import { beginTokens, END, nextToken, QUOTED, SYMBOL, tokenAt, tokenEnd, WORD } from '../sql/tokens';
import { DB_COLLECTION_NAME, DB_OPERATION_NAME, DB_QUERY_SUMMARY, DB_QUERY_TEXT } from './attributes';
import { lenenc, skipString, skipValue } from './lenenc';
import { NAME_MAX } from './state';

const ATTRIBUTES_MAX: u64 = 1024;
const BACKTICK: u8 = 0x60;
const typesCursor: usize = memory.data(CURSOR_SIZE, 8);

export let databaseAt: usize = 0;
export let databaseLength: u32 = 0;

/** Address of the query's text in from … end, behind its attributes; 0 when it is not to be found. */
export function textOf(from: usize, end: usize, hasAttributes: bool): usize {
  if (!hasAttributes) return from;
  const cursor = Cursor.over(from, end);
  const count = lenenc(cursor);
  const sets = lenenc(cursor);
  if (!cursor.ok || sets != 1 || count > ATTRIBUTES_MAX) return 0;
  if (count > 0) skipAttributes(cursor, <u32>count);
  return cursor.ok ? cursor.at : 0;
}

function skipAttributes(cursor: Cursor, count: u32): void {
  const nulls = cursor.bytes((count + 7) >> 3);
  if (cursor.u8() != 1 || !cursor.ok) {
    cursor.bad = true;
    return;
  }
  const types = changetype<Cursor>(typesCursor).set(cursor.at, cursor.end);
  for (let i: u32 = 0; i < count && cursor.ok; i++) skipType(cursor);
  for (let i: u32 = 0; i < count && cursor.ok; i++) {
    const type = types.le16() & 0xff;
    skipString(types);
    const isNull = ((<u32>load<u8>(nulls + (i >> 3)) >>> (i & 7)) & 1) != 0;
    if (!isNull) skipValue(cursor, type);
  }
}

function skipType(cursor: Cursor): void {
  cursor.skip(2);
  skipString(cursor);
}

/** Where it was not agreed on: attributes begin with their count, and the 1 behind it is no character of a text. */
export function showsAttributes(from: usize, end: usize): bool {
  return end - from >= 2 && load<u8>(from, 1) == 1;
}

/** Whether a text can begin with this byte. */
export function beginsText(byte: u32): bool {
  const letter = (byte | 0x20) - 0x61;
  if (letter < 26) return true;
  // White space, comments, parentheses, and `{` of ODBC.
  return (
    byte - 0x09 < 5 ||
    byte == 0x20 ||
    byte == 0x28 ||
    byte == 0x2d ||
    byte == 0x2f ||
    byte == 0x23 ||
    byte == 0x7b ||
    byte == 0x3b
  );
}

/** Everything that is reported of a statement, but for its operation when it has another one. */
export function writeStatement(message: Message, from: usize, length: u32, isCut: bool, isPrepare: bool): void {
  summarize(from, length, isCut ? MYSQL | CUT : MYSQL);
  if (!isPrepare && operationLength > 0) message.string(DB_OPERATION_NAME, operationAt, operationLength);
  if (collectionLength > 0) message.string(DB_COLLECTION_NAME, collectionAt, collectionLength);
  if (!isPrepare && summaryLength > 0) message.string(DB_QUERY_SUMMARY, summaryAt, summaryLength);
  if (length > 0) message.string(DB_QUERY_TEXT, from, length);
  if (isCut) message.flag(MESSAGE_PARTIAL);
}

export function defineStatement(slot: u32, key: u64, from: usize, length: u32, isCut: bool): void {
  summarize(from, length, isCut ? MYSQL | CUT : MYSQL);
  const definition = Definition.open(slot, key);
  if (operationLength > 0) definition.string(DB_OPERATION_NAME, operationAt, operationLength);
  if (collectionLength > 0) definition.string(DB_COLLECTION_NAME, collectionAt, collectionLength);
  if (summaryLength > 0) definition.string(DB_QUERY_SUMMARY, summaryAt, summaryLength);
  definition.string(DB_QUERY_TEXT, from, length);
  definition.commit();
}

/** Whether the text, which `summarize` has just read, is USE: then the name is at `databaseAt`, or has length 0. */
export function isUse(from: usize, length: u32): bool {
  if (operationLength != 3 || load<u16>(operationAt) != 0x5355 || load<u8>(operationAt, 2) != 0x45) return false;
  databaseLength = 0;
  beginTokens(from, length, MYSQL);
  nextToken();
  const kind = nextToken();
  if (kind != WORD && kind != QUOTED) return true;
  const name = tokenAt;
  const size = <u32>(tokenEnd - tokenAt);
  const isPlain = size <= NAME_MAX && (kind == WORD || findByte(name, name + size, BACKTICK) == name + size);
  const next = nextToken();
  if (!isPlain || (next != END && (next != SYMBOL || load<u8>(tokenAt) != 0x3b || nextToken() != END))) return true;
  databaseAt = name;
  databaseLength = size;
  return true;
}

/** Whether the text, which `summarize` has just read, drops a database, which may be the one in use; or may do so. */
export function isDrop(isCut: bool): bool {
  if (operationLength == 0) return isCut;
  if (operationLength != 4 || load<u32>(operationAt) != 0x504f5244) return false;
  const end = summaryAt + summaryLength;
  return isCut || startsWith(summaryAt, end, 'DROP DATABASE') || startsWith(summaryAt, end, 'DROP SCHEMA');
}

/** Whether a statement behind the first may be a USE. */
export function mayUse(from: usize, length: u32): bool {
  const end = from + length;
  let at = findByte(from, end, 0x3b);
  for (; at + 4 < end; at++) {
    const word = (load<u32>(at) | 0x202020) & 0xffffff;
    if (word == 0x657375) return true; // use
  }
  return false;
}
