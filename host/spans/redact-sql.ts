/**
 * SQL statements: literals become `?`, comments (which carry what applications put there) a space. Everything else
 * stays: keywords, names, quoted names, placeholders.
 *
 * A lexer of literals, not a parser, for all dialects at once, which differ in three ways that matter:
 * - `"x"` is a string in MySQL and a name everywhere else.
 * - `\'` goes on with a string in MySQL and in E'…', and ends it elsewhere, depending on settings. So where it is
 *   not clear, all that follows is redacted: nobody knows any more what is inside and what is outside.
 * - `#` begins a comment, comments do not nest and `$$` quotes nothing in MySQL.
 * A literal that does not end reaches to the end of the text. The result is never longer than the text.
 */
const QUESTION_MARK = 0x3f;
const QUOTE = 0x27;
const DOUBLE_QUOTE = 0x22;
const BACKTICK = 0x60;
const BACKSLASH = 0x5c;
const DASH = 0x2d;
const SLASH = 0x2f;
const ASTERISK = 0x2a;
const HASH = 0x23;
const DOLLAR = 0x24;
const DOT = 0x2e;
const SPACE = 0x20;
const LINE_FEED = 0x0a;

export function redactSql(bytes: Uint8Array, from: number, end: number, out: Uint8Array, isMysql: boolean): number {
  let to = 0;
  let at = from;
  while (at < end) {
    const literal = literalEnd(bytes, at, end, isMysql);
    const comment = literal > at ? at : commentEnd(bytes, at, end, isMysql);
    if (literal > at) {
      out[to++] = QUESTION_MARK;
      at = literal;
    } else if (comment > at) {
      out[to++] = SPACE;
      at = comment;
    } else for (const next = nameEnd(bytes, at, end); at < next; at++) out[to++] = bytes[at]!;
  }
  return to;
}

/** Where the literal at `at` ends: `at` when there is none, `end` when that cannot be told. */
function literalEnd(bytes: Uint8Array, at: number, end: number, isMysql: boolean): number {
  const byte = bytes[at]!;
  if (byte === QUOTE) return quotedEnd(bytes, at, end, isMysql);
  if (byte === DOUBLE_QUOTE && isMysql) return quotedEnd(bytes, at, end, true);
  if (byte === DOUBLE_QUOTE || byte === BACKTICK) return quotedNameEnd(bytes, at, end) < 0 ? end : at;
  if (byte === DOLLAR && !isMysql) return dollarQuotedEnd(bytes, at, end);
  if (isDigit(byte) || (byte === DOT && at + 1 < end && isDigit(bytes[at + 1]!))) return numberEnd(bytes, at, end);
  if (at + 1 < end && bytes[at + 1] === QUOTE) return prefixedEnd(bytes, at, end, isMysql);
  return at;
}

/** E'…', B'…', N'…', X'…'; Oracle's q'[…]' ends where only Oracle knows. */
function prefixedEnd(bytes: Uint8Array, at: number, end: number, isMysql: boolean): number {
  switch (bytes[at]! | 0x20) {
    case 0x65: // e
      return quotedEnd(bytes, at + 1, end, true);
    case 0x62: // b
    case 0x6e: // n
    case 0x78: // x
      return quotedEnd(bytes, at + 1, end, isMysql);
    case 0x71: // q
      return end;
  }
  return at;
}

/** A string in the quotes at `at`; a doubled quote stands for itself. */
function quotedEnd(bytes: Uint8Array, at: number, end: number, escapes: boolean): number {
  const quote = bytes[at]!;
  for (let i = at + 1; i < end; i++) {
    if (bytes[i] === BACKSLASH && i + 1 < end) {
      if (bytes[i + 1] === quote && !escapes) return end;
      i++;
    } else if (bytes[i] === quote) {
      if (i + 1 === end || bytes[i + 1] !== quote) return i + 1;
      i++;
    }
  }
  return end;
}

/** `$tag$…$tag$`; `at` for `$1` and a lone dollar. */
function dollarQuotedEnd(bytes: Uint8Array, at: number, end: number): number {
  let tagEnd = at + 1;
  while (tagEnd < end && isNameByte(bytes[tagEnd]!) && bytes[tagEnd] !== DOLLAR) tagEnd++;
  if (tagEnd === end || bytes[tagEnd] !== DOLLAR || isDigit(bytes[at + 1]!)) return at;
  const length = tagEnd + 1 - at;
  for (let i = tagEnd + 1; i + length <= end; i++) {
    let same = 0;
    while (same < length && bytes[i + same] === bytes[at + same]) same++;
    if (same === length) return i + length;
  }
  return end;
}

/** 1, 1.5, .5, 1e-5, 0xff, 1_000, and whatever else a digit begins. */
function numberEnd(bytes: Uint8Array, at: number, end: number): number {
  let i = at;
  while (i < end && (isNameByte(bytes[i]!) || bytes[i] === DOT || isExponentSign(bytes, i, end))) i++;
  return i;
}

function isExponentSign(bytes: Uint8Array, at: number, end: number): boolean {
  const isSign = bytes[at] === DASH || bytes[at] === 0x2b;
  return isSign && (bytes[at - 1]! | 0x20) === 0x65 && at + 1 < end && isDigit(bytes[at + 1]!);
}

/** Where the comment at `at` ends; `at` when there is none. */
function commentEnd(bytes: Uint8Array, at: number, end: number, isMysql: boolean): number {
  const byte = bytes[at]!;
  const second = at + 1 < end ? bytes[at + 1]! : 0;
  if (byte === SLASH && second === ASTERISK) return blockCommentEnd(bytes, at, end, !isMysql);
  const isLine = (byte === DASH && second === DASH) || (byte === HASH && isMysql);
  return isLine ? lineEnd(bytes, at, end) : at;
}

function lineEnd(bytes: Uint8Array, at: number, end: number): number {
  let i = at;
  while (i < end && bytes[i] !== LINE_FEED) i++;
  return i;
}

function blockCommentEnd(bytes: Uint8Array, at: number, end: number, nests: boolean): number {
  let depth = 1;
  let i = at + 2;
  while (i + 1 < end) {
    if (bytes[i] === ASTERISK && bytes[i + 1] === SLASH) {
      i += 2;
      if (--depth === 0) return i;
    } else if (nests && bytes[i] === SLASH && bytes[i + 1] === ASTERISK) {
      depth++;
      i += 2;
    } else i++;
  }
  return end;
}

/** What is kept as one: a word, a quoted name, a numbered placeholder, or a single byte. */
function nameEnd(bytes: Uint8Array, at: number, end: number): number {
  const byte = bytes[at]!;
  if (byte === DOUBLE_QUOTE || byte === BACKTICK) return quotedNameEnd(bytes, at, end);
  let i = at + 1;
  if (byte === QUESTION_MARK || byte === DOLLAR) while (i < end && isDigit(bytes[i]!)) i++;
  else if (isNameByte(byte)) while (i < end && isNameByte(bytes[i]!)) i++;
  return i;
}

/** -1 when it does not end. */
function quotedNameEnd(bytes: Uint8Array, at: number, end: number): number {
  for (let i = at + 1; i < end; i++) {
    if (bytes[i] !== bytes[at]) continue;
    if (i + 1 === end || bytes[i + 1] !== bytes[at]) return i + 1;
    i++;
  }
  return -1;
}

/** Letters, digits, `_`, `$` and whatever is not ASCII. */
function isNameByte(byte: number): boolean {
  const small = byte | 0x20;
  return isDigit(byte) || (small >= 0x61 && small <= 0x7a) || byte === 0x5f || byte === DOLLAR || byte >= 0x80;
}

function isDigit(byte: number): boolean {
  return byte >= 0x30 && byte <= 0x39;
}
