/**
 * Short-lived byte strings without garbage: attributes of messages that wait for their partner, and definitions.
 * One Uint32Array, four block sizes, a free list per size linked through each free block's first word. It doubles
 * when full, up to a limit; beyond it `take` says no and the caller counts the loss.
 */

/** Block sizes in words: 256 B holds nearly every message's attributes, 8 KiB is the ABI's longest message. */
const CLASSES = [64, 256, 1024, 2048] as const;
const NONE = 0xffffffff;
const FIRST_WORDS = 1 << 16;

export class Slab {
  words: Uint32Array<ArrayBuffer>;
  /** Most words there may be. */
  readonly limit: number;
  readonly #free = new Uint32Array(CLASSES.length).fill(NONE);
  #top = 0;
  /** Blocks taken. */
  #used = 0;

  /** @param limitBytes the slab never grows beyond this */
  constructor(limitBytes: number) {
    this.limit = limitBytes >>> 2;
    this.words = new Uint32Array(Math.min(FIRST_WORDS, this.limit));
  }

  /** Index of the first word of a block of at least `count` words, or -1 when the limit is reached. */
  take(count: number): number {
    const size = sizeClass(count);
    if (size < 0) return -1;
    const free = this.#free[size]!;
    const at = free === NONE ? this.#extend(CLASSES[size]!) : free;
    if (at < 0) return -1;
    if (free !== NONE) this.#free[size] = this.words[free]!;
    this.#used++;
    return at;
  }

  /** Gives a block back; `count` as it was taken with. */
  give(at: number, count: number): void {
    const size = sizeClass(count);
    this.words[at] = this.#free[size]!;
    this.#free[size] = at;
    if (--this.#used === 0) this.#begin();
  }

  /** Nothing is taken: blocks of one size may become blocks of another. */
  #begin(): void {
    this.#free.fill(NONE);
    this.#top = 0;
  }

  #extend(words: number): number {
    const at = this.#top;
    if (at + words > this.words.length) {
      const grown = Math.min(this.words.length * 2, this.limit);
      if (at + words > grown) return -1;
      const next = new Uint32Array(grown);
      next.set(this.words);
      this.words = next;
    }
    this.#top = at + words;
    return at;
  }
}

/** Words that a block of `count` words takes up. */
export function blockWords(count: number): number {
  return CLASSES[sizeClass(count)]!;
}

function sizeClass(count: number): number {
  for (let i = 0; i < CLASSES.length; i++) if (count <= CLASSES[i]!) return i;
  return -1;
}
