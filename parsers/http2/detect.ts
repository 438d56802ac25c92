/**
 * Is it HTTP/2 in clear text? The client's preface says so for certain. Without it (a join), a chain of likely frames
 * has to begin each direction, with a header block that decodes to a request or a response, or the first SETTINGS.
 */

import { Table } from '../hpack/table';
import { FROM_CLIENT, FROM_SERVER, IDENTIFY_MORE, IDENTIFY_NO, IDENTIFY_SWAPPED } from '../sdk/abi';
import { agrees, be16, be24 } from '../sdk/bytes';
import { sample } from '../sdk/sample';
import { has, METHOD, readFields, STATUS } from './fields';
import { ACK, END_HEADERS, HEADER_SIZE, HEADERS, isLikely, PADDED, PRIORITIZED, SETTINGS } from './header';
import { isPreface, PREFACE_TEXT } from './sync';

const CERTAIN: u32 = 100;
/** A request or response, in a chain of frames. */
const CLEAR: u32 = 85;
/** The server's first SETTINGS. */
const LIKELY: u32 = 60;

const SAMPLE: u32 = 2048;
const SAMPLES: usize = memory.data(4096, 16);
/** No entry is known, and none is kept. */
const TABLE: usize = memory.data(256, 8);

/** Settings that are registered: 1 … 6, 8 and 9. */
const KNOWN_SETTINGS: u32 = 0x37e;

export function identify(count: u32): u32 {
  const client = sample(count, FROM_CLIENT, SAMPLES, SAMPLE);
  const server = sample(count, FROM_SERVER, SAMPLES + SAMPLE, SAMPLE);
  const score = judge(SAMPLES, client, SAMPLES + SAMPLE, server);
  const swapped = judge(SAMPLES + SAMPLE, server, SAMPLES, client);
  return swapped > score && swapped != IDENTIFY_MORE ? swapped | IDENTIFY_SWAPPED : max(score, swapped);
}

/** Score if the first asks and the second answers; what is refused stays refused. */
function judge(client: usize, clientBytes: u32, server: usize, serverBytes: u32): u32 {
  const asks = side(client, client + clientBytes, true);
  const answers = side(server, server + serverBytes, false);
  if (asks == IDENTIFY_NO || answers == IDENTIFY_NO) return IDENTIFY_NO;
  return max(asks, answers);
}

function side(from: usize, end: usize, isClient: bool): u32 {
  if (from == end) return IDENTIFY_MORE;
  if (isClient && agrees(from, end, PREFACE_TEXT)) return isPreface(from, end) ? CERTAIN : IDENTIFY_MORE;
  let score = IDENTIFY_MORE;
  let isFirst = true;
  let opens = false;
  while (end - from >= HEADER_SIZE) {
    // Behind the first SETTINGS, or a request, there may be frames that are not known.
    if (!isLikely(from, 0, isClient)) return opens || score == CLEAR ? score : IDENTIFY_NO;
    if (isFirst) opens = load<u8>(from, 3) == SETTINGS;
    const payload = from + HEADER_SIZE;
    const length = be24(from);
    const next = payload + length;
    if (next <= end) score = max(score, scoreOf(from, payload, next, isClient, isFirst));
    if (next >= end) break;
    from = next;
    isFirst = false;
  }
  return score;
}

/** What a whole frame says. */
function scoreOf(at: usize, from: usize, end: usize, isClient: bool, isFirst: bool): u32 {
  const type = load<u8>(at, 3);
  const flags = load<u8>(at, 4);
  if (type == SETTINGS)
    return isFirst && (flags & ACK) == 0 && end > from && isSettings(from, end) ? LIKELY : IDENTIFY_MORE;
  if (type != HEADERS || (flags & END_HEADERS) == 0) return IDENTIFY_MORE;
  const pad = (flags & PADDED) != 0 ? <u32>load<u8>(from++) : 0;
  if ((flags & PRIORITIZED) != 0) from += 5;
  if (from + pad > end) return IDENTIFY_MORE;
  const table = changetype<Table>(TABLE);
  table.open(0, false);
  return readFields(table, from, end - pad, isClient ? FROM_CLIENT : FROM_SERVER) && has(isClient ? METHOD : STATUS)
    ? CLEAR
    : IDENTIFY_MORE;
}

function isSettings(from: usize, end: usize): bool {
  for (; from + 6 <= end; from += 6) {
    const id = be16(from);
    if (id > 9 || ((KNOWN_SETTINGS >> id) & 1) == 0) return false;
  }
  return true;
}
