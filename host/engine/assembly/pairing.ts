/**
 * Messages become pairs, each connection in the way its module's manifest names:
 *
 *   fifo   the k-th request with the k-th response   fifo.ts
 *   key    those of equal correlation key            keyed.ts
 *   none   every message is a span of its own        here, as are one-way messages of the others
 *
 * References of messages are resolved on the way in, from the definitions of their connection (definitions.ts).
 */
import { MESSAGE_KEY, MESSAGE_NO_RESPONSE, MESSAGE_PUSH, ONEWAY, REQUEST, RESPONSE } from '../../../parsers/sdk/abi';
import { MODE } from '../layout/connections';
import {
  COUNT_MESSAGES_DROPPED_OVERFLOW,
  COUNT_MESSAGES_IN,
  COUNT_MESSAGES_ONEWAY,
  COUNT_MESSAGES_PUSH,
} from '../layout/counters';
import { FIFO, KEY, NONE } from '../layout/pairing';
import { setNow } from './clock';
import { count } from './counters';
import { forget, limitDefinitions, openDefinitions } from './definitions';
import { closeFifo, desyncFifo, isAwaited, isFull, openFifo, requestFifo, responseFifo, settleFifo } from './fifo';
import {
  closeKeyed,
  desyncKeyed,
  loseKeyed,
  openKeyed,
  requestKeyed,
  responseKeyed,
  setSettled,
  settleKeyed,
} from './keyed';
import { giveMessage, limitMessages, takeMessage } from './messages';
import { pair } from './pairs';

/** Before everything else: most messages, most bytes of attributes and of definitions. */
export function initPairing(messages: i32, attributeBytes: i32, definitionBytes: i32, nowMs: f64): void {
  limitMessages(messages, attributeBytes);
  limitDefinitions(definitionBytes);
  setNow(nowMs);
  setSettled(nowMs);
}

/**
 * Starts a connection; `inSync` when its first byte was seen. One that was open must be desynchronised or closed.
 * Connections of equal `scope` share definitions.
 */
export function open(connection: i32, inSync: bool, mode: i32, scope: f64): void {
  store<u8>(MODE + connection, <u8>mode);
  openDefinitions(connection, reinterpret<u64>(scope));
  if (mode == KEY) openKeyed(connection, inSync);
  else openFifo(connection, inSync);
}

/** Takes the message of a record that was checked. */
export function message(connection: i32, type: i32, flags: i32, at: i32): void {
  count(COUNT_MESSAGES_IN);
  if ((flags & MESSAGE_PUSH) != 0 && type != REQUEST && type != ONEWAY) {
    count(COUNT_MESSAGES_PUSH);
    return;
  }
  const mode = load<u8>(MODE + connection);
  const m = mode != FIFO || hasRoom(connection, type) ? takeMessage(at, connection) : -1;
  if (m < 0) lose(connection, mode, at);
  else if (type == ONEWAY || mode == NONE || (flags & MESSAGE_NO_RESPONSE) != 0) oneWay(connection, m);
  else if (mode == KEY) byKey(connection, type, m, load<u64>(at, MESSAGE_KEY));
  else if (type == REQUEST) requestFifo(connection, m);
  else responseFifo(connection, m);
}

/** Nothing seen before pairs with anything after. Definitions stay: they say nothing of time. */
export function desync(connection: i32): void {
  if (load<u8>(MODE + connection) == KEY) desyncKeyed(connection);
  else desyncFifo(connection);
}

/** Ends a connection. */
export function close(connection: i32): void {
  if (load<u8>(MODE + connection) == KEY) closeKeyed(connection);
  else closeFifo(connection);
  forget(connection);
}

/** What time alone brings about. Call now and then. */
export function settle(nowMs: f64): void {
  settleFifo(nowMs);
  settleKeyed(nowMs);
}

/** A fifo may not lose its oldest message as the keyed do: what cannot wait is not taken. */
function hasRoom(connection: i32, type: i32): bool {
  return !isFull(connection) || (type == RESPONSE && isAwaited(connection));
}

function byKey(connection: i32, type: i32, m: i32, key: u64): void {
  if (type == REQUEST) requestKeyed(connection, m, key);
  else responseKeyed(connection, m, key);
}

function oneWay(connection: i32, m: i32): void {
  count(COUNT_MESSAGES_ONEWAY);
  pair(connection, m, -1);
  giveMessage(m);
}

/** There is no room for the message. In a fifo, one less breaks the count: what waits can no longer be told apart. */
function lose(connection: i32, mode: u8, at: i32): void {
  count(COUNT_MESSAGES_DROPPED_OVERFLOW);
  if (mode == KEY) loseKeyed(connection, load<u64>(at, MESSAGE_KEY));
  else desyncFifo(connection);
}
