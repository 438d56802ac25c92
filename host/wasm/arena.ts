/**
 * The input arena of a module: a table of chunks that grows up from its start, their payload behind it. Payload stays in
 * the batch buffer while chunks gather; a copy table remembers it and `copyPayload` moves all of it in one native call.
 * Layout of a chunk: docs/abi.md.
 */
import * as abi from '../../parsers/sdk/abi.ts';
import { copyPieces } from '../kernel/addon.ts';
import type { GuestMemory } from './memory.ts';

/** Chunks of one run, and payload bytes beside them: a few drains' worth, and small enough to stay in L2. */
const CHUNKS = 1024;
const PAYLOAD_BYTES = 512 * 1024;
const TABLE_BYTES = CHUNKS * abi.CHUNK_SIZE;
export const INPUT_BYTES = TABLE_BYTES + PAYLOAD_BYTES;
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

export class InputArena {
  /** Chunks waiting. */
  count = 0;
  /** Captured bytes of all of them. */
  bytes = 0;
  readonly #start: number;
  readonly #memory: GuestMemory;
  /** By chunk: its slot. The module's own table is not believed: what a run costs whom must not be the module's to say. */
  readonly #slots = new Uint32Array(CHUNKS);
  readonly #pieces = new Uint32Array(CHUNKS * 3);
  #pieceCount = 0;
  #payload: number;

  /** @param start address that the module's layout gave */
  constructor(memory: GuestMemory, start: number) {
    this.#memory = memory;
    this.#start = start;
    this.#payload = start + TABLE_BYTES;
  }

  hasRoom(length: number): boolean {
    return this.count < CHUNKS && this.#payload + length + 8 <= this.#start + INPUT_BYTES;
  }

  /** Describes a chunk; returns the address where its payload belongs. */
  describe(
    slot: number,
    kind: number,
    direction: number,
    length: number,
    wireLength: number,
    timeLow: number,
    timeHigh: number,
    offset: number,
  ): number {
    const u32 = this.#memory.u32;
    this.#slots[this.count] = slot;
    const word = this.at(this.count++) >>> 2;
    const data = this.#payload;
    this.#payload = (data + length + 7) & ~7;
    this.bytes += length;
    u32[word] = slot;
    u32[word + 1] = kind | (direction << 8);
    u32[word + 2] = data;
    u32[word + 3] = length;
    u32[word + 4] = wireLength;
    u32[word + 5] = 0;
    u32[word + 6] = timeLow;
    u32[word + 7] = timeHigh;
    u32[word + 8] = offset >>> 0;
    u32[word + 9] = Math.floor(offset / TWO_32);
    return data;
  }

  /** The payload at address `data` comes from `source` of the batch buffer. */
  remember(source: number, data: number, length: number): void {
    const piece = this.#pieceCount++ * 3;
    this.#pieces[piece] = source;
    this.#pieces[piece + 1] = data;
    this.#pieces[piece + 2] = length;
  }

  copyPayload(batch: ArrayBuffer): void {
    if (this.#pieceCount > 0) copyPieces(batch, this.#memory.u8.buffer, this.#pieces, this.#pieceCount);
    this.#pieceCount = 0;
  }

  clear(): void {
    this.count = 0;
    this.bytes = 0;
    this.#pieceCount = 0;
    this.#payload = this.#start + TABLE_BYTES;
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
    for (let i = first; i < this.count; i++) {
      if (this.slotOf(i) !== slot) continue;
      this.#slots[i] = target;
      this.#memory.u32[(this.at(i) + abi.CHUNK_SLOT) >>> 2] = target;
    }
  }

  /** Takes the chunks of a slot from `first` on out of the table; `held` gets copies of them, no more bytes than came in. */
  withdraw(slot: number, first: number, held?: HeldChunk[]): void {
    let kept = first;
    let left = this.bytes;
    for (let i = first; i < this.count; i++) {
      if (this.slotOf(i) === slot) left -= held === undefined ? 0 : this.#hold(i, left, held);
      else {
        if (kept < i) this.#memory.u8.copyWithin(this.at(kept), this.at(i), this.at(i + 1));
        this.#slots[kept++] = this.#slots[i]!;
      }
    }
    this.count = kept;
  }

  /** The same chunks with the same payload, in the memory of another instance whose layout is the same. */
  copyTo(other: InputArena): void {
    const used = this.#memory.u8.subarray(this.#start, this.#payload);
    other.#memory.u8.set(used, other.#start);
    other.count = this.count;
    other.bytes = this.bytes;
    other.#payload = other.#start + used.length;
    other.#slots.set(this.#slots);
    other.#pieces.set(this.#pieces);
    other.#pieceCount = this.#pieceCount;
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
