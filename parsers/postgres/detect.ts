/**
 * Is this PostgreSQL, and who asks? A start-up packet names protocol 3 and a user; a request for encryption is eight
 * fixed bytes. Joined in mid-stream, messages are walked: their types, lengths and a few bodies have to fit.
 *
 *   client        server        therefore
 *   start-up      nothing yet   certain
 *   messages      messages      clear, and the other way round when only that fits
 *   messages      nothing yet   clear when they say enough
 *   nothing yet   messages      wait
 *
 * Rule: a refusal is final, so it is given only when no further byte can change it.
 */
import { FROM_CLIENT, FROM_SERVER, IDENTIFY_MORE, IDENTIFY_NO, IDENTIFY_SWAPPED } from '../sdk/abi';
import { be32, findByte } from '../sdk/bytes';
import { sample } from '../sdk/sample';
import { CANCEL_REQUEST, fits, HEADER, isStartup, isUntyped, UNTYPED_HEADER } from './header';

const SAMPLE_MAX: u32 = 512;
const CERTAIN: u32 = 100;
const CLEAR: u32 = 90;
const LIKELY: u32 = 70;
/** Bytes of a text that have to look like one, when its end is not there. */
const TEXT_MIN: usize = 16;

const samples: usize = memory.data(512, 8);

export function identify(count: u32): u32 {
  const score = judge(count, FROM_CLIENT, FROM_SERVER);
  if (score > <u32>IDENTIFY_MORE) return score;
  const swapped = judge(count, FROM_SERVER, FROM_CLIENT);
  if (swapped > <u32>IDENTIFY_MORE) return swapped | IDENTIFY_SWAPPED;
  return score == IDENTIFY_MORE || swapped == IDENTIFY_MORE ? IDENTIFY_MORE : IDENTIFY_NO;
}

/** The score if it is `client` that asks. */
function judge(count: u32, client: u32, server: u32): u32 {
  const length = sample(count, client, samples, SAMPLE_MAX);
  const start = lookAtStart(samples, samples + length);
  if (start == CERTAIN) return CERTAIN;
  const asks = max(start, walk(samples, samples + length, true));
  if (asks == IDENTIFY_NO) return IDENTIFY_NO;
  const there = sample(count, server, samples, SAMPLE_MAX);
  const answers = walk(samples, samples + there, false);
  if (answers == IDENTIFY_NO) return IDENTIFY_NO;
  if (asks == IDENTIFY_MORE) return IDENTIFY_MORE;
  return answers == IDENTIFY_MORE ? LIKELY : CLEAR;
}

/** CERTAIN, MORE or NO: an untyped packet. */
function lookAtStart(at: usize, end: usize): u32 {
  const there = <u32>(end - at);
  if (there == 0) return IDENTIFY_MORE;
  if (load<u8>(at) != 0) return IDENTIFY_NO;
  if (there < UNTYPED_HEADER) return there < 2 || load<u8>(at, 1) == 0 ? IDENTIFY_MORE : IDENTIFY_NO;
  const length = be32(at);
  const code = be32(at + 4);
  if (!isUntyped(length, code)) return IDENTIFY_NO;
  if (code == CANCEL_REQUEST && there != length) return there < length ? IDENTIFY_MORE : IDENTIFY_NO;
  if (!isStartup(code)) return CERTAIN;
  return lookAtParameters(at + UNTYPED_HEADER, min<usize>(end, at + length), there >= min(length, SAMPLE_MAX));
}

/** Texts in pairs; the user is always among them. */
function lookAtParameters(at: usize, end: usize, isWhole: bool): u32 {
  for (let byte = at; byte < end; byte++) {
    const value = <u32>load<u8>(byte);
    if (value < 0x20 && value != 0) return IDENTIFY_NO;
  }
  while (at < end) {
    if (load<u8>(at) == 0) return IDENTIFY_NO;
    const zero = findByte(at, end, 0);
    if (zero - at == 4 && zero < end && load<u32>(at) == 0x72657375) return CERTAIN; // "user"
    at = zero < end ? findByte(zero + 1, end, 0) + 1 : end;
  }
  return isWhole ? IDENTIFY_NO : IDENTIFY_MORE;
}

/** CLEAR when messages follow each other that say enough, MORE when they may come to, NO when they do not fit. */
function walk(at: usize, end: usize, isClient: bool): u32 {
  let sure: u32 = 0;
  while (end - at >= HEADER) {
    const type = <u32>load<u8>(at);
    const length = be32(at + 1);
    if (!fits(type, length, isClient)) return IDENTIFY_NO;
    const there = end - at;
    const isWhole = there > length;
    const body = min<usize>(there, <usize>length + 1) - HEADER;
    if (!bodyFits(type, at + HEADER, body, isWhole, isClient)) return IDENTIFY_NO;
    sure += weight(type, isWhole, body, isClient);
    if (!isWhole) return sure >= 2 ? CLEAR : IDENTIFY_MORE;
    at += length + 1;
  }
  if (at < end && !isType(load<u8>(at), isClient)) return IDENTIFY_NO;
  return sure >= 2 ? CLEAR : IDENTIFY_MORE;
}

function isType(type: u32, isClient: bool): bool {
  return fits(type, 4, isClient) || fits(type, 5, isClient) || fits(type, 32, isClient);
}

/** 2 for a message that is enough by itself. */
function weight(type: u32, isWhole: bool, body: usize, isClient: bool): u32 {
  const isText = isClient ? type == 0x51 || type == 0x50 : type == 0x5a || type == 0x43 || type == 0x45;
  if (isText) return isWhole || (isClient && body >= TEXT_MIN) ? 2 : 0;
  return isWhole ? 1 : 0;
}

/** What is there of a body that only looks right when it is one. */
function bodyFits(type: u32, at: usize, length: usize, isWhole: bool, isClient: bool): bool {
  if (isClient) {
    if (type == 0x51) return isText(at, at + length, isWhole);
    if (type == 0x44 || type == 0x43) return length == 0 || load<u8>(at) == 0x53 || load<u8>(at) == 0x50;
    if (type == 0x50) return isText(at, findByte(at, at + length, 0), false);
    if (type == 0x42 || type == 0x45) return isText(at, findByte(at, at + length, 0), false);
    return true;
  }
  if (type == 0x5a) return length == 0 || isStatus(load<u8>(at));
  if (type == 0x43) return isText(at, at + length, isWhole);
  if (type == 0x45 || type == 0x4e) return length == 0 || load<u8>(at) == 0x53;
  if (type == 0x52) return length < 4 || be32(at) <= 12;
  return true;
}

function isStatus(byte: u32): bool {
  return byte == 0x49 || byte == 0x54 || byte == 0x45;
}

/** Printable, tabs and lines; when it is whole, with a zero at its end and none before it. */
function isText(at: usize, end: usize, isWhole: bool): bool {
  if (isWhole && (at == end || load<u8>(end - 1) != 0)) return false;
  const last = isWhole ? end - 1 : end;
  for (; at < last; at++) {
    const byte = <u32>load<u8>(at);
    if (byte < 0x20 && byte != 0x09 && byte != 0x0a && byte != 0x0d && byte != 0x0c) return false;
  }
  return true;
}
