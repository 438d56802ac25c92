/** The fields that are reported, each as its capital letter in schemas.ts says. */
import { be16, be32, be64 } from '../sdk/bytes';
import { Chunk } from '../sdk/chunk';
import { Definition, hasRoom } from '../sdk/output';
import { MESSAGING_DESTINATION_NAME } from './attributes';
import { lengthRead, need, next, readLength, skipBytes, take } from './fields';
import { ANSWER, Connection, GROUP, Half, TOPIC, TRANSACTION } from './state';

/** A field with a capital letter. */
export function readFound(c: Connection, half: Half, chunk: Chunk, isClient: bool, char: u32): bool {
  switch (char) {
    case 0x45: // E
      return readError(half, chunk);
    case 0x4f: // O
      return readOffset(half, chunk);
    case 0x50: // P
      return readPartition(half, chunk);
    case 0x54: // T
      return readTopic(c, half, chunk, isClient);
    case 0x55: // U
      return readTopicId(half, chunk);
    case 0x47: // G
    case 0x4b: // K
      if (!readLength(half, chunk, false)) return false;
      half.groups++;
      take(c, half, GROUP, lengthRead);
      return next(half);
    case 0x58: // X
      if (!readLength(half, chunk, false)) return false;
      take(c, half, TRANSACTION, lengthRead);
      return next(half);
    case 0x4e: // N
      if (!readLength(half, chunk, false)) return false;
      take(c, half, ANSWER, lengthRead);
      return next(half);
    case 0x44: // D
      return define(c, half, chunk);
    case 0x41: // A
      return readAcks(half, chunk);
    default: // Y
      return readKeyType(half, chunk);
  }
}

function readError(half: Half, chunk: Chunk): bool {
  const at = need(half, chunk, 2);
  if (at == 0) return false;
  const code = <i32>(<i16>be16(at));
  half.done(chunk, 2);
  if (code != 0 && half.errors++ == 0) half.error = code;
  return next(half);
}

/** Where the first record of a partition lies; -1 when it was refused. */
function readOffset(half: Half, chunk: Chunk): bool {
  const at = need(half, chunk, 8);
  if (at == 0) return false;
  if (half.offsets++ == 0) half.offset = be64(at);
  half.done(chunk, 8);
  return next(half);
}

function readPartition(half: Half, chunk: Chunk): bool {
  const at = need(half, chunk, 4);
  if (at == 0) return false;
  if (half.partitions++ == 0) half.partition = be32(at);
  half.done(chunk, 4);
  return next(half);
}

/** Only the first topic is kept: of several, none is reported. */
function readTopic(c: Connection, half: Half, chunk: Chunk, isClient: bool): bool {
  if (!readLength(half, chunk, false)) return false;
  if (lengthRead > 0 && half.topics++ == 0) take(c, half, isClient ? TOPIC : ANSWER, lengthRead);
  else if (lengthRead > 0) skipBytes(half, lengthRead);
  return next(half);
}

function readTopicId(half: Half, chunk: Chunk): bool {
  const at = need(half, chunk, 16);
  if (at == 0) return false;
  const id = fold(at);
  half.done(chunk, 16);
  if (id != 0 && half.topics++ == 0) half.topicId = id;
  return next(half);
}

function readAcks(half: Half, chunk: Chunk): bool {
  const at = need(half, chunk, 2);
  if (at == 0) return false;
  half.acks = <i32>(<i16>be16(at));
  half.hasAcks = true;
  half.done(chunk, 2);
  return next(half);
}

function readKeyType(half: Half, chunk: Chunk): bool {
  const at = need(half, chunk, 1);
  if (at == 0) return false;
  half.keyType = load<u8>(at);
  half.done(chunk, 1);
  return next(half);
}

/** What later messages mean by this id. One definition for each look at the room that is left. */
function define(c: Connection, half: Half, chunk: Chunk): bool {
  const at = need(half, chunk, 16);
  if (at == 0 || !hasRoom()) return false;
  const id = fold(at);
  const length = c.textLength(ANSWER);
  half.done(chunk, 16);
  half.place++;
  if (id == 0 || length == 0) return true;
  const definition = Definition.open(c.slot, id);
  // An id is unique in the world, and clients ask for metadata on one connection and fetch on another.
  definition.share();
  definition.string(MESSAGING_DESTINATION_NAME, c.text(ANSWER), length);
  definition.commit();
  return true;
}

/** A topic id as a key of 64 bits; 0 for none. */
function fold(at: usize): u64 {
  return be64(at) ^ be64(at + 8);
}
