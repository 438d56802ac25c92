/** What a summary is made of: three texts in static memory, and the names of common table expressions. */
import { copy, toLower } from '../sdk/bytes';
import { nextToken, peekByte, QUOTED, tokenAt, tokenEnd, WORD } from './tokens';

/** Longest summary, as the semantic conventions advise; a longer name is left out. */
export const TEXT_MAX: u32 = 255;
/** Longest keyword that is taken for an operation's name. */
const OPERATION_MAX: u32 = 32;
const CTES_MAX: u32 = 16;
const SPACE: u8 = 0x20;
const DOT: u8 = 0x2e;

export const operationAt: usize = memory.data(32, 8);
export const collectionAt: usize = memory.data(256, 8);
export const summaryAt: usize = memory.data(256, 8);
/** Lengths of the results; 0: there is none. */
export let operationLength: u32 = 0;
export let collectionLength: u32 = 0;
export let summaryLength: u32 = 0;

const nameAt: usize = memory.data(256, 8);
/** Length of the name that `readName` read; 0 when it is too long, or none. */
let nameLength: u32 = 0;
/** It has several parts, or stands in quotes. */
let isPlain: bool = false;

/** Addresses of the names of common table expressions, from and end. */
const ctes: usize = memory.data(128, 8);
let cteCount: u32 = 0;

let isFull: bool = false;
let isSeveral: bool = false;

export function clearNames(): void {
  operationLength = 0;
  collectionLength = 0;
  summaryLength = 0;
  cteCount = 0;
  isFull = false;
  isSeveral = false;
}

/** The token that was read last is a verb; `isMain`: it names the operation if none has before. */
export function addVerb(isMain: bool): void {
  const length = <u32>(tokenEnd - tokenAt);
  if (length > OPERATION_MAX) return;
  const from = tokenAt;
  addText(from, length);
  if (summaryLength >= length && !isFull) copyUpper(summaryAt + summaryLength - length, from, length);
  if (!isMain || operationLength > 0) return;
  copyUpper(operationAt, from, length);
  operationLength = length;
}

/** Reads the rest of a qualified name whose first part is the token that was read last. */
export function readName(kind: u32): void {
  nameLength = 0;
  isPlain = kind == WORD;
  let fits = addPart(kind);
  while (peekByte() == DOT) {
    nextToken();
    const part = nextToken();
    if (part != WORD && part != QUOTED) fits = false;
    if (!fits || nameLength == TEXT_MAX) break;
    isPlain = false;
    store<u8>(nameAt + nameLength++, DOT);
    fits = addPart(part);
  }
  if (!fits) nameLength = 0;
}

/** Adds the token to the name, a doubled quote as one. */
function addPart(kind: u32): bool {
  const isQuoted = kind == QUOTED;
  const quote = isQuoted ? load<u8>(tokenEnd) : 0;
  for (let from = tokenAt; from < tokenEnd; from++) {
    if (nameLength == TEXT_MAX) return false;
    store<u8>(nameAt + nameLength++, load<u8>(from));
    if (isQuoted && load<u8>(from) == quote) from++;
  }
  return tokenEnd > tokenAt;
}

/** The name is that of a table. */
export function addTable(): void {
  if (isPlain && (isCte() || isDual())) return;
  addText(nameAt, nameLength);
  if (nameLength == 0 || (collectionLength > 0 && !isCollection())) isSeveral = true;
  if (collectionLength > 0) return;
  copy(collectionAt, nameAt, nameLength);
  collectionLength = nameLength;
}

/** The name is that of something else: so the statement is not about one table. */
export function addOther(): void {
  addText(nameAt, nameLength);
  isSeveral = true;
}

export function addWord(): void {
  addText(tokenAt, <u32>(tokenEnd - tokenAt));
  if (!isFull) copyUpper(summaryAt + summaryLength - (tokenEnd - tokenAt), tokenAt, <u32>(tokenEnd - tokenAt));
}

/** There were several tables, or there may be more: none is the one. */
export function dropCollection(always: bool): void {
  if (always || isSeveral) collectionLength = 0;
}

export function addCte(): void {
  if (cteCount == CTES_MAX) return;
  store<u32>(ctes + (cteCount << 3), <u32>tokenAt);
  store<u32>(ctes + (cteCount << 3), <u32>tokenEnd, 4);
  cteCount++;
}

function isCte(): bool {
  for (let i: u32 = 0; i < cteCount; i++) {
    const from = <usize>load<u32>(ctes + (i << 3));
    const length = <usize>load<u32>(ctes + (i << 3), 4) - from;
    if (length == nameLength && sameText(from, nameAt, length)) return true;
  }
  return false;
}

/** What MySQL and Oracle select from when they select from nothing. */
function isDual(): bool {
  return nameLength == 4 && (load<u32>(nameAt) | 0x20202020) == 0x6c617564;
}

function isCollection(): bool {
  return nameLength == collectionLength && memory.compare(nameAt, collectionAt, nameLength) == 0;
}

function sameText(one: usize, other: usize, length: usize): bool {
  for (let i: usize = 0; i < length; i++) if (toLower(load<u8>(one + i)) != toLower(load<u8>(other + i))) return false;
  return true;
}

/** Adds a word to the summary, whole or not at all; and then none behind it. */
function addText(from: usize, length: u32): void {
  const gap: u32 = summaryLength > 0 ? 1 : 0;
  if (length == 0 || isFull || summaryLength + gap + length > TEXT_MAX) {
    isFull = isFull || length > 0;
    return;
  }
  if (gap > 0) store<u8>(summaryAt + summaryLength++, SPACE);
  copy(summaryAt + summaryLength, from, length);
  summaryLength += length;
}

function copyUpper(to: usize, from: usize, length: u32): void {
  for (let i: u32 = 0; i < length; i++) {
    const byte = <u32>load<u8>(from + i);
    store<u8>(to + i, <u8>(byte - 0x61 < 26 ? byte ^ 0x20 : byte));
  }
}
