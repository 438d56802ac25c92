/**
 * The words of SQL that decide where a statement names its tables. What is not among them is a name or of no interest.
 *
 * They stand in a hash table, made at the first use. A word is two numbers: up to seven letters are its first and its last
 * ones, more are its first eight and its last eight. With the length that says it all.
 */

export const OTHER: u32 = 0;
// Verbs: they begin a statement, or one inside another.
export const SELECT: u32 = 1;
export const UPDATE: u32 = 2;
export const DELETE: u32 = 3;
export const INSERT: u32 = 4;
export const REPLACE: u32 = 5;
export const MERGE: u32 = 6;
export const LAST_VERB: u32 = MERGE;
export const WITH: u32 = 7;
export const VALUES: u32 = 8;
/** CREATE, ALTER, DROP: the kind of thing follows, then its name. */
export const CREATE: u32 = 9;
export const ALTER: u32 = 10;
export const DROP: u32 = 11;
/** COPY, DESCRIBE and others that are followed by the name of one table. */
export const ONE_TABLE: u32 = 12;
/** TRUNCATE, LOCK, VACUUM: by several. */
export const SOME_TABLES: u32 = 13;
export const CALL: u32 = 14;
export const LOAD: u32 = 15;
/** EXPLAIN, PREPARE, DECLARE: another statement follows. */
export const WRAPPER: u32 = 16;
export const FROM: u32 = 20;
export const JOIN: u32 = 21;
export const USING: u32 = 22;
export const INTO: u32 = 23;
export const AS: u32 = 24;
export const SET: u32 = 25;
export const DISTINCT: u32 = 26;
export const TABLE: u32 = 27;
/** WHERE and others: the tables are over. */
export const CLAUSE: u32 = 28;
/** Words that may stand in front of a table's name. */
export const FILLER: u32 = 29;
/** Words that may stand between CREATE and the kind of thing; two words above are used so, too. */
export const MODIFIER: u32 = 30;
/** Kinds of things whose name is worth telling. */
export const KIND: u32 = 31;
export const ON: u32 = 32;
/** GRANT, REVOKE: the verbs that follow are what is allowed, and FROM names a role. */
export const PRIVILEGE: u32 = 33;

const ENTRIES: u32 = 256;
/** u64 first, u64 last letters, u32 length (0: a free place), u32 keyword. */
const ENTRY_SIZE: u32 = 32;
const table: usize = memory.data(8192, 8);
const LONGEST: u32 = 13;
const LOWER: u64 = 0x2020202020202020;
const SPACE: u16 = 0x20;
const scratch: usize = memory.data(16, 8);

let isReady: bool = false;
// What `letters` read.
let first: u64 = 0;
let last: u64 = 0;

/** The keyword that from … end is, whatever its case; the bytes are those of a word (tokens.ts). */
export function keywordOf(from: usize, end: usize): u32 {
  const length = <u32>(end - from);
  if (length - 2 > LONGEST - 2) return OTHER;
  if (!isReady) prepare();
  letters(from, end, length);
  let place = home(length);
  while (true) {
    const entry = table + place * ENTRY_SIZE;
    const there = load<u32>(entry, 16);
    if (there == 0) return OTHER;
    if (there == length && load<u64>(entry) == first && load<u64>(entry, 8) == last) return load<u32>(entry, 20);
    place = (place + 1) & (ENTRIES - 1);
  }
}

/** In lower case: `| 0x20` makes none of the other bytes of a word a letter. */
function letters(from: usize, end: usize, length: u32): void {
  if (length >= 8) {
    first = load<u64>(from) | LOWER;
    last = load<u64>(end - 8) | LOWER;
  } else if (length >= 4) {
    first = <u64>load<u32>(from) | LOWER;
    last = <u64>load<u32>(end - 4) | LOWER;
  } else {
    first = <u64>load<u16>(from) | LOWER;
    last = <u64>load<u8>(end - 1) | LOWER;
  }
}

function home(length: u32): u32 {
  return <u32>((first * 0x9e3779b97f4a7c15 + last * 0xc2b2ae3d27d4eb4f + length) >> 56);
}

function prepare(): void {
  isReady = true;
  add('select ', SELECT);
  add('update ', UPDATE);
  add('delete ', DELETE);
  add('insert ', INSERT);
  add('replace ', REPLACE);
  add('merge ', MERGE);
  add('with ', WITH);
  add('values value ', VALUES);
  add('create ', CREATE);
  add('alter ', ALTER);
  add('drop ', DROP);
  add('copy desc describe ', ONE_TABLE);
  add('lock vacuum analyze truncate ', SOME_TABLES);
  add('call ', CALL);
  add('load ', LOAD);
  add('explain prepare declare ', WRAPPER);
  add('from ', FROM);
  add('join straight_join ', JOIN);
  add('using ', USING);
  add('into ', INTO);
  add('as ', AS);
  add('set ', SET);
  add('distinct ', DISTINCT);
  add('table ', TABLE);
  add('for where group order limit union fetch having window offset except returning intersect ', CLAUSE);
  add(
    'if not only full quick exists ignore freeze tables lateral verbose delayed low_priority concurrently high_priority ',
    FILLER,
  );
  add('or temp local unique global foreign unlogged temporary materialized ', MODIFIER);
  add('view index schema trigger database sequence function procedure ', KIND);
  add('on ', ON);
  add('grant revoke ', PRIVILEGE);
}

/** Enters words, each with a space behind it. */
function add(words: string, keyword: u32): void {
  const units = changetype<usize>(words);
  let length: u32 = 0;
  for (let i: u32 = 0; i < <u32>words.length; i++) {
    const letter = load<u16>(units + (i << 1));
    if (letter != SPACE) store<u8>(scratch + length++, <u8>letter);
    else {
      addWord(length, keyword);
      length = 0;
    }
  }
}

function addWord(length: u32, keyword: u32): void {
  letters(scratch, scratch + length, length);
  let place = home(length);
  while (load<u32>(table + place * ENTRY_SIZE, 16) != 0) place = (place + 1) & (ENTRIES - 1);
  const entry = table + place * ENTRY_SIZE;
  store<u64>(entry, first);
  store<u64>(entry, last, 8);
  store<u32>(entry, length, 16);
  store<u32>(entry, keyword, 20);
}
