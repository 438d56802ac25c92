/**
 * The fields of a frame: bytes, numbers, lengths. Rule: a field is taken whole or not at all, and no length is used before
 * it was compared with what is left of the frame.
 */
import { be16, be32, VARINT_BAD, VARINT_SHORT, varint, varintValue } from '../sdk/bytes';
import { Chunk } from '../sdk/chunk';
import { Connection, Half, NO_TEXT } from './state';

/** Longest number: a varint of 64 bits. */
export const VARINT_MAX: u32 = 10;

/** What `readLength` and `readVarint` read last. */
export let lengthRead: i32 = 0;
export let numberRead: u64 = 0;

/**
 * Address of the next bytes; 0 when they are not there yet, and when the frame has no so many: then REST_STAGE says so.
 */
export function need(half: Half, chunk: Chunk, bytes: u32): usize {
  if (bytes <= half.left) return half.peek(chunk, bytes);
  cut(half);
  return 0;
}

/** The frame is not what its schema says. What was kept of it counts as read. */
export function cut(half: Half): void {
  half.taken += half.length;
  half.length = 0;
  half.passRest(true);
}

/** An unsigned varint, into `numberRead`; false when it is not there yet, or is none. */
export function readVarint(half: Half, chunk: Chunk): bool {
  for (let bytes: u32 = 1; bytes <= VARINT_MAX; bytes++) {
    const at = need(half, chunk, bytes);
    if (at == 0) return false;
    const after = varint(at, at + bytes);
    if (after == VARINT_SHORT) continue;
    if (after == VARINT_BAD) break;
    numberRead = varintValue;
    half.done(chunk, bytes);
    return true;
  }
  cut(half);
  return false;
}

/** The length of a string, of bytes or of an array, into `lengthRead`, -1 for null; false as above. */
export function readLength(half: Half, chunk: Chunk, isWide: bool): bool {
  if (half.isFlexible) {
    if (!readVarint(half, chunk)) return false;
    if (numberRead > <u64>i32.MAX_VALUE) return cutLength(half);
    lengthRead = <i32>numberRead - 1;
    return true;
  }
  const width: u32 = isWide ? 4 : 2;
  const at = need(half, chunk, width);
  if (at == 0) return false;
  lengthRead = isWide ? <i32>be32(at) : <i32>(<i16>be16(at));
  half.done(chunk, width);
  return true;
}

export function cutLength(half: Half): bool {
  cut(half);
  return false;
}

/** Bytes of no interest come next. */
export function skipBytes(half: Half, bytes: u64): void {
  if (bytes > <u64>half.left) cut(half);
  else half.skip = <u32>bytes;
}

/** A text of this length comes next; null has less than none. */
export function take(c: Connection, half: Half, id: u32, length: i32): void {
  const fits = c.clearText(id, <u32>max(length, 0));
  if (!fits) half.isPartial = true;
  else half.capturing = <u8>(length > 0 ? id : NO_TEXT);
  if (length > 0) skipBytes(half, length);
}

/** The field at `place` was taken. */
export function next(half: Half): bool {
  half.place++;
  return true;
}
