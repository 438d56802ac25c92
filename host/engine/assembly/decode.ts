/**
 * Records of the batch into chunks for the parsers: the plain case, which is nearly every record. Bytes at the very place
 * where their stream goes on, of a connection that a module parses and that has room for them, or of one that is ignored:
 * these are counted and no more. Whatever else a record is, the caller deals with it (host/pipeline.ts) and calls again
 * behind it: so the order stays that of the records.
 */
import { DATA, FROM_CLIENT, FROM_SERVER } from '../../../parsers/sdk/abi';
import {
  FLAG_ORIGIN_KNOWN,
  KIND_DATA,
  RECORD_CAPTURED,
  RECORD_DIRECTION,
  RECORD_FLAGS,
  RECORD_KIND,
  RECORD_LENGTH,
  RECORD_MOVED,
  RECORD_ORIGIN,
  RECORD_POSITION,
  RECORD_SEQUENCE,
  RECORD_SIZE,
  RECORD_SLOT,
  RECORD_TIMESTAMP_NS,
} from '../../kernel/record';
import {
  BASE,
  CLIENT_DIRECTION,
  CONNECTIONS_MAX,
  HOLE,
  LAST_SECOND,
  NEXT,
  PARSER,
  REMIND_SHIFT,
  RESUMED,
  SKIP,
  SLOT,
  STARTED,
  STATE,
  STATE_IGNORED,
  STATE_PARSED,
  STREAM,
} from '../layout/connections';
import {
  COUNT_BYTES_CAPTURED,
  COUNT_BYTES_GAP_TRUNCATED,
  COUNT_BYTES_MOVED,
  COUNT_BYTES_SKIPPED,
  COUNT_BYTES_UNKNOWN,
  COUNT_CHUNKS,
  COUNT_RECORDS_DATA,
} from '../layout/counters';
import { AREA_OF_MODULE, RECORDS, TRIED } from '../layout/front';
import { count } from './counters';
import { hasRoom, ownerOf, stage } from './stage';

/** Stages plain records of from … end; returns the address of the first one that is not plain, or where the batch ends. */
export function decode(from: i32, end: i32, second: u32): i32 {
  let at = from;
  let records: u32 = 0;
  let tried = <u64>load<f64>(TRIED);
  while (at + RECORD_SIZE <= end) {
    const size = load<u32>(at + RECORD_LENGTH);
    const captured = load<u32>(at + RECORD_CAPTURED);
    if (size < <u32>RECORD_SIZE || size > <u32>(end - at) || captured > size - RECORD_SIZE) break;
    if (!plain(at, captured, second)) break;
    const sequence = load<u64>(at + RECORD_SEQUENCE);
    if (sequence >= tried) tried = sequence + 1;
    records++;
    at = (at + <i32>size + 7) & ~7;
  }
  store<f64>(TRIED, <f64>tried);
  store<f64>(RECORDS, load<f64>(RECORDS) + records);
  count(COUNT_RECORDS_DATA, records);
  count(COUNT_CHUNKS, records);
  return at;
}

/** True when the record was dealt with; when it was not, nothing has changed but that its stream may have started. */
function plain(at: i32, captured: u32, second: u32): bool {
  const connection = load<u32>(at + RECORD_SLOT);
  if (load<u8>(at + RECORD_KIND) != KIND_DATA || connection >= <u32>CONNECTIONS_MAX) return false;
  const state = load<u8>(STATE + connection);
  if ((state != STATE_PARSED && state != STATE_IGNORED) || load<u8>(HOLE + connection) != 0) return false;
  const direction = <u32>load<u8>(at + RECORD_DIRECTION) & 1;
  const key = connection * 2 + direction;
  const next = load<f64>(NEXT + (key << 3));
  if (!goesOn(at, key, next)) return false;
  if (state == STATE_IGNORED) {
    if (isOverdue(connection, second)) return false;
    ignore(at, key, captured, next);
  } else if (!parse(at, connection, direction, captured, next)) return false;
  store<u32>(LAST_SECOND + (connection << 2), second);
  return true;
}

/** True at the very place where the stream goes on, or starts. */
function goesOn(at: i32, key: u32, next: f64): bool {
  const position = load<u32>(at + RECORD_POSITION);
  const bits = load<u8>(STREAM + key);
  if (bits & STARTED) return position == load<u32>(BASE + (key << 2)) + <u32>(<u64>next);
  const isOriginKnown = (load<u16>(at + RECORD_FLAGS) & FLAG_ORIGIN_KNOWN) != 0 && !(bits & RESUMED);
  if (isOriginKnown && position != load<u32>(at + RECORD_ORIGIN)) return false;
  store<u32>(BASE + (key << 2), position);
  store<u8>(STREAM + key, bits | STARTED);
  return true;
}

/** To the module, if it has room. */
function parse(at: i32, connection: u32, direction: u32, captured: u32, next: f64): bool {
  const parser = <i32>load<i16>(PARSER + (connection << 1));
  const area = parser < 0 ? 0 : <i32>load<u32>(AREA_OF_MODULE + (parser << 2));
  if (area == 0 || !hasRoom(area, captured)) return false;
  const slot = load<u32>(SLOT + (connection << 2));
  if (slot == 0 || ownerOf(area, slot) != <i32>connection) return false;
  take(at, connection, direction, area, slot, captured, next);
  return true;
}

/** The kernel should have stopped long ago: TypeScript reminds it. */
function isOverdue(connection: u32, second: u32): bool {
  return (load<u32>(LAST_SECOND + (connection << 2)) ^ second) >> REMIND_SHIFT != 0;
}

/** On its way until the kernel knows that nobody wants it. */
function ignore(at: i32, key: u32, captured: u32, next: f64): void {
  const moved = <f64>load<u32>(at + RECORD_MOVED);
  store<f64>(NEXT + (key << 3), next + moved);
  countBytes(moved, <f64>captured);
  count(COUNT_BYTES_UNKNOWN, moved);
}

function take(at: i32, connection: u32, direction: u32, area: i32, slot: u32, captured: u32, next: f64): void {
  const key = connection * 2 + direction;
  const moved = load<u32>(at + RECORD_MOVED);
  const after = next + <f64>moved;
  store<f64>(NEXT + (key << 3), after);
  const needed = after <= load<f64>(SKIP + (key << 3)) ? 0 : captured;
  const from = direction == <u32>load<u8>(CLIENT_DIRECTION + connection) ? FROM_CLIENT : FROM_SERVER;
  const time = load<u64>(at + RECORD_TIMESTAMP_NS);
  stage(area, slot, DATA | (from << 8), at + RECORD_SIZE, needed, moved, time, <u64>next);
  countBytes(<f64>moved, <f64>captured);
  if (needed != captured) count(COUNT_BYTES_SKIPPED, <f64>(captured - needed));
}

function countBytes(moved: f64, captured: f64): void {
  count(COUNT_BYTES_MOVED, moved);
  count(COUNT_BYTES_CAPTURED, captured);
  count(COUNT_BYTES_GAP_TRUNCATED, moved - captured);
}
