/**
 * Slots of one parser instance: state blocks of the manifest's size classes, carved from the top of the module's
 * memory, which grows by whole pages up to the module's limit. A slot is named by its address; a table by address
 * says whose it is, so that a module cannot speak for a connection it does not have.
 */
import { SLOT_ALIGN, SLOT_OPEN_FLAGS, SLOT_SIZE } from '../../parsers/sdk/abi.ts';
import { grown } from '../spans/messages.ts';
import type { GuestMemory } from './memory.ts';

/** Memory is taken from the engine in steps of this many pages, to grow (and refresh views) seldom. */
const GROW_PAGES = 8;

export class SlotAllocator {
  /** Slots in use. */
  used = 0;
  readonly #base: number;
  readonly #sizes: readonly number[];
  readonly #memory: GuestMemory;
  #free: number[][];
  /** By (address - base) / SLOT_ALIGN: connection + 1, or 0; and the size class. */
  #owner = new Int32Array(1024);
  #class = new Uint8Array(1024);
  /** By connection: its slot's address, or 0. */
  #slot = new Uint32Array(1024);
  #top: number;

  constructor(base: number, sizes: readonly number[], memory: GuestMemory) {
    this.#base = base;
    this.#top = base;
    this.#sizes = sizes;
    this.#memory = memory;
    this.#free = sizes.map(() => []);
  }

  /** Address of a zeroed slot of that class, bound to the connection; 0 when memory is exhausted. May grow the memory. */
  take(sizeClass: number, connection: number, flags: number): number {
    const size = this.#sizes[sizeClass]!;
    const slot = this.#free[sizeClass]!.pop() ?? this.#carve(size);
    if (slot === 0) return 0;
    this.#class[this.#entry(slot)] = sizeClass;
    this.#bind(slot, connection);
    this.used++;
    const { u32 } = this.#memory;
    u32.fill(0, slot >>> 2, (slot + size) >>> 2);
    u32[(slot + SLOT_SIZE) >>> 2] = size;
    u32[(slot + SLOT_OPEN_FLAGS) >>> 2] = flags;
    return slot;
  }

  /** The connection's state in a slot of another class: as much of it as fits. 0 when there is none; nothing has changed then. */
  move(slot: number, connection: number, sizeClass: number): number {
    if (sizeClass >= this.#sizes.length) return 0;
    const target = this.#copyIn(sizeClass, connection, this, slot);
    if (target !== 0) this.give(slot);
    return target;
  }

  /** A copy of the state that another allocator has of the connection, in the smallest class that holds it; 0 for none. */
  copyFrom(other: SlotAllocator, connection: number): number {
    const slot = other.slotOf(connection);
    const sizeClass = this.#sizes.findIndex((size) => size >= other.sizeOf(slot));
    return sizeClass < 0 ? 0 : this.#copyIn(sizeClass, connection, other, slot);
  }

  give(slot: number): void {
    const entry = this.#entry(slot);
    const connection = this.#owner[entry]! - 1;
    if (this.#slot[connection] === slot) this.#slot[connection] = 0;
    this.#owner[entry] = 0;
    this.#free[this.#class[entry]!]!.push(slot);
    this.used--;
  }

  #copyIn(sizeClass: number, connection: number, from: SlotAllocator, slot: number): number {
    const target = this.take(sizeClass, connection, from.#memory.u32[(slot + SLOT_OPEN_FLAGS) >>> 2]!);
    if (target === 0) return 0;
    const end = slot + Math.min(this.#sizes[sizeClass]!, from.sizeOf(slot));
    this.#memory.u8.set(from.#memory.u8.subarray(slot + SLOT_OPEN_FLAGS, end), target + SLOT_OPEN_FLAGS);
    return target;
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

  sizeOf(slot: number): number {
    return this.#sizes[this.classOf(slot)]!;
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

  /**
   * Takes over all slots of another allocator with the same sizes, state and all, each at the same distance from the
   * base. This one must be empty. False when memory does not suffice; nothing has changed then.
   */
  adopt(other: SlotAllocator): boolean {
    const bytes = other.#top - other.#base;
    if (!this.#memory.reserve(this.#base + bytes, 0)) return false;
    this.#memory.u8.set(other.#memory.u8.subarray(other.#base, other.#top), this.#base);
    const shift = this.#base - other.#base;
    this.#top = this.#base + bytes;
    this.#owner = other.#owner.slice();
    this.#class = other.#class.slice();
    this.#free = other.#free.map((free) => free.map((slot) => slot + shift));
    this.#slot = other.#slot.map((slot) => (slot === 0 ? 0 : slot + shift));
    this.used = other.used;
    return true;
  }

  #entry(slot: number): number {
    return (slot - this.#base) / SLOT_ALIGN;
  }

  #carve(size: number): number {
    const at = this.#top;
    if (!this.#memory.reserve(at + size, GROW_PAGES)) return 0;
    this.#top = at + size;
    const entries = (this.#top - this.#base) / SLOT_ALIGN;
    if (entries > this.#owner.length) {
      this.#owner = grown(this.#owner, entries * 2);
      this.#class = grown(this.#class, entries * 2);
    }
    return at;
  }
}
