/** The words of SQL that decide where a statement names its tables. What is not among them is a name or of no interest. */
import { toLower } from '../sdk/bytes';

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

/** The keyword that from … end is, whatever its case. */
export function keywordOf(from: usize, end: usize): u32 {
  switch (<u32>(end - from)) {
    case 2:
      return keywordOf2(from);
    case 3:
      if (is(from, 'set')) return SET;
      return is(from, 'for') ? CLAUSE : is(from, 'not') ? FILLER : OTHER;
    case 4:
      return keywordOf4(from);
    case 5:
      return keywordOf5(from);
    case 6:
      return keywordOf6(from);
    case 7:
      return keywordOf7(from);
    case 8:
      return keywordOf8(from);
    case 9:
      if (is(from, 'returning') || is(from, 'intersect')) return CLAUSE;
      if (is(from, 'procedure')) return KIND;
      return is(from, 'temporary') ? MODIFIER : OTHER;
    case 12:
      return is(from, 'materialized')
        ? MODIFIER
        : is(from, 'low_priority') || is(from, 'concurrently')
          ? FILLER
          : OTHER;
    case 13:
      return is(from, 'straight_join') ? JOIN : is(from, 'high_priority') ? FILLER : OTHER;
    default:
      return OTHER;
  }
}

function keywordOf2(from: usize): u32 {
  if (is(from, 'as')) return AS;
  if (is(from, 'or')) return MODIFIER;
  if (is(from, 'on')) return ON;
  return is(from, 'if') ? FILLER : OTHER;
}

function keywordOf4(from: usize): u32 {
  if (is(from, 'from')) return FROM;
  if (is(from, 'join')) return JOIN;
  if (is(from, 'into')) return INTO;
  if (is(from, 'with')) return WITH;
  if (is(from, 'drop')) return DROP;
  if (is(from, 'lock')) return SOME_TABLES;
  if (is(from, 'copy') || is(from, 'desc')) return ONE_TABLE;
  if (is(from, 'call')) return CALL;
  if (is(from, 'load')) return LOAD;
  if (is(from, 'view')) return KIND;
  if (is(from, 'only') || is(from, 'full')) return FILLER;
  return is(from, 'temp') ? MODIFIER : OTHER;
}

function keywordOf5(from: usize): u32 {
  if (is(from, 'where') || is(from, 'group') || is(from, 'order') || is(from, 'limit')) return CLAUSE;
  if (is(from, 'union') || is(from, 'fetch')) return CLAUSE;
  if (is(from, 'table')) return TABLE;
  if (is(from, 'using')) return USING;
  if (is(from, 'value')) return VALUES;
  if (is(from, 'merge')) return MERGE;
  if (is(from, 'alter')) return ALTER;
  if (is(from, 'index')) return KIND;
  if (is(from, 'grant')) return PRIVILEGE;
  if (is(from, 'local')) return MODIFIER;
  return is(from, 'quick') ? FILLER : OTHER;
}

function keywordOf6(from: usize): u32 {
  if (is(from, 'select')) return SELECT;
  if (is(from, 'update')) return UPDATE;
  if (is(from, 'delete')) return DELETE;
  if (is(from, 'insert')) return INSERT;
  if (is(from, 'values')) return VALUES;
  if (is(from, 'create')) return CREATE;
  if (is(from, 'vacuum')) return SOME_TABLES;
  if (is(from, 'revoke')) return PRIVILEGE;
  if (is(from, 'having') || is(from, 'window') || is(from, 'offset') || is(from, 'except')) return CLAUSE;
  if (is(from, 'exists') || is(from, 'ignore') || is(from, 'freeze') || is(from, 'tables')) return FILLER;
  if (is(from, 'unique') || is(from, 'global')) return MODIFIER;
  return is(from, 'schema') ? KIND : OTHER;
}

function keywordOf7(from: usize): u32 {
  if (is(from, 'replace')) return REPLACE;
  if (is(from, 'explain') || is(from, 'prepare') || is(from, 'declare')) return WRAPPER;
  if (is(from, 'analyze')) return SOME_TABLES;
  if (is(from, 'lateral') || is(from, 'verbose') || is(from, 'delayed')) return FILLER;
  if (is(from, 'trigger')) return KIND;
  return is(from, 'foreign') ? MODIFIER : OTHER;
}

function keywordOf8(from: usize): u32 {
  if (is(from, 'distinct')) return DISTINCT;
  if (is(from, 'truncate')) return SOME_TABLES;
  if (is(from, 'describe')) return ONE_TABLE;
  if (is(from, 'unlogged')) return MODIFIER;
  return is(from, 'database') || is(from, 'sequence') || is(from, 'function') ? KIND : OTHER;
}

/** Whether the bytes are this word of as many letters, in lower case here. */
function is(text: usize, word: string): bool {
  const units = changetype<usize>(word);
  for (let i: u32 = 0; i < <u32>word.length; i++) {
    if (toLower(load<u8>(text + i)) != <u32>load<u16>(units + (i << 1))) return false;
  }
  return true;
}
