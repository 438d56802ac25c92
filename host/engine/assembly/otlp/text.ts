/** Numbers as text, and the span's name from its template. */
import { BOOLEAN, INT, PART_END, PART_KEY, PART_SIZE, TEXT } from '../../layout/otlp';
import { copyBytes } from './protobuf';
import { contentOf, kindOf } from './values';

/** Longest text of an i64. */
export const NUMBER_MAX: usize = 20;
/** What stands for a value that is not among the known ones: no part of a name. */
const OTHER: usize = memory.data<u8>([0x5f, 0x4f, 0x54, 0x48, 0x45, 0x52, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
export const OTHER_LENGTH: usize = 6;
const TRUE: usize = memory.data<u8>([0x74, 0x72, 0x75, 0x65]);
const FALSE: usize = memory.data<u8>([0x66, 0x61, 0x6c, 0x73, 0x65]);

/** Digits from the end; behind them whatever is copied with them. */
const digits: usize = memory.data(<i32>NUMBER_MAX + 20);

export function other(): usize {
  return OTHER;
}

export function writeDecimal(to: usize, value: i64): usize {
  let left = value < 0 ? 0 - <u64>value : <u64>value;
  if (value < 0) store<u8>(to++, 0x2d);
  let at = digits + NUMBER_MAX;
  do {
    store<u8>(--at, <u8>(0x30 + (left % 10)));
    left /= 10;
  } while (left != 0);
  const length = digits + NUMBER_MAX - at;
  v128.store(to, v128.load(at));
  store<u32>(to, load<u32>(at, 16), 16);
  return to + length;
}

/** Fills the template at `part` in; 0 when a value that it needs is missing. */
export function writeName(to: usize, part: usize): usize {
  for (; load<u32>(part, 4) != PART_END; part += PART_SIZE) {
    const what = load<u32>(part);
    const length = load<u32>(part, 4);
    if (length == PART_KEY) {
      const kind = kindOf(what);
      const value = contentOf(what);
      if (kind == TEXT) {
        if (isOther(value)) return 0;
        copyBytes(to, <usize>(value & 0xffff_ffff), <usize>(value >> 32));
        to += <usize>(value >> 32);
      } else if (kind == INT) to = writeDecimal(to, <i64>value);
      else if (kind == BOOLEAN) to = writeBoolean(to, value != 0);
      else return 0;
    } else {
      copyBytes(to, what, length);
      to += length;
    }
  }
  return to;
}

function writeBoolean(to: usize, value: bool): usize {
  copyBytes(to, value ? TRUE : FALSE, 5);
  return to + (value ? 4 : 5);
}

function isOther(value: u64): bool {
  if (value >> 32 != OTHER_LENGTH) return false;
  const at = <usize>(value & 0xffff_ffff);
  return load<u32>(at) == load<u32>(OTHER) && load<u16>(at, 4) == load<u16>(OTHER, 4);
}
