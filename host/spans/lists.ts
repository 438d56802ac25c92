/**
 * Numbered lists of numbered items, oldest first, without objects: columns that grow with the numbers used.
 * An item is in one list at most; it leaves from any place at the same cost.
 */
import { grown } from './messages.ts';

export class Lists {
  /** By list; items are kept plus one, so that a new column is empty. */
  #first = new Uint32Array(0);
  #last = new Uint32Array(0);
  #length = new Uint32Array(0);
  /** By item. */
  #next = new Uint32Array(0);
  #previous = new Uint32Array(0);

  /** The oldest item of a list; -1 when it is empty. */
  first(list: number): number {
    return list < this.#first.length ? this.#first[list]! - 1 : -1;
  }

  length(list: number): number {
    return list < this.#length.length ? this.#length[list]! : 0;
  }

  append(list: number, item: number): void {
    if (list >= this.#first.length) this.#reserveLists(list);
    if (item >= this.#next.length) this.#reserveItems(item);
    const last = this.#last[list]!;
    this.#previous[item] = last;
    this.#next[item] = 0;
    if (last === 0) this.#first[list] = item + 1;
    else this.#next[last - 1] = item + 1;
    this.#last[list] = item + 1;
    this.#length[list]! += 1;
  }

  /** Takes an item out of the list it is in. */
  remove(list: number, item: number): void {
    const previous = this.#previous[item]!;
    const next = this.#next[item]!;
    if (previous === 0) this.#first[list] = next;
    else this.#next[previous - 1] = next;
    if (next === 0) this.#last[list] = previous;
    else this.#previous[next - 1] = previous;
    this.#length[list]! -= 1;
  }

  #reserveLists(list: number): void {
    const size = Math.max(list + 1, this.#first.length * 2, 64);
    this.#first = grown(this.#first, size);
    this.#last = grown(this.#last, size);
    this.#length = grown(this.#length, size);
  }

  #reserveItems(item: number): void {
    const size = Math.max(item + 1, this.#next.length * 2, 64);
    this.#next = grown(this.#next, size);
    this.#previous = grown(this.#previous, size);
  }
}
