/**
 * Numbers by connection and 64-bit key, without objects: one array of entries, open addressing, linear probing.
 * Keys come from the wire, so the hash has random multipliers: whoever chooses the keys cannot choose their places.
 * Removal shifts entries back into the hole instead of leaving a mark: a table that is used for ever stays fast.
 */
import { randomFillSync } from 'node:crypto';

/** Words of an entry: connection, low and high half of the key, number plus one. An entry of number word 0 is empty. */
const WIDTH = 4;
const NUMBER = 3;
const FIRST_ENTRIES = 256;

export class KeyTable {
  #entries = new Uint32Array(FIRST_ENTRIES * WIDTH);
  #used = 0;
  readonly #multipliers = randomFillSync(new Int32Array(3)).map((word) => word | 1);

  get size(): number {
    return this.#used;
  }

  /** The number kept for the key; -1 when there is none. */
  get(connection: number, low: number, high: number): number {
    return this.#entries[this.#find(connection, low, high) + NUMBER]! - 1;
  }

  /** Keeps `number` for the key; returns the number it replaces, or -1. */
  put(connection: number, low: number, high: number, number: number): number {
    if (this.#used * 2 * WIDTH >= this.#entries.length) this.#grow();
    const at = this.#find(connection, low, high);
    const before = this.#entries[at + NUMBER]! - 1;
    if (before < 0) this.#used++;
    this.#entries[at] = connection;
    this.#entries[at + 1] = low;
    this.#entries[at + 2] = high;
    this.#entries[at + NUMBER] = number + 1;
    return before;
  }

  /** Forgets the key; returns the number it had, or -1. */
  remove(connection: number, low: number, high: number): number {
    const at = this.#find(connection, low, high);
    const number = this.#entries[at + NUMBER]! - 1;
    if (number < 0) return -1;
    this.#used--;
    this.#fillHole(at);
    return number;
  }

  /** First word of the key's entry, or of the empty one where it belongs. */
  #find(connection: number, low: number, high: number): number {
    const entries = this.#entries;
    let at = this.#home(connection, low, high);
    while (entries[at + NUMBER] !== 0) {
      if (entries[at] === connection && entries[at + 1] === low && entries[at + 2] === high) return at;
      at = (at + WIDTH) & (entries.length - 1);
    }
    return at;
  }

  #home(connection: number, low: number, high: number): number {
    let hash = Math.imul(low, this.#multipliers[0]!);
    hash = Math.imul((hash ^ (hash >>> 15)) + high, this.#multipliers[1]!);
    hash = Math.imul((hash ^ (hash >>> 15)) + connection, this.#multipliers[2]!);
    return Math.imul(hash ^ (hash >>> 16), WIDTH) & (this.#entries.length - 1);
  }

  /** An entry may move into the hole unless its home lies behind the hole. */
  #fillHole(hole: number): void {
    const entries = this.#entries;
    const mask = entries.length - 1;
    let at = (hole + WIDTH) & mask;
    for (; entries[at + NUMBER] !== 0; at = (at + WIDTH) & mask) {
      const home = this.#home(entries[at]!, entries[at + 1]!, entries[at + 2]!);
      if (((at - home) & mask) < ((at - hole) & mask)) continue;
      entries.copyWithin(hole, at, at + WIDTH);
      hole = at;
    }
    entries[hole + NUMBER] = 0;
  }

  #grow(): void {
    const old = this.#entries;
    this.#entries = new Uint32Array(old.length * 2);
    for (let from = 0; from < old.length; from += WIDTH) {
      if (old[from + NUMBER] === 0) continue;
      const to = this.#find(old[from]!, old[from + 1]!, old[from + 2]!);
      for (let w = 0; w < WIDTH; w++) this.#entries[to + w] = old[from + w]!;
    }
  }
}
