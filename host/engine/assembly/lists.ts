/**
 * Numbered lists of numbered items, oldest first, without objects. An item is in one list at most; it leaves from any
 * place at the same cost. Numbers are kept plus one, so that memory that was never written is empty.
 */
import { LINK_RECORD, LIST_RECORD } from '../layout/pairing';

const FIRST = 0;
const LAST = 4;
const LENGTH = 8;

const NEXT = 0;
const PREVIOUS = 4;

export class Lists {
  constructor(
    /** Addresses of the first list's record and of the first item's. */
    private readonly lists: i32,
    private readonly links: i32,
  ) {}

  /** The oldest item of a list; -1 when it is empty. */
  first(list: i32): i32 {
    return load<i32>(this.listAt(list), FIRST) - 1;
  }

  length(list: i32): i32 {
    return load<i32>(this.listAt(list), LENGTH);
  }

  /** The item behind another; -1 when that is the newest. */
  next(item: i32): i32 {
    return load<i32>(this.linkAt(item), NEXT) - 1;
  }

  append(list: i32, item: i32): void {
    const l = this.listAt(list);
    const link = this.linkAt(item);
    const last = load<i32>(l, LAST);
    store<i32>(link, last, PREVIOUS);
    store<i32>(link, 0, NEXT);
    if (last == 0) store<i32>(l, item + 1, FIRST);
    else store<i32>(this.linkAt(last - 1), item + 1, NEXT);
    store<i32>(l, item + 1, LAST);
    store<i32>(l, load<i32>(l, LENGTH) + 1, LENGTH);
  }

  /** Takes an item out of the list it is in. */
  remove(list: i32, item: i32): void {
    const l = this.listAt(list);
    const link = this.linkAt(item);
    const previous = load<i32>(link, PREVIOUS);
    const next = load<i32>(link, NEXT);
    if (previous == 0) store<i32>(l, next, FIRST);
    else store<i32>(this.linkAt(previous - 1), next, NEXT);
    if (next == 0) store<i32>(l, previous, LAST);
    else store<i32>(this.linkAt(next - 1), previous, PREVIOUS);
    store<i32>(l, load<i32>(l, LENGTH) - 1, LENGTH);
  }

  private listAt(list: i32): i32 {
    return this.lists + list * LIST_RECORD;
  }

  private linkAt(item: i32): i32 {
    return this.links + item * LINK_RECORD;
  }
}
