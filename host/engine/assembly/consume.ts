/**
 * What a run put out, in a copy that the module cannot reach: every length, slot, count and protocol is checked before
 * anyone reads a field, then the record is handed on. Whoever walks the attributes of a record that passed here need not
 * check their lengths again. Attributes that the manifest has not, or whose length misfits their type, stay where they
 * are and are left out when they are read; here they are counted.
 */
import {
  ATTRIBUTE_VALUE,
  ATTRIBUTES_MAX,
  DEFINE,
  DESYNC,
  GIVE_UP,
  GROW,
  MESSAGE_ATTRIBUTES,
  MESSAGE_MAX,
  MESSAGE_PROTOCOL,
  MESSAGE_SIZE,
  ONEWAY,
  OUT_FLAGS,
  OUT_KEY,
  OUT_LENGTH,
  OUT_LONG,
  OUT_SHORT,
  OUT_SLOT,
  OUT_TYPE,
  OUT_VALUE,
  PAIRS_MAX,
  SHRINK,
  SKIP,
  UNDEFINE,
  UPGRADE,
} from '../../../parsers/sdk/abi';
import { SKIP as SKIP_TO } from '../layout/connections';
import {
  AREA_ALLOWANCE,
  AREA_KINDS,
  AREA_KINDS_COUNT,
  AREA_MESSAGES,
  AREA_PROTOCOLS,
  AREA_REFUSED,
  AREA_WRONG,
  KIND_EIGHT_BYTES,
  KIND_ONE_BYTE,
  KIND_PAIR,
  KIND_STRING,
  KIND_UNKNOWN,
  WRONG_AMOUNT,
  WRONG_CUT_OFF,
  WRONG_FIELDS,
  WRONG_SIZE,
  WRONG_SLOT,
} from '../layout/front';
import { define, undefine } from './definitions';
import { pairPlace, record } from './host';
import { desync, message } from './pairing';
import { ownerOf } from './stage';

/**
 * What counts against the allowance: each record, a long one once more with each 256 bytes, and a slot that moves for so
 * many, because they are copied.
 */
const RECORD_BYTES_SHIFT: u32 = 8;
const RECORDS_PER_CHANGE: i32 = 64;

/** Hands on the records of an instance, `length` bytes; returns 0, or what is wrong with the first one that is. */
export function consume(area: i32, from: i32, length: i32): i32 {
  let at = from;
  const stop = from + length;
  while (at < stop) {
    if (stop - at < OUT_SHORT) return WRONG_CUT_OFF;
    const size = load<u32>(at + OUT_LENGTH);
    if (size < <u32>OUT_SHORT || (size & 7) != 0 || size > <u32>(stop - at)) return wrong(area, size, WRONG_SIZE);
    const connection = ownerOf(area, load<u32>(at + OUT_SLOT));
    if (connection < 0) return wrong(area, load<u32>(at + OUT_SLOT), WRONG_SLOT);
    if (!isSound(area, at, size)) return WRONG_FIELDS;
    const allowance = load<i32>(area + AREA_ALLOWANCE) - 1 - <i32>(size >>> RECORD_BYTES_SHIFT);
    if (allowance < 0) return WRONG_AMOUNT;
    store<i32>(area + AREA_ALLOWANCE, allowance);
    take(area, connection, at);
    at += size;
  }
  return 0;
}

/** Whether the record of `size` bytes at `at` is what its type says. */
export function isSound(area: i32, at: i32, size: u32): bool {
  const type = <i32>load<u16>(at + OUT_TYPE);
  if (type <= ONEWAY) return isMessage(area, at, size, type);
  if (type == DEFINE) {
    return size >= <u32>OUT_LONG && fits(area, at + OUT_LONG, at + size, load<u32>(at + OUT_VALUE));
  }
  return size >= <u32>(type == SKIP || type == UNDEFINE ? OUT_LONG : OUT_SHORT);
}

function isMessage(area: i32, at: i32, size: u32, type: i32): bool {
  if (size < <u32>MESSAGE_SIZE || type == 0) return false;
  if (<u32>load<u8>(at + MESSAGE_PROTOCOL) >= load<u32>(area + AREA_PROTOCOLS)) return false;
  return fits(area, at + MESSAGE_SIZE, at + size, load<u16>(at + MESSAGE_ATTRIBUTES));
}

/** `attributes` of them lie in from … end. */
function fits(area: i32, from: i32, end: i32, attributes: u32): bool {
  if (attributes > <u32>ATTRIBUTES_MAX || end - from > MESSAGE_MAX) return false;
  let cursor = from;
  let pairs = 0;
  for (let left = attributes; left > 0; left--) {
    const value = cursor + ATTRIBUTE_VALUE;
    if (value > end) return false;
    const head = load<u32>(cursor);
    const length = head >>> 16;
    const kind = kindOf(area, head & 0xffff);
    cursor = value + <i32>((length + 3) & ~3);
    if (kind == KIND_STRING) continue;
    if (kind != KIND_PAIR) {
      if (!isLength(kind, length)) add(area + AREA_REFUSED);
      continue;
    }
    if (++pairs > PAIRS_MAX || cursor > end) return false;
    if (pairPlace(head & 0xffff, value, length) < 0) add(area + AREA_REFUSED);
  }
  return cursor <= end;
}

function kindOf(area: i32, id: u32): u32 {
  return id < load<u32>(area + AREA_KINDS_COUNT) ? load<u8>(area + AREA_KINDS + id) : KIND_UNKNOWN;
}

function isLength(kind: u32, length: u32): bool {
  return kind == KIND_EIGHT_BYTES ? length == 8 : kind == KIND_ONE_BYTE && length == 1;
}

function take(area: i32, connection: i32, at: i32): void {
  const type = <i32>load<u16>(at + OUT_TYPE);
  if (type <= ONEWAY) {
    add(area + AREA_MESSAGES);
    message(connection, type, load<u16>(at + OUT_FLAGS), at);
  } else if (type == DEFINE) define(connection, at);
  else if (type == UNDEFINE) undefine(connection, at);
  else if (type == DESYNC) desync(connection);
  else if (type == SKIP) skip(connection, at);
  else if (type == GIVE_UP) record(connection, type, 0);
  else if (type == GROW || type == SHRINK || type == UPGRADE) {
    store<i32>(area + AREA_ALLOWANCE, load<i32>(area + AREA_ALLOWANCE) - RECORDS_PER_CHANGE);
    record(connection, type, load<u32>(at + OUT_VALUE));
  }
}

/** What lies before the offset need not be copied to the module. */
function skip(connection: i32, at: i32): void {
  const key = connection * 2 + (load<i32>(at + OUT_VALUE) & 1);
  store<f64>(SKIP_TO + (key << 3), <f64>load<u64>(at + OUT_KEY));
}

function add(at: i32): void {
  store<f64>(at, load<f64>(at) + 1);
}

function wrong(area: i32, value: u32, what: i32): i32 {
  store<u32>(area + AREA_WRONG, value);
  return what;
}
