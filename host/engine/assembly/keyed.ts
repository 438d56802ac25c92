/**
 * Requests meet the responses of the same correlation key, per connection, in any order.
 *
 * The rule: an equal key is proof, as long as every message with that key was seen. So a message that could not be kept
 * takes along whoever waits for its key, and a second request with a key replaces the first, whose response was missed.
 * A response without a request has two explanations: its request is about to be seen (another CPU reports it), or was
 * never seen. It waits for the request only where the second is ruled out; else a key that is soon used again would
 * lend its request to the answer of another. In doubt are connections joined in mid-stream, desynchronised or robbed of
 * a message, and those where a message missed its partner, for a minute each: longer than clients wait for answers.
 *
 * Keys that never match cost their own connection: the oldest go when more than WAITING_MAX wait, or the connection
 * holds its share of what there is for all (messages.ts). That all together leave an eighth of it to those that do not
 * pair by key takes thousands of such connections; then the oldest of all go.
 */
import {
  COUNT_MESSAGES_DROPPED_CLOSED,
  COUNT_MESSAGES_DROPPED_DESYNC,
  COUNT_MESSAGES_DROPPED_OVERFLOW,
  COUNT_MESSAGES_DROPPED_UNPAIRED,
} from '../layout/counters';
import { MESSAGE_CONNECTION } from '../layout/messages';
import {
  AGE_LINKS,
  AGE_LISTS,
  KEYED_LINKS,
  KEYED_LISTS,
  KEYED_TABLE,
  QUEUE_DOUBT,
  QUEUE_SHIFT,
  QUEUES,
  WAITING_KEY,
  WAITING_SIDE,
  WAITING_SINCE,
} from '../layout/pairing';
import { KeyTable } from './key-table';
import { Lists } from './lists';
import { hasShare, limit, messageBlock, nsFromLastToFirst, slab } from './messages';
import { countPending, drop, INVERSION_NS, meet, WAITING_MAX } from './pairing-limits';

/** A response that waits this long for its request was nobody's. */
const EARLY_MS: f64 = 1000;
const DOUBT_MS: f64 = 60_000;
/** The part of all messages that may wait for keys. */
const OF_ALL_MAX: f64 = 0.875;

/** Lists by age, over all connections; and which side waits. */
const REQUESTS: i32 = 0;
const EARLY_RESPONSES: i32 = 1;

/** Who waits for a key: a request, or an early response. */
export const table = new KeyTable(KEYED_TABLE);
const byConnection = new Lists(KEYED_LISTS, KEYED_LINKS);
const byAge = new Lists(AGE_LISTS, AGE_LINKS);
/** Words of the slab that all that wait take up. */
let words: i32 = 0;
/** As of the last settle: waiting times need no better clock. */
let settledMs: f64 = 0;

export function setSettled(nowMs: f64): void {
  settledMs = nowMs;
}

export function openKeyed(connection: i32, inSync: bool): void {
  store<f64>(doubtOf(connection), inSync ? -Infinity : settledMs);
}

export function requestKeyed(connection: i32, m: i32, key: u64): void {
  const other = table.get(connection, key);
  if (other >= 0) {
    forgetMessage(other);
    if (sideOf(other) == EARLY_RESPONSES && nsFromLastToFirst(other, m) <= INVERSION_NS) {
      meet(connection, m, other);
      return;
    }
    miss(connection, other);
  }
  wait(connection, m, key, REQUESTS);
}

export function responseKeyed(connection: i32, m: i32, key: u64): void {
  const other = table.get(connection, key);
  if (other >= 0) {
    forgetMessage(other);
    if (sideOf(other) == REQUESTS) {
      meet(connection, other, m);
      return;
    }
    miss(connection, other);
  }
  if (isInDoubt(connection)) miss(connection, m);
  else wait(connection, m, key, EARLY_RESPONSES);
}

/** A message with that key was not kept: who waits for it would meet another. */
export function loseKeyed(connection: i32, key: u64): void {
  store<f64>(doubtOf(connection), settledMs);
  const other = table.get(connection, key);
  if (other < 0) return;
  forgetMessage(other);
  miss(connection, other);
}

/** Nothing seen before pairs with anything after. */
export function desyncKeyed(connection: i32): void {
  dropAll(connection, COUNT_MESSAGES_DROPPED_DESYNC);
  store<f64>(doubtOf(connection), settledMs);
}

export function closeKeyed(connection: i32): void {
  dropAll(connection, COUNT_MESSAGES_DROPPED_CLOSED);
}

/** Gives up early responses whose request did not come. Call now and then. */
export function settleKeyed(nowMs: f64): void {
  settledMs = nowMs;
  for (;;) {
    const m = byAge.first(EARLY_RESPONSES);
    if (m < 0 || nowMs - load<f64>(WAITING_SINCE + (m << 3)) < EARLY_MS) return;
    forgetMessage(m);
    miss(load<i32>(MESSAGE_CONNECTION + (m << 2)), m);
  }
}

function wait(connection: i32, m: i32, key: u64, side: i32): void {
  store<u64>(WAITING_KEY + (m << 3), key);
  store<u8>(WAITING_SIDE + m, <u8>side);
  store<f64>(WAITING_SINCE + (m << 3), settledMs);
  table.put(connection, key, m);
  byConnection.append(connection, m);
  byAge.append(side, m);
  words += messageBlock(m);
  countPending(1);
  makeRoom(connection, m);
  while (isOverfull()) evict(oldest());
}

/** Gives up the oldest that wait on the connection, but for the newest. */
function makeRoom(connection: i32, newest: i32): void {
  let m = byConnection.first(connection);
  while (m != newest && holdsTooMuch(connection)) {
    evict(m);
    m = byConnection.first(connection);
  }
}

function holdsTooMuch(connection: i32): bool {
  return byConnection.length(connection) > WAITING_MAX || !hasShare(connection);
}

/** Takes a message out of everything it waits in; it stays the caller's. */
function forgetMessage(m: i32): void {
  const connection = load<i32>(MESSAGE_CONNECTION + (m << 2));
  table.remove(connection, load<u64>(WAITING_KEY + (m << 3)));
  byConnection.remove(connection, m);
  byAge.remove(sideOf(m), m);
  words -= messageBlock(m);
  countPending(-1);
}

/** A message that missed its partner, which shows that others may. Doubt that is there already does not last longer. */
function miss(connection: i32, m: i32): void {
  if (!isInDoubt(connection)) store<f64>(doubtOf(connection), settledMs);
  drop(m, COUNT_MESSAGES_DROPPED_UNPAIRED);
}

function evict(m: i32): void {
  store<f64>(doubtOf(load<i32>(MESSAGE_CONNECTION + (m << 2))), settledMs);
  forgetMessage(m);
  drop(m, COUNT_MESSAGES_DROPPED_OVERFLOW);
}

function dropAll(connection: i32, reason: i32): void {
  for (let m = byConnection.first(connection); m >= 0; m = byConnection.first(connection)) {
    forgetMessage(m);
    drop(m, reason);
  }
}

function isInDoubt(connection: i32): bool {
  return settledMs - load<f64>(doubtOf(connection)) < DOUBT_MS;
}

function isOverfull(): bool {
  return <f64>table.size > <f64>limit * OF_ALL_MAX || <f64>words > <f64>slab.limit * OF_ALL_MAX;
}

/** Early responses have the least to lose. */
function oldest(): i32 {
  const early = byAge.first(EARLY_RESPONSES);
  return early >= 0 ? early : byAge.first(REQUESTS);
}

function sideOf(m: i32): i32 {
  return <i32>load<u8>(WAITING_SIDE + m);
}

/** Address of the time when the connection was last in doubt. */
function doubtOf(connection: i32): i32 {
  return QUEUES + (connection << QUEUE_SHIFT) + QUEUE_DOUBT;
}
