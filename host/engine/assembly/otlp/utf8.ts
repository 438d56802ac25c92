/**
 * Text as protobuf wants it: UTF-8. What is not becomes U+FFFD, one for each maximal subpart of a sequence: a byte becomes
 * three at most.
 * https://encoding.spec.whatwg.org/#utf-8-decoder
 */
import { REPAIRED } from '../../layout/otlp';
import { copyBytes } from './protobuf';

/** Of what `asUtf8` returned. */
export let utf8Length: usize = 0;
/** Where the next repaired text goes. */
let free: usize = 0;

/** Repaired texts of the span before are not needed any more. */
export function beginRepairs(): void {
  free = REPAIRED;
}

/** Address of the text as UTF-8: itself, or a repaired copy. */
export function asUtf8(at: usize, length: usize): usize {
  utf8Length = length;
  if (isUtf8(at, length)) return at;
  const copy = free;
  free = repair(copy, at, length);
  utf8Length = free - copy;
  return copy;
}

/** Whether the bytes are UTF-8 as they stand. */
function isUtf8(from: usize, length: usize): bool {
  const end = from + length;
  let at = from;
  while (at < end) {
    if (at + 16 <= end && !v128.any_true(v128.and(v128.load(at), i8x16.splat(-128)))) {
      at += 16;
      continue;
    }
    const valid = sequence(at, end);
    if (valid <= 0) return false;
    at += <usize>valid;
  }
  return true;
}

/** Copies the text to `to`, repaired; returns where it ends. */
function repair(to: usize, from: usize, length: usize): usize {
  const end = from + length;
  while (from < end) {
    const valid = sequence(from, end);
    if (valid > 0) {
      copyBytes(to, from, <usize>valid);
      to += <usize>valid;
      from += <usize>valid;
    } else {
      store<u16>(to, 0xbfef);
      store<u8>(to, 0xbd, 2);
      to += 3;
      from += <usize>-valid;
    }
  }
  return to;
}

/** Bytes of the sequence at an address; negative when it is none: the bytes that one U+FFFD stands for. */
function sequence(at: usize, end: usize): i32 {
  const first = load<u8>(at);
  if (first < 0x80) return 1;
  if (first < 0xc2 || first > 0xf4) return -1;
  const length: i32 = first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
  let low: u8 = first == 0xe0 ? 0xa0 : first == 0xf0 ? 0x90 : 0x80;
  let high: u8 = first == 0xed ? 0x9f : first == 0xf4 ? 0x8f : 0xbf;
  for (let i = 1; i < length; i++) {
    if (at + i >= end) return -i;
    const byte = load<u8>(at + i);
    if (byte < low || byte > high) return -i;
    low = 0x80;
    high = 0xbf;
  }
  return length;
}
