/**
 * Requests that wait for their response: a response does not say what it answers, so its API key and version are looked
 * up by its correlation id.
 *
 * A table behind the fields of the slot, found by the id's low bits and the three entries behind: clients count their
 * requests, so entries rarely meet. What has no room takes the place of the oldest in its way: its response will be
 * reported, but not read. The host moves the slot to a larger class (GROW) before that happens often.
 *
 *     0               4        5                    6                                            8
 *     correlation id  API key  version, WANTS_TOPIC  order: the how manieth request; 0 when free
 *
 * A broker answers in the order of the requests. So a request before the last that was answered waits for what was lost:
 * its id must not make a response of bytes that only look like one.
 */
import { copy } from '../sdk/bytes';
import { Connection, PENDING_AT } from './state';

const ENTRY: u32 = 8;
const API: usize = 4;
const VERSION: usize = 5;
const ORDER: usize = 6;
/** As in manifest.json: room for 32 and for 1024. */
const SMALL_SLOT: u32 = 2304;
const SMALL: u32 = (SMALL_SLOT - PENDING_AT) / ENTRY;
const PROBES: u32 = 4;

/** Beside the version: the request names no topic, so the response is asked which it has. */
const WANTS_TOPIC: u8 = 0x80;
/** No version that is known is higher. */
const VERSION_MAX: u32 = 0x7f;
/** Requests after which one is no longer waited for. Orders begin anew at 65536. */
const AGE_MAX: u32 = 0x4000;

const spare: usize = memory.data(SMALL * ENTRY, 8);

/** Whether the table is so full that entries would soon be lost, and there is a larger one. */
export function isCrowded(c: Connection): bool {
  if (c.size != SMALL_SLOT || <u32>c.waiting < SMALL - SMALL / 4) return false;
  sweep(c);
  return <u32>c.waiting >= SMALL - SMALL / 4;
}

/** After a move to another slot: the entries have other places in a table of another size. */
export function settle(c: Connection): void {
  const capacity = capacityOf(c);
  if (<u32>c.capacity == capacity) return;
  if (<u32>c.capacity == SMALL) {
    const table = changetype<usize>(c) + PENDING_AT;
    copy(spare, table, SMALL * ENTRY);
    memory.fill(table, 0, SMALL * ENTRY);
    c.waiting = 0;
    for (let i: u32 = 0; i < SMALL; i++) {
      const old = spare + i * ENTRY;
      if (load<u16>(old, ORDER) != 0) store<u64>(place(c, load<u32>(old)), load<u64>(old));
    }
  }
  c.capacity = <u16>capacity;
}

export function remember(c: Connection, correlation: u32, api: u32, version: u32): void {
  const entry = place(c, correlation);
  c.sent = max<u16>(1, c.sent + 1);
  const call = api | (min(version, VERSION_MAX) << 8) | ((<u32>c.sent) << 16);
  store<u64>(entry, <u64>correlation | ((<u64>call) << 32));
  if (<u32>(<u16>(c.sent - c.swept)) >= AGE_MAX) sweep(c);
}

/** Address of the request that waits, 0 when it is not known. */
export function find(c: Connection, correlation: u32): usize {
  const mask = capacityOf(c) - 1;
  for (let i: u32 = 0; i < PROBES; i++) {
    const entry = at(c, (correlation + i) & mask);
    if (load<u16>(entry, ORDER) != 0 && load<u32>(entry) == correlation) return entry;
  }
  return 0;
}

function forget(c: Connection, entry: usize): void {
  store<u16>(entry, 0, ORDER);
  c.waiting--;
}

/** The last request wants no response: the next one takes its place in the order. */
export function withdraw(c: Connection, entry: usize): void {
  if (orderOf(entry) == <u32>c.sent) c.sent--;
  forget(c, entry);
}

/** Its response has come. */
export function answer(c: Connection, entry: usize): void {
  c.answered = load<u16>(entry, ORDER);
  forget(c, entry);
}

/** Forgets those before the last that was answered. */
export function sweep(c: Connection): void {
  if (age(c, c.answered) > AGE_MAX) c.answered = <u16>(<u32>c.sent - AGE_MAX);
  c.swept = c.sent;
  const limit = age(c, c.answered);
  for (let i = capacityOf(c); i > 0; i--) {
    const entry = at(c, i - 1);
    const order = orderOf(entry);
    if (order != 0 && age(c, order) >= limit) forget(c, entry);
  }
}

/** Whether this is the request behind that of the order: its response comes right behind the other's. */
export function follows(entry: usize, order: u32): bool {
  return orderOf(entry) == <u32>max<u16>(1, <u16>(order + 1));
}

export function wantTopic(entry: usize): void {
  store<u8>(entry, load<u8>(entry, VERSION) | WANTS_TOPIC, VERSION);
}

export function apiOf(entry: usize): u32 {
  return load<u8>(entry, API);
}

export function versionOf(entry: usize): u32 {
  return load<u8>(entry, VERSION) & VERSION_MAX;
}

export function orderOf(entry: usize): u32 {
  return load<u16>(entry, ORDER);
}

export function wantsTopic(entry: usize): bool {
  return (load<u8>(entry, VERSION) & WANTS_TOPIC) != 0;
}

/**
 * The entry for a new request: of the same id, a free one, or the oldest of those in its way, which waits for a response
 * that was lost more likely than the others.
 */
function place(c: Connection, correlation: u32): usize {
  const known = find(c, correlation);
  if (known) return known;
  const mask = capacityOf(c) - 1;
  let oldest: usize = 0;
  for (let i: u32 = 0; i < PROBES; i++) {
    const entry = at(c, (correlation + i) & mask);
    if (orderOf(entry) == 0) {
      c.waiting++;
      return entry;
    }
    if (oldest == 0 || age(c, orderOf(entry)) > age(c, orderOf(oldest))) oldest = entry;
  }
  return oldest;
}

/** Requests since then. */
function age(c: Connection, order: u32): u32 {
  return <u32>(<u16>(<u32>c.sent - order));
}

/** A power of two. */
function capacityOf(c: Connection): u32 {
  return (c.size - PENDING_AT) / ENTRY;
}

function at(c: Connection, index: u32): usize {
  return changetype<usize>(c) + PENDING_AT + index * ENTRY;
}
