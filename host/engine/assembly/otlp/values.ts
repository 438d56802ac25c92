/**
 * The attributes of the span at work, by number of their key in its protocol: a value that is set again takes the place
 * of the one before. They come out in the order in which their keys were first set.
 */
import { ABSENT, DOUBLE, INT, TEXT, TEXTS } from '../../layout/otlp';
import { BYTES, copyBytes, FIXED64, tag, VARINT, varintLength, writeVarint } from './protobuf';

/** Keys of one protocol: the attributes of a manifest (256 at most) and those the host adds. */
export const KEYS_MAX = 512;

// Fields of the specification's messages: KeyValue { key 1, value 2 }, ArrayValue { values 1 },
// AnyValue { string 1, bool 2, int 3, double 4, array 5 }.
const SPAN_ATTRIBUTES: u8 = 9;
const VALUE: u8 = 2;
const STRING_VALUE: u8 = 1;
const BOOL_VALUE: u8 = 2;
const INT_VALUE: u8 = 3;
const DOUBLE_VALUE: u8 = 4;
const ARRAY_VALUE: u8 = 5;
const ARRAY_VALUES: u8 = 1;

/** Texts of all lists of a span: a message has at most 256 attributes. */
const TEXTS_MAX: u32 = 512;
/** Ends a list. */
const LAST: u32 = 0xffff_ffff;
/** A text of a list: its address, its length, and the next one's place. */
const ELEMENT: u32 = 12;

const kinds: usize = memory.data(KEYS_MAX);
const values: usize = memory.data(KEYS_MAX * 8, 8);
const order: usize = memory.data(KEYS_MAX * 2, 2);
const elements: usize = memory.data(TEXTS_MAX * ELEMENT, 4);
let count: u32 = 0;
let elementCount: u32 = 0;

export function clearValues(): void {
  for (let i: u32 = 0; i < count; i++) store<u8>(kinds + load<u16>(order + i * 2), <u8>ABSENT);
  count = 0;
  elementCount = 0;
}

export function setValue(key: u32, kind: u32, value: u64): void {
  if (load<u8>(kinds + key) == ABSENT) {
    store<u16>(order + count * 2, <u16>key);
    count++;
  }
  store<u8>(kinds + key, <u8>kind);
  store<u64>(values + key * 8, value);
}

export function setText(key: u32, at: usize, length: usize): void {
  setValue(key, TEXT, <u64>at | ((<u64>length) << 32));
}

/** Adds to the list under the key; the low half of its value is the first element's place, the high half the last one's. */
export function addText(key: u32, at: usize, length: usize): void {
  const kind = kindOf(key);
  if ((kind != ABSENT && kind != TEXTS) || elementCount == TEXTS_MAX) return;
  const element = elements + elementCount * ELEMENT;
  store<u32>(element, <u32>at);
  store<u32>(element, <u32>length, 4);
  store<u32>(element, LAST, 8);
  const place = <u64>elementCount;
  elementCount++;
  const list = contentOf(key);
  if (kind == TEXTS) store<u32>(elements + <u32>(list >> 32) * ELEMENT, <u32>place, 8);
  setValue(key, TEXTS, (kind == TEXTS ? list & 0xffff_ffff : place) | (place << 32));
}

export function kindOf(key: u32): u32 {
  return load<u8>(kinds + key);
}

export function contentOf(key: u32): u64 {
  return load<u64>(values + key * 8);
}

/** Writes them as the span's attributes. `keys` is the protocol's table: address and length of each `key` field. */
export function writeValues(to: usize, keys: usize): usize {
  for (let i: u32 = 0; i < count; i++) {
    const key = <u32>load<u16>(order + i * 2);
    to = writeKeyValue(to, load<u32>(keys + key * 8), load<u32>(keys + key * 8, 4), kindOf(key), contentOf(key));
  }
  return to;
}

function writeKeyValue(to: usize, name: usize, nameLength: usize, kind: u32, value: u64): usize {
  const valueLength = lengthOf(kind, value);
  store<u8>(to, tag(SPAN_ATTRIBUTES, BYTES));
  to = writeVarint(to + 1, nameLength + 1 + varintLength(valueLength) + valueLength);
  copyBytes(to, name, nameLength);
  to += nameLength;
  store<u8>(to, tag(VALUE, BYTES));
  return writeValue(writeVarint(to + 1, valueLength), kind, value);
}

/** Bytes of the value's AnyValue. */
function lengthOf(kind: u32, value: u64): usize {
  switch (kind) {
    case TEXT: {
      const length = <usize>(value >> 32);
      return 1 + varintLength(length) + length;
    }
    case INT:
      return 1 + varintLength(value);
    case DOUBLE:
      return 9;
    case TEXTS: {
      const length = arrayLength(value);
      return 1 + varintLength(length) + length;
    }
    default:
      return 2;
  }
}

function writeValue(to: usize, kind: u32, value: u64): usize {
  switch (kind) {
    case TEXT: {
      const length = <usize>(value >> 32);
      store<u8>(to, tag(STRING_VALUE, BYTES));
      to = writeVarint(to + 1, length);
      copyBytes(to, <usize>(value & 0xffff_ffff), length);
      return to + length;
    }
    case INT:
      store<u8>(to, tag(INT_VALUE, VARINT));
      return writeVarint(to + 1, value);
    case DOUBLE:
      store<u8>(to, tag(DOUBLE_VALUE, FIXED64));
      store<u64>(to, value, 1);
      return to + 9;
    case TEXTS:
      return writeArray(to, value);
    default:
      store<u8>(to, tag(BOOL_VALUE, VARINT));
      store<u8>(to, <u8>value, 1);
      return to + 2;
  }
}

/** Bytes of the list's ArrayValue. */
function arrayLength(list: u64): usize {
  let sum: usize = 0;
  for (let i = <u32>list; i != LAST; i = load<u32>(elements + i * ELEMENT, 8)) {
    const length = lengthOf(TEXT, textOf(i));
    sum += 1 + varintLength(length) + length;
  }
  return sum;
}

function writeArray(to: usize, list: u64): usize {
  store<u8>(to, tag(ARRAY_VALUE, BYTES));
  to = writeVarint(to + 1, arrayLength(list));
  for (let i = <u32>list; i != LAST; i = load<u32>(elements + i * ELEMENT, 8)) {
    store<u8>(to, tag(ARRAY_VALUES, BYTES));
    to = writeValue(writeVarint(to + 1, lengthOf(TEXT, textOf(i))), TEXT, textOf(i));
  }
  return to;
}

/** An element, as the value of a TEXT. */
function textOf(place: u32): u64 {
  return load<u64>(elements + place * ELEMENT);
}
