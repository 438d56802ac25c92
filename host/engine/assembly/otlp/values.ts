/**
 * The attributes of the span at work. Each is written where the span stands as soon as its value is known, and what it is
 * is noted in its key's record (layout/otlp.ts). A key that is set again loses what was written of it before. Setters return
 * where the span's attributes end now.
 */
import {
  ABSENT,
  DOUBLE,
  INT,
  KEY_HEAD,
  KEY_HEAD_LENGTH,
  KEY_NAME,
  KEY_NAME_LENGTH,
  KEY_NO_HEAD,
  KEY_NOTE,
  KEY_VALUE,
  TEXT,
  TEXTS,
} from '../../layout/otlp';
import { beginLists } from './lists';
import {
  BYTES,
  copyBytes,
  copyText,
  FIXED64,
  SHORT,
  SPREAD_MAX,
  spreadLength,
  spreadVarint,
  tag,
  VARINT,
  varintLength,
  writeVarint,
} from './protobuf';
import { asUtf8, beginRepairs, utf8Length } from './utf8';

// Fields of the specification's messages: KeyValue { key 1, value 2 }, AnyValue { string 1, bool 2, int 3, double 4 }.
const SPAN_ATTRIBUTES: u8 = 9;
const VALUE: u8 = 2;
const STRING_VALUE: u8 = 1;
const BOOL_VALUE: u8 = 2;
const INT_VALUE: u8 = 3;
const DOUBLE_VALUE: u8 = 4;

/** Below a stamp: the kind. */
const KINDS: u64 = 0x100;

/** Notes of other spans bear other stamps; there are more than there will be spans. */
let stamp: u64 = 0;
/** Where the span's attributes begin. */
let first: usize = 0;

/** Begins a span whose attributes begin there. */
export function beginValues(at: usize): void {
  first = at;
  stamp += KINDS;
  beginLists();
  beginRepairs();
}

export function isSet(key: usize): bool {
  return (load<u64>(key, KEY_NOTE) ^ stamp) < KINDS;
}

export function kindOf(key: usize): u32 {
  const kind = load<u64>(key, KEY_NOTE) ^ stamp;
  return kind < KINDS ? <u32>kind : ABSENT;
}

export function contentOf(key: usize): u64 {
  return load<u64>(key, KEY_VALUE);
}

/** Notes the value unless the key has one that stays; returns whether. Only lists give way to what comes after them. */
export function claim(key: usize, kind: u32, content: u64): bool {
  if (isSet(key) && kindOf(key) != TEXTS) return false;
  note(key, kind, content);
  return true;
}

/** That the key's value is written, or (of a list) will be. */
export function note(key: usize, kind: u32, content: u64): void {
  store<u64>(key, stamp | kind, KEY_NOTE);
  store<u64>(key, content, KEY_VALUE);
}

/** Text of any bytes: those that are no UTF-8 are repaired. */
export function setText(to: usize, key: usize, at: usize, length: usize): usize {
  const headLength = <usize>load<u16>(key, KEY_HEAD_LENGTH);
  if (headLength + length >= SHORT || isSet(key)) return setAnyText(to, key, at, length);
  const text = writeTextHead(to, key, headLength, length);
  if (!copyText(text, at, length)) return setAnyText(to, key, at, length);
  note(key, TEXT, textValue(at, length));
  return text + length;
}

/** Of any length, and though it may be set. */
export function setAnyText(to: usize, key: usize, at: usize, length: usize): usize {
  if (isSet(key)) to = remove(to, key);
  at = asUtf8(at, length);
  length = utf8Length;
  note(key, TEXT, textValue(at, length));
  to = writeHead(to, key, 1 + varintLength(length) + length);
  store<u8>(to, tag(STRING_VALUE, BYTES));
  to = writeVarint(to + 1, length);
  copyBytes(to, at, length);
  return to + length;
}

export function setInt(to: usize, key: usize, value: u64): usize {
  if (isSet(key)) to = remove(to, key);
  note(key, INT, value);
  if (value < SPREAD_MAX && load<u16>(key, KEY_HEAD_LENGTH) != KEY_NO_HEAD) {
    return writeShortInt(to, key, <u32>value, spreadLength(<u32>value));
  }
  to = writeHead(to, key, 1 + varintLength(value));
  store<u8>(to, tag(INT_VALUE, VARINT));
  return writeVarint(to + 1, value);
}

/** A DOUBLE or a BOOLEAN. */
export function setNumber(to: usize, key: usize, kind: u32, value: u64): usize {
  if (isSet(key)) to = remove(to, key);
  note(key, kind, value);
  if (kind == DOUBLE) {
    to = writeHead(to, key, 9);
    store<u8>(to, tag(DOUBLE_VALUE, FIXED64));
    store<u64>(to, value, 1);
    return to + 9;
  }
  to = writeHead(to, key, 2);
  store<u8>(to, tag(BOOL_VALUE, VARINT));
  store<u8>(to, <u8>value, 1);
  return to + 2;
}

/** An attribute up to its AnyValue, of so many bytes. */
export function writeHead(to: usize, key: usize, valueLength: usize): usize {
  const name = <usize>load<u32>(key, KEY_NAME);
  const nameLength = <usize>load<u16>(key, KEY_NAME_LENGTH);
  store<u8>(to, tag(SPAN_ATTRIBUTES, BYTES));
  to = writeVarint(to + 1, nameLength + 1 + varintLength(valueLength) + valueLength);
  copyBytes(to, name, nameLength);
  to += nameLength;
  store<u8>(to, tag(VALUE, BYTES));
  return writeVarint(to + 1, valueLength);
}

/** An attribute up to its text, both of which together are SHORT. */
export function writeTextHead(to: usize, key: usize, headLength: usize, length: usize): usize {
  copyHead(to, key, headLength);
  store<u8>(to, <u8>(headLength + length), 1);
  const end = to + headLength;
  store<u8>(end - 1, <u8>(length + 2));
  store<u16>(end, <u16>(tag(STRING_VALUE, BYTES) | (length << 8)));
  return end + 2;
}

/** An attribute with a head, of a number whose varint has so many bytes. */
export function writeShortInt(to: usize, key: usize, value: u32, length: usize): usize {
  const headLength = <usize>load<u16>(key, KEY_HEAD_LENGTH);
  copyHead(to, key, headLength);
  store<u8>(to, <u8>(headLength - 1 + length), 1);
  const end = to + headLength;
  store<u8>(end - 1, <u8>(length + 1));
  store<u8>(end, tag(INT_VALUE, VARINT));
  store<u32>(end, spreadVarint(value, length), 1);
  return end + 1 + length;
}

/** May write up to 30 bytes behind it. */
function copyHead(to: usize, key: usize, headLength: usize): void {
  v128.store(to, v128.load(key, KEY_HEAD));
  v128.store(to, v128.load(key, KEY_HEAD + 16), 16);
  if (headLength > 32) store<u64>(to, load<u64>(key, KEY_HEAD + 32), 32);
}

/** The value of a TEXT. */
export function textValue(at: usize, length: usize): u64 {
  return <u64>at | ((<u64>length) << 32);
}

/** What is written of the key; returns where the attributes end without it. Rare: few keys are set twice. */
function remove(to: usize, key: usize): usize {
  if (kindOf(key) == TEXTS) return to;
  const name = <usize>load<u32>(key, KEY_NAME);
  const nameLength = <usize>load<u16>(key, KEY_NAME_LENGTH);
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
