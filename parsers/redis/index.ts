/**
 * Redis and Valkey: RESP2, RESP3 and inline requests. The exports of ABI v1 (docs/abi.md), and the way of a chunk.
 * https://redis.io/docs/latest/develop/reference/protocol-spec/
 */
import { DATA, FROM_CLIENT, FROM_SERVER, GAP } from '../sdk/abi';
import { Chunk } from '../sdk/chunk';
import { beginOutput, endOutput, enter, hasRoom } from '../sdk/output';
import { Half, isDue, lose } from './frame';
import { readReply, skip } from './reply';
import { readRequest } from './request';
import { takeTurn } from './resync';
import { Connection, LOST_BYTES, REPLY_ON } from './state';

export { abi_version, layout } from '../sdk/module';
export { identify } from './detect';

export function open(slot: u32, flags: u32): void {
  Connection.at(slot).open(flags);
}

export function close(_slot: u32): void {}

export function run(first: u32, end: u32): u32 {
  beginOutput();
  let index = first;
  while (index < end && consume(enter(index))) index++;
  endOutput();
  return index;
}

/** False when the output is full before the chunk is used up; what was used is then taken off. */
function consume(chunk: Chunk): bool {
  const c = Connection.at(chunk.slot);
  if (c.dead) return true;
  if (chunk.kind == DATA && !consumeBytes(c, chunk)) return false;
  if (c.dead || (chunk.kind != DATA && chunk.kind != GAP) || chunk.missing == 0) return true;
  if (!hasRoom()) return false;
  loseBytes(c, chunk);
  return true;
}

function consumeBytes(c: Connection, chunk: Chunk): bool {
  const half = c.half(chunk.direction);
  const isClient = chunk.direction == FROM_CLIENT;
  const start = <usize>chunk.data;
  const end = chunk.end;
  const now = chunk.timestamp;
  let at = start;
  if (isClient && c.turned != 0 && end > start) takeTurn(c, half);
  if (end > start) c.turned = isClient ? 0 : 1;
  while (at < end && !c.dead) {
    if (!hasRoom()) {
      chunk.advance(<u32>(at - start));
      return false;
    }
    const offset = chunk.offset + (at - start);
    at = isClient ? readRequest(c, half, at, end, offset, now) : readReply(c, half, at, end, offset, now);
    c.lastDirection = chunk.direction;
  }
  chunk.advance(chunk.length);
  return true;
}

/** Bytes are missing: exact when they lie inside a text of known length, else the direction has lost its place. */
function loseBytes(c: Connection, chunk: Chunk): void {
  const half = c.half(chunk.direction);
  const isClient = chunk.direction == FROM_CLIENT;
  const bytes = chunk.missing;
  c.turned = isClient ? 0 : 1;
  if (lose(half, bytes)) {
    if (isDue(half)) complete(c, half, isClient, chunk.offset + bytes, chunk.timestamp);
    return;
  }
  c.lastDirection = <u8>FROM_SERVER;
  if (!half.searching) c.desync(LOST_BYTES);
  else if (!isClient) skip(c, bytes);
  c.search(half, isClient);
  if (!isClient) return;
  c.atTurn = 0;
  c.replyMode = REPLY_ON;
}

/** The gap ended with the text it lay in. */
function complete(c: Connection, half: Half, isClient: bool, end: u64, now: u64): void {
  if (isClient) readRequest(c, half, 0, 0, end, now);
  else readReply(c, half, 0, 0, end, now);
}
