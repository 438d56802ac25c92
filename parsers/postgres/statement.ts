/**
 * What Parse teaches and Execute refers to: the text of a statement, kept by the host under a key (DEFINE), and here
 * which statement a portal was bound to.
 *
 *   key   named     hash of the name and the epoch        unnamed   how many there were
 *
 * Rule: rather no text than that of another statement. When a statement may have been closed or replaced unseen, the
 * epoch counts on, and no key made before it can be found any more. Of unnamed statements two are kept: a portal may
 * still be bound to the one before.
 */
import { STRING_MAX } from '../sdk/abi';
import { findByte } from '../sdk/bytes';
import { frameAt, frameCut, frameKept } from '../sdk/framer';
import { Definition, undefine } from '../sdk/output';
import {
  CUT,
  collectionAt,
  collectionLength,
  operationAt,
  operationLength,
  POSTGRES,
  summarize,
  summaryAt,
  summaryLength,
} from '../sql/summary';
import { DB_COLLECTION_NAME, DB_OPERATION_NAME, DB_QUERY_SUMMARY, DB_QUERY_TEXT, TRACEPARENT } from './attributes';
import { HEADER } from './header';
import { ANY_NAME, Connection, PORTALS_MAX } from './state';
import { findComment, TRACEPARENT_LENGTH } from './trace-comment';

const FNV_BASIS: u64 = 0xcbf29ce484222325;
const FNV_PRIME: u64 = 0x100000001b3;
const GOLDEN: u64 = 0x9e3779b97f4a7c15;
const MIXER: u64 = 0xff51afd7ed558ccd;
/** Marks the keys of named statements. */
const NAMED: u64 = 1 << 63;
const NO_STATEMENT: u64 = 0;
/** "PREPARE", as a little-endian number. */
const PREPARE: u64 = 0x45524150455250;

/** Where the text lies that `readText` found, how long it is, and whether it goes on. */
export let textAt: usize = 0;
export let textLength: u32 = 0;
export let textIsCut: bool = false;

/** A text of the frame up to its zero, or as much of it as is kept. Returns the address of the zero, or of the end. */
export function readText(c: Connection, from: usize): usize {
  const end = frameAt + frameKept;
  const zero = findByte(from, end, 0);
  textAt = from;
  textLength = min<u32>(<u32>(zero - from), STRING_MAX);
  textIsCut = zero == end || <u32>(zero - from) > <u32>STRING_MAX;
  summarize(textAt, textLength, textIsCut ? POSTGRES | CUT : POSTGRES);
  if (isPrepare() || (textIsCut && operationLength == 0)) c.epoch++;
  return zero;
}

/** PREPARE makes a statement that is bound like those of Parse; which one is not looked at, so any may be another. */
function isPrepare(): bool {
  return operationLength == 7 && (load<u64>(operationAt) & 0xffffffffffffff) == PREPARE;
}

/** Nothing is known of statements and portals any more. */
export function forgetStatements(c: Connection): void {
  c.epoch++;
  c.unnamedStatement += 2;
  c.names = ANY_NAME;
  forgetPortals(c);
}

export function forgetPortals(c: Connection): void {
  c.unnamedPortal = NO_STATEMENT;
  memory.fill(c.portals, 0, PORTALS_MAX * 16);
}

/** Whether the server took the last names is not known: those it did not have other texts. */
export function forgetUnanswered(c: Connection): void {
  if (c.parsing) c.epoch++;
  forgetParsing(c);
}

/** All names that were parsed have been answered. */
export function forgetParsing(c: Connection): void {
  c.parsing = false;
  c.renaming = false;
}

/** The server has passed over what came behind an error: a name that was parsed anew still has its old text. */
export function forgetRenamed(c: Connection): void {
  if (c.renaming) c.epoch++;
}

/** Parse: name, text, types of parameters. */
export function readParse(c: Connection): void {
  const end = frameAt + frameKept;
  const name = frameAt + HEADER;
  const nameEnd = findByte(name, end, 0);
  if (nameEnd == end) {
    forgetStatements(c);
    return;
  }
  if (nameEnd == name) nextUnnamed(c);
  else noteName(c, name, nameEnd);
  const key = statementKey(c, name, nameEnd);
  const zero = readText(c, nameEnd + 1);
  if (zero == end && frameCut) undefine(c.slot, key);
  else define(c, key, nameEnd == name);
}

function noteName(c: Connection, name: usize, end: usize): void {
  const bit = (<u64>1) << (mix(hash(name, end)) >> 58);
  c.parsing = true;
  c.renaming = c.renaming || (c.names & bit) != 0;
  c.names |= bit;
}

function nextUnnamed(c: Connection): void {
  c.unnamedStatement++;
  if (c.unnamedStatement > 3) undefine(c.slot, c.unnamedStatement - 2);
}

/** A trace context is that of one execution, so only a statement without a name may have it. */
function define(c: Connection, key: u64, isUnnamed: bool): void {
  const definition = Definition.open(c.slot, key);
  definition.string(DB_QUERY_TEXT, textAt, textLength);
  if (operationLength > 0) definition.string(DB_OPERATION_NAME, operationAt, operationLength);
  if (collectionLength > 0) definition.string(DB_COLLECTION_NAME, collectionAt, collectionLength);
  if (summaryLength > 0) definition.string(DB_QUERY_SUMMARY, summaryAt, summaryLength);
  const context = isUnnamed ? findComment(textAt, textAt + textLength) : 0;
  if (context != 0) definition.string(TRACEPARENT, context, TRACEPARENT_LENGTH);
  definition.commit();
}

/** Bind: portal, statement, values. */
export function readBind(c: Connection): void {
  const end = frameAt + frameKept;
  const portal = frameAt + HEADER;
  const portalEnd = findByte(portal, end, 0);
  if (portalEnd == end) {
    forgetPortals(c);
    return;
  }
  const name = portalEnd + 1;
  const nameEnd = findByte(name, end, 0);
  bindPortal(c, portal, portalEnd, nameEnd == end ? NO_STATEMENT : statementKey(c, name, nameEnd));
}

/** Execute: the key of the portal's statement, 0 when it is not known. */
export function executed(c: Connection): u64 {
  const end = frameAt + frameKept;
  const portal = frameAt + HEADER;
  const portalEnd = findByte(portal, end, 0);
  if (portalEnd == portal) return c.unnamedPortal;
  const found = portalEnd == end ? <usize>0 : findPortal(c, hash(portal, portalEnd));
  return found == 0 ? NO_STATEMENT : load<u64>(found, 8);
}

/** Close: S or P, name. */
export function readClose(c: Connection): void {
  const end = frameAt + frameKept;
  const name = frameAt + HEADER + 1;
  const nameEnd = name < end ? findByte(name, end, 0) : end;
  if (nameEnd == end) forgetStatements(c);
  else if (nameEnd > name && load<u8>(frameAt, HEADER) == 0x53) undefine(c.slot, statementKey(c, name, nameEnd));
}

function statementKey(c: Connection, name: usize, end: usize): u64 {
  return end == name ? <u64>c.unnamedStatement : mix(hash(name, end) + <u64>c.epoch * GOLDEN) | NAMED;
}

function bindPortal(c: Connection, name: usize, end: usize, key: u64): void {
  if (end == name) {
    c.unnamedPortal = key;
    return;
  }
  const id = hash(name, end);
  let place = findPortal(c, id);
  if (place == 0) {
    place = c.portals + ((<usize>c.portalNext % PORTALS_MAX) << 4);
    c.portalNext++;
  }
  store<u64>(place, id);
  store<u64>(place, key, 8);
}

function findPortal(c: Connection, id: u64): usize {
  for (let i: u32 = 0; i < PORTALS_MAX; i++) {
    const place = c.portals + (i << 4);
    if (load<u64>(place) == id) return place;
  }
  return 0;
}

/** Names that differ in a letter differ in every bit, whatever is added to their hashes. */
function mix(value: u64): u64 {
  value = (value ^ (value >> 33)) * MIXER;
  return value ^ (value >> 33);
}

/** FNV-1a. */
function hash(from: usize, end: usize): u64 {
  let value = FNV_BASIS;
  for (; from < end; from++) value = (value ^ load<u8>(from)) * FNV_PRIME;
  return value;
}
