/**
 * Is this Redis, and who asks? A request is an array of bulk strings whose first is a word of just the length announced:
 * that no other protocol has. But a reply may be one, too, and whoever joins in mid-stream may have taken the server for
 * the client: so both ways round are weighed, and the names of commands decide. Inline requests are lines like any
 * others, and count only when they begin with a known command, the client speaks first and the answer is RESP. Replies
 * alone are never enough: `+OK` is said elsewhere too.
 *
 *   client begins with   server begins with   therefore
 *   a command            another reply        as believed
 *   a command            an unknown name      as believed
 *   an unknown name      a command            the other way round
 *   another reply        a command            the other way round
 *   an unknown name      another reply        as believed
 *   an unknown name      nothing yet          wait
 *
 * With the name of a command on both sides, or on neither, the side that goes on with what no request is, is the server.
 * Rule: a refusal is final, so it is given only when no further byte can change it.
 */
import { DATA, FROM_CLIENT, FROM_SERVER, IDENTIFY_MORE, IDENTIFY_NO, IDENTIFY_SWAPPED } from '../sdk/abi';
import { copy, findByte } from '../sdk/bytes';
import { Chunk } from '../sdk/chunk';
import { isName, NAME_MAX } from './command';
import {
  AGGREGATE,
  ARRAY,
  BULK,
  count,
  HALF_SIZE,
  Half,
  INVALID,
  isReply,
  MORE,
  NULL,
  next,
  position,
  typeByte,
  VALUE,
} from './frame';
import { isKnown } from './known';
import { matchRequest } from './resync';

/** Bytes of each direction that are looked at. */
const SAMPLE_MAX: u32 = 256;
const LF: u8 = 0x0a;

const CERTAIN: u32 = 100;
const REQUEST_KNOWN: u32 = 95;
const REQUEST_ONLY: u32 = 80;
/** The server's bytes do not fit: joined in the middle of a reply, or not Redis. Or both sides ask as well as answer. */
const REQUEST_AGAINST_REPLY: u32 = 60;
const INLINE: u32 = 40;

const SIDE_SIZE: u32 = 32;
const sides: usize = memory.data(64, 8);
const samples: usize = memory.data(512, 8);
const scratch: usize = memory.data(HALF_SIZE, 8);

let serverFirst: bool = false;

/** The first bytes of a direction, up to its first gap, and what they are. */
@unmanaged
class Side {
  from: usize;
  length: u32;
  /** MORE, INVALID, or the address behind the first request's name. */
  request: usize;
  /** VALUE when the bytes hold a whole value and nothing else than values; MORE when they may come to; or INVALID. */
  replies: u32;
  /** The first request has the name of a command. */
  known: bool;
  /** Nothing but requests so far. */
  asks: bool;
  /** No more bytes are to come. */
  full: bool;

  @inline
  static of(direction: u32): Side {
    return changetype<Side>(sides + direction * SIDE_SIZE);
  }

  @inline
  get end(): usize {
    return this.from + this.length;
  }

  @inline
  get isRequest(): bool {
    return this.request > INVALID;
  }

  clear(direction: u32): void {
    this.from = samples + direction * SAMPLE_MAX;
    this.length = 0;
    this.full = false;
  }

  append(chunk: Chunk): void {
    if (this.full || chunk.kind != DATA) {
      this.full = true;
      return;
    }
    const bytes = min(chunk.length, SAMPLE_MAX - this.length);
    copy(this.end, chunk.data, bytes);
    this.length += bytes;
    this.full = this.length == SAMPLE_MAX || chunk.missing > 0;
  }

  judge(): void {
    this.request = matchRequest(this.from, this.end);
    this.known = this.isRequest && isKnownRequest(this.from, this.end);
    readValues(this);
  }
}

if (offsetof<Side>() > SIDE_SIZE) ERROR('a Side exceeds SIDE_SIZE');

export function identify(chunks: u32): u32 {
  takeSamples(chunks);
  const client = Side.of(FROM_CLIENT);
  const server = Side.of(FROM_SERVER);
  client.judge();
  server.judge();
  if (client.isRequest) return server.isRequest ? weigh(client, server) : scoreRequest(client, server);
  if (client.request == MORE) return client.length > 0 || canBeServer(server) ? IDENTIFY_MORE : IDENTIFY_NO;
  const inline = scoreInline(client, server);
  return inline != IDENTIFY_NO ? inline : scoreSwapped(client, server);
}

function takeSamples(chunks: u32): void {
  const client = Side.of(FROM_CLIENT);
  const server = Side.of(FROM_SERVER);
  client.clear(FROM_CLIENT);
  server.clear(FROM_SERVER);
  serverFirst = false;
  for (let index: u32 = 0; index < chunks; index++) {
    const chunk = Chunk.at(index);
    if (chunk.direction == FROM_CLIENT) client.append(chunk);
    else server.append(chunk);
    if (client.length == 0 && server.length > 0) serverFirst = true;
  }
}

/** Both ends of `*N\r\n$M\r\nNAME\r\n`: the name lies behind the second line. */
function isKnownRequest(at: usize, end: usize): bool {
  const name = findByte(findByte(at, end, LF) + 1, end, LF) + 1;
  return isKnown(name, <u32>(findByte(name, end, LF) - 1 - name));
}

/** Reads on until a value does not fit; sets `replies` and `asks`. */
function readValues(side: Side): void {
  memory.fill(scratch, 0, HALF_SIZE);
  const half = changetype<Half>(scratch);
  side.replies = MORE;
  side.asks = true;
  for (let at = side.from; at < side.end; at = position) {
    const found = half.idle && !isReply(load<u8>(at)) ? INVALID : next(half, at, side.end);
    if (found == MORE) return;
    if (found == INVALID) {
      side.replies = INVALID;
      return;
    }
    if (found == VALUE || count == 0 || count == NULL) side.replies = VALUE;
    if (!fitsRequest(half, found)) side.asks = false;
  }
}

/** Whether what was read goes on with a request, or begins one; counts its arguments in `remaining`. */
function fitsRequest(half: Half, found: u32): bool {
  if (half.remaining > 0) {
    half.remaining--;
    return found == VALUE && typeByte == BULK && count != NULL;
  }
  if (found != AGGREGATE || typeByte != ARRAY || count == 0 || count == NULL) return false;
  half.remaining = count;
  return true;
}

/** The client asks; the server has said nothing yet, too little, or what no request begins with. */
function scoreRequest(client: Side, server: Side): u32 {
  if (server.replies == INVALID) return client.known ? REQUEST_AGAINST_REPLY : IDENTIFY_NO;
  if (server.replies == VALUE) return CERTAIN;
  if (client.known) return REQUEST_KNOWN;
  return server.request == MORE ? IDENTIFY_MORE : REQUEST_ONLY;
}

/** Both begin with what could be a request. A side that does not only ask, has sent a reply. */
function weigh(client: Side, server: Side): u32 {
  if (server.replies == INVALID) return client.known ? REQUEST_AGAINST_REPLY : IDENTIFY_NO;
  if (client.replies == INVALID || (client.asks && !server.asks)) return client.known ? CERTAIN : REQUEST_ONLY;
  if (client.asks && client.known) return server.known ? scoreTie(client, server) : CERTAIN;
  if (server.asks && server.known) return REQUEST_KNOWN | IDENTIFY_SWAPPED;
  return client.known ? REQUEST_AGAINST_REPLY : IDENTIFY_MORE;
}

/** Commands on both sides: the answer follows the question, unless it answers one that was not heard. */
function scoreTie(client: Side, server: Side): u32 {
  if (!serverFirst) return CERTAIN;
  return client.full || server.full ? REQUEST_AGAINST_REPLY : IDENTIFY_MORE;
}

/** What was taken for the client is the server: it sends replies to what can only be requests. */
function scoreSwapped(client: Side, server: Side): u32 {
  if (client.replies == INVALID || server.request == INVALID) return IDENTIFY_NO;
  if (server.request == MORE) return IDENTIFY_MORE;
  return server.known ? REQUEST_KNOWN | IDENTIFY_SWAPPED : IDENTIFY_NO;
}

function canBeServer(side: Side): bool {
  return side.replies != INVALID || side.request != INVALID;
}

function scoreInline(client: Side, server: Side): u32 {
  if (serverFirst) return IDENTIFY_NO;
  const lf = findByte(client.from, client.end, LF);
  let at = client.from;
  while (at < lf && load<u8>(at) > 0x20) at++;
  const length = <u32>(at - client.from);
  if (!isPlain(client.from, lf) || holdsHttp(client.from, lf)) return IDENTIFY_NO;
  if (at == client.end) return length == 0 || isName(client.from, length) ? IDENTIFY_MORE : IDENTIFY_NO;
  if (length > NAME_MAX || !isKnown(client.from, length)) return IDENTIFY_NO;
  const isLong = lf == client.end && client.length == SAMPLE_MAX;
  if (server.replies == INVALID || isLong) return IDENTIFY_NO;
  return server.replies == MORE || lf == client.end ? IDENTIFY_MORE : INLINE;
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
