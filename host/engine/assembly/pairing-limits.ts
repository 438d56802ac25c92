/** What both ways of pairing (fifo.ts, keyed.ts) share. */
import { COUNT_MESSAGES_PENDING, COUNT_PAIRS } from '../layout/counters';
import { count } from './counters';
import { giveMessage } from './messages';
import { pair } from './pairs';

/** Messages of one connection that wait for their partner: deeper pipelines than this are not known. */
export const WAITING_MAX: i32 = 8192;
/** A response may carry a time this much before its request's (threads on two CPUs), and still be its response. */
export const INVERSION_NS: f64 = 5_000_000;

/** Both have met, and are done with. */
export function meet(connection: i32, request: i32, response: i32): void {
  count(COUNT_PAIRS);
  pair(connection, request, response);
  giveMessage(request);
  giveMessage(response);
}

/** A message that has met nobody. */
export function drop(m: i32, reason: i32): void {
  count(reason);
  giveMessage(m);
}

export function countPending(n: f64): void {
  count(COUNT_MESSAGES_PENDING, n);
}
