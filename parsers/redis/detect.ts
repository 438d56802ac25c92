/**
 * Is this Redis? A request is an array of bulk strings whose first is a word of just the length announced: that no
 * other protocol has. Inline requests are lines like any others, and count only when they begin with a known command,
 * the client speaks first and the answer is RESP. Replies alone are never enough: `+OK` is said elsewhere too.
 * Rule: a refusal is final, so it is given only when no further byte can change it.
 */
import { DATA, FROM_CLIENT, IDENTIFY_MORE, IDENTIFY_NO, IDENTIFY_SWAPPED } from '../sdk/abi';
import { copy, findByte } from '../sdk/bytes';
import { Chunk } from '../sdk/chunk';
import { isKnown, isName, NAME_MAX } from './command';
import { HALF_SIZE, Half, INVALID, isReply, MORE, next, position, VALUE } from './frame';
import { matchRequest } from './resync';

/** Bytes of each direction that are looked at. */
const SAMPLE_MAX: u32 = 256;
const LF: u8 = 0x0a;

const CERTAIN: u32 = 100;
const REQUEST_KNOWN: u32 = 95;
const REQUEST_ONLY: u32 = 80;
/** The server's bytes do not fit: joined in the middle of a reply, or not Redis. */
const REQUEST_AGAINST_REPLY: u32 = 60;
const INLINE: u32 = 40;

const samples: usize = memory.data(512, 8);
const scratch: usize = memory.data(HALF_SIZE, 8);

let clientLength: u32 = 0;
let serverLength: u32 = 0;
let serverFirst: bool = false;

export function identify(count: u32): u32 {
  takeSamples(count);
  const client = samples;
  const server = samples + SAMPLE_MAX;
  const request = matchRequest(client, client + clientLength);
  if (request > INVALID) return scoreRequest(client, server);
  if (request == MORE) return clientLength > 0 || canBeServer(server) ? IDENTIFY_MORE : IDENTIFY_NO;
  const inline = scoreInline(client, server);
  return inline != IDENTIFY_NO ? inline : scoreSwapped(client, server);
}

/** The first bytes of each direction, up to its first gap. */
function takeSamples(count: u32): void {
  clientLength = 0;
  serverLength = 0;
  serverFirst = false;
  let clientOpen = true;
  let serverOpen = true;
  for (let index: u32 = 0; index < count; index++) {
    const chunk = Chunk.at(index);
    if (chunk.direction == FROM_CLIENT) {
      if (clientOpen) clientLength = append(samples, clientLength, chunk);
      if (chunk.kind != DATA || chunk.missing > 0) clientOpen = false;
    } else {
      if (clientLength == 0 && chunk.length > 0) serverFirst = true;
      if (serverOpen) serverLength = append(samples + SAMPLE_MAX, serverLength, chunk);
      if (chunk.kind != DATA || chunk.missing > 0) serverOpen = false;
    }
  }
}

function append(sample: usize, length: u32, chunk: Chunk): u32 {
  const bytes = min(chunk.length, SAMPLE_MAX - length);
  if (chunk.kind != DATA) return length;
  copy(sample + length, chunk.data, bytes);
  return length + bytes;
}

function scoreRequest(client: usize, server: usize): u32 {
  const known = isKnownRequest(client);
  const reply = matchReplies(server, serverLength);
  if (reply == INVALID) return known ? REQUEST_AGAINST_REPLY : IDENTIFY_NO;
  if (reply == VALUE) return CERTAIN;
  return known ? REQUEST_KNOWN : REQUEST_ONLY;
}

/** Both ends of `*N\r\n$M\r\nNAME\r\n`: the name lies behind the second line. */
function isKnownRequest(at: usize): bool {
  const name = findByte(findByte(at, at + SAMPLE_MAX, LF) + 1, at + SAMPLE_MAX, LF) + 1;
  return isKnown(name, <u32>(findByte(name, at + SAMPLE_MAX, LF) - 1 - name));
}

function canBeServer(server: usize): bool {
  return matchReplies(server, serverLength) != INVALID || matchRequest(server, server + serverLength) != INVALID;
}

/** VALUE when the bytes hold a whole value and nothing else than values; MORE when they may come to. */
function matchReplies(at: usize, length: u32): u32 {
  memory.fill(scratch, 0, HALF_SIZE);
  const half = changetype<Half>(scratch);
  const end = at + length;
  let found = MORE;
  while (at < end) {
    if (half.idle && !isReply(load<u8>(at))) return INVALID;
    const one = next(half, at, end);
    if (one == INVALID) return INVALID;
    if (one == VALUE) found = VALUE;
    at = position;
  }
  return found;
}

function scoreInline(client: usize, server: usize): u32 {
  if (serverFirst) return IDENTIFY_NO;
  const end = client + clientLength;
  const lf = findByte(client, end, LF);
  let at = client;
  while (at < lf && load<u8>(at) > 0x20) at++;
  const length = <u32>(at - client);
  if (!isPlain(client, lf) || holdsHttp(client, lf)) return IDENTIFY_NO;
  if (at == end) return length == 0 || isName(client, length) ? IDENTIFY_MORE : IDENTIFY_NO;
  if (length > NAME_MAX || !isKnown(client, length)) return IDENTIFY_NO;
  const reply = matchReplies(server, serverLength);
  if (reply == INVALID || (lf == end && clientLength == SAMPLE_MAX)) return IDENTIFY_NO;
  return reply == MORE || lf == end ? IDENTIFY_MORE : INLINE;
}

/** Printable ASCII, tabs and a last CR. */
function isPlain(at: usize, end: usize): bool {
  for (; at < end; at++) {
    const byte = <u32>load<u8>(at);
    if (byte - 0x20 < 0x5f || byte == 0x09 || (byte == 0x0d && at + 1 == end)) continue;
    return false;
  }
  return true;
}

/** `GET / HTTP/1.1` is an inline request, too; Redis would call it an attack. */
function holdsHttp(at: usize, end: usize): bool {
  for (; at + 5 <= end; at++) {
    if (load<u32>(at) == 0x50545448 && load<u8>(at, 4) == 0x2f) return true; // "HTTP" "/"
  }
  return false;
}

/** What was taken for the client is the server: it sends replies to what can only be requests. */
function scoreSwapped(client: usize, server: usize): u32 {
  const reply = matchReplies(client, clientLength);
  if (reply == INVALID) return IDENTIFY_NO;
  const request = matchRequest(server, server + serverLength);
  if (request == INVALID) return IDENTIFY_NO;
  if (request == MORE || reply == MORE) return IDENTIFY_MORE;
  return isKnownRequest(server) ? REQUEST_KNOWN | IDENTIFY_SWAPPED : IDENTIFY_NO;
}
