/**
 * RED metrics: each span adds its duration to the histogram of its series. A series is what has equal keys: resource,
 * shape (protocol, side, attributes of the metric) and the values of just these attributes, in the order of their slots.
 * Bounded: what is one series too many goes into one series of overflow for each resource, kind and side.
 */
import {
  BUCKETS_MAX,
  FREE_SERIES,
  KEY_ADDRESS,
  KEY_ATTRIBUTES,
  KEY_BITS,
  KEY_BYTES_MAX,
  KEY_COUNT,
  KEY_FAMILY,
  KEY_HAS_ADDRESS,
  KEY_HAS_PORT,
  KEY_IS_ERROR,
  KEY_IS_OVERFLOW,
  KEY_IS_SERVER,
  KEY_PORT,
  KEY_RESOURCE,
  KEY_STATUS,
  METRICS_FREE,
  METRICS_LIMIT,
  METRICS_NEXT,
  METRICS_OVERFLOWED,
  METRICS_SEED,
  METRICS_SERIES,
  METRICS_UNMEASURED,
  PROTOCOL_SHAPES,
  RESOURCE_SERIES,
  SERIES_BUCKETS,
  SERIES_HASH,
  SERIES_KEY_BYTES,
  SERIES_KEYS,
  SERIES_LEAST,
  SERIES_MAX,
  SERIES_MOST,
  SERIES_SUM,
  SERIES_TABLE,
  SERIES_TABLE_SIZE,
  SHAPE_BOUNDS,
  SHAPE_CLIENT_SLOTS,
  SHAPE_ERROR_TYPE,
  SHAPE_IDS,
  SHAPE_KIND,
  SHAPE_NUMBER,
  SHAPE_SERVER_ADDRESS,
  SHAPE_SERVER_PORT,
  SHAPE_SERVER_SLOTS,
  SHAPE_SLOTS,
  SHAPE_STATUS,
  SHAPE_STATUS_LISTED,
  SLOTS_MAX,
  VALUE_BYTES_MAX,
} from '../layout/metrics';
import {
  ROW_ADDRESSES,
  ROW_ATTRIBUTES_AT,
  ROW_END,
  ROW_FAMILY,
  ROW_FLAGS,
  ROW_PROTOCOL,
  ROW_REMOTE_PORT,
  ROW_REQUEST_ATTRIBUTES,
  ROW_RESOURCE,
  ROW_RESPONSE_ATTRIBUTES,
  ROW_START,
  ROW_STATUS,
  ROW_WORDS,
  SPAN_ERROR,
  SPAN_SERVER,
} from '../layout/spans';

const IPV4: u32 = 2;
const IPV6: u32 = 10;
const NS_PER_SECOND: f64 = 1e9;
const TABLE_MASK: u32 = SERIES_TABLE_SIZE - 1;
const NONE: i32 = -1;
/** An odd number with bits all over it: what a multiplication needs to spread those of a key. */
const MIX: u64 = 0x9e37_79b9_7f4a_7c15;

/** The key of the row at work: each attribute as long as it may be, and a little more for words that are read whole. */
const key: i32 = <i32>memory.data(KEY_ATTRIBUTES + (SLOTS_MAX + 1) * (4 + VALUE_BYTES_MAX + 9) + 16, 16);
/** By slot: address of the attribute in the row. */
const found: i32 = <i32>memory.data((SLOTS_MAX + 1) * 4, 4);

/** Adds the span of a row of layout/spans.ts to its series. */
export function measure(row: i32): void {
  const shape = load<i32>(PROTOCOL_SHAPES + ((<i32>load<u16>(ROW_PROTOCOL + (row << 1))) << 2));
  let series = NONE;
  if (shape != 0) {
    const length = putKey(row, shape);
    if (length <= KEY_BYTES_MAX) series = seriesOf(length, true);
    if (series == NONE) series = overflowOf(shape);
  }
  if (series == NONE) addTo(METRICS_UNMEASURED, 1);
  else addDuration(series, load<i32>(shape, SHAPE_BOUNDS), durationOf(row));
}

function durationOf(row: i32): u64 {
  return load<u64>(ROW_END + (row << 3)) - load<u64>(ROW_START + (row << 3));
}

/** Forgets a series; `settleSeries` must follow before the next span. */
export function dropSeries(series: i32): void {
  const bits = load<u16>(keyOf(series), KEY_BITS);
  if (!(bits & KEY_IS_OVERFLOW)) store<u32>(METRICS_SERIES, load<u32>(METRICS_SERIES) - 1);
  countSeries(load<u32>(keyOf(series), KEY_RESOURCE), -1);
  store<u32>(SERIES_KEY_BYTES + (series << 2), 0);
  const free = load<u32>(METRICS_FREE);
  store<u32>(FREE_SERIES + (free << 2), series);
  store<u32>(METRICS_FREE, free + 1);
}

/** Fills the hash table anew with the series that are left. */
export function settleSeries(): void {
  memory.fill(SERIES_TABLE, 0, SERIES_TABLE_SIZE * 4);
  const end = load<i32>(METRICS_NEXT);
  for (let series = 0; series < end; series++) {
    if (load<u32>(SERIES_KEY_BYTES + (series << 2)) != 0) enter(series, load<u64>(SERIES_HASH + (series << 3)));
  }
}

function addTo(counter: i32, n: f64): void {
  store<f64>(counter, load<f64>(counter) + n);
}

function keyOf(series: i32): i32 {
  return SERIES_KEYS + series * KEY_BYTES_MAX;
}

// ── the key ──────────────────────────────────────────────────────────────────────────────────────────────────────

/**
 * Writes the key of the row to `key`; returns its length, a multiple of 16. All of it is written in whole words of 8 bytes,
 * as it is read right after: a read that spans two writes waits for both to reach the cache.
 */
function putKey(row: i32, shape: i32): i32 {
  const flags = <u32>load<u16>(ROW_FLAGS + (row << 1));
  const isServer = (flags & SPAN_SERVER) != 0;
  const seen = findAttributes(row, shape);
  let slots = isServer ? load<u32>(shape, SHAPE_SERVER_SLOTS) : load<u32>(shape, SHAPE_CLIENT_SLOTS);
  let bits: u32 = isServer ? KEY_IS_SERVER : putAddress(row, shape, seen);
  let status = load<u32>(ROW_STATUS + (row << 2));
  if ((flags & SPAN_ERROR) != 0 && (seen & load<u32>(shape, SHAPE_ERROR_TYPE)) == 0) {
    bits |= KEY_IS_ERROR;
    slots |= load<u32>(shape, SHAPE_STATUS);
  } else if (load<u32>(shape, SHAPE_STATUS_LISTED) == 0) status = 0;
  slots &= seen;
  let peer = popcnt(slots) << (8 * (KEY_COUNT - KEY_PORT));
  if (bits & KEY_HAS_ADDRESS) peer |= (<u32>load<u8>(ROW_FAMILY + row)) << (8 * (KEY_FAMILY - KEY_PORT));
  if (bits & KEY_HAS_PORT) peer |= <u32>load<u16>(ROW_REMOTE_PORT + (row << 1));
  const resource = load<u32>(ROW_RESOURCE + (row << 2));
  store<u64>(key, <u64>resource | ((<u64>(load<u32>(shape, SHAPE_NUMBER) | (bits << 16))) << 32), KEY_RESOURCE);
  store<u64>(key, <u64>status | ((<u64>peer) << 32), KEY_STATUS);
  if (!(bits & KEY_HAS_ADDRESS)) {
    store<u64>(key, 0, KEY_ADDRESS);
    store<u64>(key, 0, KEY_ADDRESS + 8);
  }
  const end = putAttributes(slots);
  store<u64>(end, 0);
  return (end - key + 15) & ~15;
}

/** Where the row has attributes of the metric goes to `found`; returns their slots as bits. */
function findAttributes(row: i32, shape: i32): u32 {
  const ids = load<u32>(shape, SHAPE_IDS);
  let at = ROW_WORDS + (load<i32>(ROW_ATTRIBUTES_AT + (row << 2)) << 2);
  let left = <i32>load<u16>(ROW_REQUEST_ATTRIBUTES + (row << 1)) + <i32>load<u16>(ROW_RESPONSE_ATTRIBUTES + (row << 1));
  let seen: u32 = 0;
  for (; left > 0; left--) {
    const head = load<u32>(at);
    const id = head & 0xffff;
    if (id < ids) {
      const slot = <u32>load<u8>(shape + <i32>id, SHAPE_SLOTS);
      store<i32>(found + <i32>(slot << 2), at);
      seen |= 1 << slot;
    }
    at += <i32>(4 + (((head >>> 16) + 3) & ~3));
  }
  // Slot 0 is that of all others.
  return seen & ~1;
}

/** Of a client: the server's address and port, as far as no attribute tells them. Returns the bits of what there is. */
function putAddress(row: i32, shape: i32, seen: u32): u32 {
  const family = <u32>load<u8>(ROW_FAMILY + row);
  if (family != IPV4 && family != IPV6) return 0;
  const bits: u32 = (seen & load<u32>(shape, SHAPE_SERVER_PORT)) == 0 ? KEY_HAS_PORT : 0;
  if ((seen & load<u32>(shape, SHAPE_SERVER_ADDRESS)) != 0) return bits;
  const remote = ROW_ADDRESSES + (row << 5) + 16;
  const isLong = family == IPV6;
  store<u64>(key, isLong ? load<u64>(remote) : <u64>load<u32>(remote), KEY_ADDRESS);
  store<u64>(key, isLong ? load<u64>(remote, 8) : 0, KEY_ADDRESS + 8);
  return bits | KEY_HAS_ADDRESS;
}

/** Copies the attributes of these slots behind the key's head; returns where they end. */
function putAttributes(slots: u32): i32 {
  let to = key + KEY_ATTRIBUTES;
  for (; slots != 0; slots &= slots - 1) {
    const slot = ctz(slots);
    let from = load<i32>(found + <i32>(slot << 2));
    let left = 4 + valueLength(from);
    let word = (load<u64>(from) & ~(<u64>0xffff_ffff)) | (slot | ((<u32>(left - 4)) << 16));
    // What stands behind a value is its parser's: not to be compared.
    while (left > 8) {
      store<u64>(to, word);
      from += 8;
      to += 8;
      left -= 8;
      word = load<u64>(from);
    }
    store<u64>(to, word & (<u64>-1 >>> ((8 - left) << 3)));
    to += 8;
  }
  return to;
}

/** Cut before a character, not within. */
function valueLength(attribute: i32): i32 {
  let length = <i32>load<u16>(attribute, 2);
  if (length <= VALUE_BYTES_MAX) return length;
  length = VALUE_BYTES_MAX;
  const value = attribute + 4;
  while (length > VALUE_BYTES_MAX - 4 && (load<u8>(value + length) & 0xc0) == 0x80) length--;
  return length;
}

// ── the series ───────────────────────────────────────────────────────────────────────────────────────────────────

/** Of the key of that length, made if there is none yet; -1 when there are as many as there may be. */
function seriesOf(length: i32, isLimited: bool): i32 {
  const hash = hashOf(length);
  let at = <u32>hash & TABLE_MASK;
  let series = entryAt(at);
  while (series != NONE) {
    if (load<u64>(SERIES_HASH + (series << 3)) == hash && isKeyOf(series, length)) return series;
    at = (at + 1) & TABLE_MASK;
    series = entryAt(at);
  }
  const isFull = isLimited && load<u32>(METRICS_SERIES) >= load<u32>(METRICS_LIMIT);
  return isFull ? NONE : add(hash, length, isLimited);
}

/** Number of the series at a place of the table; NONE where it is free. */
function entryAt(place: u32): i32 {
  return load<i32>(SERIES_TABLE + <i32>(place << 2)) - 1;
}

/** Two words at a time, which do not wait for each other. */
function hashOf(length: i32): u64 {
  const seed = load<u64>(METRICS_SEED);
  let a = seed ^ <u64>length;
  let b = seed * MIX;
  for (let i = 0; i < length; i += 16) {
    a = (a ^ load<u64>(key + i)) * MIX;
    b = (b ^ load<u64>(key + i, 8)) * MIX;
    a ^= a >>> 32;
    b ^= b >>> 29;
  }
  a = (a ^ (b * MIX)) * MIX;
  return a ^ (a >>> 32);
}

function isKeyOf(series: i32, length: i32): bool {
  if (load<i32>(SERIES_KEY_BYTES + (series << 2)) != length) return false;
  const at = keyOf(series);
  for (let i = 0; i < length; i += 8) {
    if (load<u64>(at + i) != load<u64>(key + i)) return false;
  }
  return true;
}

/** The one for what is too much: of the same resource, kind and side. */
function overflowOf(shape: i32): i32 {
  const bits = (<u32>load<u16>(key, KEY_BITS) & KEY_IS_SERVER) | KEY_IS_OVERFLOW;
  const kind = load<u32>(shape, SHAPE_KIND) | (bits << 16);
  store<u64>(key, <u64>load<u32>(key, KEY_RESOURCE) | ((<u64>kind) << 32), KEY_RESOURCE);
  store<u64>(key, 0, KEY_STATUS);
  store<u64>(key, 0, KEY_ADDRESS);
  store<u64>(key, 0, KEY_ADDRESS + 8);
  const series = seriesOf(KEY_ATTRIBUTES, false);
  if (series != NONE) addTo(METRICS_OVERFLOWED, 1);
  return series;
}

function add(hash: u64, length: i32, isLimited: bool): i32 {
  const series = takeNumber();
  if (series == NONE) return NONE;
  if (isLimited) store<u32>(METRICS_SERIES, load<u32>(METRICS_SERIES) + 1);
  store<u64>(SERIES_HASH + (series << 3), hash);
  store<u32>(SERIES_KEY_BYTES + (series << 2), length);
  memory.copy(keyOf(series), key, length);
  countSeries(load<u32>(key, KEY_RESOURCE), 1);
  clearSeries(series);
  enter(series, hash);
  return series;
}

function countSeries(resource: u32, by: i32): void {
  const count = RESOURCE_SERIES + <i32>(resource << 2);
  store<i32>(count, load<i32>(count) + by);
}

function takeNumber(): i32 {
  const free = load<u32>(METRICS_FREE);
  if (free > 0) {
    store<u32>(METRICS_FREE, free - 1);
    return load<i32>(FREE_SERIES + <i32>((free - 1) << 2));
  }
  const next = load<i32>(METRICS_NEXT);
  if (next == SERIES_MAX) return NONE;
  store<i32>(METRICS_NEXT, next + 1);
  return next;
}

function enter(series: i32, hash: u64): void {
  let at = <u32>hash & TABLE_MASK;
  while (entryAt(at) != NONE) at = (at + 1) & TABLE_MASK;
  store<i32>(SERIES_TABLE + <i32>(at << 2), series + 1);
}

// ── the histogram ────────────────────────────────────────────────────────────────────────────────────────────────

/** Nothing measured yet. */
export function clearSeries(series: i32): void {
  memory.fill(bucketsOf(series), 0, BUCKETS_MAX * 8);
  store<f64>(SERIES_SUM + (series << 3), 0);
  store<f64>(SERIES_LEAST + (series << 3), Infinity);
  store<f64>(SERIES_MOST + (series << 3), -Infinity);
}

/** A bucket holds what is greater than the bound before it, and not greater than its own. */
function addDuration(series: i32, bounds: i32, ns: u64): void {
  const seconds = <f64>ns / NS_PER_SECOND;
  let bucket = 0;
  while (seconds > load<f64>(bounds + (bucket << 3))) bucket++;
  addTo(bucketsOf(series) + (bucket << 3), 1);
  addTo(SERIES_SUM + (series << 3), seconds);
  const least = SERIES_LEAST + (series << 3);
  store<f64>(least, min(load<f64>(least), seconds));
  const most = SERIES_MOST + (series << 3);
  store<f64>(most, max(load<f64>(most), seconds));
}

function bucketsOf(series: i32): i32 {
  return SERIES_BUCKETS + series * (BUCKETS_MAX * 8);
}
