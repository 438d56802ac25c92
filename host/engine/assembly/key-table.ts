/**
 * Numbers by owner and 64-bit key, without objects: one array of entries, open addressing, linear probing.
 * Keys come from the wire, so the hash has random multipliers: whoever chooses the keys cannot choose their places.
 * Removal shifts entries back into the hole instead of leaving a mark: a table that is used for ever stays fast.
 */
import { KEY_ENTRY, KEY_SCRATCH, KEY_SECRET } from '../layout/pairing';

/** An entry: key, owner, number plus one. One of number word 0 is empty. */
const KEY = 0;
const OWNER = 8;
const NUMBER = 12;

const FIRST_BYTES: i32 = 256 * KEY_ENTRY;

export class KeyTable {
  size: i32 = 0;
  private bytes: i32 = FIRST_BYTES;

  /** @param entries their address; room for twice as many as are ever kept, rounded up to a power of two */
  constructor(private readonly entries: i32) {}

  /** The number kept for the key; -1 when there is none. */
  get(owner: i32, key: u64): i32 {
    return load<i32>(this.find(owner, key), NUMBER) - 1;
  }

  /** Keeps `number` for the key; returns the number it replaces, or -1. */
  put(owner: i32, key: u64, number: i32): i32 {
    if (this.size * (2 * KEY_ENTRY) >= this.bytes) this.grow();
    const at = this.find(owner, key);
    const before = load<i32>(at, NUMBER) - 1;
    if (before == -1) this.size++;
    store<u64>(at, key, KEY);
    store<i32>(at, owner, OWNER);
    store<i32>(at, number + 1, NUMBER);
    return before;
  }

  /** Forgets the key; returns the number it had, or -1. */
  remove(owner: i32, key: u64): i32 {
    const at = this.find(owner, key);
    const number = load<i32>(at, NUMBER) - 1;
    if (number == -1) return -1;
    this.size--;
    this.fillHole(at - this.entries);
    return number;
  }

  /** Address of the key's entry, or of the empty one where it belongs. */
  private find(owner: i32, key: u64): i32 {
    const entries = this.entries;
    const mask = this.bytes - 1;
    let place = this.home(owner, key);
    let at = entries + place;
    while (load<i32>(at, NUMBER) != 0) {
      if (load<u64>(at, KEY) == key && load<i32>(at, OWNER) == owner) return at;
      place = (place + KEY_ENTRY) & mask;
      at = entries + place;
    }
    return at;
  }

  private home(owner: i32, key: u64): i32 {
    let hash = <u32>key * load<u32>(KEY_SECRET);
    hash = ((hash ^ (hash >>> 15)) + <u32>(key >>> 32)) * load<u32>(KEY_SECRET, 4);
    hash = ((hash ^ (hash >>> 15)) + <u32>owner) * load<u32>(KEY_SECRET, 8);
    return <i32>((hash ^ (hash >>> 16)) * KEY_ENTRY) & (this.bytes - 1);
  }

  /** An entry may move into the hole unless its home lies behind the hole. */
  private fillHole(hole: i32): void {
    const entries = this.entries;
    const mask = this.bytes - 1;
    for (let place = (hole + KEY_ENTRY) & mask; ; place = (place + KEY_ENTRY) & mask) {
      const at = entries + place;
      if (load<i32>(at, NUMBER) == 0) break;
      const home = this.home(load<i32>(at, OWNER), load<u64>(at, KEY));
      if (((place - home) & mask) < ((place - hole) & mask)) continue;
      v128.store(entries + hole, v128.load(at));
      hole = place;
    }
    store<i32>(entries + hole, 0, NUMBER);
  }

  private grow(): void {
    const bytes = this.bytes;
    memory.copy(KEY_SCRATCH, this.entries, bytes);
    this.bytes = bytes * 2;
    memory.fill(this.entries, 0, this.bytes);
    for (let at = KEY_SCRATCH; at < KEY_SCRATCH + bytes; at += KEY_ENTRY) {
      if (load<i32>(at, NUMBER) == 0) continue;
      v128.store(this.find(load<i32>(at, OWNER), load<u64>(at, KEY)), v128.load(at));
    }
  }
}
