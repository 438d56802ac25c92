/**
 * The input arena of a module: a table of chunks that grows up from its start, their payload behind it. While chunks
 * gather, the table stays in an area of the engine's memory and payload in the batch (host/engine/assembly/stage.ts,
 * which the engine fills for itself, too); `deliver` moves all of it in one native call, before the module runs. From
 * then on the chunks are those in the module's memory. Layout of a chunk: docs/abi.md.
 */
import * as abi from '../../parsers/sdk/abi.ts';
import * as layout from '../engine/layout/front.ts';
import { copyPieces } from '../kernel/addon.ts';
import type { GuestMemory } from './memory.ts';
import { Staging } from './staging.ts';

const { CHUNKS } = layout;
const TABLE_BYTES = CHUNKS * abi.CHUNK_SIZE;
export const INPUT_BYTES = TABLE_BYTES + layout.PAYLOAD_BYTES;
/** So many chunks without payload to copy are sooner copied word by word than by a native call. */
const FEW = 4;
const TWO_32 = 0x1_0000_0000;

/** A chunk outside of any module's memory. */
export interface HeldChunk {
  /** FROM_CLIENT or FROM_SERVER. */
  readonly direction: number;
  readonly kind: number;
  readonly bytes: Uint8Array;
  readonly wireLength: number;
  readonly timeLow: number;
  readonly timeHigh: number;
  readonly offset: number;
}

type Stage = (
  area: number,
  slot: number,
  head: number,
  source: number,
  length: number,
  wireLength: number,
  timeLow: number,
  timeHigh: number,
  offset: number,
) => number;

export class InputArena {
  readonly area: number;
  #start: number;
  #memory: GuestMemory;
  readonly #words: Uint32Array;
  readonly #slots: Uint32Array;
  readonly #pieces: Uint32Array;
  readonly #table: Uint32Array;
  readonly #source: ArrayBuffer;
  readonly #stage: Stage;
  readonly #hasRoom: (area: number, length: number) => number;
  /** Chunks that are shown, and their bytes. */
  #shown = 0;
  #shownBytes = 0;

  /** @param start address that the module's layout gave */
  constructor(memory: GuestMemory, start: number, staging = new Staging(), area = staging.takeArea()) {
    const { engine } = staging;
    this.#memory = memory;
    this.#start = start;
    this.area = area;
    this.#words = engine.column(Uint32Array, area, layout.AREA_SLOTS >>> 2);
    this.#slots = engine.column(Uint32Array, area + layout.AREA_SLOTS, CHUNKS);
    this.#pieces = engine.column(Uint32Array, area + layout.AREA_PIECE_TABLE, 3 * (CHUNKS + 1));
    this.#table = engine.column(Uint32Array, area + layout.AREA_CHUNKS, (CHUNKS * abi.CHUNK_SIZE) >>> 2);
    this.#source = engine.u8.buffer;
    this.#stage = engine.exports.stageChunk as unknown as Stage;
    this.#hasRoom = engine.exports.hasRoom as unknown as (area: number, length: number) => number;
    this.clear();
  }

  /** Chunks waiting. */
  get count(): number {
    return this.#words[layout.AREA_COUNT >>> 2]!;
  }

  /** Captured bytes of all of them. */
  get bytes(): number {
    return this.#words[layout.AREA_BYTES >>> 2]!;
  }

  hasRoom(length: number): boolean {
    return this.#hasRoom(this.area, length) !== 0;
  }

  /**
   * Describes a chunk; returns the address where its payload belongs. `source` is the payload's address in the engine's
   * memory, 0 for one that the caller copies.
   */
  describe(
    slot: number,
    kind: number,
    direction: number,
    source: number,
    length: number,
    wireLength: number,
    timeLow: number,
    timeHigh: number,
    offset: number,
  ): number {
    const head = kind | (direction << 8);
    return this.#stage(this.area, slot, head, source, length, wireLength, timeLow, timeHigh, offset);
  }

  /**
   * A chunk that identify() is asked about goes to the module at once, behind those shown before; false when it does not
   * fit. Only while no chunk waits.
   */
  show({ bytes, wireLength, timeLow, timeHigh, offset }: Omit<HeldChunk, 'kind'>, direction: number): boolean {
    const { length } = bytes;
    const at = (this.#shownBytes + 7) & ~7;
    if (this.#shown === CHUNKS || at + length > layout.PAYLOAD_BYTES) return false;
    const { u32, u8 } = this.#memory;
    const data = this.#start + TABLE_BYTES + at;
    const word = this.at(this.#shown) >>> 2;
    u32[word + (abi.CHUNK_SLOT >>> 2)] = 0;
    u32[word + (abi.CHUNK_KIND >>> 2)] = abi.DATA | (direction << 8);
    u32[word + (abi.CHUNK_DATA >>> 2)] = data;
    u32[word + (abi.CHUNK_LENGTH >>> 2)] = length;
    u32[word + (abi.CHUNK_WIRE_LENGTH >>> 2)] = wireLength;
    u32[word + (abi.CHUNK_RESERVED >>> 2)] = 0;
    u32[word + (abi.CHUNK_TIMESTAMP >>> 2)] = timeLow;
    u32[word + (abi.CHUNK_TIMESTAMP >>> 2) + 1] = timeHigh;
    u32[word + (abi.CHUNK_OFFSET >>> 2)] = offset;
    u32[word + (abi.CHUNK_OFFSET >>> 2) + 1] = offset / TWO_32;
    u8.set(bytes, data);
    this.#shown++;
    this.#shownBytes = at + length;
    return true;
  }

  /** How many chunks are shown. */
  get shown(): number {
    return this.#shown;
  }

  get shownBytes(): number {
    return this.#shownBytes;
  }

  /** They have been seen. */
  forgetShown(): void {
    this.#shown = 0;
    this.#shownBytes = 0;
  }

  /** Table and payload to the module; once, before it sees the first chunk. */
  deliver(): void {
    const pieces = layout.AREA_PIECES >>> 2;
    if (this.#words[pieces] === 0 && this.count <= FEW) {
      this.#copyTable();
      return;
    }
    this.#pieces[0] = this.area + layout.AREA_CHUNKS;
    this.#pieces[1] = this.#start;
    this.#pieces[2] = this.count * abi.CHUNK_SIZE;
    copyPieces(this.#source, this.#memory.u8.buffer, this.#pieces, this.#words[pieces]! + 1);
    this.#words[pieces] = 0;
  }

  #copyTable(): void {
    const { u32 } = this.#memory;
    const to = this.#start >>> 2;
    const words = (this.count * abi.CHUNK_SIZE) >>> 2;
    for (let i = 0; i < words; i++) u32[to + i] = this.#table[i]!;
  }

  clear(): void {
    this.#words[layout.AREA_COUNT >>> 2] = 0;
    this.#words[layout.AREA_BYTES >>> 2] = 0;
    this.#words[layout.AREA_PIECES >>> 2] = 0;
    this.#words[layout.AREA_PAYLOAD >>> 2] = this.#start + TABLE_BYTES;
    this.#words[layout.AREA_PAYLOAD_END >>> 2] = this.#start + INPUT_BYTES;
  }

  /** Address of a chunk. */
  at(index: number): number {
    return this.#start + index * abi.CHUNK_SIZE;
  }

  slotOf(index: number): number {
    return this.#slots[index]!;
  }

  lengthOf(index: number): number {
    return this.#memory.u32[(this.at(index) + abi.CHUNK_LENGTH) >>> 2]!;
  }

  /** Chunks from `first` on of one slot go to another. */
  rename(slot: number, target: number, first: number): void {
    const { count } = this;
    for (let i = first; i < count; i++) {
      if (this.slotOf(i) !== slot) continue;
      this.#slots[i] = target;
      this.#memory.u32[(this.at(i) + abi.CHUNK_SLOT) >>> 2] = target;
    }
  }

  /** Takes the chunks of a slot from `first` on out of the table; `held` gets copies of them, no more bytes than came in. */
  withdraw(slot: number, first: number, held?: HeldChunk[]): void {
    const { count } = this;
    let kept = first;
    let left = this.bytes;
    for (let i = first; i < count; i++) {
      if (this.slotOf(i) === slot) left -= held === undefined ? 0 : this.#hold(i, left, held);
      else {
        if (kept < i) this.#memory.u8.copyWithin(this.at(kept), this.at(i), this.at(i + 1));
        this.#slots[kept++] = this.#slots[i]!;
      }
    }
    this.#words[layout.AREA_COUNT >>> 2] = kept;
  }

  /** The same chunks, and what of them is in the module's memory, for another instance whose layout is the same. */
  moveTo(memory: GuestMemory, start: number): void {
    this.#memory.refreshIfStale();
    const used = this.#memory.u8.subarray(this.#start, this.#words[layout.AREA_PAYLOAD >>> 2]!);
    memory.u8.set(used, start);
    this.#memory = memory;
    this.#start = start;
  }

  /** Adds a copy of a chunk and returns its bytes. One that was used up is nothing. */
  #hold(index: number, bytesMax: number, held: HeldChunk[]): number {
    const chunk = this.#copy(index, bytesMax);
    if (chunk.kind <= abi.RESET && (chunk.kind !== abi.DATA || chunk.wireLength > 0)) held.push(chunk);
    return chunk.bytes.length;
  }

  /** A copy of a chunk as the module left it: its fields are no longer trusted, and another module will rely on them. */
  #copy(index: number, bytesMax: number): HeldChunk {
    const { u32, u8 } = this.#memory;
    const word = this.at(index) >>> 2;
    const data = u32[word + (abi.CHUNK_DATA >>> 2)]!;
    const bytes = u8.slice(data, data + Math.min(u32[word + (abi.CHUNK_LENGTH >>> 2)]!, bytesMax));
    return {
      kind: u32[word + (abi.CHUNK_KIND >>> 2)]! & 0xff,
      direction: (u32[word + (abi.CHUNK_KIND >>> 2)]! >>> 8) & 1,
      bytes,
      wireLength: Math.max(u32[word + (abi.CHUNK_WIRE_LENGTH >>> 2)]!, bytes.length),
      timeLow: u32[word + (abi.CHUNK_TIMESTAMP >>> 2)]!,
      timeHigh: u32[word + (abi.CHUNK_TIMESTAMP >>> 2) + 1]!,
      offset: u32[word + (abi.CHUNK_OFFSET >>> 2)]! + u32[word + (abi.CHUNK_OFFSET >>> 2) + 1]! * TWO_32,
    };
  }
}
