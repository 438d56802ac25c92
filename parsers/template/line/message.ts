/**
 * The grammar of a line, and what is reported of it.
 *
 *   GET apples         a word of capital letters; arguments
 *   OK 5               answer
 *   ERR 404 no such    answer: an error with a number
 */
import { REQUEST, RESPONSE } from '../../sdk/abi';
import { isDigit, isText, startsWith } from '../../sdk/bytes';
import { frameAt, frameBytes, frameFirst } from '../../sdk/framer';
import { Message } from '../../sdk/output';
import { RPC_METHOD } from './attributes';
import { Connection } from './state';

const SPACE: u32 = 0x20;
const TAB: u32 = 0x09;
const DELETE: u32 = 0x7f;
const WORD_MAX: usize = 16;
const DIGITS_MAX: usize = 5;
/** Length of `ERR `. */
const ERROR_NUMBER: usize = 4;

export function isCommand(from: usize, end: usize): bool {
  const length = wordEnd(from, end) - from;
  return length > 0 && length <= WORD_MAX && isArguments(from + length, end);
}

export function isAnswer(from: usize, end: usize): bool {
  if (isText(from, end, 'OK')) return true;
  if (startsWith(from, end, 'OK ')) return isArguments(from + 2, end);
  if (!startsWith(from, end, 'ERR ')) return false;
  const number = from + ERROR_NUMBER;
  const length = digitsEnd(number, end) - number;
  return length > 0 && length <= DIGITS_MAX && isArguments(number + length, end);
}

export function writeCommand(c: Connection, end: usize, now: u64): void {
  const message = begin(c, REQUEST, now);
  message.string(RPC_METHOD, frameAt, wordEnd(frameAt, end) - frameAt);
  message.commit();
}

export function writeAnswer(c: Connection, end: usize, now: u64): void {
  const message = begin(c, RESPONSE, now);
  if (startsWith(frameAt, end, 'ERR ')) message.status = readNumber(frameAt + ERROR_NUMBER, end);
  message.commit();
}

function begin(c: Connection, type: u32, now: u64): Message {
  const message = Message.open(c.slot, type);
  message.first = frameFirst;
  message.last = now;
  message.bytes = frameBytes;
  return message;
}

/** Nothing, or a space and text. */
function isArguments(at: usize, end: usize): bool {
  if (at < end && load<u8>(at) != SPACE) return false;
  for (; at < end; at++) {
    const byte = <u32>load<u8>(at);
    if ((byte < SPACE && byte != TAB) || byte == DELETE) return false;
  }
  return true;
}

function wordEnd(at: usize, end: usize): usize {
  while (at < end && <u32>load<u8>(at) - 0x41 < 26) at++;
  return at;
}

function digitsEnd(at: usize, end: usize): usize {
  while (at < end && isDigit(load<u8>(at))) at++;
  return at;
}

function readNumber(at: usize, end: usize): u32 {
  let value: u32 = 0;
  for (; at < end && isDigit(load<u8>(at)); at++) value = value * 10 + (<u32>load<u8>(at) - 0x30);
  return value;
}
