/**
 * Chunks gather in an area (layout/front.ts) until their module runs: a table as the module will get it, and pieces that
 * say which payload goes where. Payload stays in the batch; all of it is then moved in one native call.
 */
import {
  CHUNK_DATA,
  CHUNK_KIND,
  CHUNK_LENGTH,
  CHUNK_OFFSET,
  CHUNK_RESERVED,
  CHUNK_SIZE,
  CHUNK_SLOT,
  CHUNK_TIMESTAMP,
  CHUNK_WIRE_LENGTH,
} from '../../../parsers/sdk/abi';
import { CONNECTIONS_MAX } from '../layout/connections';
import {
  AREA_BYTES,
  AREA_CHUNKS,
  AREA_COUNT,
  AREA_OWNERS,
  AREA_OWNERS_COUNT,
  AREA_PAYLOAD,
  AREA_PAYLOAD_END,
  AREA_PIECE_TABLE,
  AREA_PIECES,
  AREA_SLOTS,
  AREA_SLOTS_BASE,
  AREA_SLOTS_SHIFT,
  CHUNKS,
} from '../layout/front';

/** True when a chunk with `length` bytes of payload fits before the next flush. Any length, however absurd. */
export function hasRoom(area: i32, length: u32): bool {
  const end = <u64>load<u32>(area + AREA_PAYLOAD) + <u64>length + 8;
  return load<u32>(area + AREA_COUNT) < <u32>CHUNKS && end <= <u64>load<u32>(area + AREA_PAYLOAD_END);
}

/**
 * Adds a chunk; returns the address where its payload belongs in the module's memory. `source` is the payload's address
 * in the batch, 0 for one that the caller copies. `head` is kind | direction << 8.
 */
export function stage(
  area: i32,
  slot: u32,
  head: u32,
  source: u32,
  length: u32,
  wireLength: u32,
  time: u64,
  offset: u64,
): u32 {
  const count = load<u32>(area + AREA_COUNT);
  const data = load<u32>(area + AREA_PAYLOAD);
  store<u32>(area + AREA_COUNT, count + 1);
  store<u32>(area + AREA_PAYLOAD, (data + length + 7) & ~7);
  store<u32>(area + AREA_BYTES, load<u32>(area + AREA_BYTES) + length);
  store<u32>(area + AREA_SLOTS + (count << 2), slot);
  const chunk = area + AREA_CHUNKS + count * CHUNK_SIZE;
  store<u32>(chunk + CHUNK_SLOT, slot);
  store<u32>(chunk + CHUNK_KIND, head);
  store<u32>(chunk + CHUNK_DATA, data);
  store<u32>(chunk + CHUNK_LENGTH, length);
  store<u32>(chunk + CHUNK_WIRE_LENGTH, wireLength);
  store<u32>(chunk + CHUNK_RESERVED, 0);
  store<u64>(chunk + CHUNK_TIMESTAMP, time);
  store<u64>(chunk + CHUNK_OFFSET, offset);
  if (source != 0 && length > 0) remember(area, source, data, length);
  return data;
}

function remember(area: i32, source: u32, data: u32, length: u32): void {
  const pieces = load<u32>(area + AREA_PIECES) + 1;
  store<u32>(area + AREA_PIECES, pieces);
  const piece = area + AREA_PIECE_TABLE + pieces * 12;
  store<u32>(piece, source);
  store<u32>(piece + 4, data);
  store<u32>(piece + 8, length);
}

/** The same for TypeScript, which has no u64. */
export function stageChunk(
  area: i32,
  slot: u32,
  head: u32,
  source: u32,
  length: u32,
  wireLength: u32,
  timeLow: u32,
  timeHigh: u32,
  offset: f64,
): u32 {
  return stage(area, slot, head, source, length, wireLength, ((<u64>timeHigh) << 32) | timeLow, wholeOf(offset));
}

/** A module may have forged the offset of a chunk that it handed on: no number may trap here. */
function wholeOf(offset: f64): u64 {
  return offset < 18446744073709551616.0 ? <u64>offset : u64.MAX_VALUE;
}

/** Whose slot this is by the owners of the area: a connection, or -1 for an address that is no slot in use. */
export function ownerOf(area: i32, slot: u32): i32 {
  const distance = slot - load<u32>(area + AREA_SLOTS_BASE);
  const shift = load<u32>(area + AREA_SLOTS_SHIFT);
  const entry = distance >> shift;
  if (entry << shift != distance || entry >= load<u32>(area + AREA_OWNERS_COUNT)) return -1;
  const owner = <i32>load<u32>(load<u32>(area + AREA_OWNERS) + (entry << 2)) - 1;
  return <u32>owner < <u32>CONNECTIONS_MAX ? owner : -1;
}
