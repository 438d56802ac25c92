/**
 * Bytes at an address: readers of both endiannesses and of varints, search, copy and compare.
 *
 * Rule: nothing here reads or writes a byte at or behind the given end. The SIMD tails step back instead of over: they
 * read up to 63 bytes in front of the range, which is always memory of the module, and drop what they see there.
 *
 * AssemblyScript computes `u8 << 8` in 8 bits, without a warning; use the readers, which widen first.
 */

export function be16(at: usize): u32 {
  return bswap<u16>(load<u16>(at));
}

export function be24(at: usize): u32 {
  return (be16(at) << 8) | load<u8>(at, 2);
}

export function be32(at: usize): u32 {
  return bswap<u32>(load<u32>(at));
}

export function be64(at: usize): u64 {
  return bswap<u64>(load<u64>(at));
}

export function le16(at: usize): u32 {
  return load<u16>(at);
}

export function le24(at: usize): u32 {
  return <u32>load<u16>(at) | ((<u32>load<u8>(at, 2)) << 16);
}

export function le32(at: usize): u32 {
  return load<u32>(at);
}

export function le64(at: usize): u64 {
  return load<u64>(at);
}

/** What `varint` read last. */
export let varintValue: u64 = 0;

/** `varint`: the bytes end within the number. */
export const VARINT_SHORT: usize = 0;
/** `varint`: more than 64 bits. */
export const VARINT_BAD: usize = 1;

/**
 * Reads an unsigned LEB128 number (protobuf `uint64`, Kafka's unsigned varint) into `varintValue`. Returns the address
 * behind it, VARINT_SHORT or VARINT_BAD.
 */
export function varint(at: usize, end: usize): usize {
  let value: u64 = 0;
  for (let shift: u64 = 0; at < end; shift += 7) {
    const byte = <u64>load<u8>(at++);
    // The tenth byte holds the last bit of 64.
    if (shift == 63 && byte > 1) return VARINT_BAD;
    value |= (byte & 0x7f) << shift;
    if (byte < 0x80) {
      varintValue = value;
      return at;
    }
  }
  return VARINT_SHORT;
}

/** The signed number that a zigzag-encoded one stands for: 0, -1, 1, -2 … */
export function zigzag(value: u64): i64 {
  return <i64>(value >> 1) ^ -(<i64>(value & 1));
}

/** Address of the first `byte` in from … end, or `end`. */
export function findByte(from: usize, end: usize, byte: u8): usize {
  if (!ASC_FEATURE_SIMD) return findByteScalar(from, end, byte);
  const wanted = i8x16.splat(<i8>byte);
  while (from + 16 <= end) {
    const found = i8x16.bitmask(i8x16.eq(v128.load(from), wanted));
    if (found) return from + ctz(found);
    from += 16;
  }
  if (from >= end) return end;
  const left = end - from;
  const found = i8x16.bitmask(i8x16.eq(v128.load(end - 16), wanted)) >>> (16 - <i32>left);
  return found ? from + ctz(found) : end;
}

/** The twin of findByte for builds without SIMD. */
export function findByteScalar(from: usize, end: usize, byte: u8): usize {
  while (from < end && load<u8>(from) != byte) from++;
  return from;
}

/** Bytes that `marks` looks at. */
export const MARKS: usize = 64;

/**
 * One bit for each of the first MARKS bytes of from … end that is `byte`, the first one lowest; at least one byte is
 * there. For texts of many short lines: one look finds the ends of several.
 */
export function marks(from: usize, end: usize, byte: u8): u64 {
  if (!ASC_FEATURE_SIMD) return marksScalar(from, end, byte);
  const at = min(from, end - MARKS);
  return marksOfBlock(at, byte) >> (from - at);
}

function marksOfBlock(at: usize, byte: u8): u64 {
  const wanted = i8x16.splat(<i8>byte);
  const low =
    i8x16.bitmask(i8x16.eq(v128.load(at), wanted)) | (i8x16.bitmask(i8x16.eq(v128.load(at, 16), wanted)) << 16);
  const high =
    i8x16.bitmask(i8x16.eq(v128.load(at, 32), wanted)) | (i8x16.bitmask(i8x16.eq(v128.load(at, 48), wanted)) << 16);
  return <u64>(<u32>low) | ((<u64>(<u32>high)) << 32);
}

/** The twin of marks for builds without SIMD. */
export function marksScalar(from: usize, end: usize, byte: u8): u64 {
  const count = min<usize>(end - from, MARKS);
  let found: u64 = 0;
  for (let i: usize = 0; i < count; i++) if (load<u8>(from + i) == byte) found |= (<u64>1) << i;
  return found;
}

/** Address of the first `one` or `other` in from … end, or `end`. */
export function findEither(from: usize, end: usize, one: u8, other: u8): usize {
  if (!ASC_FEATURE_SIMD) return findEitherScalar(from, end, one, other);
  while (from + 16 <= end) {
    const found = eitherMask(from, one, other);
    if (found) return from + ctz(found);
    from += 16;
  }
  if (from >= end) return end;
  const found = eitherMask(end - 16, one, other) >>> (16 - <i32>(end - from));
  return found ? from + ctz(found) : end;
}

/** One bit for each of the 16 bytes at an address that is `one` or `other`. */
function eitherMask(at: usize, one: u8, other: u8): i32 {
  const bytes = v128.load(at);
  const isOne = i8x16.eq(bytes, i8x16.splat(<i8>one));
  const isOther = i8x16.eq(bytes, i8x16.splat(<i8>other));
  return i8x16.bitmask(v128.or(isOne, isOther));
}

/** The twin of findEither for builds without SIMD. */
export function findEitherScalar(from: usize, end: usize, one: u8, other: u8): usize {
  while (from < end && load<u8>(from) != one && load<u8>(from) != other) from++;
  return from;
}

/** Address of the first whole `sequence` of `length` bytes (at least one) in from … end, or `end`. */
export function findSequence(from: usize, end: usize, sequence: usize, length: usize): usize {
  if (from >= end || length > end - from) return end;
  const first = load<u8>(sequence);
  // Behind it the sequence has no room any more.
  const limit = end - length + 1;
  for (let at = findByte(from, limit, first); at < limit; at = findByte(at + 1, limit, first)) {
    if (equal(at, sequence, length)) return at;
  }
  return end;
}

/** The twin of findSequence for builds without SIMD. */
export function findSequenceScalar(from: usize, end: usize, sequence: usize, length: usize): usize {
  for (; from < end && length <= end - from; from++) {
    if (equal(from, sequence, length)) return from;
  }
  return end;
}

/** Copies `length` bytes between ranges that do not overlap. `memory.copy` costs 5 ns before its first byte. */
export function copy(to: usize, from: usize, length: usize): void {
  if (length >= 16) {
    if (ASC_FEATURE_SIMD && length <= 512) copyBlocks(to, from, length);
    else memory.copy(to, from, length);
    return;
  }
  if (length >= 8) {
    store<u64>(to, load<u64>(from));
    store<u64>(to + length - 8, load<u64>(from + length - 8));
  } else if (length >= 4) {
    store<u32>(to, load<u32>(from));
    store<u32>(to + length - 4, load<u32>(from + length - 4));
  } else if (length > 0) {
    store<u8>(to, load<u8>(from));
    store<u8>(to + (length >> 1), load<u8>(from + (length >> 1)));
    store<u8>(to + length - 1, load<u8>(from + length - 1));
  }
}

/** At least 16 bytes; the last block overlaps the one before it. */
function copyBlocks(to: usize, from: usize, length: usize): void {
  const last = length - 16;
  for (let i: usize = 0; i < last; i += 16) v128.store(to + i, v128.load(from + i));
  v128.store(to + last, v128.load(from + last));
}

/**
 * Copies `length` bytes, at least one, and puts zeroes behind them up to a multiple of 16: for a place that has as much
 * room. The last block is read so that it ends with the range, and shifted down.
 */
export function copyPadded(to: usize, from: usize, length: usize): void {
  if (!ASC_FEATURE_SIMD) {
    memory.fill(to + (length & ~15), 0, ((length + 15) & ~15) - (length & ~15));
    copy(to, from, length);
    return;
  }
  let left = length;
  if (left > 512) {
    const blocks = (left - 1) & ~15;
    memory.copy(to, from, blocks);
    to += blocks;
    from += blocks;
    left -= blocks;
  }
  for (; left > 32; left -= 32) {
    v128.store(to, v128.load(from));
    v128.store(to, v128.load(from, 16), 16);
    to += 32;
    from += 32;
  }
  if (left > 16) {
    v128.store(to, v128.load(from));
    to += 16;
    from += 16;
    left -= 16;
  }
  const shift = i8x16.add(i8x16(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15), i8x16.splat(<i8>(16 - left)));
  v128.store(to, i8x16.swizzle(v128.load(from + left - 16), shift));
}

/** Whether both ranges hold the same bytes. */
export function equal(left: usize, right: usize, length: usize): bool {
  for (let i: usize = 0; i < length; i++) {
    if (load<u8>(left + i) != load<u8>(right + i)) return false;
  }
  return true;
}

/** Whether both ranges hold the same ASCII text, regardless of case. `lower` holds lower case only. */
export function equalIgnoreCase(text: usize, lower: usize, length: usize): bool {
  for (let i: usize = 0; i < length; i++) {
    if (toLower(load<u8>(text + i)) != load<u8>(lower + i)) return false;
  }
  return true;
}

/** Whether from … end begins with this ASCII text: a constant of the module, so nothing is allocated. */
export function startsWith(from: usize, end: usize, text: string): bool {
  return end - from >= <usize>text.length && agrees(from, end, text);
}

/** Whether from … end is this ASCII text. */
export function isText(from: usize, end: usize, text: string): bool {
  return end - from == <usize>text.length && agrees(from, end, text);
}

/**
 * Whether from … end and the text are the same as far as both go: what identify() asks of a beginning.
 *
 *   if (!agrees(from, end, 'HELLO')) return IDENTIFY_NO;
 *   if (!startsWith(from, end, 'HELLO')) return IDENTIFY_MORE;
 */
export function agrees(from: usize, end: usize, text: string): bool {
  const units = changetype<usize>(text);
  const length = min<usize>(end - from, text.length);
  for (let i: usize = 0; i < length; i++) {
    if (<u16>load<u8>(from + i) != load<u16>(units + (i << 1))) return false;
  }
  return true;
}

export function toLower(byte: u32): u32 {
  return byte - 0x41 < 26 ? byte | 0x20 : byte;
}

export function isDigit(byte: u32): bool {
  return byte - 0x30 < 10;
}

/** Value of a hexadecimal digit, or a number above 15. */
export function hexValue(byte: u32): u32 {
  if (byte - 0x30 < 10) return byte - 0x30;
  const letter = (byte | 0x20) - 0x61;
  return letter < 6 ? letter + 10 : 255;
}

/** Space or tab. */
export function isBlank(byte: u32): bool {
  return byte == 0x20 || byte == 0x09;
}

/** First address in from … end that is neither space nor tab. */
export function skipBlank(from: usize, end: usize): usize {
  while (from < end && isBlank(load<u8>(from))) from++;
  return from;
}

/** The end of from … end without spaces and tabs before it. */
export function trimEnd(from: usize, end: usize): usize {
  while (end > from && isBlank(load<u8>(end - 1))) end--;
  return end;
}
