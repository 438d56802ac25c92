/**
 * What an SQL text does, and to which tables: operation, collection and summary as the semantic conventions name them.
 *
 *   summarize(text, length, POSTGRES);                          // MYSQL; | CUT when the text goes on
 *   if (operationLength > 0) message.string(DB_OPERATION_NAME, operationAt, operationLength);
 *
 *   operation    SELECT             the verb of the first statement: behind WITH …, not inside it
 *   collection   app.users          the one table of the statement; none when there are several
 *   summary      SELECT users       every verb and every table, in the order of the text
 *
 * https://opentelemetry.io/docs/specs/semconv/database/database-spans/#generating-a-summary-of-the-query
 *
 * No grammar of SQL, but of where tables stand: behind FROM, JOIN, INTO and a few more, at the right depth of
 * parentheses. A level of parentheses is a bit in three sets; what lies deeper than 63 is passed over.
 */
import {
  ALTER,
  AS,
  CALL,
  CLAUSE,
  CREATE,
  DELETE,
  DISTINCT,
  DROP,
  FILLER,
  FROM,
  INSERT,
  INTO,
  JOIN,
  KIND,
  keywordOf,
  LAST_VERB,
  LOAD,
  MERGE,
  MODIFIER,
  ON,
  ONE_TABLE,
  OTHER,
  PRIVILEGE,
  REPLACE,
  SELECT,
  SET,
  SOME_TABLES,
  TABLE,
  UPDATE,
  USING,
  VALUES,
  WITH,
  WRAPPER,
} from './keywords';
import { addCte, addOther, addTable, addVerb, addWord, clearNames, dropCollection, readName } from './names';
import { beginTokens, CUT, END, nextToken, peekByte, QUOTED, SYMBOL, tokenAt, tokenEnd, WORD } from './tokens';

export { collectionAt, collectionLength, operationAt, operationLength, summaryAt, summaryLength } from './names';
export { CUT, MYSQL, POSTGRES } from './tokens';

// What the next name is.
const NOTHING: u32 = 0;
/** A table, or a function if a parenthesis follows. */
const A_TABLE: u32 = 1;
/** A table for certain: columns may follow. */
const A_TARGET: u32 = 2;
/** The kind of thing that CREATE makes, and its name. */
const A_KIND: u32 = 3;
const A_THING: u32 = 4;
/** A common table expression. */
const A_CTE: u32 = 5;

const DEPTH_MAX: u32 = 63;
const OPEN: u32 = 0x28;
const CLOSE: u32 = 0x29;
const COMMA: u32 = 0x2c;
const SEMICOLON: u32 = 0x3b;

let expected: u32 = 0;
let depth: u32 = 0;
/** By depth: a statement with FROM is there; names of tables may follow a comma; a WITH whose verb is yet to come. */
let queries: u64 = 0;
let lists: u64 = 0;
let withs: u64 = 0;
/** The last verb, the keyword before this one, and whether a statement may begin here. */
let verb: u32 = 0;
let before: u32 = 0;
let isStart: bool = true;
let isWrapped: bool = false;
let isFirst: bool = true;
/** INSERT … VALUES: what comes is not about further tables. */
let isSettled: bool = false;
/** Behind `.`, `@` and `:` a word is a name. */
let isName: bool = false;

/** Reads the first statement of a text; the results are in static memory until the next call. */
export function summarize(from: usize, length: u32, dialect: u32): void {
  clearNames();
  clear();
  beginTokens(from, length, dialect);
  let kind = nextToken();
  while (kind != END && takeToken(kind)) kind = nextToken();
  dropCollection(kind == END && (dialect & CUT) != 0 && !isSettled);
}

/** False at the end of the statement. */
function takeToken(kind: u32): bool {
  if (kind == SYMBOL) return takeSymbol(load<u8>(tokenAt));
  if (kind == WORD && !isName) takeWord();
  else if (kind == WORD || kind == QUOTED) takeName(kind);
  else expected = NOTHING;
  isName = false;
  isStart = false;
  isFirst = false;
  return true;
}

function clear(): void {
  expected = NOTHING;
  depth = 0;
  queries = 0;
  lists = 0;
  withs = 0;
  verb = OTHER;
  before = OTHER;
  isStart = true;
  isWrapped = false;
  isFirst = true;
  isSettled = false;
  isName = false;
}

function takeSymbol(byte: u32): bool {
  isName = byte == 0x2e || byte == 0x40 || byte == 0x3a;
  if (byte == SEMICOLON) return isFirst;
  if (byte == OPEN) openLevel();
  else if (byte == CLOSE) closeLevel();
  else if (byte == COMMA) takeComma();
  else expected = NOTHING;
  if (byte != OPEN) {
    before = OTHER;
    isStart = false;
  }
  return true;
}

/** Parentheses where a table is expected may hold tables, too: `FROM (a JOIN b ON …)`. */
function openLevel(): void {
  const isList = expected == A_TABLE;
  depth++;
  isStart = true;
  if (isList) lists |= bit();
  else expected = NOTHING;
}

function closeLevel(): void {
  const mask = ~bit();
  queries &= mask;
  lists &= mask;
  withs &= mask;
  if (depth > 0) depth--;
  expected = NOTHING;
}

function takeComma(): void {
  if (withs & bit()) expected = A_CTE;
  else expected = lists & bit() ? A_TABLE : NOTHING;
}

/** The bit of this level. */
function bit(): u64 {
  return depth <= DEPTH_MAX ? (<u64>1) << depth : 0;
}

function takeWord(): void {
  const keyword = keywordOf(tokenAt, tokenEnd);
  if (isVerb(keyword)) takeVerb(keyword);
  else if (keyword == WITH && isWith()) beginWith();
  else if (isFirst) takeOperation(keyword);
  else if (expected != NOTHING) takeExpected(keyword);
  else takeKeyword(keyword);
  before = keyword;
}

/** SELECT always is; the others may be names of clauses and functions elsewhere. */
function isVerb(keyword: u32): bool {
  if (verb == PRIVILEGE) return false;
  if (keyword == SELECT) return true;
  if (keyword == OTHER || keyword > LAST_VERB) return false;
  if (!isStart && !isWrapped && (withs & bit()) == 0) return false;
  if (expected == A_CTE) return false;
  return (keyword != INSERT && keyword != REPLACE) || peekByte() != OPEN;
}

function takeVerb(keyword: u32): void {
  addVerb((withs & (bit() - 1)) == 0);
  withs &= ~bit();
  lists &= ~bit();
  verb = keyword;
  isWrapped = false;
  expected = NOTHING;
  if (keyword == INSERT || keyword == REPLACE || keyword == MERGE) expected = A_TARGET;
  else queries |= bit();
  if (keyword == UPDATE) expectTables();
}

/** WITH begins common table expressions where a statement may begin, and between INSERT INTO x and its SELECT. */
function isWith(): bool {
  return isStart || isWrapped || before == AS || (verb == INSERT && (queries & bit()) == 0);
}

function beginWith(): void {
  withs |= bit();
  expected = A_CTE;
}

function expectTables(): void {
  lists |= bit();
  expected = A_TABLE;
}

/** The first word of a statement that is none of the verbs. */
function takeOperation(keyword: u32): void {
  addVerb(true);
  verb = keyword;
  isWrapped = keyword == WRAPPER;
  if (keyword == CREATE || keyword == ALTER || keyword == DROP) expected = A_KIND;
  else if (keyword == ONE_TABLE || keyword == TABLE) expected = A_TARGET;
  else if (keyword == SOME_TABLES) expectTables();
  else if (keyword == CALL) expected = A_THING;
}

function takeExpected(keyword: u32): void {
  if (expected == A_KIND) takeKind(keyword);
  else if (expected == A_CTE) takeCte();
  else if (keyword == CLAUSE || keyword == SET || keyword == VALUES) takeKeyword(keyword);
  else if (keyword == ON) expected = NOTHING;
  else if (!isFiller(keyword)) takeName(WORD);
}

function isFiller(keyword: u32): bool {
  if (keyword == FILLER || keyword == TABLE || keyword == INTO) return true;
  return keyword == SOME_TABLES && verb == SOME_TABLES;
}

/** `CREATE OR REPLACE TEMPORARY TABLE`: TABLE is the kind. */
function takeKind(keyword: u32): void {
  if (keyword == MODIFIER || keyword == REPLACE) return;
  addWord();
  expected = keyword == TABLE ? A_TARGET : keyword == KIND ? A_THING : NOTHING;
  if (keyword == TABLE && verb == DROP) lists |= bit();
}

function takeCte(): void {
  if (tokenEnd - tokenAt == 9 && (load<u64>(tokenAt) | 0x2020202020202020) == 0x7669737275636572) return; // RECURSIV
  addCte();
  expected = NOTHING;
}

function takeKeyword(keyword: u32): void {
  switch (keyword) {
    case FROM:
      if (before != DISTINCT && queries & bit()) expectTables();
      return;
    case JOIN:
      if (lists & bit()) expected = A_TABLE;
      return;
    case USING:
      if ((verb == DELETE || verb == MERGE) && peekByte() != OPEN) expectTables();
      return;
    case INTO:
      if (verb == LOAD) expected = A_TARGET;
      return;
    case VALUES:
      if (depth == 0 && (verb == INSERT || verb == REPLACE)) isSettled = true;
      endTables();
      return;
    case SET:
    case CLAUSE:
      endTables();
  }
}

function endTables(): void {
  lists &= ~bit();
  expected = NOTHING;
}

function takeName(kind: u32): void {
  const role = expected;
  expected = NOTHING;
  before = OTHER;
  if (role == A_CTE) addCte();
  if (role != A_TABLE && role != A_TARGET && role != A_THING) return;
  readName(kind);
  if (role == A_THING) addOther();
  else if (role == A_TARGET || peekByte() != OPEN || verb == SOME_TABLES) addTable();
}
