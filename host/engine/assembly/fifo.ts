/**
 * Requests meet their responses, first in, first out, per connection.
 *
 * Two rules. In sync, the k-th request pairs with the k-th response; whichever comes first waits (a response can be
 * seen before its request when two CPUs fill the ring). Out of sync (joined in mid-stream, or after lost bytes)
 * nobody knows how many answers are still owed to requests that were never seen: pairs are held back until the
 * connection proves itself by a clean turn (a new request when nothing is outstanding, and the answer that follows:
 * a loss in front of either would have been told), by an orderly end or by silence. An answer too many disproves
 * them, and they are dropped and counted. So a span never carries a latency that was not observed.
 *
 * Per-connection state is one record by connection number; waiting messages are linked lists through MESSAGE_NEXT.
 */
import {
  COUNT_MESSAGES_DROPPED_CLOSED,
  COUNT_MESSAGES_DROPPED_DESYNC,
  COUNT_MESSAGES_DROPPED_UNPAIRED,
  COUNT_PAIRS,
  COUNT_PAIRS_DROPPED_UNCONFIRMED,
  COUNT_PAIRS_HELD,
} from '../layout/counters';
import { MESSAGE_FIRST_TIME, MESSAGE_MATE, MESSAGE_NEXT } from '../layout/messages';
import {
  QUEUE_HEAD,
  QUEUE_HELD,
  QUEUE_HELD_HEAD,
  QUEUE_HELD_TAIL,
  QUEUE_SHIFT,
  QUEUE_SIDE,
  QUEUE_TAIL,
  QUEUE_TRIAL,
  QUEUE_TRUST,
  QUEUE_UNMET,
  QUEUE_WAITING,
  QUEUES,
  TRIAL_LINKS,
  TRIAL_LIST,
} from '../layout/pairing';
import { now } from './clock';
import { count } from './counters';
import { Lists } from './lists';
import { giveMessage, hasShare, nsFromLastToFirst } from './messages';
import { countPending, drop, INVERSION_NS, meet, WAITING_MAX } from './pairing-limits';
import { pair } from './pairs';

/** Pairs held back at once; the oldest goes when there are more. */
const HELD_MAX: i32 = 256;
/** Held pairs are believed after this long without a response too many. */
const SILENCE_MS: f64 = 1000;

const SYNCED: u8 = 0;
const TRIAL: u8 = 1;
/** A trial whose clean turn has begun: the next answer ends it. */
const TURN: u8 = 2;

const REQUESTS_WAIT: u8 = 0;
const RESPONSES_WAIT: u8 = 1;

/** Connections with held pairs. */
const trials = new Lists(TRIAL_LIST, TRIAL_LINKS);

/** Starts a connection; `inSync` when its first byte was seen. */
export function openFifo(connection: i32, inSync: bool): void {
  const queue = queueOf(connection);
  if (load<u16>(queue, QUEUE_HELD) > 0) trials.remove(0, connection);
  store<u16>(queue, 0, QUEUE_WAITING);
  store<u16>(queue, 0, QUEUE_HELD);
  store<u8>(queue, inSync ? SYNCED : TRIAL, QUEUE_TRUST);
  store<u64>(queue, 0, QUEUE_UNMET);
}

/** True when no more messages may wait: too many do, or the connection holds its share of what there is for all. */
export function isFull(connection: i32): bool {
  return waitingOf(queueOf(connection)) >= WAITING_MAX || !hasShare(connection);
}

/** True when a response would not wait, but pair and be gone. */
export function isAwaited(connection: i32): bool {
  const queue = queueOf(connection);
  const isIdle = waitingOf(queue) == 0 || load<u8>(queue, QUEUE_SIDE) == RESPONSES_WAIT;
  return !isIdle && load<u8>(queue, QUEUE_TRUST) != TRIAL;
}

/** Nothing seen before pairs with anything after. */
export function desyncFifo(connection: i32): void {
  dropWaiting(connection, COUNT_MESSAGES_DROPPED_DESYNC);
  dropHeld(connection);
  store<u8>(queueOf(connection), TRIAL, QUEUE_TRUST);
}

/** Ends a connection: held pairs are believed when nothing is outstanding, or was at the last turn, and no loss since. */
export function closeFifo(connection: i32): void {
  const queue = queueOf(connection);
  const isDone = waitingOf(queue) == 0 || load<u8>(queue, QUEUE_TRUST) == TURN;
  const isSure = heldOf(queue) == 0 || load<f64>(queue, QUEUE_TRIAL) != Infinity;
  if (isDone && isSure) believe(connection);
  else dropHeld(connection);
  dropWaiting(connection, COUNT_MESSAGES_DROPPED_CLOSED);
}

/** Believes pairs that nothing has contradicted for a while. Call now and then. */
export function settleFifo(nowMs: f64): void {
  for (let connection = trials.first(0); connection >= 0; ) {
    const next = trials.next(connection);
    const queue = queueOf(connection);
    if (nowMs - load<f64>(queue, QUEUE_TRIAL) >= SILENCE_MS && waitingOf(queue) == 0) believe(connection);
    connection = next;
  }
}

/** Records were lost, of whatever connection: a response too many may be among them, and its absence proves nothing. */
export function distrustSilence(): void {
  for (let connection = trials.first(0); connection >= 0; connection = trials.next(connection)) {
    store<f64>(queueOf(connection), Infinity, QUEUE_TRIAL);
  }
}

export function requestFifo(connection: i32, m: i32): void {
  const queue = queueOf(connection);
  const waits = waitingOf(queue) > 0;
  if (load<u8>(queue, QUEUE_TRUST) != SYNCED) {
    if (isMissed(queue, m)) {
      drop(m, COUNT_MESSAGES_DROPPED_UNPAIRED);
      return;
    }
    if (!waits && heldOf(queue) > 0) store<u8>(queue, TURN, QUEUE_TRUST);
  } else if (waits && load<u8>(queue, QUEUE_SIDE) == RESPONSES_WAIT) {
    meetEarlyResponse(connection, m);
    return;
  }
  append(queue, m, REQUESTS_WAIT);
}

export function responseFifo(connection: i32, m: i32): void {
  const queue = queueOf(connection);
  const waits = waitingOf(queue) > 0;
  const trust = load<u8>(queue, QUEUE_TRUST);
  if (trust != SYNCED && waits && isOlder(queue, m)) {
    disprove(connection, m);
    return;
  }
  if (trust == TURN) believe(connection);
  if (trust == TRIAL) {
    if (waits) hold(connection, m);
    else disprove(connection, m);
  } else if (waits && load<u8>(queue, QUEUE_SIDE) == REQUESTS_WAIT) meet(connection, shift(queue), m);
  else append(queue, m, RESPONSES_WAIT);
}

/** An answer too many: to a request that was never seen. */
function disprove(connection: i32, response: i32): void {
  const queue = queueOf(connection);
  store<u64>(queue, load<u64>(MESSAGE_FIRST_TIME + (response << 3)), QUEUE_UNMET);
  drop(response, COUNT_MESSAGES_DROPPED_UNPAIRED);
  dropHeld(connection);
  store<u8>(queue, TRIAL, QUEUE_TRUST);
}

/**
 * Whether a request has missed its response: bytes that are lost at its end are noticed with the next one, and by then
 * the response has come and gone. It would wait for ever, and shift all that follow.
 */
function isMissed(queue: i32, request: i32): bool {
  return load<u64>(MESSAGE_FIRST_TIME + (request << 3)) < load<u64>(queue, QUEUE_UNMET);
}

/**
 * Whether a response began before the oldest request that waits: a parser may be certain of it only when it has seen
 * what follows, and by then the next request has come.
 */
function isOlder(queue: i32, response: i32): bool {
  const request = load<i32>(queue, QUEUE_HEAD);
  return load<u64>(MESSAGE_FIRST_TIME + (request << 3)) > load<u64>(MESSAGE_FIRST_TIME + (response << 3));
}

/** The oldest waiting response is this request's, unless it is far too early: then it was nobody's. */
function meetEarlyResponse(connection: i32, request: i32): void {
  const queue = queueOf(connection);
  while (waitingOf(queue) > 0) {
    const response = shift(queue);
    if (nsFromLastToFirst(response, request) <= INVERSION_NS) {
      meet(connection, request, response);
      return;
    }
    drop(response, COUNT_MESSAGES_DROPPED_UNPAIRED);
  }
  append(queue, request, REQUESTS_WAIT);
}

function hold(connection: i32, response: i32): void {
  const queue = queueOf(connection);
  if (heldOf(queue) >= HELD_MAX) dropOldestHeld(queue);
  const request = shift(queue);
  store<i32>(MESSAGE_MATE + (request << 2), response);
  store<i32>(MESSAGE_NEXT + (request << 2), -1);
  const held = heldOf(queue);
  if (held == 0) store<i32>(queue, request, QUEUE_HELD_HEAD);
  else store<i32>(MESSAGE_NEXT + (load<i32>(queue, QUEUE_HELD_TAIL) << 2), request);
  store<i32>(queue, request, QUEUE_HELD_TAIL);
  store<u16>(queue, <u16>(held + 1), QUEUE_HELD);
  count(COUNT_PAIRS);
  count(COUNT_PAIRS_HELD);
  if (held == 0) trials.append(0, connection);
  store<f64>(queue, now, QUEUE_TRIAL);
}

function believe(connection: i32): void {
  store<u8>(queueOf(connection), SYNCED, QUEUE_TRUST);
  giveHeld(connection, true);
}

function dropHeld(connection: i32): void {
  const held = heldOf(queueOf(connection));
  if (held == 0) return;
  count(COUNT_PAIRS_DROPPED_UNCONFIRMED, held);
  giveHeld(connection, false);
}

/** No pair is held any more; they are spans, or lost. */
function giveHeld(connection: i32, isBelieved: bool): void {
  const queue = queueOf(connection);
  const held = heldOf(queue);
  if (held == 0) return;
  let request = load<i32>(queue, QUEUE_HELD_HEAD);
  for (let left = held; left > 0; left--) {
    const next = load<i32>(MESSAGE_NEXT + (request << 2));
    const response = load<i32>(MESSAGE_MATE + (request << 2));
    if (isBelieved) pair(connection, request, response);
    giveMessage(request);
    giveMessage(response);
    request = next;
  }
  store<u16>(queue, 0, QUEUE_HELD);
  count(COUNT_PAIRS_HELD, -held);
  trials.remove(0, connection);
}

function dropOldestHeld(queue: i32): void {
  const request = load<i32>(queue, QUEUE_HELD_HEAD);
  store<i32>(queue, load<i32>(MESSAGE_NEXT + (request << 2)), QUEUE_HELD_HEAD);
  store<u16>(queue, <u16>(heldOf(queue) - 1), QUEUE_HELD);
  giveMessage(load<i32>(MESSAGE_MATE + (request << 2)));
  giveMessage(request);
  count(COUNT_PAIRS_HELD, -1);
  count(COUNT_PAIRS_DROPPED_UNCONFIRMED);
}

function append(queue: i32, m: i32, side: u8): void {
  const waiting = waitingOf(queue);
  store<i32>(MESSAGE_NEXT + (m << 2), -1);
  if (waiting == 0) store<i32>(queue, m, QUEUE_HEAD);
  else store<i32>(MESSAGE_NEXT + (load<i32>(queue, QUEUE_TAIL) << 2), m);
  store<i32>(queue, m, QUEUE_TAIL);
  store<u16>(queue, <u16>(waiting + 1), QUEUE_WAITING);
  store<u8>(queue, side, QUEUE_SIDE);
  countPending(1);
}

function shift(queue: i32): i32 {
  const m = load<i32>(queue, QUEUE_HEAD);
  store<i32>(queue, load<i32>(MESSAGE_NEXT + (m << 2)), QUEUE_HEAD);
  store<u16>(queue, <u16>(waitingOf(queue) - 1), QUEUE_WAITING);
  countPending(-1);
  return m;
}

function dropWaiting(connection: i32, reason: i32): void {
  const queue = queueOf(connection);
  while (waitingOf(queue) > 0) drop(shift(queue), reason);
}

function queueOf(connection: i32): i32 {
  return QUEUES + (connection << QUEUE_SHIFT);
}

function waitingOf(queue: i32): i32 {
  return <i32>load<u16>(queue, QUEUE_WAITING);
}

function heldOf(queue: i32): i32 {
  return <i32>load<u16>(queue, QUEUE_HELD);
}
