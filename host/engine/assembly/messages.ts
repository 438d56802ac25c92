/**
 * Messages that wait: columns by message number, attributes in a slab, numbers recycled through a free list.
 * `takeMessage` copies a message out of a record (layout: parsers/sdk/abi.ts), with its references to definitions replaced
 * by what they refer to; `giveMessage` forgets it.
 * A message number is valid until it is given back; -1 means "none" everywhere.
 *
 * What a connection holds costs that connection: whoever keeps messages asks `hasShare` before, or gives up something of
 * that connection after. The share is one of both, slab and numbers (slab.ts); a connection that holds nothing has one.
 */
import {
  ATTRIBUTE_ID,
  MESSAGE_ATTRIBUTES,
  MESSAGE_BODY_BYTES,
  MESSAGE_FIRST,
  MESSAGE_LAST,
  MESSAGE_PARTIAL,
  MESSAGE_PROTOCOL,
  MESSAGE_SIZE,
  MESSAGE_STATUS,
  OUT_FLAGS,
  REFERENCE,
} from '../../../parsers/sdk/abi';
import {
  MESSAGE_ATTRIBUTE_COUNT,
  MESSAGE_BODY,
  MESSAGE_CONNECTION,
  MESSAGE_FIRST_TIME,
  MESSAGE_FLAG_BITS,
  MESSAGE_LAST_TIME,
  MESSAGE_MATE,
  MESSAGE_NEXT,
  MESSAGE_PROTOCOL_INDEX,
  MESSAGE_STATUS_CODE,
  MESSAGE_WORDS,
  MESSAGE_WORDS_AT,
  SLAB,
} from '../layout/messages';
import { MERGED, QUEUE_MESSAGES, QUEUE_SHIFT, QUEUE_WORDS, QUEUES, SLAB_PAGES } from '../layout/pairing';
import { copyBytes } from './copy';
import { isPartial, merge, mergedAttributes, mergedWords } from './definitions';
import { blockWords, Slab, share } from './slab';
import { attributeBytes } from './words';

/** What a connection may hold while half of all is free: a pipeline of ordinary messages, or eight of the longest. */
const FLOOR_MESSAGES: f64 = 64;
const FLOOR_WORDS: f64 = (64 * 1024) / 4;

export const slab = new Slab(SLAB, SLAB_PAGES);

/** Messages in use, and most that there may be. */
export let used: i32 = 0;
export let limit: i32 = 0;
let free: i32 = -1;
let top: i32 = 0;

/** There are none, and never more than these. */
export function limitMessages(messages: i32, slabBytes: i32): void {
  limit = messages;
  used = 0;
  free = -1;
  top = 0;
  slab.limitTo(slabBytes);
}

/** Copies the message of a record that was checked; -1 when the limit is reached. */
export function takeMessage(at: i32, connection: i32): i32 {
  const count = <i32>load<u16>(at, MESSAGE_ATTRIBUTES);
  const from = at + MESSAGE_SIZE;
  const end = attributesEnd(from, count);
  if (end >= 0) return keep(connection, at, from, (end - from) >>> 2);
  merge(connection, from, count);
  const m = keep(connection, at, MERGED, mergedWords);
  if (m < 0) return -1;
  store<u16>(MESSAGE_ATTRIBUTE_COUNT + (m << 1), <u16>mergedAttributes);
  const flags = MESSAGE_FLAG_BITS + (m << 1);
  if (isPartial) store<u16>(flags, load<u16>(flags) | <u16>MESSAGE_PARTIAL);
  return m;
}

export function giveMessage(m: i32): void {
  const queue = QUEUES + (load<i32>(MESSAGE_CONNECTION + (m << 2)) << QUEUE_SHIFT);
  slab.give(load<i32>(MESSAGE_WORDS_AT + (m << 2)));
  store<i32>(queue, load<i32>(queue, QUEUE_MESSAGES) - 1, QUEUE_MESSAGES);
  store<i32>(queue, load<i32>(queue, QUEUE_WORDS) - messageBlock(m), QUEUE_WORDS);
  store<i32>(MESSAGE_NEXT + (m << 2), free);
  free = m;
  used--;
}

/** Words of the slab that a message takes up. */
export function messageBlock(m: i32): i32 {
  return blockWords(load<i32>(MESSAGE_WORDS + (m << 2)));
}

/** True when the connection holds less than it may. */
export function hasShare(connection: i32): bool {
  const queue = QUEUES + (connection << QUEUE_SHIFT);
  const held = load<i32>(queue, QUEUE_MESSAGES);
  if (held == 0) return true;
  return (
    <f64>held < share(<f64>(limit - used), <f64>limit, FLOOR_MESSAGES) &&
    <f64>load<i32>(queue, QUEUE_WORDS) < share(<f64>slab.freeWords, <f64>slab.limit, FLOOR_WORDS)
  );
}

/** First timestamp of `a` minus last timestamp of `b`, ns. */
export function nsFromLastToFirst(b: i32, a: i32): f64 {
  const first = load<u64>(MESSAGE_FIRST_TIME + (a << 3));
  const last = load<u64>(MESSAGE_LAST_TIME + (b << 3));
  return first >= last ? <f64>(first - last) : -(<f64>(last - first));
}

/** A new message: header at `at`, attributes from elsewhere. */
function keep(connection: i32, at: i32, from: i32, words: i32): i32 {
  const block = slab.take(words);
  if (block < 0) return -1;
  const m = newNumber();
  if (m < 0) {
    slab.give(block);
    return -1;
  }
  copyHeader(m, at);
  store<i32>(MESSAGE_WORDS_AT + (m << 2), block);
  store<i32>(MESSAGE_WORDS + (m << 2), words);
  copyBytes(SLAB + (block << 2), from, words << 2);
  used++;
  charge(connection, m);
  return m;
}

function charge(connection: i32, m: i32): void {
  const queue = QUEUES + (connection << QUEUE_SHIFT);
  store<i32>(MESSAGE_CONNECTION + (m << 2), connection);
  store<i32>(queue, load<i32>(queue, QUEUE_MESSAGES) + 1, QUEUE_MESSAGES);
  store<i32>(queue, load<i32>(queue, QUEUE_WORDS) + messageBlock(m), QUEUE_WORDS);
}

function copyHeader(m: i32, at: i32): void {
  store<i32>(MESSAGE_NEXT + (m << 2), -1);
  store<i32>(MESSAGE_MATE + (m << 2), -1);
  store<u32>(MESSAGE_STATUS_CODE + (m << 2), load<u32>(at, MESSAGE_STATUS));
  store<u16>(MESSAGE_FLAG_BITS + (m << 1), load<u16>(at, OUT_FLAGS));
  store<u64>(MESSAGE_FIRST_TIME + (m << 3), load<u64>(at, MESSAGE_FIRST));
  store<u64>(MESSAGE_LAST_TIME + (m << 3), load<u64>(at, MESSAGE_LAST));
  store<u64>(MESSAGE_BODY + (m << 3), load<u64>(at, MESSAGE_BODY_BYTES));
  store<u16>(MESSAGE_ATTRIBUTE_COUNT + (m << 1), load<u16>(at, MESSAGE_ATTRIBUTES));
  store<u8>(MESSAGE_PROTOCOL_INDEX + m, load<u8>(at, MESSAGE_PROTOCOL));
}

function newNumber(): i32 {
  if (free >= 0) {
    const m = free;
    free = load<i32>(MESSAGE_NEXT + (m << 2));
    return m;
  }
  return top < limit ? top++ : -1;
}

/** The address behind `count` attributes; -1 when a reference is among them. */
function attributesEnd(from: i32, count: i32): i32 {
  let at = from;
  for (let left = count; left > 0; left--) {
    if (load<u16>(at, ATTRIBUTE_ID) == REFERENCE) return -1;
    at += attributeBytes(at);
  }
  return at;
}
