/**
 * Reads a header block, field by field, and keeps the table up to date. https://www.rfc-editor.org/rfc/rfc7541#section-6
 *
 *   beginBlock(table, from, end);
 *   while (nextField() == FIELD) look(fieldName, fieldNameLength, fieldValue, fieldValueLength, fieldUnknown);
 *   if (block == BAD) table.doubt();
 *
 * A parser that tells fields apart by their names does so once for each entry: it gives the name a tag, and finds it
 * again in `fieldTag`, without a look at the text.
 *
 * What a field's variables point to lies in the block, in a table or in scratch memory, and is good until the next call.
 * Every block of a direction must be read to its end, in order; whoever misses one calls table.doubt(). Until
 * that is settled a block is read twice: first for what it tells of the entries that were missed.
 */

import { copy } from '../sdk/bytes';
import { beginNotes, chain, noteName, noteOld, weigh } from './doubt';
import { Entry, IS_LOST, ORIGIN_SHIFT, UNKNOWN_NAME, UNKNOWN_VALUE, VARIES } from './entry';
import { HUFFMAN_BAD, huffman, huffmanMost } from './huffman';
import {
  hashText,
  prepareStatic,
  STATIC_LENGTH,
  staticFirst,
  staticHash,
  staticName,
  staticNameLength,
  staticTag,
  staticValueLength,
  tagStatic,
} from './static-table';
import { Table } from './table';

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
/** What the parser has called the name (`tagField`); 0 when it has not, or the name is written out. */
export let fieldTag: u32 = 0;
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

/** Names so far, and whether all were known. */
let sequence: u32 = 0;
let isNamed: bool = false;
let nameHash: u32 = 0;
/** The block is read for what it tells of the table, which stays as it is; fields that it would have added. */
let isRehearsal: bool = false;
let rehearsed: u32 = 0;
/** The rehearsal has shown that it is none. */
let isBad: bool = false;
/** The entry that was referred to, if it is known; else its place, if it is from before a loss. */
let entry: Entry = changetype<Entry>(0);
let oldPlace: u32 = 0;
/** The field is `entry`, name and value. */
let isReference: bool = false;
const NOWHERE: u32 = 0xffffffff;

export function beginBlock(dynamic: Table, from: usize, end: usize): void {
  prepareStatic();
  table = dynamic;
  isBad = false;
  if (table.old > 0) rehearse(from, end);
  start(from, end);
}

function start(from: usize, end: usize): void {
  at = from;
  last = end;
  isStart = true;
  sequence = 0;
  isNamed = from < end;
}

function rehearse(from: usize, end: usize): void {
  start(from, end);
  beginNotes();
  rehearsed = 0;
  isRehearsal = true;
  let found = next();
  while (found == FIELD && noteField()) found = next();
  isRehearsal = false;
  isBad = found == BAD;
  if (found == END) weigh(table);
}

/** False: it cannot be compared. */
function noteField(): bool {
  if (oldPlace != NOWHERE) return noteOld(oldPlace);
  return (fieldUnknown & UNKNOWN_NAME) == 0 && noteName(nameHash);
}

/** Calls the name of the field that was read last `tag`, 1 … 255, wherever it is referred to from now on. */
export function tagField(tag: u32): void {
  if (fieldStatic != 0) tagStatic(fieldStatic, tag);
  else if (isReference) entry.tag = tag;
}

/** Goes to the next field. */
export function nextField(): u32 {
  block = isBad ? BAD : next();
  if (block == FIELD) {
    if ((fieldUnknown & UNKNOWN_NAME) != 0) isNamed = false;
    else sequence = chain(sequence, nameHash);
  } else if (block == END) {
    table.endBlock();
    if (isNamed) table.learn(sequence);
  }
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
    if (!isRehearsal) table.resize(size);
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
  isReference = false;
  if (!nameOf(index)) return BAD;
  fieldValue = fieldName + fieldNameLength;
  fieldValueLength = 0;
  if (fieldStatic != 0) fieldValueLength = staticValueLength(index);
  else if (changetype<usize>(entry) == 0) fieldUnknown = UNKNOWN_NAME | UNKNOWN_VALUE;
  else {
    isReference = true;
    fieldUnknown = entry.flags & (UNKNOWN_NAME | UNKNOWN_VALUE);
    fieldValueLength = entry.valueLength;
    if (!isRehearsal) entry.use();
  }
  return FIELD;
}

/** The name that an index stands for. False: there is none. */
function nameOf(index: u32): bool {
  fieldStatic = 0;
  fieldUnknown = 0;
  oldPlace = NOWHERE;
  if (index == 0 || index == INTEGER_BAD) return false;
  if (index > STATIC_LENGTH) return nameOfEntry(index - STATIC_LENGTH - 1);
  fieldStatic = index;
  fieldName = staticName(index);
  fieldNameLength = staticNameLength(index);
  nameHash = staticHash(index);
  fieldTag = staticTag(index);
  return true;
}

function nameOfEntry(place: u32): bool {
  entry = changetype<Entry>(0);
  fieldUnknown = UNKNOWN_NAME;
  fieldNameLength = 0;
  fieldTag = 0;
  if (isRehearsal) {
    // What the block adds itself has no name yet.
    if (place < rehearsed) return true;
    place -= rehearsed;
  }
  if (place >= table.known) {
    if (table.old > 0) oldPlace = place - table.known;
    return !table.isExact;
  }
  entry = table.entry(place);
  // A missed entry has no text; its name may be known all the same.
  const isNamed = (entry.flags & (IS_LOST | UNKNOWN_NAME)) == IS_LOST;
  fieldName = isNamed ? staticName(entry.origin) : table.text(entry);
  fieldNameLength = isNamed ? staticNameLength(entry.origin) : entry.nameLength;
  fieldUnknown = entry.flags & UNKNOWN_NAME;
  nameHash = entry.nameHash;
  fieldTag = entry.tag;
  return true;
}

function literal(index: u32, adds: bool): u32 {
  isStart = false;
  isReference = false;
  if (index == 0) {
    if (!text(nameScratch)) return BAD;
    fieldTag = 0;
    fieldStatic = 0;
    fieldUnknown = 0;
    fieldName = textAt;
    fieldNameLength = textLength;
    oldPlace = NOWHERE;
    nameHash = hashText(textAt, textLength);
  } else if (!nameOf(index)) return BAD;
  if (!text(valueScratch)) return BAD;
  fieldValue = textAt;
  fieldValueLength = textLength;
  if (isRehearsal) rehearsed += adds ? 1 : 0;
  else {
    const flags = fieldUnknown | historyOf(index, adds);
    if (adds) add(index > STATIC_LENGTH, flags);
  }
  return FIELD;
}

/** What an entry of that name and value has to remember: where the name is from, whether it had other values. */
function historyOf(index: u32, adds: bool): u32 {
  if (index == 0) return adds && table.markNamed(nameHash, fieldValue, fieldValueLength) ? VARIES : 0;
  let origin: u32 = 0;
  if (index <= STATIC_LENGTH) origin = staticFirst(index);
  else if (changetype<usize>(entry) != 0) origin = entry.origin;
  if (origin != 0) {
    if (table.isVaried(origin)) return origin << ORIGIN_SHIFT;
    table.sawValue(origin, hashText(fieldValue, fieldValueLength));
    const isThere = adds && table.markNamed(nameHash, fieldValue, fieldValueLength);
    return (origin << ORIGIN_SHIFT) | (isThere ? VARIES : 0);
  }
  if (changetype<usize>(entry) != 0 && adds) table.mark(entry, fieldValue, fieldValueLength);
  return VARIES;
}

function add(isNameInTable: bool, flags: u32): void {
  if (isNameInTable && table.moves(fieldNameLength, fieldValueLength)) {
    copy(nameScratch, fieldName, fieldNameLength);
    fieldName = nameScratch;
  }
  table.add(fieldName, fieldNameLength, fieldValue, fieldValueLength, flags, nameHash);
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
