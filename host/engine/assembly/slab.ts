/**
 * Short-lived byte strings without garbage: attributes of messages that wait for their partner, and definitions.
 * One array of words in pages. A page holds blocks of one size while one of them is taken, and of any size afterwards:
 * what was given back serves all. Free blocks are linked through their first word. Up to a limit; beyond it `take` looks
 * for a free block among the larger ones, then says no, and the caller counts the loss. Pages are begun one after the
 * other, so that memory is used as it is needed.
 *
 * Who may hold how much of what all share, here and elsewhere, says `share`.
 */
import { PAGE_RECORD, PAGE_SHIFT } from '../layout/pairing';

/** A page is one block of the largest size. */
const PAGE_WORD_SHIFT = PAGE_SHIFT - 2;
export const PAGE_WORDS: i32 = 1 << PAGE_WORD_SHIFT;
/** Holders that take all they may leave (7/8)^n of the half that is not in reserve. */
const SHARES: f64 = 8;

/** What is known of a page: i32 each. First block that is free, plus one; where those begin that never were taken. */
const FREE = 0;
const FRESH = 4;
/** Neighbours in the list of pages with a free block; NEXT also links the empty pages. 0 for none, as below. */
const NEXT = 8;
const PREVIOUS = 12;
/** Size of its blocks, by number and in words; how many are taken. */
const SIZE = 16;
const WORDS = 20;
const TAKEN = 24;

const SIZES = 4;

/** Pages are named by the address of what is known of them. */
export class Slab {
  /** Most words there may be: whole pages. */
  limit: i32 = 0;
  /** Words that are not taken. */
  freeWords: i32 = 0;
  /** By block size, four each: the first page with a free block. */
  private readonly roomy: i32 = <i32>heap.alloc(SIZES * 4);
  /** And the last: it stays of its size when it is empty, because most likely that is wanted again. */
  private readonly last: i32 = <i32>heap.alloc(SIZES * 4);
  private empty: i32 = 0;
  /** The first page that was not used so far, and where they end. */
  private top: i32 = 0;
  private end: i32 = 0;

  /** Addresses of the words, and of what is known of the pages. */
  constructor(
    readonly words: i32,
    private readonly pages: i32,
  ) {}

  /** Nothing is taken, and there are never more bytes than these. */
  limitTo(bytes: i32): void {
    const pages = bytes >> PAGE_SHIFT;
    this.limit = pages << PAGE_WORD_SHIFT;
    this.freeWords = this.limit;
    this.empty = 0;
    this.top = this.pages;
    this.end = this.pages + pages * PAGE_RECORD;
    memory.fill(this.roomy, 0, SIZES * 4);
    memory.fill(this.last, 0, SIZES * 4);
  }

  /** Index of the first word of a block of at least `count` words, or -1 when there is none. */
  take(count: i32): i32 {
    if (count > PAGE_WORDS) return -1;
    const size = sizeOf(count);
    let page = load<i32>(this.roomy + (size << 2));
    if (page == 0) page = this.begin(size);
    if (page == 0) page = this.larger(size);
    return page == 0 ? -1 : this.takeOf(page);
  }

  /** Gives a block back. */
  give(at: i32): void {
    const page = this.pages + (at >>> PAGE_WORD_SHIFT) * PAGE_RECORD;
    const words = load<i32>(page, WORDS);
    const taken = load<i32>(page, TAKEN);
    if (taken * words == PAGE_WORDS) this.link(page);
    store<i32>(this.words + (at << 2), load<i32>(page, FREE));
    store<i32>(page, at + 1, FREE);
    store<i32>(page, taken - 1, TAKEN);
    this.freeWords += words;
    if (taken == 1 && load<i32>(page, NEXT) != 0) this.clear(page);
  }

  /** A block of a page that has a free one. */
  private takeOf(page: i32): i32 {
    const words = load<i32>(page, WORDS);
    let at = load<i32>(page, FREE) - 1;
    if (at < 0) {
      at = load<i32>(page, FRESH);
      store<i32>(page, at + words, FRESH);
    } else store<i32>(page, load<i32>(this.words + (at << 2)), FREE);
    const taken = load<i32>(page, TAKEN) + 1;
    store<i32>(page, taken, TAKEN);
    this.freeWords -= words;
    if (taken * words == PAGE_WORDS) this.unlink(page);
    return at;
  }

  /** An empty page becomes one of blocks of that size. */
  private begin(size: i32): i32 {
    const page = this.page();
    if (page == 0) return 0;
    store<i32>(page, size, SIZE);
    store<i32>(page, wordsOf(size), WORDS);
    store<i32>(page, 0, TAKEN);
    store<i32>(page, 0, FREE);
    store<i32>(page, ((page - this.pages) / PAGE_RECORD) << PAGE_WORD_SHIFT, FRESH);
    this.link(page);
    return page;
  }

  /** A page without a taken block: one that was cleared, a new one, or the last of another size. */
  private page(): i32 {
    const page = this.empty;
    if (page != 0) {
      this.empty = load<i32>(page, NEXT);
      return page;
    }
    if (this.top < this.end) {
      this.top += PAGE_RECORD;
      return this.top - PAGE_RECORD;
    }
    return this.lastOfAny();
  }

  private lastOfAny(): i32 {
    for (let size = 0; size < SIZES; size++) {
      const last = load<i32>(this.last + (size << 2));
      if (last == 0 || load<i32>(last, TAKEN) != 0) continue;
      this.unlink(last);
      return last;
    }
    return 0;
  }

  /** A page of larger blocks, one of which is free. */
  private larger(size: i32): i32 {
    for (let i = size + 1; i < SIZES; i++) {
      const page = load<i32>(this.roomy + (i << 2));
      if (page != 0) return page;
    }
    return 0;
  }

  /** No block of the page is taken. */
  private clear(page: i32): void {
    this.unlink(page);
    store<i32>(page, this.empty, NEXT);
    this.empty = page;
  }

  private link(page: i32): void {
    const size = load<i32>(page, SIZE) << 2;
    const first = load<i32>(this.roomy + size);
    store<i32>(page, first, NEXT);
    store<i32>(page, 0, PREVIOUS);
    if (first == 0) store<i32>(this.last + size, page);
    else store<i32>(first, page, PREVIOUS);
    store<i32>(this.roomy + size, page);
  }

  private unlink(page: i32): void {
    const next = load<i32>(page, NEXT);
    const previous = load<i32>(page, PREVIOUS);
    const size = load<i32>(page, SIZE) << 2;
    if (next == 0) store<i32>(this.last + size, previous);
    else store<i32>(next, previous, PREVIOUS);
    if (previous == 0) store<i32>(this.roomy + size, next);
    else store<i32>(previous, next, NEXT);
  }
}

/** Words that a block of `count` words takes up. */
export function blockWords(count: i32): i32 {
  return wordsOf(sizeOf(count));
}

/**
 * How much one holder may have of `total`, of which `free` is left. Half of the total is in reserve: of the other half
 * it is an eighth of what is free, but `floor` at least; of the reserve `floor`, and less the more of the reserve is
 * used. So however many holders take all they may, the next one finds room, and it never shrinks by more than
 * floor / (total / 2) of itself with each of them.
 */
export function share(free: f64, total: f64, floor: f64): f64 {
  const reserve = total / 2;
  return free > reserve ? max(floor, (free - reserve) / SHARES) : (floor * free) / reserve;
}

/** 256 B holds nearly every message's attributes, 8 KiB is the ABI's longest message. */
function sizeOf(count: i32): i32 {
  if (count <= 64) return 0;
  return count <= 256 ? 1 : count <= 1024 ? 2 : 3;
}

function wordsOf(size: i32): i32 {
  return size == 0 ? 64 : size == 1 ? 256 : size == 2 ? 1024 : 2048;
}
