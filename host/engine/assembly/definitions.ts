/**
 * Attributes that one message teaches and later ones refer to (docs/abi.md, "Definitions"): by connection and key, the
 * attribute words in a slab of their own, because definitions stay far longer than messages.
 *
 * The rule: what a connection defines costs that connection only. Its oldest definitions go when it exceeds its bytes, or
 * its share of the slab (slab.ts): beyond half full FLOOR_WORDS, and ever less from there on, but one definition always.
 * What is defined as shared costs, and serves, the connections of one process in one module (scopes.ts) as if they were one.
 */
import {
  ATTRIBUTE_ID,
  ATTRIBUTE_LENGTH,
  ATTRIBUTE_VALUE,
  DEFINE_SHARED,
  DEFINITIONS_MAX,
  MESSAGE_MAX,
  OUT_FLAGS,
  OUT_KEY,
  OUT_LONG,
  OUT_VALUE,
  REFERENCE,
} from '../../../parsers/sdk/abi';
import { COUNT_DEFINITIONS_DROPPED, COUNT_REFERENCES_UNKNOWN } from '../layout/counters';
import {
  DEFINITION_AT,
  DEFINITION_ATTRIBUTES,
  DEFINITION_KEY,
  DEFINITION_LINKS,
  DEFINITION_LISTS,
  DEFINITION_SLAB,
  DEFINITION_SLAB_PAGES,
  DEFINITION_TABLE,
  DEFINITION_WORDS,
  MERGED,
  OWNER_BYTES,
  OWNER_WORDS,
} from '../layout/pairing';
import { copyBytes } from './copy';
import { count } from './counters';
import { KeyTable } from './key-table';
import { Lists } from './lists';
import { joinScope, leaveScope, scopeOf } from './scopes';
import { blockWords, Slab, share } from './slab';
import { attributeBytes } from './words';

/** What a connection may hold while half of the slab is free: the longest definition, or 32 short ones. */
const FLOOR_WORDS: f64 = (8 * 1024) / 4;
/** What a definition costs at least: those without attributes are bounded, too. */
const CHARGE_MIN: i32 = 8;
const KEY_LENGTH: i32 = 8;
/** The list of numbers that are free; an owner's list is its number plus one. */
const FREE: i32 = 0;

const slab = new Slab(DEFINITION_SLAB, DEFINITION_SLAB_PAGES);
const table = new KeyTable(DEFINITION_TABLE);
const lists = new Lists(DEFINITION_LISTS, DEFINITION_LINKS);
let top: i32 = 0;

/** What `merge` made: how many words of MERGED are used, how many attributes, whether something is missing. */
export let mergedWords: i32 = 0;
export let mergedAttributes: i32 = 0;
export let isPartial: bool = false;

export function limitDefinitions(slabBytes: i32): void {
  slab.limitTo(slabBytes);
}

/** Definitions kept. */
export function definitionsKept(): i32 {
  return table.size;
}

/** Starts a connection; those of equal scope have in common what is defined as shared. */
export function openDefinitions(connection: i32, scope: u64): void {
  forget(connection);
  joinScope(connection, scope);
}

/** Keeps what the DEFINE record says; references in it are left out. */
export function define(connection: i32, at: i32): void {
  const isShared = (load<u16>(at, OUT_FLAGS) & <u16>DEFINE_SHARED) != 0;
  const scope = isShared ? scopeOf(connection) : -1;
  const owner = scope < 0 ? ownerOf(connection) : ownerOfScope(scope);
  removeKey(owner, at);
  beginMerge();
  let from = at + OUT_LONG;
  for (let left = load<i32>(at, OUT_VALUE); left > 0; left--) {
    if (load<u16>(from, ATTRIBUTE_ID) != REFERENCE) append(from);
    from += attributeBytes(from);
  }
  keep(owner, load<u64>(at, OUT_KEY));
}

/** Forgets the key that the record names. What is shared stays: it is not this connection's alone. */
export function undefine(connection: i32, at: i32): void {
  removeKey(ownerOf(connection), at);
}

/** Forgets all of a connection, and what is shared with those that have ended before. */
export function forget(connection: i32): void {
  removeAll(ownerOf(connection));
  const scope = leaveScope(connection);
  if (scope >= 0) removeAll(ownerOfScope(scope));
}

/**
 * Fills MERGED with `count` attributes, each reference replaced by what it refers to. What does not fit into the longest
 * message is left out.
 */
export function merge(connection: i32, from: i32, attributes: i32): void {
  beginMerge();
  let at = from;
  for (let left = attributes; left > 0; left--) {
    if (load<u16>(at, ATTRIBUTE_ID) != REFERENCE) append(at);
    else if (load<u16>(at, ATTRIBUTE_LENGTH) == KEY_LENGTH) resolve(connection, load<u64>(at, ATTRIBUTE_VALUE));
    at += attributeBytes(at);
  }
}

function resolve(connection: i32, key: u64): void {
  const number = find(connection, key);
  if (number < 0) {
    count(COUNT_REFERENCES_UNKNOWN);
    isPartial = true;
    return;
  }
  let at = DEFINITION_SLAB + (load<i32>(DEFINITION_AT + (number << 2)) << 2);
  for (let left = <i32>load<u16>(DEFINITION_ATTRIBUTES + (number << 1)); left > 0; left--) {
    append(at);
    at += attributeBytes(at);
  }
}

/** The connection's own definition, else the shared one. */
function find(connection: i32, key: u64): i32 {
  const own = table.get(ownerOf(connection), key);
  const scope = own < 0 ? scopeOf(connection) : -1;
  return scope < 0 ? own : table.get(ownerOfScope(scope), key);
}

function removeKey(owner: i32, at: i32): void {
  const number = table.get(owner, load<u64>(at, OUT_KEY));
  if (number >= 0) remove(owner, number);
}

function removeAll(owner: i32): void {
  while (lists.first(owner + 1) >= 0) remove(owner, lists.first(owner + 1));
}

function beginMerge(): void {
  mergedWords = 0;
  mergedAttributes = 0;
  isPartial = false;
}

/** Adds one attribute, if there is room. */
function append(from: i32): void {
  const words = attributeBytes(from) >>> 2;
  if (mergedWords + words > MESSAGE_MAX >>> 2) {
    isPartial = true;
    return;
  }
  copyBytes(MERGED + (mergedWords << 2), from, words << 2);
  mergedWords += words;
  mergedAttributes++;
}

function keep(owner: i32, key: u64): void {
  const words = mergedWords;
  while (!hasRoom(owner, words) && evictOldest(owner));
  let block = slab.take(words);
  while (block < 0 && evictOldest(owner)) block = slab.take(words);
  if (block < 0) {
    count(COUNT_DEFINITIONS_DROPPED);
    return;
  }
  copyBytes(DEFINITION_SLAB + (block << 2), MERGED, words << 2);
  const number = newNumber();
  store<u64>(DEFINITION_KEY + (number << 3), key);
  store<i32>(DEFINITION_AT + (number << 2), block);
  store<u16>(DEFINITION_WORDS + (number << 1), <u16>words);
  store<u16>(DEFINITION_ATTRIBUTES + (number << 1), <u16>mergedAttributes);
  hold(owner, cost(words), blockWords(words));
  table.put(owner, key, number);
  lists.append(owner + 1, number);
}

function hasRoom(owner: i32, words: i32): bool {
  if (load<i32>(OWNER_BYTES + (owner << 2)) + cost(words) > DEFINITIONS_MAX) return false;
  const held = <f64>(load<i32>(OWNER_WORDS + (owner << 2)) + blockWords(words));
  return held <= share(<f64>slab.freeWords, <f64>slab.limit, FLOOR_WORDS);
}

function evictOldest(owner: i32): bool {
  const number = lists.first(owner + 1);
  if (number < 0) return false;
  count(COUNT_DEFINITIONS_DROPPED);
  remove(owner, number);
  return true;
}

function remove(owner: i32, number: i32): void {
  const words = <i32>load<u16>(DEFINITION_WORDS + (number << 1));
  slab.give(load<i32>(DEFINITION_AT + (number << 2)));
  hold(owner, -cost(words), -blockWords(words));
  table.remove(owner, load<u64>(DEFINITION_KEY + (number << 3)));
  lists.remove(owner + 1, number);
  lists.append(FREE, number);
}

function hold(owner: i32, bytes: i32, words: i32): void {
  const bytesAt = OWNER_BYTES + (owner << 2);
  const wordsAt = OWNER_WORDS + (owner << 2);
  store<i32>(bytesAt, load<i32>(bytesAt) + bytes);
  store<i32>(wordsAt, load<i32>(wordsAt) + words);
}

/** There is one for each block of the slab. */
function newNumber(): i32 {
  const number = lists.first(FREE);
  if (number < 0) return top++;
  lists.remove(FREE, number);
  return number;
}

/** Connections and scopes have their definitions in the same tables. */
function ownerOf(connection: i32): i32 {
  return connection * 2;
}

function ownerOfScope(scope: i32): i32 {
  return scope * 2 + 1;
}

function cost(words: i32): i32 {
  return max(words << 2, CHARGE_MIN);
}
