/**
 * Is this MySQL, and who asks?
 *
 *   the server speaks first, a greeting                       certain: version, zero and filler stand where they must
 *   the server speaks first, an ERR                           too many connections, or not allowed
 *   the client says what answers a greeting                   the greeting was lost
 *   the server speaks first, anything else                    joined in mid-stream: what the client says next decides
 *   the client says a command that ends where the turn does,
 *   and the server's first packet has number 1 and a shape
 *   that answers it                                           joined in mid-stream, between two exchanges
 *
 * Rule: a refusal is final, so it is given only when no further byte can change it; and half an exchange is never enough.
 */
import { DATA, FROM_CLIENT, FROM_SERVER, IDENTIFY_MORE, IDENTIFY_NO, IDENTIFY_SWAPPED } from '../sdk/abi';
import { copy, findByte, isDigit, le16, le24 } from '../sdk/bytes';
import { Chunk } from '../sdk/chunk';
import { fits, INIT_DB, isExecute, isSilent, isStream, QUERY, STATISTICS, STMT_FETCH, STMT_PREPARE } from './commands';
import { FULL, HEADER } from './packet';
import { beginsText } from './statement';

const CERTAIN: u32 = 100;
const GREETING: u32 = 90;
const REFUSAL: u32 = 60;
const STATEMENT: u32 = 75;
const COMMAND: u32 = 60;
const LOGIN: u32 = 70;

const SAMPLE: u32 = 128;
const asked: usize = memory.data(128, 8);
const answered: usize = memory.data(128, 8);
/** A greeting without its version has 45 bytes at least; the name of an authentication plugin may follow. */
const GREETING_MIN: u32 = 40;
const GREETING_MAX: u32 = 400;
const ANSWER_MIN: u32 = 32;
const PROTOCOL_41: u32 = 1 << 9;
const PACKET_MAX: u32 = 1 << 30;

let index: u32 = 0;
let askedBytes: u32 = 0;
let askedLength: u64 = 0;
let answeredBytes: u32 = 0;
let isOver: bool = false;

export function identify(count: u32): u32 {
  const straight = judge(count, FROM_CLIENT);
  if (straight > <u32>IDENTIFY_MORE) return straight;
  const swapped = judge(count, FROM_SERVER);
  return swapped > <u32>IDENTIFY_MORE ? swapped | IDENTIFY_SWAPPED : max(straight, swapped);
}

/** Score if `client` is the direction that asks. */
function judge(count: u32, client: u32): u32 {
  index = 0;
  const hasBegun = skipEmpty(count);
  if (!hasBegun) return IDENTIFY_MORE;
  if (Chunk.at(index).direction == client) return judgeExchange(count, client);
  answeredBytes = takeRun(count, 1 - client, answered);
  const greeting = judgeGreeting(answered, answeredBytes);
  if (greeting == IDENTIFY_NO) return joinLater(count, client);
  if (greeting == IDENTIFY_MORE) return isOver ? IDENTIFY_NO : IDENTIFY_MORE;
  if (greeting == REFUSAL) return REFUSAL;
  askedBytes = index < count ? takeRun(count, client, asked) : 0;
  if (askedBytes < HEADER) return GREETING;
  return load<u8>(asked, 3) == 1 && le24(asked) >= ANSWER_MIN ? CERTAIN : IDENTIFY_NO;
}

/** The rest of a response; only where the host saw who opened the connection is it worth to wait for the next turn. */
function joinLater(count: u32, client: u32): u32 {
  if (client != FROM_CLIENT) return IDENTIFY_NO;
  return index < count ? judgeExchange(count, client) : IDENTIFY_MORE;
}

function skipEmpty(count: u32): bool {
  while (index < count && Chunk.at(index).kind == DATA && Chunk.at(index).length == 0) index++;
  return index < count;
}

/** Copies the beginning of what one direction says until the other does; goes behind it. */
function takeRun(count: u32, direction: u32, to: usize): u32 {
  let bytes: u32 = 0;
  let isWhole = true;
  askedLength = 0;
  while (index < count && Chunk.at(index).direction == direction) {
    const chunk = Chunk.at(index++);
    if (chunk.kind != DATA) isWhole = false;
    askedLength += chunk.wireLength;
    const some = isWhole ? min(chunk.length, SAMPLE - bytes) : 0;
    copy(to + bytes, chunk.data, some);
    bytes += some;
    if (chunk.missing > 0) isWhole = false;
  }
  isOver = index < count || !isWhole || bytes == SAMPLE;
  return bytes;
}

// ── a greeting ────────────────────────────────────────────────────────────────────────────────────────────────────

function judgeGreeting(at: usize, bytes: u32): u32 {
  if (bytes >= HEADER && load<u8>(at, 3) != 0) return IDENTIFY_NO;
  if (bytes <= HEADER) return IDENTIFY_MORE;
  const length = le24(at);
  const end = at + min(bytes, length + HEADER);
  const kind = <u32>load<u8>(at, HEADER);
  if (kind == 0xff) return judgeRefusal(at + HEADER, end, length);
  if (kind != 10 || length < GREETING_MIN || length > GREETING_MAX) return IDENTIFY_NO;
  const version = at + HEADER + 1;
  const zero = findByte(version, end, 0);
  if (version < end && !isDigit(load<u8>(version))) return IDENTIFY_NO;
  if (!isPrintable(version, zero) || zero - version > 80 || zero == version)
    return zero == version && zero == end ? IDENTIFY_MORE : IDENTIFY_NO;
  if (zero + 13 >= end) return IDENTIFY_MORE;
  return load<u8>(zero, 13) == 0 ? GREETING : IDENTIFY_NO;
}

/** ERR instead of a greeting: a number, and a message with or without SQLSTATE. */
function judgeRefusal(at: usize, end: usize, length: u32): u32 {
  if (length < 6 || length > GREETING_MAX) return IDENTIFY_NO;
  if (end - at >= 3 && le16(at + 1) - 1000 > 4000) return IDENTIFY_NO;
  if (end - at > 3 && !isPrintable(at + 3, end)) return IDENTIFY_NO;
  return <u32>(end - at) >= min(length, 40) ? REFUSAL : IDENTIFY_MORE;
}

function isPrintable(at: usize, end: usize): bool {
  for (; at < end; at++) if (<u32>load<u8>(at) - 0x20 > 0x5e) return false;
  return true;
}

// ── an exchange ───────────────────────────────────────────────────────────────────────────────────────────────────

function judgeExchange(count: u32, client: u32): u32 {
  askedBytes = takeRun(count, client, asked);
  const login = judgeLogin();
  if (login != IDENTIFY_NO) return login;
  const wasOver = isOver;
  const isAnswered = index < count;
  const command = askedBytes > HEADER ? <u32>load<u8>(asked, HEADER) : 0;
  const verdict = judgeCommand(command);
  if (verdict != COMMAND) return verdict == IDENTIFY_MORE && wasOver ? IDENTIFY_NO : verdict;
  if (!isAnswered) return IDENTIFY_MORE;
  if (!endsWithTurn()) return IDENTIFY_NO;
  answeredBytes = takeRun(count, 1 - client, answered);
  if (answeredBytes >= HEADER && load<u8>(answered, 3) != 1) return IDENTIFY_NO;
  if (answeredBytes < HEADER + 2) return isOver ? IDENTIFY_NO : IDENTIFY_MORE;
  if (!isAnswer(command, le24(answered))) return IDENTIFY_NO;
  return command == QUERY || command == STMT_PREPARE ? STATEMENT : COMMAND;
}

/** The answer to a greeting that was lost: number 1, protocol 4.1, no packet larger than can be, and 19 zeros. */
function judgeLogin(): u32 {
  if (askedBytes < HEADER || load<u8>(asked, 3) != 1 || le24(asked) < ANSWER_MIN) return IDENTIFY_NO;
  if (askedBytes < HEADER + ANSWER_MIN) return isOver ? IDENTIFY_NO : IDENTIFY_MORE;
  const payload = asked + HEADER;
  const hasProtocol = (load<u32>(payload) & PROTOCOL_41) != 0 && load<u32>(payload, 4) <= PACKET_MAX;
  const isFilled = (load<u64>(payload, 9) | load<u64>(payload, 17) | load<u32>(payload, 24)) == 0;
  return hasProtocol && isFilled ? LOGIN : IDENTIFY_NO;
}

/** COMMAND when the sample begins with one that is answered. */
function judgeCommand(command: u32): u32 {
  if (askedBytes >= HEADER && load<u8>(asked, 3) != 0) return IDENTIFY_NO;
  if (askedBytes <= HEADER) return IDENTIFY_MORE;
  const length = le24(asked);
  if (length == FULL || !fits(command, length) || isSilent(command) || isStream(command)) return IDENTIFY_NO;
  const hasText = command == QUERY || command == STMT_PREPARE || command == INIT_DB;
  if (!hasText) return COMMAND;
  if (askedBytes < HEADER + 3) return IDENTIFY_MORE;
  const first = <u32>load<u8>(asked, HEADER + 1);
  const hasAttributes = command == QUERY && first == 0 && load<u8>(asked, HEADER + 2) == 1;
  const isName = command == INIT_DB && first > 0x20;
  return hasAttributes || isName || beginsText(first) ? COMMAND : IDENTIFY_NO;
}

/** The turn ends with the command, or another one follows. */
function endsWithTurn(): bool {
  const size = le24(asked) + HEADER;
  if (<u64>size >= askedLength) return <u64>size == askedLength;
  if (askedBytes < HEADER + 1 || size > askedBytes - HEADER - 1) return size > askedBytes;
  return load<u8>(asked + size, 3) == 0 && fits(load<u8>(asked + size, HEADER), le24(asked + size));
}

/** Whether a packet of this length and beginning answers the command. */
function isAnswer(command: u32, length: u32): bool {
  const kind = <u32>load<u8>(answered, HEADER);
  if (kind == 0xff) return length >= 9 && answeredBytes > HEADER + 2 && le16(answered + HEADER + 1) - 1000 <= 4000;
  if (command == STATISTICS) return length >= 16 && kind - 0x41 < 26;
  if (command == STMT_PREPARE) return kind == 0 && (length == 12 || length == 13);
  if (command == STMT_FETCH) return kind == 0 || (kind == 0xfe && length < 16);
  if (kind == 0 || kind == 0xfe) return length >= (kind == 0 ? 7 : 5) && length < 512;
  const hasColumns = command == QUERY || command == 0x0a || isExecute(command);
  return hasColumns && kind < 0xfb && (length == 1 || (length == 2 && load<u8>(answered, HEADER + 1) <= 1));
}
