/**
 * Writes the output arena: messages with their attributes, definitions, and hints.
 *
 *   beginOutput();                                    // at the start of run
 *   const chunk = enter(index);                       // for each chunk
 *   if (!hasRoom()) return index;                     // before every message
 *   const message = Message.open(slot, REQUEST);      // at most one is open
 *   message.string(URL_PATH, from, length);
 *   message.commit();
 *   endOutput();                                      // at the end of run
 *
 * Invariant: between `hasRoom` and the next `hasRoom` a parser writes at most one message or definition and HINTS hints.
 * Neither outgrows its share: an attribute that does not fit is left out, and the message marked partial.
 * A message that cannot be finished within its chunk is kept in the slot (`keep`) and taken back later (`restore`).
 */

import {
  ATTRIBUTE_ID,
  ATTRIBUTE_LENGTH,
  ATTRIBUTE_VALUE,
  ATTRIBUTES_MAX,
  DEFINE,
  DEFINE_SHARED,
  MESSAGE_ATTRIBUTES,
  MESSAGE_BODY_BYTES,
  MESSAGE_BYTES,
  MESSAGE_FIRST,
  MESSAGE_KEY,
  MESSAGE_LAST,
  MESSAGE_MAX,
  MESSAGE_PARTIAL,
  MESSAGE_PROTOCOL,
  MESSAGE_SIZE,
  MESSAGE_STATUS,
  OUT_FLAGS,
  OUT_KEY,
  OUT_LONG,
  OUT_SHORT,
  OUT_SLOT,
  OUT_TYPE,
  OUT_VALUE,
  PAIR_KEY,
  PAIRS_MAX,
  REFERENCE,
  SKIP,
  STRING_MAX,
  UNDEFINE,
} from './abi';
import { copy, copyPadded } from './bytes';
import { Chunk } from './chunk';
import { outputArena, outputLimit, setCurrent, setOutputLength } from './module';
import { nameLength, nameText } from './names';

/** Hints that may accompany one message; SKIP and UNDEFINE count as two. */
const HINTS = 4;
/** Longest message this SDK writes: what the host grants, less the hints. */
export const MESSAGE_LIMIT = MESSAGE_MAX - HINTS * OUT_SHORT;

/** Pairs end before this: what else a message says keeps room for a string and trace context. */
const PAIRS_LIMIT = MESSAGE_LIMIT - STRING_MAX - 512;

let cursor: usize = 0;
/** Where the next attribute of the open message goes. */
let tail: usize = 0;

export function beginOutput(): void {
  cursor = outputArena;
}

export function endOutput(): void {
  setOutputLength(<u32>(cursor - outputArena));
}

/** The chunk to work on next. All output so far stands, whatever happens from here on. */
export function enter(index: u32): Chunk {
  setCurrent(index, <u32>(cursor - outputArena));
  return Chunk.at(index);
}

/** Whether another message and its hints fit for certain. */
export function hasRoom(): bool {
  return outputLimit - cursor >= <usize>MESSAGE_MAX;
}

export function hint(slot: u32, type: u32, value: u32 = 0): void {
  store<u32>(cursor, OUT_SHORT);
  store<u32>(cursor, slot, OUT_SLOT);
  store<u32>(cursor, type, OUT_TYPE);
  store<u32>(cursor, value, OUT_VALUE);
  cursor += OUT_SHORT;
}

/** A hint in front of a message that is open: it moves, and goes on where it then lies. */
export function hintAhead(message: Message, type: u32, value: u32 = 0): Message {
  const size = message.size;
  const slot = message.slot;
  // The two overlap.
  memory.copy(cursor + OUT_SHORT, cursor, size);
  hint(slot, type, value);
  tail = cursor + size;
  return changetype<Message>(cursor);
}

/** Bytes of a direction before a stream offset are not needed: the host may deliver them uncaptured. */
export function skip(slot: u32, direction: u32, offset: u64): void {
  longHint(slot, SKIP, direction, offset);
}

/** Forgets a definition. */
export function undefine(slot: u32, key: u64): void {
  longHint(slot, UNDEFINE, 0, key);
}

function longHint(slot: u32, type: u32, value: u32, key: u64): void {
  hint(slot, type, value);
  store<u32>(cursor - OUT_SHORT, OUT_LONG);
  store<u64>(cursor, key);
  cursor += OUT_LONG - OUT_SHORT;
}

/** What a pair takes up. */
function pairSize(name: usize, length: usize): usize {
  return (<usize>ATTRIBUTE_VALUE + PAIR_KEY + nameLength(name) + length + 3) & ~3;
}

/** Writes a pair that fits. */
function putPair(id: u32, name: usize, from: usize, length: usize): void {
  const size = pairSize(name, length);
  const keyLength = nameLength(name);
  store<u32>(tail + size - 4, 0);
  store<u16>(tail, <u16>id, ATTRIBUTE_ID);
  store<u16>(tail, <u16>(keyLength + length + PAIR_KEY), ATTRIBUTE_LENGTH);
  store<u16>(tail, <u16>keyLength, ATTRIBUTE_VALUE);
  copy(tail + ATTRIBUTE_VALUE + PAIR_KEY, nameText(name), keyLength);
  copy(tail + ATTRIBUTE_VALUE + PAIR_KEY + keyLength, from, length);
  tail += size;
}

@unmanaged
export class Message {
  length: u32;
  slot: u32;
  type: u16;
  flags: u16;
  status: u32;
  key: u64;
  first: u64;
  last: u64;
  bytes: u64;
  bodyBytes: u64;
  attributes: u16;
  protocol: u8;
  /** Reserved in the record; here, until `commit`, pairs so far. */
  private pairs: u8;
  reserved2: u32;

  /** Starts a message at the end of the output; nothing is written for good before `commit`. */
  static open(slot: u32, type: u32): Message {
    const at = cursor;
    // `memory.fill` costs more than stores of the whole header, and so does a loop, for its fuel.
    store<u64>(at, (<u64>slot) << (OUT_SLOT * 8));
    store<u64>(at, <u64>type, OUT_TYPE);
    store<u64>(at, 0, 16);
    store<u64>(at, 0, 24);
    store<u64>(at, 0, 32);
    store<u64>(at, 0, 40);
    store<u64>(at, 0, 48);
    store<u64>(at, 0, 56);
    if (MESSAGE_SIZE != 64 || OUT_SLOT != 4 || OUT_TYPE != 8) ERROR('open() writes a header of 64 bytes');
    tail = at + MESSAGE_SIZE;
    return changetype<Message>(at);
  }

  /** Takes a message back that `keep` stored at `from`. */
  static restore(from: usize, slot: u32): Message {
    const length = load<u32>(from);
    copy(cursor, from, length);
    const message = changetype<Message>(cursor);
    message.slot = slot;
    tail = cursor + length;
    return message;
  }

  /** Bytes `keep` will write. */
  get size(): u32 {
    return <u32>(tail - changetype<usize>(this));
  }

  /** Stores the unfinished message at `to` (in the slot), `size` bytes, and takes it off the output. */
  keep(to: usize): void {
    this.length = this.size;
    copy(to, changetype<usize>(this), this.length);
  }

  /** Sets MESSAGE flags. */
  flag(bits: u32): void {
    this.flags |= <u16>bits;
  }

  commit(): void {
    const length = (this.size + 7) & ~7;
    this.pairs = 0;
    store<u32>(tail, 0);
    this.length = length;
    cursor += length;
  }

  /** A string attribute; cut at STRING_MAX. Padding is zero: nothing that is not part of the value leaves the module. */
  string(id: u32, from: usize, length: usize): void {
    if (length > <usize>STRING_MAX) {
      length = <usize>STRING_MAX;
      this.flag(MESSAGE_PARTIAL);
    }
    const at = tail;
    const size = (<usize>ATTRIBUTE_VALUE + length + 3) & ~3;
    if (!this.claim(at, size)) return;
    this.put(at, id, length);
    tail = at + size;
    if (length != 0) copyPadded(at + ATTRIBUTE_VALUE, from, length);
  }

  /** A string attribute of at most four bytes: `text` holds them, the first one lowest, and zeroes above. */
  @inline
  short(id: u32, text: u32, length: u32): void {
    const at = tail;
    if (!this.claim(at, ATTRIBUTE_VALUE + 4)) return;
    this.put(at, id, length);
    store<u32>(at, text, ATTRIBUTE_VALUE);
    tail = at + ATTRIBUTE_VALUE + 4;
  }

  /** One element of an attribute whose name ends with a name of the configuration (`Names.find`). */
  pair(id: u32, name: usize, from: usize, length: usize): void {
    if (length > <usize>STRING_MAX) {
      length = <usize>STRING_MAX;
      this.flag(MESSAGE_PARTIAL);
    }
    const size = pairSize(name, length);
    if (this.pairs == <u8>PAIRS_MAX || <usize>this.size + size > <usize>PAIRS_LIMIT || !this.claim(tail, size)) {
      this.flag(MESSAGE_PARTIAL);
      return;
    }
    this.pairs++;
    putPair(id, name, from, length);
  }

  int(id: u32, value: i64): void {
    const at = tail;
    if (!this.claim(at, ATTRIBUTE_VALUE + 8)) return;
    this.put(at, id, 8);
    store<i64>(at, value, ATTRIBUTE_VALUE);
    tail = at + ATTRIBUTE_VALUE + 8;
  }

  double(id: u32, value: f64): void {
    this.int(id, reinterpret<i64>(value));
  }

  /** Adds the attributes of a definition. Without one of that key the host marks the message partial. */
  reference(key: u64): void {
    this.int(REFERENCE, <i64>key);
  }

  bool(id: u32, value: bool): void {
    const at = tail;
    if (!this.claim(at, ATTRIBUTE_VALUE + 4)) return;
    this.put(at, id, 1);
    store<u32>(at, value ? 1 : 0, ATTRIBUTE_VALUE);
    tail = at + ATTRIBUTE_VALUE + 4;
  }

  /** Counts an attribute of `size` bytes, to lie at `at`, if it fits; marks the message partial if not. */
  @inline
  private claim(at: usize, size: usize): bool {
    const count = this.attributes;
    if (at + size - changetype<usize>(this) > <usize>MESSAGE_LIMIT || count == <u16>ATTRIBUTES_MAX) {
      this.flag(MESSAGE_PARTIAL);
      return false;
    }
    this.attributes = count + 1;
    return true;
  }

  @inline
  private put(at: usize, id: u32, length: usize): void {
    store<u32>(at, (id & 0xffff) | ((<u32>length) << ((ATTRIBUTE_LENGTH - ATTRIBUTE_ID) * 8)), ATTRIBUTE_ID);
  }
}

/**
 * What one message teaches and later ones refer to, kept by the host:
 *
 *   const definition = Definition.open(slot, statementId);      // PREPARE
 *   definition.string(DB_QUERY_TEXT, from, length);
 *   definition.commit();
 *   message.reference(statementId);                              // EXECUTE
 */
@unmanaged
export class Definition {
  length: u32;
  slot: u32;
  type: u32;
  attributes: u32;
  key: u64;

  /** Starts a definition at the end of the output; nothing is written for good before `commit`. */
  static open(slot: u32, key: u64): Definition {
    const definition = changetype<Definition>(cursor);
    definition.slot = slot;
    definition.type = DEFINE;
    definition.attributes = 0;
    definition.key = key;
    tail = cursor + OUT_LONG;
    return definition;
  }

  /** A string attribute; cut at STRING_MAX, left out when there is no room for it. */
  string(id: u32, from: usize, length: usize): void {
    length = min<usize>(length, STRING_MAX);
    const size = (<usize>ATTRIBUTE_VALUE + length + 3) & ~3;
    if (!this.claim(size)) return;
    store<u16>(tail, <u16>id, ATTRIBUTE_ID);
    store<u16>(tail, <u16>length, ATTRIBUTE_LENGTH);
    if (length != 0) copyPadded(tail + ATTRIBUTE_VALUE, from, length);
    tail += size;
  }

  /** As in a message, of at most STRING_MAX and at most PAIRS_MAX times; false when it was left out. */
  pair(id: u32, name: usize, from: usize, length: usize): bool {
    if (!this.claim(pairSize(name, length))) return false;
    putPair(id, name, from, length);
    return true;
  }

  int(id: u32, value: i64): void {
    if (!this.claim(ATTRIBUTE_VALUE + 8)) return;
    store<u16>(tail, <u16>id, ATTRIBUTE_ID);
    store<u16>(tail, 8, ATTRIBUTE_LENGTH);
    store<i64>(tail, value, ATTRIBUTE_VALUE);
    tail += ATTRIBUTE_VALUE + 8;
  }

  /** The key means the same on all connections of the process. */
  share(): void {
    this.type |= DEFINE_SHARED << 16;
  }

  commit(): void {
    const length = (<u32>(tail - changetype<usize>(this)) + 7) & ~7;
    store<u32>(tail, 0);
    this.length = length;
    cursor += length;
  }

  private claim(size: usize): bool {
    const end = tail + size - changetype<usize>(this);
    if (end > <usize>MESSAGE_LIMIT || this.attributes == ATTRIBUTES_MAX) return false;
    this.attributes++;
    return true;
  }
}

if (
  offsetof<Definition>('attributes') != OUT_VALUE ||
  offsetof<Definition>('key') != OUT_KEY ||
  offsetof<Definition>() != OUT_LONG
) {
  ERROR('Definition differs from abi.ts');
}

if (
  offsetof<Message>() != MESSAGE_SIZE ||
  offsetof<Message>('slot') != OUT_SLOT ||
  offsetof<Message>('type') != OUT_TYPE ||
  offsetof<Message>('flags') != OUT_FLAGS ||
  offsetof<Message>('status') != MESSAGE_STATUS ||
  offsetof<Message>('key') != MESSAGE_KEY ||
  offsetof<Message>('first') != MESSAGE_FIRST ||
  offsetof<Message>('last') != MESSAGE_LAST ||
  offsetof<Message>('bytes') != MESSAGE_BYTES ||
  offsetof<Message>('bodyBytes') != MESSAGE_BODY_BYTES ||
  offsetof<Message>('attributes') != MESSAGE_ATTRIBUTES ||
  offsetof<Message>('protocol') != MESSAGE_PROTOCOL
) {
  ERROR('Message differs from abi.ts');
}
