/**
 * The attributes of the span at work. Each is written where the span stands as soon as its value is known, and what it is
 * is noted under the number of its key in the span's protocol. A key that is set again loses what was written of it before.
 * `keys` is the protocol's key table (layout/otlp.ts); setters return where the span's attributes end now.
 */
import { ABSENT, DOUBLE, INT, KEY_SLOT, KEY_SLOTS, KEYS_MAX, TEXT, TEXTS } from '../../layout/otlp';
import { beginLists } from './lists';
import { BYTES, copyBytes, copyText, FIXED64, SHORT, tag, VARINT, varintLength, writeVarint } from './protobuf';
import { asUtf8, beginRepairs, utf8Length } from './utf8';

// Fields of the specification's messages: KeyValue { key 1, value 2 }, AnyValue { string 1, bool 2, int 3, double 4 }.
const SPAN_ATTRIBUTES: u8 = 9;
const VALUE: u8 = 2;
const STRING_VALUE: u8 = 1;
const BOOL_VALUE: u8 = 2;
const INT_VALUE: u8 = 3;
const DOUBLE_VALUE: u8 = 4;

// What is noted of a key: the span's stamp and the kind, u32 each, then the content, as the kinds of layout/otlp.ts say.
const CONTENT: usize = 8;

/** Notes of other spans bear other stamps. */
let stamp: u32 = 0;
/** Where the span's attributes begin. */
let first: usize = 0;

/** Begins a span whose attributes begin there. */
export function beginValues(at: usize): void {
  first = at;
  beginLists();
  beginRepairs();
  if (++stamp != 0) return;
  memory.fill(KEY_SLOTS, 0, KEY_SLOT * KEYS_MAX);
  stamp = 1;
}

export function isSet(key: u32): bool {
  return load<u32>(slot(key)) == stamp;
}

export function kindOf(key: u32): u32 {
  const head = load<u64>(slot(key));
  return <u32>head == stamp ? <u32>(head >> 32) : ABSENT;
}

export function contentOf(key: u32): u64 {
  return load<u64>(slot(key), CONTENT);
}

/** Only lists give way to what comes after them. */
export function isFinal(key: u32): bool {
  const head = load<u64>(slot(key));
  return <u32>head == stamp && <u32>(head >> 32) != TEXTS;
}

/** That the key's value is written, or (of a list) will be. */
export function note(key: u32, kind: u32, content: u64): void {
  store<u64>(slot(key), <u64>stamp | ((<u64>kind) << 32));
  store<u64>(slot(key), content, CONTENT);
}

/** Text of any bytes: those that are no UTF-8 are repaired. */
export function setText(to: usize, keys: usize, key: u32, at: usize, length: usize): usize {
  if (isSet(key)) to = remove(to, keys, key);
  const text = writeTextHead(to, keys, key, length);
  if (!copyText(text, at, length)) return setUnicode(to, keys, key, at, length);
  note(key, TEXT, <u64>at | ((<u64>length) << 32));
  return text + length;
}

function setUnicode(to: usize, keys: usize, key: u32, at: usize, length: usize): usize {
  at = asUtf8(at, length);
  length = utf8Length;
  note(key, TEXT, <u64>at | ((<u64>length) << 32));
  return writeText(to, keys, key, at, length);
}

export function setInt(to: usize, keys: usize, key: u32, value: u64): usize {
  if (isSet(key)) to = remove(to, keys, key);
  note(key, INT, value);
  return writeInt(to, keys, key, value);
}

/** A DOUBLE or a BOOLEAN. */
export function setNumber(to: usize, keys: usize, key: u32, kind: u32, value: u64): usize {
  if (isSet(key)) to = remove(to, keys, key);
  note(key, kind, value);
  if (kind == DOUBLE) {
    to = writeHead(to, keys, key, 9);
    store<u8>(to, tag(DOUBLE_VALUE, FIXED64));
    store<u64>(to, value, 1);
    return to + 9;
  }
  to = writeHead(to, keys, key, 2);
  store<u8>(to, tag(BOOL_VALUE, VARINT));
  store<u8>(to, <u8>value, 1);
  return to + 2;
}

/** UTF-8. */
export function writeText(to: usize, keys: usize, key: u32, at: usize, length: usize): usize {
  to = writeTextHead(to, keys, key, length);
  copyBytes(to, at, length);
  return to + length;
}

export function writeInt(to: usize, keys: usize, key: u32, value: u64): usize {
  to = writeHead(to, keys, key, 1 + varintLength(value));
  store<u8>(to, tag(INT_VALUE, VARINT));
  return writeVarint(to + 1, value);
}

/** An attribute up to its AnyValue, of so many bytes. */
export function writeHead(to: usize, keys: usize, key: u32, valueLength: usize): usize {
  const name = <usize>load<u32>(keys + (key << 3));
  const nameLength = <usize>load<u32>(keys + (key << 3), 4);
  const length = nameLength + 2 + valueLength;
  if (length >= SHORT) return writeLongHead(to, name, nameLength, valueLength);
  copyBytes(to, name - 2, nameLength + 4);
  store<u8>(to, <u8>length, 1);
  store<u8>(to + nameLength, <u8>valueLength, 3);
  return to + nameLength + 4;
}

/** An attribute up to its text of so many bytes. */
export function writeTextHead(to: usize, keys: usize, key: u32, textLength: usize): usize {
  const name = <usize>load<u32>(keys + (key << 3));
  const nameLength = <usize>load<u32>(keys + (key << 3), 4);
  const length = nameLength + 4 + textLength;
  if (length >= SHORT) {
    to = writeLongHead(to, name, nameLength, 1 + varintLength(textLength) + textLength);
    store<u8>(to, tag(STRING_VALUE, BYTES));
    return writeVarint(to + 1, textLength);
  }
  copyBytes(to, name - 2, nameLength + 4);
  store<u8>(to, <u8>length, 1);
  store<u32>(to + nameLength, <u32>((textLength + 2) | ((<u32>tag(STRING_VALUE, BYTES)) << 8) | (textLength << 16)), 3);
  return to + nameLength + 6;
}

function writeLongHead(to: usize, name: usize, nameLength: usize, valueLength: usize): usize {
  store<u8>(to, tag(SPAN_ATTRIBUTES, BYTES));
  to = writeVarint(to + 1, nameLength + 1 + varintLength(valueLength) + valueLength);
  copyBytes(to, name, nameLength);
  to += nameLength;
  store<u8>(to, tag(VALUE, BYTES));
  return writeVarint(to + 1, valueLength);
}

/** What is written of the key; returns where the attributes end without it. Rare: few keys are set twice. */
function remove(to: usize, keys: usize, key: u32): usize {
  if (kindOf(key) == TEXTS) return to;
  const name = <usize>load<u32>(keys + (key << 3));
  const nameLength = <usize>load<u32>(keys + (key << 3), 4);
  for (let at = first; at < to; ) {
    let shift: u32 = 0;
    let length: usize = 0;
    let content = at + 1;
    do length |= (<usize>load<u8>(content) & 0x7f) << (7 * shift++);
    while (load<u8>(content++) >= 0x80);
    const end = content + length;
    if (memory.compare(content, name, nameLength) == 0) {
      memory.copy(at, end, to - end);
      return to - (end - at);
    }
    at = end;
  }
  return to;
}

function slot(key: u32): usize {
  return KEY_SLOTS + key * KEY_SLOT;
}
