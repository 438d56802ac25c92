/**
 * Finding a request again after lost bytes, or in a stream that was joined in the middle: at the place behind the gap
 * or behind any CRLF, by its first two headers and a command name of just the length announced. What is begun at the
 * end of a chunk is carried in the half, so that it makes no difference how the stream is cut.
 *
 * Two things can deceive: the text of a value may look like a request, and of a pipeline that was lost in part the
 * replies to its lost requests are yet to come. So a request found anywhere but where the client begins to speak after
 * the server is read, but not reported (`unsure`), nor is what follows it, until the client begins to speak again.
 */
import { FROM_SERVER } from '../sdk/abi';
import { copy, findByte } from '../sdk/bytes';
import { isName, NAME_MAX } from './command';
import { ARRAY, BULK, count, Half, INVALID, MORE, NULL, readCount } from './frame';
import { Connection, LOST_BYTES, REPLY_ON, REPORTED_RESPONSE } from './state';

const LF: u8 = 0x0a;
const CR: u8 = 0x0d;

/** The first bytes of a request that began in an earlier chunk. */
export const candidate: usize = memory.data(64, 8);
export let recovered: u32 = 0;

/**
 * Whether a request begins here: YES is the address behind its command's name; INVALID and MORE as in frame.ts.
 * Decides within 52 bytes, so what is carried of a candidate fits the half.
 */
export function matchRequest(at: usize, end: usize): usize {
  if (at == end) return MORE;
  if (load<u8>(at) != ARRAY) return INVALID;
  const element = readCount(at + 1, end);
  if (element <= INVALID) return element;
  if (count == 0 || count == NULL) return INVALID;
  if (element == end) return MORE;
  if (load<u8>(element) != BULK) return INVALID;
  const name = readCount(element + 1, end);
  if (name <= INVALID) return name;
  return count <= NAME_MAX ? matchName(name, end, count) : <usize>INVALID;
}

function matchName(at: usize, end: usize, length: u32): usize {
  const there = min(<u32>(end - at), length);
  if (there > 0 && !isName(at, there)) return INVALID;
  if (there == 0) return length == 0 ? INVALID : MORE;
  at += length;
  if (there < length || at >= end) return MORE;
  if (load<u8>(at) != CR) return INVALID;
  if (at + 1 == end) return MORE;
  return load<u8>(at, 1) == LF ? at + 2 : <usize>INVALID;
}

/**
 * Looks for a request at `at`. Returns the address behind what was searched; when the half no longer searches, a request
 * begins there, or its first `recovered` bytes are at `candidate`.
 */
export function searchRequest(c: Connection, half: Half, at: usize, end: usize, offset: u64, now: u64): usize {
  recovered = 0;
  if (half.carried > 0) return continueCandidate(c, half, at);
  if (half.atStart == 0) return findLineEnd(c, half, at, end);
  const match = matchRequest(at, end);
  if (match == MORE) {
    half.first = now;
    half.start = offset;
    half.carried = <u32>(end - at);
    copy(half.area, at, end - at);
    return end;
  }
  half.atStart = 0;
  if (match > INVALID) found(c, half);
  c.atTurn = 0;
  return at;
}

/** Goes behind the next CRLF. */
function findLineEnd(c: Connection, half: Half, at: usize, end: usize): usize {
  const lf = findByte(at, end, LF);
  const last = lf > at ? load<u8>(lf - 1) : half.lastByte;
  const after = lf == end ? end : lf + 1;
  half.lastByte = lf == end ? last : LF;
  if (lf != end && last == CR) half.atStart = 1;
  c.countSearched(<u32>(after - at));
  return after;
}

/** One byte more of a candidate that began in an earlier chunk. */
function continueCandidate(c: Connection, half: Half, at: usize): usize {
  const area = half.area;
  const byte = load<u8>(at);
  store<u8>(area + half.carried, byte);
  half.carried++;
  const match = matchRequest(area, area + half.carried);
  if (match == MORE) return at + 1;
  const length = half.carried;
  half.carried = 0;
  if (match > INVALID) {
    copy(candidate, area, length);
    recovered = length;
    found(c, half);
    return at + 1;
  }
  c.atTurn = 0;
  // The byte that does not fit may itself follow a CRLF, and begin a request.
  half.atStart = length > 2 && load<u16>(area + length - 3) == 0x0a0d ? 1 : 0;
  half.lastByte = length > 1 ? load<u8>(area + length - 2) : 0;
  return at;
}

function found(c: Connection, half: Half): void {
  half.searching = 0;
  c.found = 1;
  c.unsure = 1;
  if (c.atTurn != 0) trust(c);
  c.atTurn = 0;
}

/**
 * The client begins to speak after the server. What is searched for is looked for here first; and what was found
 * elsewhere is a request indeed if it ended where the server spoke: the text of a value does not.
 */
export function takeTurn(c: Connection, half: Half): void {
  const server = c.half(FROM_SERVER);
  if (!server.searching && (server.remaining > 0 || !server.idle)) return;
  if (half.searching) {
    half.carried = 0;
    half.atStart = 1;
    c.atTurn = 1;
  } else if (c.unsure != 0 && half.idle && half.remaining == 0) trust(c);
}

function trust(c: Connection): void {
  c.unsure = 0;
  c.searched = 0;
  c.replyMode = REPLY_ON;
  // Responses reported before it belong to requests that were not seen.
  if ((c.reported & REPORTED_RESPONSE) != 0) c.desync(LOST_BYTES);
}
