/**
 * Slots of one parser instance: state blocks of the manifest's size classes, carved from the top of the module's
 * memory, which grows by whole pages up to the module's limit. A slot is named by its address; a table by address
 * says whose it is, so that a module cannot speak for a connection it does not have.
 */
import { SLOT_ALIGN } from '../../parsers/sdk/abi.ts';
import { grown } from '../spans/messages.ts';

const PAGE = 65536;
/** Memory is taken from the engine in steps of this many pages, to grow (and refresh views) seldom. */
const GROW_PAGES = 8;

export class SlotAllocator {
  /** Slots in use. */
  used = 0;
  readonly #base: number;
  readonly #sizes: readonly number[];
  readonly #memory: WebAssembly.Memory;
  readonly #maximumPages: number;
  readonly #free: number[][];
  /** By (address - base) / SLOT_ALIGN: connection + 1, or 0; and the size class. */
  #owner = new Int32Array(1024);
  #class = new Uint8Array(1024);
  /** By connection: its slot's address, or 0. */
  #slot = new Uint32Array(1024);
  #top: number;

  constructor(base: number, sizes: readonly number[], memory: WebAssembly.Memory, maximumPages: number) {
    this.#base = base;
    this.#top = base;
    this.#sizes = sizes;
    this.#memory = memory;
    this.#maximumPages = maximumPages;
    this.#free = sizes.map(() => []);
  }

  /** Address of a slot of that class, bound to the connection; 0 when memory is exhausted. May grow the memory. */
  take(sizeClass: number, connection: number): number {
    const slot = this.#free[sizeClass]!.pop() ?? this.#carve(this.#sizes[sizeClass]!);
    if (slot === 0) return 0;
    this.#class[this.#entry(slot)] = sizeClass;
    this.#bind(slot, connection);
    this.used++;
    return slot;
  }

  give(slot: number): void {
    const entry = this.#entry(slot);
    const connection = this.#owner[entry]! - 1;
    if (this.#slot[connection] === slot) this.#slot[connection] = 0;
    this.#owner[entry] = 0;
    this.#free[this.#class[entry]!]!.push(slot);
    this.used--;
  }

  #bind(slot: number, connection: number): void {
    const entry = this.#entry(slot);
    this.#owner[entry] = connection + 1;
    if (connection >= this.#slot.length) {
      this.#slot = grown(this.#slot, Math.max(connection + 1, this.#slot.length * 2));
    }
    this.#slot[connection] = slot;
  }

  slotOf(connection: number): number {
    return this.#slot[connection] ?? 0;
  }

  classOf(slot: number): number {
    return this.#class[this.#entry(slot)]!;
  }

  /** The connection that owns the slot at this address, or -1 for an address that is no slot in use. */
  connectionAt(slot: number): number {
    const distance = slot - this.#base;
    if (distance < 0 || distance % SLOT_ALIGN !== 0) return -1;
    return (this.#owner[distance / SLOT_ALIGN] ?? 0) - 1;
  }

  /** Every connection that has a slot. */
  connections(): number[] {
    const all: number[] = [];
    for (let c = 0; c < this.#slot.length; c++) if (this.#slot[c] !== 0) all.push(c);
    return all;
  }

  #entry(slot: number): number {
    return (slot - this.#base) / SLOT_ALIGN;
  }

  #carve(size: number): number {
    const at = this.#top;
    const shortage = at + size - this.#memory.buffer.byteLength;
    if (shortage > 0 && !this.#growMemory(shortage)) return 0;
    this.#top = at + size;
    const entries = (this.#top - this.#base) / SLOT_ALIGN;
    if (entries > this.#owner.length) {
      this.#owner = grown(this.#owner, entries * 2);
      this.#class = grown(this.#class, entries * 2);
    }
    return at;
  }

  #growMemory(bytes: number): boolean {
    const have = this.#memory.buffer.byteLength / PAGE;
    const need = Math.ceil(bytes / PAGE);
    const pages = Math.min(Math.max(need, GROW_PAGES), this.#maximumPages - have);
    if (pages < need) return false;
    try {
      this.#memory.grow(pages);
      return true;
    } catch {
      return false;
    }
  }
}
