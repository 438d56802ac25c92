/**
 * RESP on the wire: one value at a time, of one direction, over any cut of the stream.
 *
 *   counted   *3\r\n   $5\r\nhello\r\n   and ~ % > | ! =      a count; for $ ! = that many bytes and CRLF follow
 *   line      +OK\r\n  -ERR …\r\n  :1\r\n  and _ , # (       all up to CRLF
 *   inline    PING\r\n                                       a request that begins with none of these
 *
 * Rule: a value that lies whole in its chunk is described where it lies; one that does not is carried in the Half:
 * its header, and of its text the first TEXT_MAX bytes, which is all a caller may look at. So both ways look alike.
 * https://redis.io/docs/latest/develop/reference/protocol-spec/
 */
import { copy, findByte, isDigit } from '../sdk/bytes';

const CR: u32 = 0x0d;
const LF: u8 = 0x0a;
const CRLF: u16 = 0x0a0d;
const MINUS: u32 = 0x2d;

/** Type bytes. */
export const ARRAY: u32 = 0x2a; // *
export const BULK: u32 = 0x24; // $
export const SIMPLE: u32 = 0x2b; // +
export const ERROR_LINE: u32 = 0x2d; // -
export const INTEGER: u32 = 0x3a; // :
export const NULL_LINE: u32 = 0x5f; // _
export const DOUBLE: u32 = 0x2c; // ,
export const BOOLEAN: u32 = 0x23; // #
export const BIG_NUMBER: u32 = 0x28; // (
export const BULK_ERROR: u32 = 0x21; // !
export const VERBATIM: u32 = 0x3d; // =
export const MAP: u32 = 0x25; // %
export const SET: u32 = 0x7e; // ~
export const PUSH: u32 = 0x3e; // >
export const ATTRIBUTE: u32 = 0x7c; // |

/** What `next` found. */
export const MORE: u32 = 0;
export const INVALID: u32 = 1;
/** The header of an aggregate: `count` elements follow. */
export const AGGREGATE: u32 = 2;
/** A whole value: `text`, `textLength`, `count`. */
export const VALUE: u32 = 3;

/** `count` of a null bulk string or array. */
export const NULL: u32 = 0xffffffff;
/** What a caller may see of a text. */
export const TEXT_MAX: u32 = 64;
/** Redis ends connections whose inline request or protocol line is longer (PROTO_INLINE_MAX_SIZE). */
const LINE_MAX: u32 = 65536;
/** 2 GiB: more than any proto-max-bulk-len in use. */
const COUNT_MAX: u64 = 0x7fffffff;
const DIGITS_MAX = 10;
/** `$1`, CRLF, a byte, CRLF; and no header that skipBulks reads is longer. */
const SHORT_BULK_MIN: usize = 7;

// Half.state
const HEADER: u8 = 0;
const PAYLOAD: u8 = 1;
const LINE: u8 = 2;

/** Address behind what the last `next` read; after INVALID, of the byte that does not fit. */
export let position: usize = 0;
/** Type byte of the value; for an inline request its first byte. */
export let typeByte: u32 = 0;
/** Elements of an aggregate; bytes of a text before it was cut to what is seen of it; or NULL. */
export let count: u32 = 0;
export let text: usize = 0;
export let textLength: u32 = 0;
/** Some of the text was lost in a gap. */
export let textLost: bool = false;

/** What is known of one direction between two chunks. TEXT_MAX bytes of carried text lie behind it. */
@unmanaged
export class Half {
  // The value being read, for this file.
  state: u8;
  type: u8;
  lost: u8;
  lastByte: u8;
  carried: u32;
  length: u32;
  left: u32;
  // The message being read, for request.ts and reply.ts.
  searching: u8;
  atStart: u8;
  trial: u8;
  top: u8;
  index: u32;
  remaining: u64;
  aside: u64;
  start: u64;
  first: u64;
  body: u64;

  @inline
  get area(): usize {
    return changetype<usize>(this) + offsetof<Half>();
  }

  /** No value has begun. */
  @inline
  get idle(): bool {
    return this.state == HEADER && this.carried == 0;
  }

  /** Forgets the value being read. */
  clear(): void {
    this.state = HEADER;
    this.carried = 0;
    this.lost = 0;
  }
}

export const HALF_SIZE: u32 = 64 + TEXT_MAX;
if (offsetof<Half>() + TEXT_MAX != HALF_SIZE) ERROR('HALF_SIZE is not the size of Half');

/** Reads on at `at`; at most one value or aggregate header. Sets the variables above. */
export function next(half: Half, at: usize, end: usize): u32 {
  if (half.state == PAYLOAD) return continuePayload(half, at, end);
  if (half.state == LINE) return continueLine(half, at, end);
  return half.carried == 0 ? begin(half, at, end) : continueHeader(half, at, end);
}

/**
 * Passes over bulk strings that lie whole before `end` and are at most 999 bytes long, while more than `keep` values
 * remain. This is the short way for arguments and elements nobody looks at; where it stops, `next` goes on.
 */
export function skipBulks(half: Half, at: usize, end: usize, keep: u64): usize {
  while (half.remaining > keep && at + SHORT_BULK_MIN <= end) {
    if (load<u8>(at) != BULK) break;
    let length = <u32>load<u8>(at, 1) - 0x30;
    if (length > 9) break;
    let from = at + 2;
    for (let digit = <u32>load<u8>(from) - 0x30; digit < 10; digit = <u32>load<u8>(from) - 0x30) {
      length = length * 10 + digit;
      from++;
      if (length > 99) break;
    }
    if (from + 4 + length > end || load<u16>(from) != CRLF || load<u16>(from + 2 + length) != CRLF) break;
    half.body += length;
    half.remaining--;
    at = from + length + 4;
  }
  return at;
}

/** Takes a gap of `bytes` if it lies wholly inside a text of known length. The value then is as long as announced. */
export function lose(half: Half, bytes: u32): bool {
  if (half.state != PAYLOAD || bytes > half.left) return false;
  if (half.carried < min(half.length, TEXT_MAX)) half.lost = 1;
  half.left -= bytes;
  return true;
}

/** Whether a gap has just completed the value: `next` then yields it from no bytes at all. */
export function isDue(half: Half): bool {
  return half.state == PAYLOAD && half.left == 0;
}

/** Whether a value of the protocol, and no inline request, begins with this byte. */
export function isReply(byte: u32): bool {
  return isLine(byte) || isCounted(byte);
}

function isCounted(byte: u32): bool {
  return isText(byte) || isAggregate(byte);
}

export function isAggregate(byte: u32): bool {
  return byte == ARRAY || byte == MAP || byte == PUSH || byte == SET || byte == ATTRIBUTE;
}

export function isLine(byte: u32): bool {
  if (byte == SIMPLE || byte == ERROR_LINE || byte == INTEGER || byte == NULL_LINE) return true;
  return byte == DOUBLE || byte == BOOLEAN || byte == BIG_NUMBER;
}

function isText(byte: u32): bool {
  return byte == BULK || byte == BULK_ERROR || byte == VERBATIM;
}

/**
 * Reads `digits CR LF` or `-1 CR LF` into `count`. Returns the address behind it, MORE when the bytes end before, or
 * INVALID, which is known at the first byte that does not fit: however the stream is cut.
 */
export function readCount(at: usize, end: usize): usize {
  const from = at;
  let value: u64 = 0;
  while (at < end) {
    const byte = <u32>load<u8>(at);
    if (!isDigit(byte)) break;
    if (at - from == DIGITS_MAX) return invalidAt(at);
    value = value * 10 + (byte - 0x30);
    at++;
  }
  if (at == end) return MORE;
  if (at == from) return readNull(at, end);
  count = <u32>value;
  return value > COUNT_MAX ? invalidAt(at) : readLineEnd(at, end);
}

function readNull(at: usize, end: usize): usize {
  if (load<u8>(at) != MINUS) return invalidAt(at);
  if (at + 1 == end) return MORE;
  if (load<u8>(at, 1) != 0x31) return invalidAt(at + 1);
  count = NULL;
  return readLineEnd(at + 2, end);
}

function readLineEnd(at: usize, end: usize): usize {
  if (at == end) return MORE;
  if (load<u8>(at) != CR) return invalidAt(at);
  if (at + 1 == end) return MORE;
  return load<u8>(at, 1) == LF ? at + 2 : invalidAt(at + 1);
}

function invalidAt(at: usize): usize {
  position = at;
  return INVALID;
}

function begin(half: Half, at: usize, end: usize): u32 {
  const byte = <u32>load<u8>(at);
  if (!isCounted(byte)) return beginLine(half, byte, at, end);
  const after = readCount(at + 1, end);
  if (after > INVALID) return counted(half, byte, after, end);
  if (after == INVALID) return INVALID;
  copy(half.area, at, end - at);
  half.carried = <u32>(end - at);
  position = end;
  return MORE;
}

/** The header goes on: it is at most 13 bytes, so byte by byte will do. */
function continueHeader(half: Half, at: usize, end: usize): u32 {
  const area = half.area;
  while (at < end) {
    store<u8>(area + half.carried, load<u8>(at++));
    half.carried++;
    const after = readCount(area + 1, area + half.carried);
    if (after == MORE) continue;
    half.carried = 0;
    position = at - 1;
    return after == INVALID ? INVALID : counted(half, load<u8>(area), at, end);
  }
  position = end;
  return MORE;
}

function counted(half: Half, byte: u32, at: usize, end: usize): u32 {
  typeByte = byte;
  position = at;
  if (isAggregate(byte)) return AGGREGATE;
  textLost = false;
  text = at;
  textLength = count;
  if (count == NULL) {
    textLength = 0;
    return VALUE;
  }
  if (<u64>(end - at) < <u64>count + 2) return beginPayload(half, byte, at, end);
  position = at + count;
  if (load<u16>(position) != CRLF) {
    if (load<u8>(position) == CR) position++;
    return INVALID;
  }
  position += 2;
  return VALUE;
}

function beginPayload(half: Half, byte: u32, at: usize, end: usize): u32 {
  half.state = PAYLOAD;
  half.type = <u8>byte;
  half.length = count;
  half.left = count + 2;
  half.lost = 0;
  return continuePayload(half, at, end);
}

function continuePayload(half: Half, at: usize, end: usize): u32 {
  const there = <u32>min<usize>(end - at, half.left);
  const done = half.length + 2 - half.left;
  keepText(half, at, done, there);
  if (half.left - there < 2 && !endsRight(half, at, done, there)) return INVALID;
  half.left -= there;
  position = at + there;
  if (half.left > 0) return MORE;
  typeByte = half.type;
  count = half.length;
  text = half.area;
  textLength = half.carried;
  textLost = half.lost != 0;
  half.clear();
  return VALUE;
}

/** Keeps the first TEXT_MAX bytes of the payload, as long as nothing of them is missing. */
function keepText(half: Half, at: usize, done: u32, there: u32): void {
  const wanted = min(half.length, TEXT_MAX);
  if (done != half.carried || done >= wanted) return;
  const bytes = min(there, wanted - done);
  copy(half.area + done, at, bytes);
  half.carried += bytes;
}

/** Whether those of the last two bytes that are there are CR and LF. */
function endsRight(half: Half, at: usize, done: u32, there: u32): bool {
  for (let i = half.length < done ? done : half.length; i < done + there; i++) {
    position = at + (i - done);
    if (load<u8>(position) != (i == half.length ? 0x0d : 0x0a)) return false;
  }
  return true;
}

function beginLine(half: Half, byte: u32, at: usize, end: usize): u32 {
  const isInline = !isLine(byte);
  const from = isInline ? at : at + 1;
  const lf = findByte(from, end, LF);
  if (lf == end || lf - from >= LINE_MAX) return carryLine(half, byte, from, end);
  const endsInCr = lf > from && load<u8>(lf - 1) == CR;
  position = lf;
  if (!endsInCr && !isInline) return INVALID;
  typeByte = byte;
  text = from;
  textLost = false;
  count = <u32>(lf - from) - u32(endsInCr);
  textLength = min(count, TEXT_MAX);
  position = lf + 1;
  return VALUE;
}

function carryLine(half: Half, byte: u32, from: usize, end: usize): u32 {
  half.state = LINE;
  half.type = <u8>byte;
  half.length = 0;
  half.lastByte = 0;
  return continueLine(half, from, end);
}

function continueLine(half: Half, at: usize, end: usize): u32 {
  const lf = findByte(at, end, LF);
  const there = <u32>(lf - at);
  if (half.length + there >= LINE_MAX) {
    position = at + (LINE_MAX - half.length - 1);
    return INVALID;
  }
  const bytes = min(there, TEXT_MAX - half.carried);
  copy(half.area + half.carried, at, bytes);
  half.carried += bytes;
  half.length += there;
  if (there > 0) half.lastByte = load<u8>(lf - 1);
  position = lf;
  return lf == end ? MORE : finishLine(half);
}

function finishLine(half: Half): u32 {
  const endsInCr = half.lastByte == CR;
  typeByte = half.type;
  if (!endsInCr && isLine(typeByte)) return INVALID;
  position++;
  count = endsInCr ? half.length - 1 : half.length;
  text = half.area;
  textLength = min(count, half.carried);
  textLost = false;
  half.clear();
  return VALUE;
}
