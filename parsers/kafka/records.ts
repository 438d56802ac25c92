/**
 * Record batches: how many records, how compressed, and whose trace the first record belongs to.
 * https://kafka.apache.org/documentation/#recordbatch · old message sets: #messageset
 *
 *     0       8       12      16     17   21          23           57      61
 *     offset  length  epoch   magic  crc  attributes  delta … ids  count   records              magic 2
 *     offset  length  crc     magic  attributes  …                         one message          magic 0, 1
 *
 *     record: length, attributes, time, offset, key, value, headers        numbers are varints in zigzag but for attributes
 *     header: key, value
 *
 * Only the first record of a request is read, if its batch is not compressed; batches are passed over by their length.
 * A fetched set may end inside a batch: that one is not counted, as no client sees it.
 */
import { be16, be32, be64, isText, zigzag } from '../sdk/bytes';
import { Chunk } from '../sdk/chunk';
import { skip } from '../sdk/output';
import { cut, need, numberRead, readVarint, skipBytes, take } from './fields';
import { Connection, Half, HEADER_KEY, REST_STAGE, TRACE } from './state';

/** Offset and length: what the length does not count. */
const PREFIX: u32 = 12;
/** As far as magic and attributes of the old format. */
const OLD_HEADER: u32 = 18;
const HEADER: u32 = 61;
const MAGIC: usize = 16;
const OLD_ATTRIBUTES: usize = 17;
const ATTRIBUTES: usize = 21;
const COUNT: usize = 57;
const CODEC: u32 = 7;
/** A batch that says how a transaction ended. */
const CONTROL: u32 = 0x20;
/** Shortest record. */
const RECORD_MIN: u32 = 7;
/** Headers of a record that are looked at. */
const HEADERS_MAX: u64 = 64;
/** From here on the host is told that bytes need not come. */
const SKIP_MIN: u32 = 16384;

// What is read next.
const BATCH: u8 = 1;
const LENGTH: u8 = 2;
const RECORD_ATTRIBUTES: u8 = 3;
// 4 and 5: time and offset
const KEY: u8 = 6;
const VALUE: u8 = 7;
const HEADERS: u8 = 8;
const HEADER_NAME: u8 = 9;
const HEADER_VALUE: u8 = 10;

/** The next field of records; false when the chunk ends inside it. */
export function stepRecords(c: Connection, half: Half, chunk: Chunk, isClient: bool): bool {
  if (half.batch == BATCH) return stepBatch(c, half, chunk, isClient) || half.stage == REST_STAGE;
  if (half.batch == RECORD_ATTRIBUTES) {
    skipBytes(half, 1);
    half.batch++;
    return true;
  }
  if (!readVarint(half, chunk)) return half.stage == REST_STAGE;
  if (half.left < half.behindBatch) cut(half);
  else stepRecord(c, half);
  return true;
}

function stepBatch(c: Connection, half: Half, chunk: Chunk, isClient: bool): bool {
  const there = half.left - half.behindRecords;
  if (there == 0) {
    half.batch = 0;
    return true;
  }
  if (there < OLD_HEADER) return endRecords(half);
  const at = need(half, chunk, OLD_HEADER);
  if (at == 0) return false;
  const bytes = <u64>be32(at + 8) + PREFIX;
  if (bytes > there || bytes < OLD_HEADER) return endRecords(half);
  half.behindBatch = half.left - <u32>bytes;
  if (load<u8>(at, MAGIC) >= 2) return bytes < HEADER ? endRecords(half) : stepNewBatch(c, half, chunk, isClient);
  const codec = <u32>load<u8>(at, OLD_ATTRIBUTES) & CODEC;
  // A compressed message of the old format wraps others.
  if (codec != 0) half.isUncounted = true;
  half.messages++;
  note(half, codec);
  passBatch(c, half, chunk, isClient);
  return true;
}

function stepNewBatch(c: Connection, half: Half, chunk: Chunk, isClient: bool): bool {
  const at = need(half, chunk, HEADER);
  if (at == 0) return false;
  const attributes = be16(at + ATTRIBUTES);
  const count = be32(at + COUNT);
  const offset = <i64>be64(at);
  const isFirst = half.codec == 0;
  half.done(chunk, HEADER);
  if ((attributes & CONTROL) == 0) {
    half.messages += count;
    if (!isClient && count > 0 && half.offsets++ == 0) half.offset = offset;
    note(half, attributes & CODEC);
  }
  if (isClient && isFirst && half.codec == 1 && half.left - half.behindBatch >= RECORD_MIN) half.batch = LENGTH;
  else passBatch(c, half, chunk, isClient);
  return true;
}

/** The compression of the first batch stands for all. */
function note(half: Half, codec: u32): void {
  if (half.codec == 0) half.codec = <u8>(codec + 1);
}

/** What is left is no whole batch. */
function endRecords(half: Half): bool {
  half.batch = 0;
  if (half.length > 0) {
    half.taken += half.length;
    half.length = 0;
  }
  half.skip = half.left - half.behindRecords;
  return true;
}

/** The rest of the batch is of no interest. */
function passBatch(c: Connection, half: Half, chunk: Chunk, isClient: bool): void {
  half.batch = BATCH;
  half.skip = half.left - half.behindBatch;
  if (half.length > 0 || half.skip < SKIP_MIN || half.skip <= chunk.wireLength) return;
  skip(c.slot, isClient ? 0 : 1, chunk.offset + half.skip);
}

/** A number of the first record was read. */
function stepRecord(c: Connection, half: Half): void {
  const value = zigzag(numberRead);
  const left = <i64>(half.left - half.behindBatch);
  switch (half.batch) {
    case KEY:
    case VALUE:
      if (value > left) {
        leave(half);
        return;
      }
      if (value > 0) half.skip = <u32>value;
      break;
    case HEADERS:
      if (value <= 0) {
        leave(half);
        return;
      }
      half.headers = <u32>min<u64>(value, HEADERS_MAX);
      break;
    case HEADER_NAME:
      if (value > left || value < 0) {
        leave(half);
        return;
      }
      takeName(c, half, <u32>value);
      break;
    case HEADER_VALUE:
      takeValue(c, half, value, left);
      return;
    default:
      break;
  }
  half.batch++;
}

/** Nothing more is wanted of the record. */
function leave(half: Half): void {
  half.batch = BATCH;
  half.skip = half.left - half.behindBatch;
}

/** Only a name of the right length can be the right one. */
function takeName(c: Connection, half: Half, length: u32): void {
  c.clearText(HEADER_KEY, 0);
  if (length == <u32>'traceparent'.length) take(c, half, HEADER_KEY, length);
  else half.skip = length;
}

function takeValue(c: Connection, half: Half, value: i64, left: i64): void {
  if (value > left) {
    leave(half);
    return;
  }
  const name = c.text(HEADER_KEY);
  const isTrace = isText(name, name + c.textLength(HEADER_KEY), 'traceparent');
  if (isTrace && value == 55 && c.textLength(TRACE) == 0) take(c, half, TRACE, <i32>value);
  else if (value > 0) half.skip = <u32>value;
  if (--half.headers > 0) half.batch = HEADER_NAME;
  else half.batch = BATCH;
}
