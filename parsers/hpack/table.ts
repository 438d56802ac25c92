/**
 * The dynamic table of one direction, in a slot. https://www.rfc-editor.org/rfc/rfc7541#section-2.3.2 and section 4
 *
 *   │ Table │ entries: a ring of capacity / 32 │ bytes of names and values: capacity × 3/2, moved together when full │
 *
 * An index counts from the newest entry. So a table whose beginning was not seen (a join) is right for all that was
 * added since, and says of anything older that it does not know. The same holds for entries that the other side still
 * has, but that are more than `capacity` holds. Rule: an entry is never taken for another one.
 *
 * When blocks were missed, an unknown number of entries lies between the old ones and those added since:
 *
 *   │ added since: count − old │ nobody knows how many │ old │        doubt.ts finds out, and calls `settle`
 */

import { copy, equal } from '../sdk/bytes';
import { ENTRY_SIZE, Entry, IS_LOST, ORIGIN_SHIFT, UNKNOWN_NAME, UNKNOWN_VALUE, VARIES } from './entry';
import { staticHash } from './static-table';

const HEADER: u32 = 240;
/** What an entry counts beside its text. */
export const OVERHEAD: u32 = 32;
/** What both sides begin with. */
export const DEFAULT_SIZE: u32 = 4096;
/** A size update may have been missed. */
const ANY_SIZE: u32 = 0xffffffff;

/** Sequences of names that are kept. */
const SEQUENCES: u32 = 8;
/** Times that one is seen until it counts. */
const SEQUENCE_TIMES: u8 = 3;
/** All shifts that are looked at are still possible. */
const ANY_SHIFT: u32 = 0xffffffff;
/** Blocks that tell nothing, until entries from before a loss are let go. */
const PATIENCE: u32 = 200;
/** Blocks that `pace` looks back on, and bytes that are expected to be added at any time. */
const PACE: u32 = 16;
const PACE_LEAST: u32 = 512;
/** Of two losses with so many blocks between them that told nothing, the newer entries are kept. */
const STALE: u32 = 32;
/**
 * Static entries whose values differ each time: :method, :path, :scheme, :status, age, content-length, content-range,
 * date, etag, last-modified, location, set-cookie.
 */
const VARYING: u64 = 0x80500650200154;

/** Bytes that a table of a capacity takes; the capacity is a multiple of 32, and less than 65536. */
export function tableSize(capacity: u32): u32 {
  return HEADER + (capacity / OVERHEAD) * ENTRY_SIZE + capacity + (capacity >> 1);
}

@unmanaged
export class Table {
  /** Most that is held, as entries count. */
  capacity: u32;
  /** Most that the encoder says it uses. */
  limit: u32;
  /** Size of what is held. */
  used: u32;
  /** The oldest entry's place in the ring, and how many there are. */
  first: u32;
  count: u32;
  /** End of the text, and where the oldest entry's begins. */
  tail: u32;
  /** Every entry since the start was seen: an index beyond the last is an error, not just unknown. */
  isWhole: bool;
  /** Where the next sequence goes. */
  nextSequence: u8;
  /** Blocks since a loss that told nothing. */
  waited: u8;
  /** Blocks that speak for the one shift that is left. */
  fitting: u8;
  /** There may be entries older than all that are here. */
  hasBelow: bool;
  /** The encoder adds what it has. */
  isForgetful: bool;
  /** How many of the oldest entries are older than missed blocks. */
  old: u32;
  /** Bit n: that n entries were missed agrees with all blocks since. */
  shifts: u32;
  /** The limit before the loss. */
  lately: u32;
  /** Size of what the last blocks added, each counting less with every block since. */
  pace: u32;
  /** Bit of a static entry: names whose value has changed. */
  varied: u64;
  /** Hashes of the names of blocks that were seen last, and different. */
  sequence0: u32;
  sequence1: u32;
  sequence2: u32;
  sequence3: u32;
  sequence4: u32;
  sequence5: u32;
  sequence6: u32;
  sequence7: u32;
  /** How often each of them was seen. */
  times0: u64;
  /** For each static entry u16 hash of the value that its name had last. */
  value0: u16;

  open(capacity: u32, isWhole: bool): void {
    memory.fill(changetype<usize>(this), 0, HEADER);
    this.capacity = capacity;
    this.limit = isWhole ? DEFAULT_SIZE : ANY_SIZE;
    this.lately = DEFAULT_SIZE;
    this.varied = VARYING;
    this.isWhole = isWhole;
    this.hasBelow = !isWhole;
  }

  /** Blocks were missed: where the entries are that were there before is not known until something tells. */
  doubt(): void {
    if (this.old == 0) this.old = this.count;
    else if (this.waited >= STALE) this.dropOld();
    else this.dropNew();
    this.old = this.count;
    if (this.old == 0) this.hasBelow = true;
    this.isWhole = false;
    this.limit = ANY_SIZE;
    this.waited = 0;
    this.doubtAgain();
  }

  /** Blocks contradict each other: what they have told counts no more. */
  doubtAgain(): void {
    this.shifts = ANY_SHIFT;
    this.fitting = 0;
  }

  /** A block told nothing. */
  wait(): void {
    if (this.waited < PATIENCE) this.waited++;
    else this.dropOld();
  }

  /** So many entries were missed. Of one of them, counted from the newest, the static entry of its name may be known. */
  settle(lost: u32, named: u32, name: u32): void {
    const most = min(this.limit, this.capacity);
    while (this.old > 0 && (this.count + lost > this.slots || this.used + lost * OVERHEAD > most)) this.dropOldest();
    if (this.old == 0) return;
    for (let age = this.count; age > this.old; age--) {
      memory.copy(changetype<usize>(this.at(age - 1 + lost)), changetype<usize>(this.at(age - 1)), ENTRY_SIZE);
    }
    const offset = this.count > this.old ? this.at(this.old + lost).offset : this.tail;
    for (let age = this.old; age < this.old + lost; age++) {
      const entry = this.at(age);
      memory.fill(changetype<usize>(entry), 0, ENTRY_SIZE);
      entry.offset = offset;
      entry.flags = UNKNOWN_NAME | UNKNOWN_VALUE | IS_LOST;
    }
    if (named < lost) {
      const entry = this.at(this.old + lost - 1 - named);
      entry.nameHash = staticHash(name);
      entry.flags = UNKNOWN_VALUE | IS_LOST | VARIES | (name << ORIGIN_SHIFT);
    }
    this.count += lost;
    this.used += lost * OVERHEAD;
    this.old = 0;
  }

  /** Whether an entry that is not here does not exist at all. */
  get isExact(): bool {
    return this.isWhole && this.limit <= this.capacity;
  }

  /** Entries whose index is known. */
  get known(): u32 {
    return this.count - this.old;
  }

  /** Entry 0 is the newest. */
  entry(index: u32): Entry {
    return this.at(this.count - 1 - index);
  }

  /** Of those from before a loss 0 is the newest. */
  oldEntry(index: u32): Entry {
    return this.at(this.old - 1 - index);
  }

  text(entry: Entry): usize {
    return this.texts + entry.offset;
  }

  /** It is known, and its name had no other value as far as was seen: so there is one of that name. */
  isSteady(entry: Entry): bool {
    if ((entry.flags & (UNKNOWN_NAME | UNKNOWN_VALUE | VARIES)) != 0) return false;
    return ((this.varied >> entry.origin) & 1) == 0;
  }

  /** The encoder's size update. */
  resize(limit: u32): void {
    this.limit = limit;
    this.lately = limit;
    this.evict(0);
  }

  /** A value of a name that the static table has, too, as its hash. */
  sawValue(origin: u32, hash: u32): void {
    const at = changetype<usize>(this) + offsetof<Table>('value0') + (origin << 1);
    const now = <u16>(hash ^ (hash >> 16)) | 1;
    const last = load<u16>(at);
    if (last != 0 && last != now) this.varied |= (<u64>1) << origin;
    store<u16>(at, now);
  }

  isVaried(origin: u32): bool {
    return ((this.varied >> origin) & 1) != 0;
  }

  /** A field is added: marks entries of the same name. True: there are some. */
  markNamed(nameHash: u32, value: usize, valueLength: u32): bool {
    let isThere = false;
    for (let age: u32 = 0; age < this.count; age++) {
      const entry = this.at(age);
      if (entry.nameHash != nameHash) continue;
      this.mark(entry, value, valueLength);
      isThere = true;
    }
    return isThere;
  }

  /** A field of that name is there again, with this value. */
  mark(entry: Entry, value: usize, valueLength: u32): void {
    entry.flags |= VARIES;
    if ((entry.flags & UNKNOWN_VALUE) != 0 || entry.valueLength != valueLength) return;
    if (equal(this.text(entry) + entry.nameLength, value, valueLength)) this.isForgetful = true;
  }

  endBlock(): void {
    this.pace -= (this.pace + PACE - 1) / PACE;
  }

  /** The names of a block. */
  learn(sequence: u32): void {
    let place = this.placeOf(sequence);
    if (place == SEQUENCES) {
      // One that comes often stays.
      place = this.nextSequence;
      this.nextSequence = <u8>((place + 1) % SEQUENCES);
      const times = load<u8>(this.times + place) >> 1;
      store<u8>(this.times + place, times);
      if (times != 0) return;
      store<u32>(this.sequences + ((<usize>place) << 2), sequence);
    }
    const times = load<u8>(this.times + place);
    if (times < 255) store<u8>(this.times + place, times + 1);
  }

  /** It is no chance that names come in that order. */
  isLearned(sequence: u32): bool {
    const place = this.placeOf(sequence);
    return place < SEQUENCES && load<u8>(this.times + place) >= SEQUENCE_TIMES;
  }

  private placeOf(sequence: u32): u32 {
    if (!ASC_FEATURE_SIMD) return this.placeOfScalar(sequence);
    const wanted = i32x4.splat(sequence);
    const low = i32x4.bitmask(i32x4.eq(v128.load(this.sequences), wanted));
    const high = i32x4.bitmask(i32x4.eq(v128.load(this.sequences, 16), wanted));
    return min<u32>(ctz<u32>(low | (high << 4)), SEQUENCES);
  }

  /** The twin of placeOf for builds without SIMD. */
  private placeOfScalar(sequence: u32): u32 {
    let place: u32 = 0;
    while (place < SEQUENCES && load<u32>(this.sequences + (place << 2)) != sequence) place++;
    return place;
  }

  /**
   * Whether it may be that an old entry was dropped in the missed blocks, to be added anew in the same place: the entries
   * above it would have had to fill the table. `index`: as in oldEntry, and so many were added in between.
   */
  mayBeDropped(index: u32, lost: u32): bool {
    let above = lost * OVERHEAD;
    for (let age = this.old - index; age < this.count; age++) above += this.sizeOf(this.at(age));
    return above + max(this.pace << 1, PACE_LEAST) > min(this.lately, this.capacity);
  }

  /** Whether adding so much text moves what is there: addresses in the table are then void. */
  moves(nameLength: u32, valueLength: u32): bool {
    return this.tail + nameLength + valueLength > this.room;
  }

  /** Adds a field; its texts must not lie in the table when `moves` says so. */
  add(name: usize, nameLength: u32, value: usize, valueLength: u32, flags: u32, nameHash: u32): void {
    const size = <u64>nameLength + valueLength + OVERHEAD;
    this.pace = <u32>min<u64>(size + this.pace, this.capacity);
    if (size > min(this.limit, this.capacity)) {
      this.clear();
      // Too large for us alone: it is there, and it is the newest.
      if (size <= this.limit && this.capacity > 0) this.put(0, 0, 0, 0, UNKNOWN_NAME | UNKNOWN_VALUE, this.capacity);
      return;
    }
    this.evict(<u32>size);
    this.put(name, nameLength, value, valueLength, flags, <u32>size);
    this.entry(0).nameHash = nameHash;
  }

  private put(name: usize, nameLength: u32, value: usize, valueLength: u32, flags: u32, size: u32): void {
    if (this.moves(nameLength, valueLength)) this.compact();
    const entry = this.at(this.count++);
    entry.offset = this.tail;
    entry.nameLength = <u16>nameLength;
    entry.valueLength = <u16>valueLength;
    entry.flags = flags;
    entry.nameHash = 0;
    copy(this.texts + this.tail, name, nameLength);
    copy(this.texts + this.tail + nameLength, value, valueLength);
    this.tail += nameLength + valueLength;
    this.used += size;
  }

  /** Makes room for `size`, oldest entries first. */
  private evict(size: u32): void {
    const most = min(this.limit, this.capacity);
    while (this.count > 0 && this.used + size > most) {
      this.dropOldest();
      this.hasBelow = this.lately > this.capacity;
    }
  }

  /** The encoder may still have it. */
  private dropOldest(): void {
    this.hasBelow = true;
    this.used -= this.sizeOf(this.at(0));
    this.first = this.first + 1 == this.slots ? 0 : this.first + 1;
    this.count--;
    if (this.old > 0) this.old--;
  }

  private dropOld(): void {
    while (this.old > 0) this.dropOldest();
  }

  private dropNew(): void {
    for (; this.count > this.old; this.count--) {
      const newest = this.entry(0);
      this.used -= this.sizeOf(newest);
      this.tail = newest.offset;
    }
  }

  private sizeOf(entry: Entry): u32 {
    if ((entry.flags & IS_LOST) != 0) return OVERHEAD;
    if ((entry.flags & UNKNOWN_VALUE) != 0) return this.capacity;
    return <u32>entry.nameLength + entry.valueLength + OVERHEAD;
  }

  private clear(): void {
    this.hasBelow = this.lately > this.capacity;
    this.used = 0;
    this.count = 0;
    this.tail = 0;
    this.old = 0;
  }

  /** Moves the text of all entries to the front. */
  private compact(): void {
    const begin = this.count > 0 ? this.at(0).offset : this.tail;
    memory.copy(this.texts, this.texts + begin, this.tail - begin);
    for (let i: u32 = 0; i < this.count; i++) this.at(i).offset -= begin;
    this.tail -= begin;
  }

  /** By age: 0 is the oldest. */
  private at(age: u32): Entry {
    let place = this.first + age;
    if (place >= this.slots) place -= this.slots;
    return changetype<Entry>(changetype<usize>(this) + HEADER + place * ENTRY_SIZE);
  }

  private get slots(): u32 {
    return this.capacity / OVERHEAD;
  }

  private get texts(): usize {
    return changetype<usize>(this) + HEADER + this.slots * ENTRY_SIZE;
  }

  private get sequences(): usize {
    return changetype<usize>(this) + offsetof<Table>('sequence0');
  }

  private get times(): usize {
    return changetype<usize>(this) + offsetof<Table>('times0');
  }

  private get room(): u32 {
    return this.capacity + (this.capacity >> 1);
  }
}

// value0 is the first of 62.
if (offsetof<Table>('value0') + 124 > HEADER) ERROR('Table outgrows its place');
