/**
 * What module instances have in the engine's memory (host/engine/layout/front.ts): an area each, in which chunks gather
 * and by which output is checked, and a table of whose slots are whose. Handed out here and given back.
 */
import { Engine } from '../engine/engine.ts';
import { CONNECTIONS_MAX, FIRST_PROTOCOL, SLOT } from '../engine/layout/connections.ts';
import * as layout from '../engine/layout/front.ts';
import type { OutputCheck, OutputSink } from './output.ts';

/** Smallest table of owners, in bytes. */
const EXTENT_BYTES_MIN = 4096;

export class Staging {
  readonly engine: Engine;
  /** By connection: address of its slot in the memory of the module that parses it; 0 for none. */
  readonly slots: Uint32Array;
  #areas = 0;
  readonly #freeAreas: number[] = [];
  #ownersEnd = layout.OWNERS;
  /** By size. */
  readonly #freeExtents = new Map<number, number[]>();
  /** Whose output is being read, and who takes it. */
  #check: OutputCheck | undefined;
  #sink: OutputSink | undefined;

  constructor(engine = new Engine()) {
    this.engine = engine;
    engine.serve({
      record: (connection: number, type: number, value: number) => this.#sink!(connection, type, value >>> 0),
      pairPlace: (attribute: number, at: number, length: number) => this.#check!.pairPlace(attribute, at, length),
    });
    this.slots = engine.column(Uint32Array, SLOT, CONNECTIONS_MAX);
  }

  /** Address of an area for one instance. */
  takeArea(): number {
    const area = this.#freeAreas.pop() ?? this.#nextArea();
    this.engine.u32.fill(0, area >>> 2, (area + layout.AREA_SLOTS) >>> 2);
    return area;
  }

  giveArea(area: number): void {
    this.#freeAreas.push(area);
  }

  /** What the engine says of output is about this one's from now on. */
  read(check: OutputCheck, sink: OutputSink | undefined): void {
    this.#check = check;
    this.#sink = sink;
  }

  /**
   * Chunks of the connections that the module at this index parses gather in the area (0: in none); its protocols begin at
   * that entry of the protocol table.
   */
  assign(module: number, area: number, firstProtocol = 0): void {
    this.engine.u32[(layout.AREA_OF_MODULE >>> 2) + module] = area;
    this.engine.u32[(FIRST_PROTOCOL >>> 2) + module] = firstProtocol;
  }

  /** A table of at least so many owners, with those of `old`, which is given back; undefined when there is no room. */
  takeOwners(count: number, old?: Uint32Array): Uint32Array | undefined {
    const bytes = extentOf(count * 4);
    if (old !== undefined && old.byteOffset + old.byteLength === this.#ownersEnd) return this.#extended(old, bytes);
    const used = this.#freeExtents.get(bytes)?.pop();
    const at = used ?? this.#nextExtent(bytes);
    if (at === 0) return undefined;
    const owners = this.engine.column(Uint32Array, at, bytes >>> 2);
    // What was never written is zero, and takes no memory yet.
    if (used !== undefined) owners.fill(0);
    if (old !== undefined) {
      owners.set(old);
      this.giveOwners(old);
    }
    return owners;
  }

  giveOwners({ byteOffset, byteLength }: Uint32Array): void {
    const free = this.#freeExtents.get(byteLength);
    if (free === undefined) this.#freeExtents.set(byteLength, [byteOffset]);
    else free.push(byteOffset);
  }

  /** The last table there is grows where it lies: a copy would leave memory behind that was written. */
  #extended({ byteOffset }: Uint32Array, bytes: number): Uint32Array | undefined {
    if (byteOffset + bytes > layout.OWNERS_END) return undefined;
    this.#ownersEnd = byteOffset + bytes;
    return this.engine.column(Uint32Array, byteOffset, bytes >>> 2);
  }

  #nextArea(): number {
    if (this.#areas === layout.AREAS_MAX) throw new Error(`more than ${layout.AREAS_MAX} instances of modules at once`);
    return layout.AREAS + this.#areas++ * layout.AREA_SIZE;
  }

  #nextExtent(bytes: number): number {
    const at = this.#ownersEnd;
    if (at + bytes > layout.OWNERS_END) return 0;
    this.#ownersEnd = at + bytes;
    return at;
  }
}

/** The next power of two. */
function extentOf(bytes: number): number {
  return Math.max(EXTENT_BYTES_MIN, 2 ** Math.ceil(Math.log2(bytes)));
}
