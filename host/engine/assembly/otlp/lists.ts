/** Attributes that are lists of texts: a message's records hold one element each, and those of a list need not follow each other. */
import { ABSENT, NO_KEY, TEXTS } from '../../layout/otlp';
import { BYTES, tag, varintLength, writeBytes, writeVarint } from './protobuf';
import { asUtf8, utf8Length } from './utf8';
import { contentOf, kindOf, note, writeHead } from './values';

// Fields of the specification's messages: AnyValue { string 1, array 5 }, ArrayValue { values 1 }.
const STRING_VALUE: u8 = 1;
const ARRAY_VALUE: u8 = 5;
const ARRAY_VALUES: u8 = 1;

/** Texts of all lists of a span: a message has at most 256 attributes. */
const TEXTS_MAX: u32 = 512;
/** Ends a list. */
const LAST: u32 = 0xffff_ffff;
/** A text of a list: its address, its length, the next one's place, and the key if it is its list's first. */
const ELEMENT: u32 = 16;
const NEXT: usize = 8;
const KEY: usize = 12;

const elements: usize = memory.data(TEXTS_MAX * ELEMENT, 4);
let elementCount: u32 = 0;

export function beginLists(): void {
  elementCount = 0;
}

/** Adds to the list under the key; the low half of its value is the first element's place, the high half the last one's. */
export function addText(key: usize, at: usize, length: usize): void {
  const kind = kindOf(key);
  if ((kind != ABSENT && kind != TEXTS) || elementCount == TEXTS_MAX) return;
  const element = elements + elementCount * ELEMENT;
  store<u32>(element, <u32>asUtf8(at, length));
  store<u32>(element, <u32>utf8Length, 4);
  store<u32>(element, LAST, NEXT);
  store<u32>(element, kind == ABSENT ? <u32>key : NO_KEY, KEY);
  const place = <u64>elementCount;
  elementCount++;
  const list = contentOf(key);
  if (kind == TEXTS) store<u32>(elements + <u32>(list >> 32) * ELEMENT, <u32>place, NEXT);
  note(key, TEXTS, (kind == TEXTS ? list & 0xffff_ffff : place) | (place << 32));
}

/** Those that nothing came after which took their place. */
export function writeLists(to: usize): usize {
  for (let i: u32 = 0; i < elementCount; i++) {
    const key = <usize>load<u32>(elements + i * ELEMENT, KEY);
    if (key != NO_KEY && kindOf(key) == TEXTS) to = writeList(to, key, i);
  }
  return to;
}

function writeList(to: usize, key: usize, start: u32): usize {
  const length = arrayLength(start);
  to = writeHead(to, key, 1 + varintLength(length) + length);
  store<u8>(to, tag(ARRAY_VALUE, BYTES));
  to = writeVarint(to + 1, length);
  for (let i = start; i != LAST; i = load<u32>(elements + i * ELEMENT, NEXT)) {
    const element = elements + i * ELEMENT;
    store<u8>(to, tag(ARRAY_VALUES, BYTES));
    to = writeVarint(to + 1, elementLength(i));
    to = writeBytes(to, STRING_VALUE, load<u32>(element), load<u32>(element, 4));
  }
  return to;
}

/** Bytes of the list's ArrayValue. */
function arrayLength(start: u32): usize {
  let sum: usize = 0;
  for (let i = start; i != LAST; i = load<u32>(elements + i * ELEMENT, NEXT)) {
    const length = elementLength(i);
    sum += 1 + varintLength(length) + length;
  }
  return sum;
}

/** Bytes of an element's AnyValue. */
function elementLength(place: u32): usize {
  const length = <usize>load<u32>(elements + place * ELEMENT, 4);
  return 1 + varintLength(length) + length;
}
