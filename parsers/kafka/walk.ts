/**
 * The way through a frame: follows its schema (schemas.ts) over any cut of the stream. What is of no interest is passed
 * over by its length, so a gap in there costs nothing; a gap anywhere else ends the reading of this frame, whose end is
 * known nevertheless.
 *
 * Rule: a step takes a field whole or not at all, so that it can be made again when the chunk ends inside it. No length
 * is used before it was compared with what is left of the frame, and no element of an array takes no bytes.
 */
import { be16, varint, varintValue } from '../sdk/bytes';
import { Chunk } from '../sdk/chunk';
import {
  cut,
  cutLength,
  lengthRead,
  need,
  next,
  numberRead,
  readLength,
  readVarint,
  skipBytes,
  take,
  VARINT_MAX,
} from './fields';
import { readFound } from './found';
import { stepRecords } from './records';
import { requestSchema, responseSchema } from './schemas';
import {
  BODY_STAGE,
  CLIENT_ID,
  CLIENT_ID_STAGE,
  Connection,
  DEPTH_MAX,
  Half,
  NO_TEXT,
  REST_STAGE,
  TAGS_STAGE,
} from './state';

/** Reads as far as the chunk goes, at most to the end of the frame, or until there is no room for a definition. */
export function walk(c: Connection, half: Half, chunk: Chunk, isClient: bool): void {
  half.isFresh = false;
  while (half.taken < half.size) {
    if (half.skip > 0) {
      if (!passWhole(half, chunk) && !pass(c, half, chunk)) return;
    } else if (!step(c, half, chunk, isClient)) return;
  }
}

/** Bytes of no interest that all lie in the chunk: so it is with most. */
function passWhole(half: Half, chunk: Chunk): bool {
  const bytes = half.skip;
  if ((half.length | half.capturing) != 0 || chunk.length < bytes) return false;
  chunk.advance(bytes);
  half.taken += bytes;
  half.skip = 0;
  return true;
}

/** Passes over the bytes of a field, or takes them as a text; false when the chunk is used up. */
function pass(c: Connection, half: Half, chunk: Chunk): bool {
  while (half.skip > 0) {
    const isKept = half.length > 0;
    const bytes = min(half.skip, isKept ? half.length : chunk.length);
    if (bytes == 0) return false;
    if (half.capturing != NO_TEXT) c.appendText(half.capturing, isKept ? half.area : chunk.data, bytes);
    half.done(chunk, bytes);
    half.skip -= bytes;
  }
  half.capturing = <u8>NO_TEXT;
  return true;
}

/** The next field; false when the chunk ends inside it. */
function step(c: Connection, half: Half, chunk: Chunk, isClient: bool): bool {
  if (half.tags > 0) return stepTag(half, chunk);
  if (half.stage == BODY_STAGE) {
    return half.batch != 0 ? stepRecords(c, half, chunk, isClient) : stepField(c, half, chunk, isClient);
  }
  if (half.stage == TAGS_STAGE) {
    if (!countTags(half, chunk)) return false;
    half.stage = BODY_STAGE;
  } else if (half.stage == CLIENT_ID_STAGE) {
    const at = need(half, chunk, 2);
    if (at == 0) return half.stage == REST_STAGE;
    const length = <i32>(<i16>be16(at));
    half.done(chunk, 2);
    half.stage = half.isFlexible ? TAGS_STAGE : BODY_STAGE;
    take(c, half, CLIENT_ID, length);
  } else half.passRest(false);
  return true;
}

// ── tagged fields ────────────────────────────────────────────────────────────────────────────────────────────────

function countTags(half: Half, chunk: Chunk): bool {
  if (!half.isFlexible) return true;
  if (!readVarint(half, chunk)) return half.stage == REST_STAGE;
  // Each takes two bytes at least.
  if (numberRead > <u64>(half.left >>> 1)) cut(half);
  else half.tags = <u32>numberRead;
  return true;
}

/** A tagged field: its number, its size, its bytes. */
function stepTag(half: Half, chunk: Chunk): bool {
  let numbers: u32 = 0;
  let from: u32 = 0;
  for (let bytes: u32 = 1; bytes <= VARINT_MAX; bytes++) {
    const at = need(half, chunk, bytes);
    if (at == 0) return half.stage == REST_STAGE;
    if (load<u8>(at + bytes - 1) >= 0x80) continue;
    if (++numbers == 1) {
      from = bytes;
      continue;
    }
    varint(at + from, at + bytes);
    half.done(chunk, bytes);
    half.tags--;
    skipBytes(half, varintValue);
    return true;
  }
  cut(half);
  return true;
}

// ── schemas ──────────────────────────────────────────────────────────────────────────────────────────────────────

let schema: usize = 0;
let schemaLength: u32 = 0;

function stepField(c: Connection, half: Half, chunk: Chunk, isClient: bool): bool {
  const text = isClient ? requestSchema(half.api) : responseSchema(half.api);
  schema = changetype<usize>(text);
  schemaLength = <u32>text.length;
  if (!enterVersion(half)) return true;
  if (half.place >= schemaLength) {
    half.passRest(false);
    return true;
  }
  return read(c, half, chunk, isClient, letter(half.place)) || half.stage == REST_STAGE;
}

function letter(place: u32): u32 {
  return load<u16>(schema + (place << 1));
}

/** Goes behind `3+` or `0-7`, or behind a field of other versions: false. */
function enterVersion(half: Half): bool {
  let place = half.place;
  if (place >= schemaLength || letter(place) - 0x30 > 9) return true;
  const from = numberAt(place);
  place = numberEnd;
  const isOpen = letter(place++) == 0x2b;
  const to = isOpen ? u32.MAX_VALUE : numberAt(place);
  if (!isOpen) place = numberEnd;
  const fits = from <= <u32>half.version && <u32>half.version <= to;
  half.place = fits ? place : behind(place);
  return fits;
}

let numberEnd: u32 = 0;

function numberAt(place: u32): u32 {
  let value: u32 = 0;
  while (letter(place) - 0x30 <= 9) value = value * 10 + letter(place++) - 0x30;
  numberEnd = place;
  return value;
}

/** The place behind a field, or behind the whole of an array or struct. */
function behind(place: u32): u32 {
  let depth: u32 = 0;
  do {
    const char = letter(place++);
    if (isOpening(char)) depth++;
    else if (isClosing(char)) depth--;
  } while (depth > 0);
  return place;
}

/** ( [ { */
function isOpening(char: u32): bool {
  return char == 0x28 || char == 0x5b || char == 0x7b;
}

/** ) ] } */
function isClosing(char: u32): bool {
  return char == 0x29 || char == 0x5d || char == 0x7d;
}

/** Bytes of a field of fixed length that is of no interest, or 0. */
function widthOf(char: u32): u32 {
  switch (char) {
    case 0x62: // b
      return 1;
    case 0x68: // h
      return 2;
    case 0x69: // i
      return 4;
    case 0x6c: // l
      return 8;
    case 0x75: // u
      return 16;
    default:
      return 0;
  }
}

/** The field at `place`; false when it is not there yet. */
function read(c: Connection, half: Half, chunk: Chunk, isClient: bool, char: u32): bool {
  const width = widthOf(char);
  if (width > 0) {
    passNumbers(half, width);
    return true;
  }
  if (char == 0x3f) return openNullable(half, chunk);
  if (isClosing(char)) return close(half, chunk, char);
  if (isOpening(char)) return char == 0x7b ? next(half) : openArray(half, chunk, char);
  return char >= 0x61 ? readPlain(half, chunk, char) : readFound(c, half, chunk, isClient, char);
}

/** This field of so many bytes, and those of fixed length behind it. */
function passNumbers(half: Half, width: u32): void {
  let bytes = width;
  let place = half.place + 1;
  while (place < schemaLength) {
    const more = widthOf(letter(place));
    if (more == 0) break;
    bytes += more;
    place++;
  }
  half.place = place;
  skipBytes(half, bytes);
}

/** A struct, or none when the byte before it is negative. */
function openNullable(half: Half, chunk: Chunk): bool {
  const at = need(half, chunk, 1);
  if (at == 0) return false;
  half.place = load<u8>(at) < 0x80 ? half.place + 1 : behind(half.place + 1);
  half.done(chunk, 1);
  return true;
}

/** String, bytes, records. */
function readPlain(half: Half, chunk: Chunk, char: u32): bool {
  if (!readLength(half, chunk, char != 0x73)) return false;
  half.place++;
  if (lengthRead <= 0) return true;
  if (char != 0x72 || <u32>lengthRead > half.left) skipBytes(half, lengthRead);
  else {
    half.behindRecords = half.left - lengthRead;
    half.batch = 1;
  }
  return true;
}

/** An array: its elements are of one field `( )` or of several `[ ]`. */
function openArray(half: Half, chunk: Chunk, char: u32): bool {
  if (!readLength(half, chunk, true)) return false;
  const width = char == 0x28 ? widthOf(letter(half.place + 1)) : 0;
  if (lengthRead <= 0 || width > 0) {
    half.place = behind(half.place);
    if (lengthRead > 0) skipBytes(half, <u64>lengthRead * width);
    return true;
  }
  if (<u32>lengthRead > half.left || <u32>half.depth == DEPTH_MAX) return cutLength(half);
  const level = half.level(half.depth++);
  store<u32>(level, ++half.place);
  store<u32>(level, lengthRead, 4);
  store<u32>(level, half.left, 8);
  return true;
}

/** The end of an element or of a struct. */
function close(half: Half, chunk: Chunk, char: u32): bool {
  if (char != 0x29 && !half.tagsCounted) {
    if (!countTags(half, chunk)) return false;
    half.tagsCounted = true;
    return true;
  }
  half.tagsCounted = false;
  if (char == 0x7d) return next(half);
  const level = half.level(half.depth - 1);
  const elements = load<u32>(level, 4) - 1;
  if (elements == 0) {
    half.depth--;
    return next(half);
  }
  if (load<u32>(level, 8) == half.left) return cutLength(half);
  store<u32>(level, elements, 4);
  store<u32>(level, half.left, 8);
  half.place = load<u32>(level);
  return true;
}
