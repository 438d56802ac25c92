/**
 * Attributes that one message teaches and later ones refer to (docs/abi.md, "Definitions"): by connection and key, the
 * attribute words in a slab of their own, because definitions stay far longer than messages.
 *
 * The rule: what a connection defines costs that connection only. Its oldest definitions go when it exceeds its bytes, or
 * its share of the slab (slab.ts): beyond half full FLOOR_WORDS, and ever less from there on, but one definition always.
 * What is defined as shared costs, and serves, the connections of one process in one module (scopes.ts) as if they were one.
 */
import {
  ATTRIBUTE_VALUE,
  DEFINE_SHARED,
  DEFINITIONS_MAX,
  MESSAGE_MAX,
  OUT_KEY,
  OUT_LONG,
  OUT_TYPE,
  OUT_VALUE,
  REFERENCE,
} from '../../parsers/sdk/abi.ts';
import { C, type Counters } from '../self/counters.ts';
import { KeyTable } from './key-table.ts';
import { Lists } from './lists.ts';
import { grown } from './messages.ts';
import { Scopes } from './scopes.ts';
import { blockWords, Slab, share } from './slab.ts';

const FIRST_DEFINITIONS = 256;
const SLAB_BYTES_MAX = 64 * 1024 * 1024;
/** What a connection may hold while half of the slab is free: the longest definition, or 32 short ones. */
const FLOOR_WORDS = (8 * 1024) >>> 2;
/** What a definition costs at least: those without attributes are bounded, too. */
const CHARGE_MIN = 8;
const KEY_LENGTH = 8;
/** The list of numbers that are free; an owner's list is its number plus one. */
const FREE = 0;

export class Definitions {
  /** What `merge` made: attribute words, how many are used, how many attributes, whether something is missing. */
  readonly merged = new Uint32Array(MESSAGE_MAX >>> 2);
  mergedWords = 0;
  mergedAttributes = 0;
  isPartial = false;
  readonly #counters: Counters;
  readonly #slab: Slab;
  readonly #table = new KeyTable();
  readonly #lists = new Lists();
  /** By definition. */
  #keyLow = new Uint32Array(FIRST_DEFINITIONS);
  #keyHigh = new Uint32Array(FIRST_DEFINITIONS);
  #at = new Uint32Array(FIRST_DEFINITIONS);
  #words = new Uint32Array(FIRST_DEFINITIONS);
  #attributes = new Uint16Array(FIRST_DEFINITIONS);
  readonly #scopes = new Scopes();
  /** By owner: attribute bytes of its definitions, and the words of the slab that they take up. */
  #bytes = new Uint32Array(0);
  #held = new Uint32Array(0);
  #top = 0;

  constructor(counters: Counters, slabBytes = SLAB_BYTES_MAX) {
    this.#counters = counters;
    this.#slab = new Slab(slabBytes);
  }

  /** Definitions kept. */
  get size(): number {
    return this.#table.size;
  }

  /** Starts a connection; those of equal scope have in common what is defined as shared. */
  open(connection: number, scope: number): void {
    this.forget(connection);
    this.#scopes.join(connection, scope);
  }

  /** Keeps what the DEFINE record at byte `at` says; references in it are left out. */
  define(connection: number, memory: Uint32Array, at: number): void {
    const isShared = ((memory[(at + OUT_TYPE) >>> 2]! >>> 16) & DEFINE_SHARED) !== 0;
    const scope = isShared ? this.#scopes.of(connection) : -1;
    const owner = scope < 0 ? ownerOf(connection) : ownerOfScope(scope);
    this.#reserve(owner);
    this.#removeKey(owner, memory, at);
    this.#beginMerge();
    let word = (at + OUT_LONG) >>> 2;
    for (let left = memory[(at + OUT_VALUE) >>> 2]!; left > 0; left--) {
      if ((memory[word]! & 0xffff) !== REFERENCE) this.#append(memory, word);
      word += attributeWords(memory[word]!);
    }
    this.#keep(owner, memory[(at + OUT_KEY) >>> 2]!, memory[(at + OUT_KEY + 4) >>> 2]!);
  }

  /** Forgets the key that the record at byte `at` names. What is shared stays: it is not this connection's alone. */
  undefine(connection: number, memory: Uint32Array, at: number): void {
    this.#removeKey(ownerOf(connection), memory, at);
  }

  /** Forgets all of a connection, and what is shared with those that have ended before. */
  forget(connection: number): void {
    this.#removeAll(ownerOf(connection));
    const scope = this.#scopes.leave(connection);
    if (scope >= 0) this.#removeAll(ownerOfScope(scope));
  }

  /**
   * Fills `merged` with `count` attributes that begin at `word`, each reference replaced by what it refers to. What does
   * not fit into the longest message is left out.
   */
  merge(connection: number, memory: Uint32Array, word: number, count: number): void {
    this.#beginMerge();
    let at = word;
    for (let left = count; left > 0; left--) {
      const head = memory[at]!;
      if ((head & 0xffff) !== REFERENCE) this.#append(memory, at);
      else if (head >>> 16 === KEY_LENGTH) this.#resolve(connection, memory[at + 1]!, memory[at + 2]!);
      at += attributeWords(head);
    }
  }

  #resolve(connection: number, keyLow: number, keyHigh: number): void {
    const number = this.#find(connection, keyLow, keyHigh);
    if (number < 0) {
      this.#counters[C.references_unknown]! += 1;
      this.isPartial = true;
      return;
    }
    const { words } = this.#slab;
    let word = this.#at[number]!;
    for (let left = this.#attributes[number]!; left > 0; left--) {
      this.#append(words, word);
      word += attributeWords(words[word]!);
    }
  }

  /** The connection's own definition, else the shared one. */
  #find(connection: number, keyLow: number, keyHigh: number): number {
    const own = this.#table.get(ownerOf(connection), keyLow, keyHigh);
    const scope = own < 0 ? this.#scopes.of(connection) : -1;
    return scope < 0 ? own : this.#table.get(ownerOfScope(scope), keyLow, keyHigh);
  }

  #removeKey(owner: number, memory: Uint32Array, at: number): void {
    const word = (at + OUT_KEY) >>> 2;
    const number = this.#table.get(owner, memory[word]!, memory[word + 1]!);
    if (number >= 0) this.#remove(owner, number);
  }

  #removeAll(owner: number): void {
    while (this.#lists.first(owner + 1) >= 0) this.#remove(owner, this.#lists.first(owner + 1));
  }

  #beginMerge(): void {
    this.mergedWords = 0;
    this.mergedAttributes = 0;
    this.isPartial = false;
  }

  /** Adds one attribute, if there is room. */
  #append(source: Uint32Array, from: number): void {
    const words = attributeWords(source[from]!);
    const to = this.mergedWords;
    if (to + words > this.merged.length) {
      this.isPartial = true;
      return;
    }
    for (let w = 0; w < words; w++) this.merged[to + w] = source[from + w]!;
    this.mergedWords = to + words;
    this.mergedAttributes++;
  }

  #keep(owner: number, keyLow: number, keyHigh: number): void {
    const words = this.mergedWords;
    while (!this.#hasRoom(owner, words) && this.#evictOldest(owner));
    let block = this.#slab.take(words);
    while (block < 0 && this.#evictOldest(owner)) block = this.#slab.take(words);
    if (block < 0) {
      this.#counters[C.definitions_dropped]! += 1;
      return;
    }
    for (let w = 0; w < words; w++) this.#slab.words[block + w] = this.merged[w]!;
    const number = this.#number();
    this.#keyLow[number] = keyLow;
    this.#keyHigh[number] = keyHigh;
    this.#at[number] = block;
    this.#words[number] = words;
    this.#attributes[number] = this.mergedAttributes;
    this.#bytes[owner]! += charge(words);
    this.#held[owner]! += blockWords(words);
    this.#table.put(owner, keyLow, keyHigh, number);
    this.#lists.append(owner + 1, number);
  }

  #hasRoom(owner: number, words: number): boolean {
    const { freeWords, limit } = this.#slab;
    if (this.#bytes[owner]! + charge(words) > DEFINITIONS_MAX) return false;
    return this.#held[owner]! + blockWords(words) <= share(freeWords, limit, FLOOR_WORDS);
  }

  #evictOldest(owner: number): boolean {
    const number = this.#lists.first(owner + 1);
    if (number < 0) return false;
    this.#counters[C.definitions_dropped]! += 1;
    this.#remove(owner, number);
    return true;
  }

  #remove(owner: number, number: number): void {
    const words = this.#words[number]!;
    this.#slab.give(this.#at[number]!);
    this.#bytes[owner]! -= charge(words);
    this.#held[owner]! -= blockWords(words);
    this.#table.remove(owner, this.#keyLow[number]!, this.#keyHigh[number]!);
    this.#lists.remove(owner + 1, number);
    this.#lists.append(FREE, number);
  }

  #number(): number {
    const free = this.#lists.first(FREE);
    if (free >= 0) {
      this.#lists.remove(FREE, free);
      return free;
    }
    if (this.#top === this.#at.length) this.#grow();
    return this.#top++;
  }

  #reserve(owner: number): void {
    if (owner < this.#bytes.length) return;
    const size = Math.max(owner + 1, this.#bytes.length * 2, FIRST_DEFINITIONS);
    this.#bytes = grown(this.#bytes, size);
    this.#held = grown(this.#held, size);
  }

  #grow(): void {
    const size = this.#at.length * 2;
    this.#keyLow = grown(this.#keyLow, size);
    this.#keyHigh = grown(this.#keyHigh, size);
    this.#at = grown(this.#at, size);
    this.#words = grown(this.#words, size);
    this.#attributes = grown(this.#attributes, size);
  }
}

/** Connections and scopes have their definitions in the same tables. */
function ownerOf(connection: number): number {
  return connection * 2;
}

function ownerOfScope(scope: number): number {
  return scope * 2 + 1;
}

function attributeWords(head: number): number {
  return ((head >>> 16) + ATTRIBUTE_VALUE + 3) >>> 2;
}

function charge(words: number): number {
  return Math.max(words * 4, CHARGE_MIN);
}
