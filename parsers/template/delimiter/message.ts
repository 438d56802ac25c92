/**
 * The grammar of a record, and what is reported of it. Its first byte says what it is; behind a unit separator comes a
 * body of any bytes but the record separator.
 *
 *   ?sum US 1,2        a call: name, arguments
 *   = US 3             its result
 *   !overflow US …     its result: an error with a name
 *   *stock US …        sent by the server unasked
 */
import { MESSAGE_ERROR, MESSAGE_PUSH, REQUEST, RESPONSE } from '../../sdk/abi';
import { frameAt, frameBytes, frameFirst, frameKept } from '../../sdk/framer';
import { Message } from '../../sdk/output';
import { ERROR_TYPE, RPC_METHOD } from './attributes';
import { Connection } from './state';

const CALL: u32 = 0x3f; // ?
const RESULT: u32 = 0x3d; // =
const FAILURE: u32 = 0x21; // !
const PUSH: u32 = 0x2a; // *
const UNIT_SEPARATOR: u32 = 0x1f;
const WORD_MAX: usize = 32;

export function isRecord(isClient: bool, from: usize, end: usize): bool {
  if (from == end) return false;
  const kind = <u32>load<u8>(from);
  if (isClient != (kind == CALL)) return false;
  const after = wordEnd(from + 1, end);
  const length = after - (from + 1);
  if (after < end && load<u8>(after) != UNIT_SEPARATOR) return false;
  if (kind == RESULT) return length == 0;
  return (isClient || kind == FAILURE || kind == PUSH) && length > 0 && length <= WORD_MAX;
}

export function writeRecord(c: Connection, now: u64): void {
  const kind = <u32>load<u8>(frameAt);
  const word = frameAt + 1;
  const length = wordEnd(word, frameAt + frameKept) - word;
  const message = Message.open(c.slot, kind == CALL ? REQUEST : RESPONSE);
  message.first = frameFirst;
  message.last = now;
  message.bytes = frameBytes;
  message.bodyBytes = bodyLength(length);
  if (kind == FAILURE) {
    message.flag(MESSAGE_ERROR);
    message.string(ERROR_TYPE, word, length);
  } else if (kind != RESULT) message.string(RPC_METHOD, word, length);
  if (kind == PUSH) message.flag(MESSAGE_PUSH);
  message.commit();
}

/** Without kind, word and both separators; the unit separator may be missing. */
function bodyLength(word: usize): u64 {
  const framing = <u64>word + 3;
  return frameBytes > framing ? frameBytes - framing : 0;
}

/** Lower-case letters, digits, dots and underscores. */
function wordEnd(at: usize, end: usize): usize {
  while (at < end && isWordByte(load<u8>(at))) at++;
  return at;
}

function isWordByte(byte: u32): bool {
  return byte - 0x61 < 26 || byte - 0x30 < 10 || byte == 0x2e || byte == 0x5f;
}
