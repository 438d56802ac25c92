/**
 * Short-lived byte strings without garbage: attributes of messages that wait for their partner, and definitions.
 * One Uint32Array in pages. A page holds blocks of one size while one of them is taken, and of any size afterwards: what
 * was given back serves all. Free blocks are linked through their first word. The array doubles when full, up to a limit;
 * beyond it `take` looks for a free block among the larger ones, then says no, and the caller counts the loss.
 *
 * Who may hold how much of what all share, here and elsewhere, says `share`.
 */

/** Block sizes in words: 256 B holds nearly every message's attributes, 8 KiB is the ABI's longest message. */
const CLASSES = [64, 256, 1024, 2048] as const;
/** A page is one block of the largest size. */
const PAGE_SHIFT = 11;
const PAGE_WORDS = 1 << PAGE_SHIFT;
const NONE = 0xffffffff;
const FIRST_WORDS = 1 << 16;
/** Holders that take all they may leave (7/8)^n of the half that is not in reserve. */
const SHARES = 8;

export class Slab {
  words: Uint32Array<ArrayBuffer>;
  /** Most words there may be: whole pages. */
  readonly limit: number;
  /** By block size: the first page with a free block. */
  readonly #roomy = new Uint32Array(CLASSES.length).fill(NONE);
  /** And the last: it stays of its size when it is empty, because most likely that is wanted again. */
  readonly #last = new Uint32Array(CLASSES.length).fill(NONE);
  /** By page: size of its blocks, how many are taken, the first that is free, where those begin that never were taken. */
  readonly #size: Uint8Array;
  readonly #taken: Uint8Array;
  readonly #free: Uint32Array;
  readonly #fresh: Uint32Array;
  /** Neighbours in a list of #roomy; `next` also links the empty pages. */
  readonly #next: Uint32Array;
  readonly #previous: Uint32Array;
  #empty = NONE;
  /** Pages used so far. */
  #top = 0;
  #takenWords = 0;

  /** @param limitBytes the slab never grows beyond this */
  constructor(limitBytes: number) {
    const pages = Math.floor(limitBytes / (PAGE_WORDS * 4));
    this.limit = pages * PAGE_WORDS;
    this.words = new Uint32Array(Math.min(FIRST_WORDS, this.limit));
    this.#size = new Uint8Array(pages);
    this.#taken = new Uint8Array(pages);
    this.#free = new Uint32Array(pages);
    this.#fresh = new Uint32Array(pages);
    this.#next = new Uint32Array(pages);
    this.#previous = new Uint32Array(pages);
  }

  /** Words that are not taken. */
  get freeWords(): number {
    return this.limit - this.#takenWords;
  }

  /** Index of the first word of a block of at least `count` words, or -1 when there is none. */
  take(count: number): number {
    const size = sizeClass(count);
    if (size < 0) return -1;
    let page = this.#roomy[size]!;
    if (page === NONE) page = this.#begin(size);
    if (page === NONE) page = this.#larger(size);
    return page === NONE ? -1 : this.#takeOf(page);
  }

  /** Gives a block back. */
  give(at: number): void {
    const page = at >>> PAGE_SHIFT;
    const words = CLASSES[this.#size[page]!]!;
    const taken = this.#taken[page]!;
    if (taken * words === PAGE_WORDS) this.#link(page);
    this.words[at] = this.#free[page]!;
    this.#free[page] = at;
    this.#taken[page] = taken - 1;
    this.#takenWords -= words;
    if (taken === 1 && this.#next[page] !== NONE) this.#clear(page);
  }

  /** A block of a page that has a free one. */
  #takeOf(page: number): number {
    const words = CLASSES[this.#size[page]!]!;
    let at = this.#free[page]!;
    if (at === NONE) {
      at = this.#fresh[page]!;
      this.#fresh[page] = at + words;
    } else this.#free[page] = this.words[at]!;
    const taken = this.#taken[page]! + 1;
    this.#taken[page] = taken;
    this.#takenWords += words;
    if (taken * words === PAGE_WORDS) this.#unlink(page);
    return at;
  }

  /** An empty page becomes one of blocks of that size. */
  #begin(size: number): number {
    const page = this.#page();
    if (page === NONE) return NONE;
    this.#size[page] = size;
    this.#free[page] = NONE;
    this.#fresh[page] = page * PAGE_WORDS;
    this.#link(page);
    return page;
  }

  /** A page without a taken block: one that was cleared, a new one, or the last of another size. */
  #page(): number {
    const page = this.#empty;
    if (page !== NONE) {
      this.#empty = this.#next[page]!;
      return page;
    }
    if ((this.#top + 1) * PAGE_WORDS <= this.words.length || this.#grow()) return this.#top++;
    for (const last of this.#last) {
      if (last === NONE || this.#taken[last] !== 0) continue;
      this.#unlink(last);
      return last;
    }
    return NONE;
  }

  /** A page of larger blocks, one of which is free. */
  #larger(size: number): number {
    for (let i = size + 1; i < CLASSES.length; i++) if (this.#roomy[i] !== NONE) return this.#roomy[i]!;
    return NONE;
  }

  /** No block of the page is taken. */
  #clear(page: number): void {
    this.#unlink(page);
    this.#next[page] = this.#empty;
    this.#empty = page;
  }

  #link(page: number): void {
    const size = this.#size[page]!;
    const first = this.#roomy[size]!;
    this.#next[page] = first;
    this.#previous[page] = NONE;
    if (first === NONE) this.#last[size] = page;
    else this.#previous[first] = page;
    this.#roomy[size] = page;
  }

  #unlink(page: number): void {
    const next = this.#next[page]!;
    const previous = this.#previous[page]!;
    const size = this.#size[page]!;
    if (next === NONE) this.#last[size] = previous;
    else this.#previous[next] = previous;
    if (previous === NONE) this.#roomy[size] = next;
    else this.#next[previous] = next;
  }

  #grow(): boolean {
    const size = Math.min(this.words.length * 2, this.limit);
    if (size <= this.words.length) return false;
    const next = new Uint32Array(size);
    next.set(this.words);
    this.words = next;
    return true;
  }
}

/** Words that a block of `count` words takes up. */
export function blockWords(count: number): number {
  return CLASSES[sizeClass(count)]!;
}

/**
 * How much one holder may have of `total`, of which `free` is left. Half of the total is in reserve: of the other half
 * it is an eighth of what is free, but `floor` at least; of the reserve `floor`, and less the more of the reserve is
 * used. So however many holders take all they may, the next one finds room, and it never shrinks by more than
 * floor / (total / 2) of itself with each of them.
 */
export function share(free: number, total: number, floor: number): number {
  const reserve = total / 2;
  return free > reserve ? Math.max(floor, (free - reserve) / SHARES) : (floor * free) / reserve;
}

function sizeClass(count: number): number {
  for (let i = 0; i < CLASSES.length; i++) if (count <= CLASSES[i]!) return i;
  return -1;
}
