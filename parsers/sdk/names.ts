/**
 * A list of names from the configuration, in static memory, and the question whether some bytes are one of them: by their
 * length first, so that nearly all are told apart by one bit. Case does not matter.
 *
 *   const wanted = Names.at(memory.data(2064, 8));                     // NAMES_SIZE, which has to be a literal there
 *   if (wanted.count != 0) name = wanted.find(at, length);             // empty lists cost one load
 */

import { copy, equalIgnoreCase, toLower } from './bytes';

/** Most names of a list, and the longest of them. The host's configuration has the same limits. */
const NAMES_MAX = 32;
const NAME_MAX = 63;
/** A byte for the length, then the name in lower case. */
const ENTRY = 64;
/** 16 bytes, and the entries. */
export const NAMES_SIZE = 2064;

@unmanaged
export class Names {
  /** Names in the list. */
  count: u32;
  /** Length of the longest. */
  longest: u32;
  /** Bit n: there is one of n bytes. */
  private lengths: u64;

  @inline
  static at(memory: usize): Names {
    return changetype<Names>(memory);
  }

  /** Adds a name; false when it is empty or too long, or the list is full. */
  add(from: usize, end: usize): bool {
    const length = end - from;
    if (length == 0 || length > <usize>NAME_MAX || this.count == NAMES_MAX) return false;
    const entry = this.entry(this.count++);
    store<u8>(entry, <u8>length);
    copy(entry + 1, from, length);
    for (let at = entry + 1; at <= entry + length; at++) store<u8>(at, <u8>toLower(load<u8>(at)));
    this.longest = max(this.longest, <u32>length);
    this.lengths |= (<u64>1) << length;
    return true;
  }

  /** The name that these bytes are, for `nameText` and `nameLength`; 0 when they are none. */
  find(from: usize, length: usize): usize {
    if (length > <usize>NAME_MAX || ((this.lengths >> length) & 1) == 0) return 0;
    for (let index: u32 = 0; index < this.count; index++) {
      const entry = this.entry(index);
      if (load<u8>(entry) == length && equalIgnoreCase(from, entry + 1, length)) return entry;
    }
    return 0;
  }

  @inline
  private entry(index: u32): usize {
    return changetype<usize>(this) + offsetof<Names>() + <usize>index * ENTRY;
  }
}

/** Text and length of what `find` found. */
export function nameText(name: usize): usize {
  return name + 1;
}

export function nameLength(name: usize): usize {
  return load<u8>(name);
}

if (offsetof<Names>() + NAMES_MAX * ENTRY != NAMES_SIZE) ERROR('NAMES_SIZE is another');
