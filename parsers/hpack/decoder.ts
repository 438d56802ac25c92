/**
 * Reads a header block, field by field, and keeps the table up to date. https://www.rfc-editor.org/rfc/rfc7541#section-6
 *
 *   beginBlock(table, from, end);
 *   while (nextField() == FIELD) look(fieldName, fieldNameLength, fieldValue, fieldValueLength, fieldUnknown);
 *   if (block == BAD) table.forget();
 *
 * What a field's variables point to lies in the block, in a table or in scratch memory, and is good until the next call.
 * Every block of a direction must be read to its end, in order; whoever misses one calls table.forget().
 */

import { copy } from '../sdk/bytes';
import { HUFFMAN_BAD, huffman, huffmanMost } from './huffman';
import { prepareStatic, STATIC_LENGTH, staticName, staticNameLength, staticValueLength } from './static-table';
import { Table, UNKNOWN_NAME, UNKNOWN_VALUE } from './table';

/** What nextField says. */
export const FIELD: u32 = 0;
export const END: u32 = 1;
export const BAD: u32 = 2;

export let fieldName: usize = 0;
export let fieldNameLength: u32 = 0;
export let fieldValue: usize = 0;
export let fieldValueLength: u32 = 0;
/** UNKNOWN_NAME, UNKNOWN_VALUE: the field refers to an entry that was not seen. */
export let fieldUnknown: u32 = 0;
/** Index of the static entry that the name was taken from; 0 when it was not. */
export let fieldStatic: u32 = 0;
/** What nextField said last. */
export let block: u32 = 1;

/** Longest block that is read. */
export const BLOCK_MAX: u32 = 65536;
const SCRATCH_SIZE: i32 = 106496;
const nameScratch: usize = memory.data(106496, 8);
const valueScratch: usize = memory.data(106496, 8);
if (<i32>((BLOCK_MAX * 8) / 5) > SCRATCH_SIZE) ERROR('a string may outgrow its scratch memory');

const INTEGER_MAX: u64 = 1 << 28;
const INTEGER_BAD: u32 = 0xffffffff;

let table: Table = changetype<Table>(0);
let at: usize = 0;
let last: usize = 0;
/** No field was read yet: a size update may stand here. */
let isStart: bool = false;
// What `text` found.
let textAt: usize = 0;
let textLength: u32 = 0;

export function beginBlock(dynamic: Table, from: usize, end: usize): void {
  prepareStatic();
  table = dynamic;
  at = from;
  last = end;
  isStart = true;
}

/** Goes to the next field. */
export function nextField(): u32 {
  block = next();
  return block;
}

function next(): u32 {
  while (at < last) {
    const first = load<u8>(at);
    if (first >= 0x80) return indexed(integer(7));
    if (first >= 0x40) return literal(integer(6), true);
    if (first < 0x20) return literal(integer(4), false);
    const size = integer(5);
    if (!isStart || size == INTEGER_BAD) return BAD;
    table.resize(size);
  }
  return END;
}

/** An integer whose first byte has `prefix` bits of it. https://www.rfc-editor.org/rfc/rfc7541#section-5.1 */
function integer(prefix: u32): u32 {
  const mask: u32 = (1 << prefix) - 1;
  const start = <u32>load<u8>(at++) & mask;
  if (start < mask) return start;
  let value: u64 = start;
  for (let shift: u64 = 0; at < last && shift <= 28; shift += 7) {
    const byte = <u64>load<u8>(at++);
    value += (byte & 0x7f) << shift;
    if (value > INTEGER_MAX) return INTEGER_BAD;
    if (byte < 0x80) return <u32>value;
  }
  return INTEGER_BAD;
}

function indexed(index: u32): u32 {
  isStart = false;
  if (!nameOf(index)) return BAD;
  if (index <= STATIC_LENGTH) {
    fieldValue = fieldName + fieldNameLength;
    fieldValueLength = staticValueLength(index);
    return FIELD;
  }
  const place = index - STATIC_LENGTH - 1;
  fieldUnknown = UNKNOWN_NAME | UNKNOWN_VALUE;
  fieldValueLength = 0;
  if (place >= table.count) return FIELD;
  const entry = table.entry(place);
  fieldUnknown = entry.flags;
  fieldValue = fieldName + entry.nameLength;
  fieldValueLength = entry.valueLength;
  return FIELD;
}

/** The name that an index stands for. False: there is none. */
function nameOf(index: u32): bool {
  fieldStatic = 0;
  fieldUnknown = 0;
  if (index == 0 || index == INTEGER_BAD) return false;
  if (index <= STATIC_LENGTH) {
    fieldStatic = index;
    fieldName = staticName(index);
    fieldNameLength = staticNameLength(index);
    return true;
  }
  const place = index - STATIC_LENGTH - 1;
  if (place >= table.count) {
    fieldUnknown = UNKNOWN_NAME;
    fieldNameLength = 0;
    return !table.isExact;
  }
  const entry = table.entry(place);
  fieldName = table.text(entry);
  fieldNameLength = entry.nameLength;
  fieldUnknown = entry.flags & UNKNOWN_NAME;
  return true;
}

function literal(index: u32, adds: bool): u32 {
  isStart = false;
  if (index == 0) {
    if (!text(nameScratch)) return BAD;
    fieldStatic = 0;
    fieldUnknown = 0;
    fieldName = textAt;
    fieldNameLength = textLength;
  } else if (!nameOf(index)) return BAD;
  if (!text(valueScratch)) return BAD;
  fieldValue = textAt;
  fieldValueLength = textLength;
  if (adds) add(index > STATIC_LENGTH);
  return FIELD;
}

function add(isNameInTable: bool): void {
  if (isNameInTable && table.moves(fieldNameLength, fieldValueLength)) {
    copy(nameScratch, fieldName, fieldNameLength);
    fieldName = nameScratch;
  }
  table.add(fieldName, fieldNameLength, fieldValue, fieldValueLength, fieldUnknown);
}

/** A string; a Huffman-coded one is decoded to `scratch`. */
function text(scratch: usize): bool {
  if (at >= last) return false;
  const isCoded = load<u8>(at) >= 0x80;
  const length = integer(7);
  if (length > <u32>(last - at)) return false;
  textAt = at;
  textLength = length;
  at += length;
  if (!isCoded) return true;
  if (huffmanMost(length) > <u32>SCRATCH_SIZE) return false;
  textAt = scratch;
  textLength = huffman(at - length, at, scratch);
  return textLength != HUFFMAN_BAD;
}
