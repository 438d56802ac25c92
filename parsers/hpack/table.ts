/**
 * The dynamic table of one direction, in a slot. https://www.rfc-editor.org/rfc/rfc7541#section-2.3.2 and section 4
 *
 *   │ Table │ entries: a ring of capacity / 32 │ bytes of names and values: capacity × 3/2, moved together when full │
 *
 * An index counts from the newest entry. So a table whose beginning was not seen (a join, a loss) is right for all that
 * was added since, and says of anything older that it does not know. The same holds for entries that the other side
 * still has, but that are more than `capacity` holds. Rule: an entry is never taken for another one.
 */

import { copy } from '../sdk/bytes';

const ENTRY_SIZE: u32 = 16;
const HEADER: u32 = 32;
/** What an entry counts beside its text. */
export const OVERHEAD: u32 = 32;
/** What both sides begin with. */
export const DEFAULT_SIZE: u32 = 4096;

/** A field as it was added. */
@unmanaged
export class Entry {
  offset: u32;
  nameLength: u32;
  valueLength: u32;
  /** UNKNOWN_NAME, UNKNOWN_VALUE. */
  flags: u32;
}

export const UNKNOWN_NAME: u32 = 1;
export const UNKNOWN_VALUE: u32 = 2;

/** Bytes that a table of a capacity takes; the capacity is a multiple of 32. */
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

  open(capacity: u32, isWhole: bool): void {
    this.capacity = capacity;
    this.limit = DEFAULT_SIZE;
    this.forget();
    this.isWhole = isWhole;
  }

  /** Blocks were missed: nothing that is here has a known index any more. */
  forget(): void {
    this.used = 0;
    this.first = 0;
    this.count = 0;
    this.tail = 0;
    this.isWhole = false;
  }

  /** Whether an entry that is not here does not exist at all. */
  get isExact(): bool {
    return this.isWhole && this.limit <= this.capacity;
  }

  /** Entry 0 is the newest. */
  entry(index: u32): Entry {
    return this.at(this.count - 1 - index);
  }

  text(entry: Entry): usize {
    return this.texts + entry.offset;
  }

  /** The encoder's size update. */
  resize(limit: u32): void {
    this.limit = limit;
    this.evict(0);
  }

  /** Whether adding so much text moves what is there: addresses in the table are then void. */
  moves(nameLength: u32, valueLength: u32): bool {
    return this.tail + nameLength + valueLength > this.room;
  }

  /** Adds a field; its texts must not lie in the table when `moves` says so. */
  add(name: usize, nameLength: u32, value: usize, valueLength: u32, flags: u32): void {
    const size = <u64>nameLength + valueLength + OVERHEAD;
    if (size > min(this.limit, this.capacity)) {
      this.clear();
      // Too large for us alone: it is there, and it is the newest.
      if (size <= this.limit && this.capacity > 0) this.put(0, 0, 0, 0, UNKNOWN_NAME | UNKNOWN_VALUE, this.capacity);
      return;
    }
    this.evict(<u32>size);
    this.put(name, nameLength, value, valueLength, flags, <u32>size);
  }

  private put(name: usize, nameLength: u32, value: usize, valueLength: u32, flags: u32, size: u32): void {
    if (this.moves(nameLength, valueLength)) this.compact();
    const entry = this.at(this.count++);
    entry.offset = this.tail;
    entry.nameLength = nameLength;
    entry.valueLength = valueLength;
    entry.flags = flags;
    copy(this.texts + this.tail, name, nameLength);
    copy(this.texts + this.tail + nameLength, value, valueLength);
    this.tail += nameLength + valueLength;
    this.used += size;
  }

  /** Makes room for `size`, oldest entries first. */
  private evict(size: u32): void {
    const most = min(this.limit, this.capacity);
    while (this.count > 0 && this.used + size > most) {
      const oldest = this.at(0);
      const isOversized = (oldest.flags & UNKNOWN_VALUE) != 0;
      this.used -= isOversized ? this.capacity : oldest.nameLength + oldest.valueLength + OVERHEAD;
      this.first = this.first + 1 == this.slots ? 0 : this.first + 1;
      this.count--;
    }
  }

  private clear(): void {
    this.used = 0;
    this.count = 0;
    this.tail = 0;
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

  private get room(): u32 {
    return this.capacity + (this.capacity >> 1);
  }
}

if (offsetof<Entry>() != ENTRY_SIZE) ERROR('Entry has another size');
if (offsetof<Table>() > HEADER) ERROR('Table outgrows its place');
