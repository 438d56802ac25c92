/**
 * The traceparent of a request: 00-<trace id, 32 digits>-<parent id, 16 digits>-<flags, 2 digits>.
 * https://www.w3.org/TR/trace-context/#traceparent-header
 */
const LENGTH: i32 = 55;
const TRACE_AT: i32 = 3;
const PARENT_AT: i32 = 36;
const FLAGS_AT: i32 = 53;
const DASH: u8 = 0x2d;

/** Of the last one that was taken: words in the order they are printed, two in each (the first in the low half). */
let traceHigh: u64 = 0;
let traceLow: u64 = 0;
let parent: u64 = 0;
let flags: i32 = 0;
/** Of hexDigits: whether all were lower-case hex digits. */
let isHex: bool = false;

/** Whether the bytes are a valid traceparent. */
export function takeTraceParent(at: i32, length: i32): bool {
  if (length < LENGTH || !hasShape(at, length)) return false;
  flags = hexByte(at + FLAGS_AT);
  if (flags < 0) return false;
  traceHigh = hexDigits(at + TRACE_AT);
  if (!isHex) return false;
  traceLow = hexDigits(at + TRACE_AT + 16);
  if (!isHex || (traceHigh | traceLow) == 0) return false;
  parent = hexDigits(at + PARENT_AT);
  return isHex && parent != 0;
}

/** Writes the ids of the last one. */
export function storeTraceParent(trace: i32, parentSpan: i32): void {
  store<u64>(trace, traceHigh);
  store<u64>(trace, traceLow, 8);
  store<u64>(parentSpan, parent);
}

export function traceParentFlags(): i32 {
  return flags;
}

/** Version ff is invalid, 00 has exactly this length; later ones may carry more after a dash. */
function hasShape(at: i32, length: i32): bool {
  const version = hexByte(at);
  if (version < 0 || version == 0xff || (version == 0 && length != LENGTH)) return false;
  if (load<u8>(at, 2) != DASH || load<u8>(at, 35) != DASH || load<u8>(at, 52) != DASH) return false;
  return length == LENGTH || load<u8>(at, 55) == DASH;
}

/** 16 digits as two words: the four bytes of each stand in the order of the text, so they are turned round. */
function hexDigits(at: i32): u64 {
  const text = v128.load(at);
  const isDigit = i8x16.lt_u(i8x16.sub(text, i8x16.splat(0x30)), i8x16.splat(10));
  const isLetter = i8x16.lt_u(i8x16.sub(text, i8x16.splat(0x61)), i8x16.splat(6));
  isHex = i8x16.all_true(v128.or(isDigit, isLetter));
  const nibbles = i8x16.add(v128.and(text, i8x16.splat(0x0f)), v128.and(isLetter, i8x16.splat(9)));
  const pairs = v128.and(v128.or(i16x8.shl(nibbles, 4), i16x8.shr_u(nibbles, 8)), i16x8.splat(0xff));
  const bytes = i64x2.extract_lane(i8x16.narrow_i16x8_u(pairs, pairs), 0);
  return <u64>bswap<u32>(<u32>bytes) | ((<u64>bswap<u32>(<u32>(bytes >>> 32))) << 32);
}

function hexByte(at: i32): i32 {
  const high = hexDigit(load<u8>(at));
  const low = hexDigit(load<u8>(at, 1));
  return high < 0 || low < 0 ? -1 : (high << 4) | low;
}

function hexDigit(byte: i32): i32 {
  if (byte >= 0x30 && byte <= 0x39) return byte - 0x30;
  if (byte >= 0x61 && byte <= 0x66) return byte - 0x57;
  return -1;
}
