/**
 * In step with the frames of a direction, or looking for them: the preface, the next header, the way back.
 *
 *     PREFACE ─▶ SYNCED ──lost──▶ SEARCHING ──a likely header──▶ TRIAL ──two more, or a request or response──▶ SYNCED
 *                                     ▲                            │
 *                                     └──────── anything else ─────┘
 *
 * A header block that decodes to a request or a response is proof enough; other frames have to be three in a row. What
 * stands in the frames of a trial is not looked at otherwise.
 */

import { FROM_CLIENT } from '../sdk/abi';
import { be24, be32, findByte, startsWith } from '../sdk/bytes';
import { Chunk } from '../sdk/chunk';
import { HEADER_SIZE, isHeader, isLikely } from './header';
import { Connection, Half, PREFACE, SEARCH_MAX, SEARCHING, SYNCED, TRIAL } from './state';

export const PREFACE_TEXT: string = 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n';
/** Good headers behind the first one. */
const WANTED: u8 = 2;

/** Compares what there is of the preface. */
export function readPreface(c: Connection, half: Half, chunk: Chunk): void {
  const units = changetype<usize>(PREFACE_TEXT);
  while (chunk.length > 0 && half.step == PREFACE) {
    if (load<u8>(chunk.data) != load<u8>(units + ((<usize>half.have) << 1))) {
      half.have = 0;
      c.lose(chunk.direction);
      return;
    }
    chunk.advance(1);
    if (++half.have < <u8>PREFACE_TEXT.length) continue;
    half.have = 0;
    half.step = SYNCED;
  }
}

/** True: a header was read, and taken off the chunk. False: look at what is left of the chunk again. */
export function readHeader(c: Connection, half: Half, chunk: Chunk): bool {
  if (half.have > 0) return readPieces(c, half, chunk);
  if (half.step == SEARCHING) {
    const zero = findByte(chunk.data, chunk.end, 0);
    const bytes = <u32>(zero - chunk.data);
    half.spend(bytes);
    chunk.advance(bytes);
    if (chunk.length == 0) {
      giveUpInVain(c, half);
      return false;
    }
  }
  if (chunk.length < HEADER_SIZE) return readPieces(c, half, chunk);
  if (accept(c, half, chunk.data, chunk.direction, chunk.timestamp)) {
    chunk.advance(HEADER_SIZE);
    return true;
  }
  pass(c, half, chunk);
  return false;
}

/** No header begins here. */
function pass(c: Connection, half: Half, chunk: Chunk): void {
  if (half.step != SEARCHING) {
    c.lose(chunk.direction);
    return;
  }
  half.spend(1);
  chunk.advance(1);
  giveUpInVain(c, half);
}

/** A header over several chunks: it is put together in the slot, with the time of each of its bytes. */
function readPieces(c: Connection, half: Half, chunk: Chunk): bool {
  while (half.have < HEADER_SIZE && chunk.length > 0) {
    store<u8>(half.head + half.have, load<u8>(chunk.data));
    store<u64>(half.times + ((<usize>half.have) << 3), chunk.timestamp);
    half.have++;
    chunk.advance(1);
  }
  if (half.have < HEADER_SIZE) return false;
  while (half.have == HEADER_SIZE) {
    if (accept(c, half, half.head, chunk.direction, load<u64>(half.times))) {
      half.have = 0;
      return true;
    }
    if (half.step != SEARCHING) c.lose(chunk.direction);
    else shift(half);
  }
  giveUpInVain(c, half);
  return false;
}

/** Goes to the next zero in the bytes kept. */
function shift(half: Half): void {
  const from = findByte(half.head + 1, half.head + HEADER_SIZE, 0);
  const bytes = <u8>(from - half.head);
  half.have -= bytes;
  memory.copy(half.head, from, half.have);
  memory.copy(half.times, half.times + ((<usize>bytes) << 3), (<usize>half.have) << 3);
  half.spend(bytes);
}

/** Takes a header in, if it is one. */
function accept(c: Connection, half: Half, at: usize, direction: u32, first: u64): bool {
  const isClient = direction == FROM_CLIENT;
  if (half.step == SYNCED ? !isHeader(at, half.frameMax, isClient) : !isLikely(at, newest(c), isClient)) return false;
  if (half.step == SEARCHING) {
    half.step = TRIAL;
    half.wanted = WANTED;
  } else if (half.step == TRIAL && --half.wanted == 0) {
    half.step = SYNCED;
    half.searched = 0;
  }
  half.length = be24(at);
  half.type = load<u8>(at, 3);
  half.flags = load<u8>(at, 4);
  half.stream = be32(at + 5) & 0x7fffffff;
  half.first = first;
  return true;
}

function newest(c: Connection): u32 {
  return max(c.clientStream, c.serverStream);
}

function giveUpInVain(c: Connection, half: Half): void {
  if (half.searched > SEARCH_MAX) c.giveUp();
}

/** Whether from … end begins with the preface, as far as it goes. */
export function isPreface(from: usize, end: usize): bool {
  return startsWith(from, end, PREFACE_TEXT);
}
