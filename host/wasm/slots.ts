/**
 * Slots of one parser instance: state blocks of the manifest's size classes, carved from the top of the module's
 * memory, which grows by whole pages up to the module's limit. A slot is named by its address; a table by address
 * says whose it is, so that a module cannot speak for a connection it does not have. The engine reads that table.
 *
 * Where a connection's slot is stands in one column for all modules: it is that of the module that parses it. While a
 * connection goes from one version to the next it has a slot in either; whoever takes it over sets the column (`bind`).
 */
import { SLOT_OPEN_FLAGS, SLOT_SIZE } from '../../parsers/sdk/abi.ts';
import * as layout from '../engine/layout/front.ts';
import type { GuestMemory } from './memory.ts';
import { Staging } from './staging.ts';

/** Memory is taken from the engine in steps of this many pages, to grow (and refresh views) seldom. */
const GROW_PAGES = 8;
const FIRST_ENTRIES = 1024;

export class SlotAllocator {
  /** Slots in use. */
  used = 0;
  readonly #base: number;
  readonly #sizes: readonly number[];
  readonly #memory: GuestMemory;
  readonly #staging: Staging;
  readonly #area: number;
  /** Slots begin at multiples of this power of two from the base. */
  readonly #shift: number;
  #free: number[][];
  /** By (address - base) >> shift: connection + 1, or 0; and the size class. */
  #owner: Uint32Array = new Uint32Array(0);
  #class = new Uint8Array(FIRST_ENTRIES);
  #top: number;

  /** @param area where the engine learns of the slots */
  constructor(
    base: number,
    sizes: readonly number[],
    memory: GuestMemory,
    staging = new Staging(),
    area = staging.takeArea(),
  ) {
    this.#base = base;
    this.#top = base;
    this.#sizes = sizes;
    this.#memory = memory;
    this.#staging = staging;
    this.#area = area;
    this.#shift = Math.min(...sizes.map((size) => 31 - Math.clz32(size & -size)));
    this.#free = sizes.map(() => []);
    this.#publish();
  }

  /** Gives back what it has of the engine's memory. */
  dispose(): void {
    if (this.#owner.length > 0) this.#staging.giveOwners(this.#owner);
  }

  /** Address of a zeroed slot of that class, bound to the connection; 0 when memory is exhausted. May grow the memory. */
  take(sizeClass: number, connection: number, flags: number): number {
    const size = this.#sizes[sizeClass]!;
    const used = this.#free[sizeClass]!.pop();
    const slot = used ?? this.#carve(size);
    if (slot === 0) return 0;
    this.#class[this.#entry(slot)] = sizeClass;
    this.#owner[this.#entry(slot)] = connection + 1;
    this.bind(slot, connection);
    this.used++;
    const { u32 } = this.#memory;
    // Memory that was never written is zero, and takes no page before something is written there.
    if (used !== undefined) u32.fill(0, slot >>> 2, (slot + size) >>> 2);
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
    if (this.#staging.slots[connection] === slot) this.#staging.slots[connection] = 0;
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

  /** The connection's slot is this one. */
  bind(slot: number, connection: number): void {
    this.#staging.slots[connection] = slot;
  }

  slotOf(connection: number): number {
    const slot = this.#staging.slots[connection] ?? 0;
    return slot !== 0 && this.connectionAt(slot) === connection ? slot : 0;
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
    const entry = distance >>> this.#shift;
    if (distance < 0 || (entry << this.#shift) >>> 0 !== distance) return -1;
    return (this.#owner[entry] ?? 0) - 1;
  }

  /** Every connection that has a slot. */
  connections(): number[] {
    const owners = this.#owner.subarray(0, this.#entry(this.#top)).filter((owner) => owner !== 0);
    return Array.from(owners.sort(), (owner) => owner - 1);
  }

  /**
   * Takes over all slots of another allocator with the same sizes, state and all, each at the same distance from the
   * base; that one has none then. This one must be empty. False when memory does not suffice; nothing has changed then.
   */
  adopt(other: SlotAllocator): boolean {
    const bytes = other.#top - other.#base;
    if (!this.#memory.reserve(this.#base + bytes, 0) || !this.#reserve(bytes)) return false;
    this.#memory.u8.set(other.#memory.u8.subarray(other.#base, other.#top), this.#base);
    const shift = this.#base - other.#base;
    this.#top = this.#base + bytes;
    this.#owner.set(other.#owner.subarray(0, other.#entry(other.#top)));
    this.#class = other.#class.slice();
    this.#free = other.#free.map((free) => free.map((slot) => slot + shift));
    this.used = other.used;
    other.#owner.fill(0);
    other.used = 0;
    for (let slot = this.#base; slot < this.#top; slot += 1 << this.#shift) {
      const connection = this.connectionAt(slot);
      if (connection >= 0) this.bind(slot, connection);
    }
    return true;
  }

  #entry(slot: number): number {
    return (slot - this.#base) >>> this.#shift;
  }

  #carve(size: number): number {
    const at = this.#top;
    if (!this.#memory.reserve(at + size, GROW_PAGES) || !this.#reserve(at + size - this.#base)) return 0;
    this.#top = at + size;
    return at;
  }

  /** Makes room in the tables for slots within so many bytes. */
  #reserve(bytes: number): boolean {
    const entries = bytes >>> this.#shift;
    if (entries > this.#class.length) this.#class = grown(this.#class, entries * 2);
    if (entries <= this.#owner.length) return true;
    const owner = this.#staging.takeOwners(entries, this.#owner.length > 0 ? this.#owner : undefined);
    if (owner === undefined) return false;
    this.#owner = owner;
    this.#publish();
    return true;
  }

  /** Tells the engine. */
  #publish(): void {
    const words = this.#staging.engine.u32;
    const area = this.#area >>> 2;
    words[area + (layout.AREA_SLOTS_BASE >>> 2)] = this.#base;
    words[area + (layout.AREA_SLOTS_SHIFT >>> 2)] = this.#shift;
    words[area + (layout.AREA_OWNERS >>> 2)] = this.#owner.byteOffset;
    words[area + (layout.AREA_OWNERS_COUNT >>> 2)] = this.#owner.length;
  }
}

/** A longer copy, the new part zero. */
function grown(column: Uint8Array<ArrayBuffer>, length: number): Uint8Array<ArrayBuffer> {
  const next = new Uint8Array(length);
  next.set(column);
  return next;
}
