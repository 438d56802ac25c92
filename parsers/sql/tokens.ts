/**
 * The words of an SQL text, one after the other, without comments. Reads Postgres and MySQL, which differ in quoting:
 *
 *                 Postgres                             MySQL, MariaDB
 *   a name        "x"                                  `x`
 *   a string      'x'  E'x\''  $tag$x$tag$             'x\''  "x"
 *   a comment     -- x, and blocks that may nest       -- x, # x, and blocks that do not; one that begins with ! is code
 *
 * https://www.postgresql.org/docs/current/sql-syntax-lexical.html
 * https://dev.mysql.com/doc/refman/8.4/en/language-structure.html
 *
 * Rule: of a text that was cut off, no word is given that touches its end: it may go on. What has no end is the end.
 */
import { findByte, findEither, isDigit, toLower } from '../sdk/bytes';

// Dialects, and what may be added to them.
export const POSTGRES: u32 = 0;
export const MYSQL: u32 = 1;
/** The text goes on behind its last byte. */
export const CUT: u32 = 2;

// Kinds of tokens.
export const END: u32 = 0;
/** A name or a keyword without quotes. */
export const WORD: u32 = 1;
/** A name in quotes; the token is what is between them. */
export const QUOTED: u32 = 2;
/** A string or a number. */
export const LITERAL: u32 = 3;
/** Any other byte. */
export const SYMBOL: u32 = 4;

const QUOTE: u8 = 0x27;
const DOUBLE_QUOTE: u8 = 0x22;
const BACKTICK: u8 = 0x60;
const BACKSLASH: u8 = 0x5c;
const DOLLAR: u8 = 0x24;
const DOT: u8 = 0x2e;
const SPACE: u8 = 0x20;
const LF: u8 = 0x0a;
const DASHES: u32 = 0x2d2d;
/** `/` and `*`, as a little-endian number. */
const COMMENT: u32 = 0x2a2f;
const COMMENT_END: u32 = 0x2f2a;
const BANG: u8 = 0x21;
const HASH: u8 = 0x23;

/** The token that was read last. */
export let tokenAt: usize = 0;
export let tokenEnd: usize = 0;

let at: usize = 0;
let end: usize = 0;
let isMysql: bool = false;
let isCut: bool = false;

export function beginTokens(from: usize, length: u32, dialect: u32): void {
  at = from;
  end = from + length;
  isMysql = (dialect & MYSQL) != 0;
  isCut = (dialect & CUT) != 0;
}

/** Reads the next token; returns its kind. */
export function nextToken(): u32 {
  skipBlanks();
  tokenAt = at;
  tokenEnd = at;
  if (at >= end) return END;
  const byte = load<u8>(at);
  if (isNameStart(byte)) return readWord(byte);
  if (isDigit(byte)) return readNumber();
  if (byte == QUOTE) return readString(byte, isMysql);
  if (byte == DOUBLE_QUOTE) return isMysql ? readString(byte, true) : readQuoted(byte);
  if (byte == BACKTICK) return readQuoted(byte);
  if (byte == DOLLAR && !isMysql) return readDollar();
  tokenEnd = ++at;
  return SYMBOL;
}

/** First byte of the next token, 0 at the end. */
export function peekByte(): u32 {
  skipBlanks();
  return at < end ? load<u8>(at) : 0;
}

function readWord(first: u32): u32 {
  const letter = toLower(first);
  if (at + 1 < end && load<u8>(at, 1) == QUOTE && isStringPrefix(letter)) {
    at++;
    return readString(QUOTE, isMysql || letter == 0x65);
  }
  at = nameEnd(at);
  tokenEnd = at;
  return at == end && isCut ? END : WORD;
}

/** E'…', B'…', N'…', X'…' */
function isStringPrefix(letter: u32): bool {
  return letter == 0x65 || letter == 0x62 || letter == 0x6e || letter == 0x78;
}

function readNumber(): u32 {
  for (at = nameEnd(at); at < end && load<u8>(at) == DOT; at = nameEnd(at)) at++;
  return LITERAL;
}

/** `at` is at the quote; a doubled one stands for itself. */
function readString(quote: u8, escapes: bool): u32 {
  const other = escapes ? BACKSLASH : quote;
  for (at = findEither(at + 1, end, quote, other); at < end; at = findEither(at + 1, end, quote, other)) {
    if (load<u8>(at) != quote) at++;
    else if (!isDoubled(quote)) return LITERAL;
  }
  return finish();
}

function readQuoted(quote: u8): u32 {
  tokenAt = at + 1;
  for (at = findByte(at + 1, end, quote); at < end; at = findByte(at + 1, end, quote)) {
    tokenEnd = at;
    if (!isDoubled(quote)) return QUOTED;
  }
  return finish();
}

/** `at` is at a quote: passes over it, and stays at its twin if it has one. */
function isDoubled(quote: u8): bool {
  if (at + 1 < end && load<u8>(at, 1) == quote) {
    at++;
    return true;
  }
  at++;
  return false;
}

/** `$tag$…$tag$`; else `$1` or a lone dollar. */
function readDollar(): u32 {
  const from = at++;
  for (const limit = findByte(at, end, DOLLAR); at < limit && isNameByte(load<u8>(at)); ) at++;
  const isTag = at < end && load<u8>(at) == DOLLAR && !isDigit(load<u8>(from, 1));
  if (!isTag) return at == end && isCut ? END : LITERAL;
  const length = ++at - from;
  for (at = findByte(at, end, DOLLAR); at + length <= end; at = findByte(at + 1, end, DOLLAR)) {
    if (memory.compare(at, from, length) != 0) continue;
    at += length;
    return LITERAL;
  }
  return finish();
}

function finish(): u32 {
  at = end;
  return END;
}

function skipBlanks(): void {
  // One space, and then a word: so it is nearly always.
  if (at < end && load<u8>(at) == SPACE) at++;
  if (at < end && !isNameStart(load<u8>(at))) skipMore();
}

function skipMore(): void {
  while (at < end) {
    const byte = load<u8>(at);
    if (byte <= 0x20) at++;
    else if (byte == HASH && isMysql) at = findByte(at, end, LF);
    else if (at + 1 >= end) return;
    else if (!skipComment(load<u16>(at))) return;
  }
}

function skipComment(both: u32): bool {
  if (both == DASHES && (!isMysql || at + 2 == end || load<u8>(at, 2) <= 0x20)) {
    at = findByte(at, end, LF);
    return true;
  }
  if (both == COMMENT) {
    if (!isMysql || !skipCodeMark()) skipBlock();
    return true;
  }
  if (both != COMMENT_END || !isMysql) return false;
  at += 2;
  return true;
}

/** The beginning of a comment that servers read as code, from the version on that follows: `/*!50000`, `/*M!`. */
function skipCodeMark(): bool {
  let from = at + 2;
  if (from < end && load<u8>(from) == 0x4d) from++;
  if (from >= end || load<u8>(from) != BANG) return false;
  for (at = from + 1; at < end && isDigit(load<u8>(at)); ) at++;
  return true;
}

function skipBlock(): void {
  let depth = 1;
  for (at += 2; at + 1 < end; ) {
    const both = <u32>load<u16>(at);
    if (both == COMMENT_END) {
      at += 2;
      if (--depth == 0) return;
    } else if (both == COMMENT && !isMysql) {
      at += 2;
      depth++;
    } else at++;
  }
  at = end;
}

/** A letter, `_`, or what is not ASCII. */
function isNameStart(byte: u32): bool {
  return (byte | 0x20) - 0x61 < 26 || byte == 0x5f || byte >= 0x80;
}

/** Address of the first byte in from … end that no name holds, or `end`. */
function nameEnd(from: usize): usize {
  if (!ASC_FEATURE_SIMD) return nameEndScalar(from);
  while (from + 16 <= end) {
    const others = otherBytes(from);
    if (others != 0) return from + ctz(others);
    from += 16;
  }
  if (from >= end) return end;
  const others = otherBytes(end - 16) >>> (16 - <u32>(end - from));
  return others != 0 ? from + ctz(others) : end;
}

/** The twin of nameEnd for builds without SIMD. */
function nameEndScalar(from: usize): usize {
  while (from < end && isNameByte(load<u8>(from))) from++;
  return from;
}

/** One bit for each of the 16 bytes at an address that no name holds. */
function otherBytes(at: usize): u32 {
  const bytes = v128.load(at);
  const lower = v128.or(bytes, i8x16.splat(0x20));
  const letters = i8x16.lt_u(i8x16.sub(lower, i8x16.splat(0x61)), i8x16.splat(26));
  const digits = i8x16.lt_u(i8x16.sub(bytes, i8x16.splat(0x30)), i8x16.splat(10));
  const signs = v128.or(i8x16.eq(bytes, i8x16.splat(0x5f)), i8x16.eq(bytes, i8x16.splat(0x24)));
  const names = v128.or(v128.or(letters, digits), v128.or(signs, i8x16.lt_s(bytes, i8x16.splat(0))));
  return <u32>i8x16.bitmask(names) ^ 0xffff;
}

function isNameByte(byte: u32): bool {
  return isNameStart(byte) || isDigit(byte) || byte == DOLLAR;
}
