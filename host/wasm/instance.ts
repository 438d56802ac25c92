/**
 * One running parser module: its memory, its arenas, its slots. A shard has one instance per module.
 *
 * The rule: chunks are pushed (payload stays in the batch buffer, a copy table remembers it), `flush` copies all
 * payload in one native call, runs the module over all chunks and hands each run's output to the consumer.
 * The module's output is untrusted: every length and slot is checked here before anyone reads a field.
 * Slots are addresses in the module's memory above LAYOUT_SLOTS; only the host allocates them (slots.ts).
 */
import * as abi from '../../parsers/sdk/abi.ts';
import { copyPieces } from '../kernel/addon.ts';
import type { Manifest } from './manifest.ts';
import { SlotAllocator } from './slots.ts';

/** Chunks of one run, and payload bytes beside them: a few drains' worth, and small enough to stay in L2. */
const CHUNKS = 1024;
const PAYLOAD_BYTES = 512 * 1024;
const OUTPUT_BYTES = 256 * 1024;
/** Largest pieces come from one record: SPANWIRE_PAYLOAD_MAX. */
const INPUT_BYTES = CHUNKS * abi.CHUNK_SIZE + PAYLOAD_BYTES;
const PAGE = 65536;
/** Runs that end in the chunk they began with: a GROW for each class, and one more for so many bytes of the chunk. */
const RETURNS_MAX = 8;
const RETURN_BYTES_SHIFT = 5;

interface Exports {
  readonly memory: WebAssembly.Memory;
  layout(inputBytes: number, outputBytes: number): number;
  open(slot: number, flags: number): void;
  identify(count: number): number;
  run(first: number, end: number): number;
  close(slot: number): void;
}

/** Value of the GROW and SHRINK hints that a consumer gets. */
export const MOVED = 0;
export const REFUSED = 1;

/** Who takes what a run put out. `at` is the byte address of a checked output record. */
export interface OutputConsumer {
  message(instance: ParserInstance, connection: number, at: number): void;
  hint(instance: ParserInstance, connection: number, type: number, value: number): void;
  /** The instance trapped or broke its contract; it has no slots any more. `connections` were on it. */
  failed(instance: ParserInstance, reason: string, connections: number[]): void;
}

export class ParserInstance {
  readonly manifest: Manifest;
  /** Position in the shard's list of instances. */
  readonly index: number;
  u32: Uint32Array<ArrayBuffer> = new Uint32Array(0);
  u8: Uint8Array<ArrayBuffer> = new Uint8Array(0);
  runs = 0;
  readonly #module: WebAssembly.Module;
  readonly #pieces = new Uint32Array(CHUNKS * 3);
  /** Connection and hint of each GROW and SHRINK of a run: done after it, because its other records name the old slot. */
  readonly #moves: number[] = [];
  #exports!: Exports;
  #slots!: SlotAllocator;
  #layout = 0;
  #input = 0;
  #output = 0;
  #payload = 0;
  #payloadEnd = 0;
  #chunks = 0;
  #pieceCount = 0;
  #flushing = false;

  constructor(module: WebAssembly.Module, manifest: Manifest, index: number) {
    this.#module = module;
    this.manifest = manifest;
    this.index = index;
    this.#start();
  }

  /** Slots in use. */
  get slots(): number {
    return this.#slots.used;
  }

  /** Bytes of the module's memory. */
  get memoryBytes(): number {
    return this.u8.byteLength;
  }

  /** A fresh slot for a connection, opened; 0 when the module's memory limit is reached or it failed. */
  open(connection: number, flags: number, consumer: OutputConsumer): number {
    const slot = this.#allocate(0, connection);
    if (slot === 0) return 0;
    this.u32[(slot + abi.SLOT_OPEN_FLAGS) >>> 2] = flags;
    return this.#call(consumer, () => this.#exports.open(slot, flags)) ? slot : 0;
  }

  /** Only between flushes, when no chunk of the slot waits. */
  close(slot: number, consumer: OutputConsumer): void {
    if (this.#call(consumer, () => this.#exports.close(slot))) this.#slots.give(slot);
  }

  /** True when a chunk with `length` bytes of payload fits before the next flush. */
  hasRoom(length: number): boolean {
    return this.#chunks < CHUNKS && this.#payload + length + 8 <= this.#payloadEnd;
  }

  get waiting(): number {
    return this.#chunks;
  }

  /** Where the slot's state lives now: GROW and SHRINK move it during a flush. */
  slotOf(connection: number): number {
    return this.#slots.slotOf(connection);
  }

  /** Adds a chunk; its payload is at `source` of the batch buffer given to flush(). Call hasRoom() first. */
  push(
    slot: number,
    kind: number,
    direction: number,
    source: number,
    length: number,
    wireLength: number,
    timeLow: number,
    timeHigh: number,
    offset: number,
  ): void {
    const data = this.#describe(slot, kind, direction, length, wireLength, timeLow, timeHigh, offset);
    if (length === 0) return;
    const piece = this.#pieceCount++ * 3;
    this.#pieces[piece] = source;
    this.#pieces[piece + 1] = data;
    this.#pieces[piece + 2] = length;
  }

  /** The same for payload that is not in the batch buffer: copied at once. */
  pushBytes(
    slot: number,
    direction: number,
    bytes: Uint8Array,
    wireLength: number,
    timeLow: number,
    timeHigh: number,
    offset: number,
  ): void {
    const data = this.#describe(slot, abi.DATA, direction, bytes.length, wireLength, timeLow, timeHigh, offset);
    this.u8.set(bytes, data);
  }

  /** Runs everything pushed. Returns false when the module failed; its connections were handed to consumer.failed. */
  flush(batch: ArrayBuffer, consumer: OutputConsumer): boolean {
    if (this.#flushing) throw new Error('flush called from within a flush');
    if (this.#chunks === 0) return true;
    this.#flushing = true;
    try {
      if (this.#pieceCount > 0) copyPieces(batch, this.u8.buffer, this.#pieces, this.#pieceCount);
      return this.#runAll(consumer);
    } finally {
      this.#clear();
      this.#flushing = false;
    }
  }

  /** Asks the module about the chunks pushed (of one connection), then forgets them. Throws when it traps. */
  identify(): number {
    const count = this.#chunks;
    this.#clear();
    return this.#exports.identify(count) >>> 0;
  }

  /** Throws away memory and slots and starts again. Returns the connections that had a slot. */
  restart(): number[] {
    const connections = this.#slots.connections();
    this.#start();
    return connections;
  }

  #start(): void {
    const instance = new WebAssembly.Instance(this.#module, {});
    this.#exports = instance.exports as unknown as Exports;
    this.#layout = this.#askLayout();
    this.#refresh();
    const word = this.#layout >>> 2;
    this.#input = this.u32[word + (abi.LAYOUT_INPUT >>> 2)]!;
    this.#output = this.u32[word + (abi.LAYOUT_OUTPUT >>> 2)]!;
    const slots = this.u32[word + (abi.LAYOUT_SLOTS >>> 2)]!;
    this.#checkLayout(slots);
    this.#slots = new SlotAllocator(slots, this.manifest.slots, this.#exports.memory, this.manifest.limits.memoryPages);
    this.#clear();
  }

  #askLayout(): number {
    try {
      return this.#exports.layout(INPUT_BYTES, OUTPUT_BYTES) >>> 0;
    } catch (error) {
      throw new Error(`module ${this.manifest.name}: layout() failed: ${(error as Error).message}`, { cause: error });
    }
  }

  #checkLayout(slots: number): void {
    const end = this.u8.byteLength;
    const inside = (at: number, length: number) => at >= 8 && at % 8 === 0 && at + length <= end;
    const ok =
      this.u8.buffer instanceof ArrayBuffer &&
      end <= this.manifest.limits.memoryPages * PAGE &&
      this.#layout > 0 &&
      this.#layout % 4 === 0 &&
      this.#layout + abi.LAYOUT_SIZE <= end &&
      inside(this.#input, INPUT_BYTES) &&
      inside(this.#output, OUTPUT_BYTES) &&
      slots % abi.SLOT_ALIGN === 0 &&
      slots >= Math.max(this.#input + INPUT_BYTES, this.#output + OUTPUT_BYTES) &&
      (this.#output >= this.#input + INPUT_BYTES || this.#input >= this.#output + OUTPUT_BYTES);
    if (!ok) throw new Error(`module ${this.manifest.name}: layout() describes arenas that overlap or lie outside`);
  }

  #refresh(): void {
    const buffer = this.#exports.memory.buffer as ArrayBuffer;
    this.u32 = new Uint32Array(buffer);
    this.u8 = new Uint8Array(buffer);
  }

  #clear(): void {
    this.#chunks = 0;
    this.#pieceCount = 0;
    this.#moves.length = 0;
    this.#payload = this.#input + CHUNKS * abi.CHUNK_SIZE;
    this.#payloadEnd = this.#payload + PAYLOAD_BYTES;
  }

  #allocate(sizeClass: number, connection: number): number {
    const slot = this.#slots.take(sizeClass, connection);
    if (this.u8.buffer !== this.#exports.memory.buffer) this.#refresh();
    if (slot === 0) return 0;
    const size = this.manifest.slots[sizeClass]!;
    this.u32.fill(0, slot >>> 2, (slot + size) >>> 2);
    this.u32[(slot + abi.SLOT_SIZE) >>> 2] = size;
    return slot;
  }

  #describe(
    slot: number,
    kind: number,
    direction: number,
    length: number,
    wireLength: number,
    timeLow: number,
    timeHigh: number,
    offset: number,
  ): number {
    const u32 = this.u32;
    const word = (this.#input + this.#chunks++ * abi.CHUNK_SIZE) >>> 2;
    const data = this.#payload;
    this.#payload = (data + length + 7) & ~7;
    u32[word] = slot;
    u32[word + 1] = kind | (direction << 8);
    u32[word + 2] = data;
    u32[word + 3] = length;
    u32[word + 4] = wireLength;
    u32[word + 5] = 0;
    u32[word + 6] = timeLow;
    u32[word + 7] = timeHigh;
    u32[word + 8] = offset >>> 0;
    u32[word + 9] = Math.floor(offset / 0x1_0000_0000);
    return data;
  }

  #runAll(consumer: OutputConsumer): boolean {
    let first = 0;
    const end = this.#chunks;
    let returns = this.#returnsFor(0);
    while (first < end) {
      let next: number;
      try {
        next = this.#exports.run(first, end) >>> 0;
      } catch (error) {
        return this.#fail(consumer, `trap: ${(error as Error).message}`);
      }
      this.runs++;
      if (this.#grewItself()) return this.#fail(consumer, 'run grew the memory');
      const length = this.u32[(this.#layout + abi.LAYOUT_OUTPUT_LENGTH) >>> 2]!;
      if (next < first || next > end || length > OUTPUT_BYTES) {
        return this.#fail(consumer, `run returned ${next} of [${first}, ${end}) with ${length} bytes of output`);
      }
      if (!this.#consume(length, consumer)) return this.#fail(consumer, 'malformed output record');
      if (this.#moves.length > 0) this.#moveAll(next, end, consumer);
      returns = next > first ? this.#returnsFor(next) : returns - 1;
      if (returns < 0 || (next === first && length === 0)) return this.#fail(consumer, 'run makes no progress');
      first = next;
    }
    return true;
  }

  /** How often a run may end in this chunk and begin there again. */
  #returnsFor(chunk: number): number {
    const length = this.u32[(this.#input + chunk * abi.CHUNK_SIZE + abi.CHUNK_LENGTH) >>> 2]!;
    return RETURNS_MAX + (Math.min(length, PAYLOAD_BYTES) >>> RETURN_BYTES_SHIFT);
  }

  #grewItself(): boolean {
    return this.u8.buffer !== this.#exports.memory.buffer;
  }

  #consume(length: number, consumer: OutputConsumer): boolean {
    let at = this.#output;
    const stop = at + length;
    while (at < stop) {
      if (at + abi.OUT_SHORT > stop) return false;
      const word = at >>> 2;
      const size = this.u32[word]!;
      const slot = this.u32[word + 1]!;
      const type = this.u32[word + 2]! & 0xffff;
      const connection = this.#slots.connectionAt(slot);
      if (size < abi.OUT_SHORT || size % 8 !== 0 || at + size > stop || connection < 0) return false;
      if (type <= abi.ONEWAY) {
        if (!this.#messageIsSound(at, size)) return false;
        consumer.message(this, connection, at);
      } else if (type === abi.GROW || type === abi.SHRINK) this.#moves.push(connection, type);
      else {
        consumer.hint(this, connection, type, this.u32[word + (abi.OUT_VALUE >>> 2)]!);
      }
      at += size;
    }
    return true;
  }

  /** Attribute lengths add up to the record's: whoever walks them later need not check again. */
  #messageIsSound(at: number, size: number): boolean {
    if (size < abi.MESSAGE_SIZE || size > abi.MESSAGE_MAX) return false;
    const u32 = this.u32;
    const type = u32[(at + abi.OUT_TYPE) >>> 2]! & 0xffff;
    const counts = u32[(at + abi.MESSAGE_ATTRIBUTES) >>> 2]!;
    const protocol = (counts >>> 16) & 0xff;
    if (type === 0 || protocol >= this.manifest.protocols.length) return false;
    let cursor = at + abi.MESSAGE_SIZE;
    const stop = at + size;
    for (let left = counts & 0xffff; left > 0; left--) {
      if (cursor + abi.ATTRIBUTE_VALUE > stop) return false;
      cursor += (abi.ATTRIBUTE_VALUE + (u32[cursor >>> 2]! >>> 16) + 3) & ~3;
    }
    return cursor <= stop;
  }

  /** Does what GROW and SHRINK asked for. A connection that cannot grow is given up. */
  #moveAll(next: number, end: number, consumer: OutputConsumer): void {
    for (let i = 0; i < this.#moves.length; i += 2) {
      const connection = this.#moves[i]!;
      const type = this.#moves[i + 1]!;
      const slot = this.#slots.slotOf(connection);
      const sizeClass = this.#slots.classOf(slot);
      const wanted = type === abi.GROW ? sizeClass + 1 : 0;
      if (wanted === sizeClass || this.#move(slot, connection, wanted, next, end)) {
        consumer.hint(this, connection, type, MOVED);
      } else if (type === abi.GROW) {
        this.#resetChunks(slot, next, end);
        consumer.hint(this, connection, type, REFUSED);
      }
    }
    this.#moves.length = 0;
  }

  /** Moves a slot to another class; the chunks [next, end) of the connection follow it. */
  #move(slot: number, connection: number, sizeClass: number, next: number, end: number): boolean {
    const { slots } = this.manifest;
    const keep = Math.min(slots[sizeClass] ?? 0, slots[this.#slots.classOf(slot)]!);
    const target = sizeClass < slots.length ? this.#allocate(sizeClass, connection) : 0;
    if (target === 0) return false;
    this.u8.copyWithin(target + abi.SLOT_OPEN_FLAGS, slot + abi.SLOT_OPEN_FLAGS, slot + keep);
    for (let i = next; i < end; i++) {
      const word = (this.#input + i * abi.CHUNK_SIZE + abi.CHUNK_SLOT) >>> 2;
      if (this.u32[word] === slot) this.u32[word] = target;
    }
    this.#slots.give(slot);
    return true;
  }

  /** The rest of a connection that is given up: without bytes there is nothing to grow for. */
  #resetChunks(slot: number, next: number, end: number): void {
    for (let i = next; i < end; i++) {
      const word = (this.#input + i * abi.CHUNK_SIZE) >>> 2;
      if (this.u32[word] !== slot) continue;
      this.u32[word + (abi.CHUNK_KIND >>> 2)] = (this.u32[word + (abi.CHUNK_KIND >>> 2)]! & 0xff00) | abi.RESET;
      this.u32[word + (abi.CHUNK_LENGTH >>> 2)] = 0;
      this.u32[word + (abi.CHUNK_WIRE_LENGTH >>> 2)] = 0;
    }
  }

  /** A call outside of a run. False when it trapped: the instance has failed as in a run. */
  #call(consumer: OutputConsumer, enter: () => void): boolean {
    try {
      enter();
    } catch (error) {
      return this.#fail(consumer, `trap: ${(error as Error).message}`);
    }
    return !this.#grewItself() || this.#fail(consumer, 'the module grew its memory');
  }

  #fail(consumer: OutputConsumer, reason: string): boolean {
    const connections = this.restart();
    consumer.failed(this, reason, connections);
    return false;
  }
}
