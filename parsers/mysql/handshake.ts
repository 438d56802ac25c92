/**
 * The beginning of a connection: the server's greeting, the client's answer, and what both agree on.
 *
 *   greeting   0a │ version, 00 │ thread id 4 │ scramble 8 │ 00 │ capabilities 2 │ charset 1 │ status 2 │ capabilities 2 …
 *   answer     capabilities 4 │ largest packet 4 │ charset 1 │ 19 zeros, 4 of MariaDB │ user, 00 │ auth │ database, 00 …
 *   for TLS    the first 32 bytes of the answer, and nothing else
 *
 * No user, no password and no scramble leaves the parser.
 * https://dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_connection_phase_packets.html
 * https://mariadb.com/kb/en/connection/
 */
import { findByte, startsWith } from '../sdk/bytes';
import { Cursor } from '../sdk/cursor';
import { frameCut } from '../sdk/framer';
import { lenenc } from './lenenc';
import { Connection, EOF_DEPRECATED, EOF_SENT, MARIADB_SERVER, MYSQL_SERVER, PLAIN, ZLIB, ZSTD } from './state';

export const PROTOCOL_10: u32 = 10;
const VERSION_MAX: usize = 80;

// Capabilities.
const CONNECT_WITH_DB: u32 = 1 << 3;
const COMPRESS: u32 = 1 << 5;
const PROTOCOL_41: u32 = 1 << 9;
const SSL: u32 = 1 << 11;
const SECURE_CONNECTION: u32 = 1 << 15;
const PLUGIN_AUTH_LENENC: u32 = 1 << 21;
const DEPRECATE_EOF: u32 = 1 << 24;
const ZSTD_COMPRESSION: u32 = 1 << 26;
const QUERY_ATTRIBUTES: u32 = 1 << 27;
/** MariaDB does not set it. */
const LONG_PASSWORD: u32 = 1;

/** Behind it the answer has its strings. */
export const SSL_REQUEST: u32 = 32;

export let versionAt: usize = 0;
export let versionLength: u32 = 0;
export let databaseAt: usize = 0;
export let databaseLength: u32 = 0;
/** The database lies beyond what was kept. */
export let isDatabaseLost: bool = false;

/** Reads a greeting's payload in from … end; false when it is none. */
export function readGreeting(c: Connection, from: usize, end: usize): bool {
  const zero = findByte(from + 1, min(end, from + VERSION_MAX), 0);
  if (zero >= end || load<u8>(zero) != 0) return false;
  versionAt = from + 1;
  versionLength = <u32>(zero - versionAt);
  const cursor = Cursor.over(zero + 1, end);
  cursor.skip(13);
  c.serverFlags = cursor.le16();
  cursor.skip(3);
  c.serverFlags |= cursor.le16() << 16;
  // Servers before 4.1 have only the first half.
  if (!cursor.ok) c.serverFlags &= 0xffff;
  c.hasFlags = cursor.ok || !frameCut;
  c.system = isMariadb(versionAt, zero) ? MARIADB_SERVER : MYSQL_SERVER;
  return true;
}

/** `5.5.5-10.11.6-MariaDB-…`, where 5.5.5 is for old replicas, or `11.8.2-MariaDB`. */
function isMariadb(from: usize, end: usize): bool {
  if (startsWith(from, end, '5.5.5-')) return true;
  for (; from + 7 <= end; from++) if (startsWith(from, end, 'MariaDB')) return true;
  return false;
}

export function isSslRequest(from: usize, length: u32): bool {
  return length == SSL_REQUEST && (load<u32>(from) & SSL) != 0;
}

/** Reads the client's answer: what holds from here on, and the database. */
export function readAnswer(c: Connection, from: usize, end: usize): void {
  databaseLength = 0;
  isDatabaseLost = true;
  const cursor = Cursor.over(from, end);
  const asked = cursor.le32();
  if (!cursor.ok || (asked & PROTOCOL_41) == 0) return;
  if (c.hasFlags) agree(c, asked, asked & c.serverFlags);
  isDatabaseLost = false;
  if ((asked & CONNECT_WITH_DB) != 0) readDatabase(cursor, asked);
}

/** What was asked for holds only when the greeting, too, has it. */
function agree(c: Connection, asked: u32, agreed: u32): void {
  c.eofMode = agreed & DEPRECATE_EOF ? EOF_DEPRECATED : EOF_SENT;
  c.hasAttributes = (agreed & QUERY_ATTRIBUTES) != 0 && (asked & LONG_PASSWORD) != 0;
  c.compression = agreed & COMPRESS ? ZLIB : agreed & ZSTD_COMPRESSION ? ZSTD : PLAIN;
  c.isAgreed = true;
}

function readDatabase(cursor: Cursor, asked: u32): void {
  cursor.skip(28);
  skipText(cursor);
  if (asked & PLUGIN_AUTH_LENENC) cursor.skip(<u32>lenenc(cursor));
  else if (asked & SECURE_CONNECTION) cursor.skip(cursor.u8());
  else skipText(cursor);
  takeDatabase(cursor);
}

/** COM_CHANGE_USER: user, auth, database. */
export function readChange(from: usize, end: usize): void {
  databaseLength = 0;
  isDatabaseLost = false;
  const cursor = Cursor.over(from, end);
  skipText(cursor);
  cursor.skip(cursor.u8());
  takeDatabase(cursor);
}

function takeDatabase(cursor: Cursor): void {
  const at = cursor.at;
  skipText(cursor);
  isDatabaseLost = !cursor.ok;
  if (isDatabaseLost) return;
  databaseAt = at;
  databaseLength = <u32>(cursor.at - at - 1);
}

/** Text, and the zero that ends it. */
function skipText(cursor: Cursor): void {
  if (!cursor.ok) return;
  const zero = findByte(cursor.at, cursor.end, 0);
  cursor.skip(<u32>(zero - cursor.at) + 1);
}
