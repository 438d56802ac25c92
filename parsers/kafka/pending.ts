/**
 * Requests that wait for their response: a response does not say what it answers, so its API key and version are looked
 * up by its correlation id.
 *
 * A table behind the fields of the slot, found by the id's low bits and the three entries behind: clients count their
 * requests, so entries rarely meet. What has no room takes the place of the oldest in its way: its response will be
 * reported, but not read. The host moves the slot to a larger class (GROW) before that happens often.
 *
 *     0               4         6        7       8
 *     correlation id  API key   version  flags
 */
import { copy } from '../sdk/bytes';
import { Connection, PENDING_AT } from './state';

const ENTRY: u32 = 8;
const API: usize = 4;
const VERSION: usize = 6;
const FLAGS: usize = 7;
/** As in manifest.json: room for 32 and for 1024. */
const SMALL_SLOT: u32 = 2304;
const SMALL: u32 = (SMALL_SLOT - PENDING_AT) / ENTRY;
const PROBES: u32 = 4;

// Flags.
const IN_USE: u8 = 1;
/** The request names no topic: the response is asked which it has. */
const WANTS_TOPIC: u8 = 2;

const spare: usize = memory.data(SMALL * ENTRY, 8);

/** Whether the table is so full that entries would soon be lost, and there is a larger one. */
export function isCrowded(c: Connection): bool {
  return c.size == SMALL_SLOT && <u32>c.waiting >= SMALL - SMALL / 4;
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
      if (load<u8>(old, FLAGS) != 0) store<u64>(place(c, load<u32>(old)), load<u64>(old));
    }
  }
  c.capacity = <u16>capacity;
}

export function remember(c: Connection, correlation: u32, api: u32, version: u32): void {
  const entry = place(c, correlation);
  store<u32>(entry, correlation);
  store<u16>(entry, <u16>api, API);
  store<u8>(entry, <u8>version, VERSION);
  store<u8>(entry, IN_USE, FLAGS);
}

/** Address of the request that waits, 0 when it is not known. */
export function find(c: Connection, correlation: u32): usize {
  const mask = capacityOf(c) - 1;
  for (let i: u32 = 0; i < PROBES; i++) {
    const entry = at(c, (correlation + i) & mask);
    if (load<u8>(entry, FLAGS) != 0 && load<u32>(entry) == correlation) return entry;
  }
  return 0;
}

export function forget(c: Connection, entry: usize): void {
  store<u8>(entry, 0, FLAGS);
  c.waiting--;
}

export function wantTopic(entry: usize): void {
  store<u8>(entry, IN_USE | WANTS_TOPIC, FLAGS);
}

export function apiOf(entry: usize): u32 {
  return load<u16>(entry, API);
}

export function versionOf(entry: usize): u32 {
  return load<u8>(entry, VERSION);
}

export function wantsTopic(entry: usize): bool {
  return (load<u8>(entry, FLAGS) & WANTS_TOPIC) != 0;
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
    if (load<u8>(entry, FLAGS) == 0) {
      c.waiting++;
      return entry;
    }
    if (oldest == 0 || correlation - load<u32>(entry) > correlation - load<u32>(oldest)) oldest = entry;
  }
  return oldest;
}

/** A power of two. */
function capacityOf(c: Connection): u32 {
  return (c.size - PENDING_AT) / ENTRY;
}

function at(c: Connection, index: u32): usize {
  return changetype<usize>(c) + PENDING_AT + index * ENTRY;
}
