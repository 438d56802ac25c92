/**
 * A parser module as a host runs it, in the simplest way that is right: raw exports, no copy tables, no pools. It
 * honours GROW and SHRINK, can move a connection to another address or another instance, and makes two kinds of
 * trespass visible: slots have guard bytes behind them, and payload is followed by poison instead of zeroes.
 * Contract: docs/abi.md.
 */
import * as abi from '../parsers/sdk/abi.ts';
import { decodeOutput, OutputError, type OutputRecord } from './decode.ts';
import type { Parser } from './parsers.ts';
import type { Step } from './steps.ts';

interface Exports {
  readonly memory: WebAssembly.Memory;
  abi_version(): number;
  layout(inputBytes: number, outputBytes: number): number;
  open(slot: number, flags: number): void;
  identify(count: number): number;
  run(first: number, end: number): number;
  close(slot: number): void;
}

export interface HarnessOptions {
  readonly inputBytes?: number;
  readonly outputBytes?: number;
  /** Byte that fills what lies behind the payload of a chunk. */
  readonly poison?: number;
}

/** A message or hint of a connection; slot maintenance (grow, shrink) is not among them. */
export type Output = Omit<OutputRecord, 'slot'>;

interface Connection {
  slot: number;
  sizeClass: number;
  readonly offsets: [number, number];
  readonly output: Output[];
}

const PAGE = 65536;
const GUARD = 64;
const GUARD_BYTE = 0xa5;
/** Runs without progress before the harness calls it a hang. */
const STALLS = 3;

export class Harness {
  readonly parser: Parser;
  readonly #exports: Exports;
  readonly #layout: number;
  readonly #inputBytes: number;
  readonly #outputBytes: number;
  readonly #poison: number;
  readonly #connections: Connection[] = [];
  #top: number;
  /** Longest output of one run so far. */
  longestOutput = 0;

  constructor(parser: Parser, { inputBytes = 65536, outputBytes = 65536, poison = 0x24 }: HarnessOptions = {}) {
    this.parser = parser;
    this.#inputBytes = inputBytes;
    this.#outputBytes = outputBytes;
    this.#poison = poison;
    this.#exports = new WebAssembly.Instance(parser.module, {}).exports as unknown as Exports;
    if (this.#exports.abi_version() >>> 16 !== abi.ABI_MAJOR) throw new OutputError('speaks another ABI major');
    this.#layout = this.#exports.layout(inputBytes, outputBytes);
    if (this.#layout === 0) throw new OutputError('layout() found no memory');
    this.#top = this.#word(this.#layout + abi.LAYOUT_SLOTS);
    if (this.#top % abi.SLOT_ALIGN !== 0) throw new OutputError('slots are not aligned');
  }

  /** Opens a connection and returns its number. */
  open(flags = 0): number {
    const slot = this.#allocate(0, flags);
    this.#exports.open(slot, flags);
    return this.#connections.push({ slot, sizeClass: 0, offsets: [0, 0], output: [] }) - 1;
  }

  close(connection: number): void {
    this.#exports.close(this.#connections[connection]!.slot);
  }

  /** Everything the module said of the connection so far. */
  output(connection: number): readonly Output[] {
    return this.#connections[connection]!.output;
  }

  /** Feeds steps of one connection, in as few runs as the input arena allows. */
  feed(connection: number, steps: readonly Step[]): void {
    this.feedAll(steps.map((step) => ({ connection, step })));
  }

  /** Feeds steps of many connections in the order given. */
  feedAll(all: readonly { connection: number; step: Step }[]): void {
    let batch: { connection: number; step: Step }[] = [];
    let used = 0;
    for (const one of all) {
      const need = abi.CHUNK_SIZE + one.step.bytes.length + 24;
      if (need > this.#inputBytes) throw new Error(`a step of ${one.step.bytes.length} bytes exceeds the input arena`);
      if (used + need > this.#inputBytes) {
        this.#runBatch(batch);
        batch = [];
        used = 0;
      }
      batch.push(one);
      used += need;
    }
    if (batch.length > 0) this.#runBatch(batch);
  }

  /** Asks identify() about the steps, as the first of a connection. */
  identify(steps: readonly Step[]): number {
    const offsets: [number, number] = [0, 0];
    this.#write(steps.map((step) => ({ slot: 0, offsets, step })));
    const verdict = this.#exports.identify(steps.length);
    const known = verdict <= abi.IDENTIFY_SCORE_MAX || (verdict & ~abi.IDENTIFY_SWAPPED) <= abi.IDENTIFY_SCORE_MAX;
    if (!known || verdict < 0) throw new OutputError(`identify returned ${verdict}`);
    return verdict;
  }

  /** Moves the connection's slot to a new address of `target`, as snapshot and hot swap do; returns its number there. */
  moveTo(target: Harness, connection: number): number {
    const from = this.#connections[connection]!;
    const size = this.parser.manifest.slots[from.sizeClass]!;
    const state = new Uint8Array(this.#exports.memory.buffer).slice(from.slot, from.slot + size);
    const slot = target.#allocate(from.sizeClass, 0);
    new Uint8Array(target.#exports.memory.buffer).set(state, slot);
    // What stays behind is not the connection's any more; a module that kept its address will show.
    new Uint8Array(this.#exports.memory.buffer).fill(0xee, from.slot, from.slot + size);
    return target.#connections.push({ ...from, slot }) - 1;
  }

  #runBatch(batch: readonly { connection: number; step: Step }[]): void {
    this.#write(
      batch.map(({ connection, step }) => {
        const { slot, offsets } = this.#connections[connection]!;
        return { slot, offsets, step };
      }),
    );
    let stalls = 0;
    for (let first = 0; first < batch.length; ) {
      const before = this.#chunk(first);
      const next = this.#exports.run(first, batch.length);
      if (next < first || next > batch.length) throw new OutputError(`run(${first}, ${batch.length}) returned ${next}`);
      const records = this.#takeOutput(next, batch.length);
      const progress = next > first || records > 0 || this.#chunk(first) !== before;
      stalls = progress ? 0 : stalls + 1;
      if (stalls === STALLS) throw new OutputError(`run(${first}, ${batch.length}) makes no progress`);
      first = next;
    }
    this.#checkGuards();
  }

  /** Reads the output of a run and follows its hints; returns the number of records. */
  #takeOutput(next: number, end: number): number {
    const start = this.#word(this.#layout + abi.LAYOUT_OUTPUT);
    const length = this.#word(this.#layout + abi.LAYOUT_OUTPUT_LENGTH);
    if (length > this.#outputBytes) throw new OutputError(`${length} bytes of output in ${this.#outputBytes}`);
    this.longestOutput = Math.max(this.longestOutput, length);
    const view = new DataView(this.#exports.memory.buffer);
    const records = decodeOutput(view, start, start + length, this.parser.manifest);
    const owners = records.map(({ slot }) => this.#owner(slot));
    for (const [index, { slot: _, ...record }] of records.entries()) {
      const connection = owners[index]!;
      if (record.type === 'grow') this.#move(connection, connection.sizeClass + 1, next, end);
      else if (record.type === 'shrink') this.#move(connection, 0, next, end);
      else connection.output.push(record);
    }
    return records.length;
  }

  #owner(slot: number): Connection {
    const owner = this.#connections.find((connection) => connection.slot === slot);
    if (!owner) throw new OutputError(`output for ${slot}, which is no slot`);
    return owner;
  }

  #move(connection: Connection, sizeClass: number, next: number, end: number): void {
    const { slots } = this.parser.manifest;
    if (sizeClass >= slots.length) throw new OutputError('GROW in the largest slot class');
    const old = connection.slot;
    const keep = Math.min(slots[sizeClass]!, slots[connection.sizeClass]!);
    const slot = this.#allocate(sizeClass, this.#word(old + abi.SLOT_OPEN_FLAGS));
    const from = old + abi.SLOT_OPEN_FLAGS + 4;
    new Uint8Array(this.#exports.memory.buffer).copyWithin(slot + abi.SLOT_OPEN_FLAGS + 4, from, old + keep);
    connection.slot = slot;
    connection.sizeClass = sizeClass;
    const view = new DataView(this.#exports.memory.buffer);
    for (let index = next; index < end; index++) {
      const at = this.#chunkAddress(index) + abi.CHUNK_SLOT;
      if (view.getUint32(at, true) === old) view.setUint32(at, slot, true);
    }
  }

  #allocate(sizeClass: number, flags: number): number {
    const size = this.parser.manifest.slots[sizeClass]!;
    const slot = this.#top;
    this.#top += size + GUARD;
    const shortage = this.#top - this.#exports.memory.buffer.byteLength;
    if (shortage > 0) this.#exports.memory.grow(Math.ceil(shortage / PAGE));
    new Uint8Array(this.#exports.memory.buffer).fill(0, slot, slot + size).fill(GUARD_BYTE, slot + size, this.#top);
    const view = new DataView(this.#exports.memory.buffer);
    view.setUint32(slot + abi.SLOT_SIZE, size, true);
    view.setUint32(slot + abi.SLOT_OPEN_FLAGS, flags, true);
    return slot;
  }

  #checkGuards(): void {
    const memory = new Uint8Array(this.#exports.memory.buffer);
    for (const { slot, sizeClass } of this.#connections) {
      const end = slot + this.parser.manifest.slots[sizeClass]!;
      for (let at = end; at < end + GUARD; at++) {
        if (memory[at] !== GUARD_BYTE) throw new OutputError(`wrote ${at - end} bytes behind the end of its slot`);
      }
    }
  }

  #write(chunks: readonly { slot: number; offsets: [number, number]; step: Step }[]): void {
    const input = this.#word(this.#layout + abi.LAYOUT_INPUT);
    const memory = new Uint8Array(this.#exports.memory.buffer);
    memory.fill(this.#poison, input, input + this.#inputBytes);
    let data = input + chunks.length * abi.CHUNK_SIZE;
    for (const [index, { slot, offsets, step }] of chunks.entries()) {
      memory.set(step.bytes, data);
      this.#writeChunk(input + index * abi.CHUNK_SIZE, slot, step, data, offsets[step.direction]!);
      offsets[step.direction]! += step.wireLength;
      data += step.bytes.length + 1;
    }
  }

  #writeChunk(at: number, slot: number, step: Step, data: number, offset: number): void {
    const view = new DataView(this.#exports.memory.buffer);
    view.setUint32(at + abi.CHUNK_SLOT, slot, true);
    view.setUint8(at + abi.CHUNK_KIND, step.kind);
    view.setUint8(at + abi.CHUNK_DIRECTION, step.direction);
    view.setUint16(at + abi.CHUNK_FLAGS, 0, true);
    view.setUint32(at + abi.CHUNK_DATA, data, true);
    view.setUint32(at + abi.CHUNK_LENGTH, step.bytes.length, true);
    view.setUint32(at + abi.CHUNK_WIRE_LENGTH, step.wireLength, true);
    view.setUint32(at + abi.CHUNK_RESERVED, 0, true);
    view.setBigUint64(at + abi.CHUNK_TIMESTAMP, BigInt(step.timestamp), true);
    view.setBigUint64(at + abi.CHUNK_OFFSET, BigInt(offset), true);
  }

  /** The mutable part of a chunk: tells whether a run consumed anything of it. */
  #chunk(index: number): string {
    const at = this.#chunkAddress(index);
    return [abi.CHUNK_DATA, abi.CHUNK_LENGTH, abi.CHUNK_WIRE_LENGTH].map((field) => this.#word(at + field)).join();
  }

  #chunkAddress(index: number): number {
    return this.#word(this.#layout + abi.LAYOUT_INPUT) + index * abi.CHUNK_SIZE;
  }

  #word(at: number): number {
    return new DataView(this.#exports.memory.buffer).getUint32(at, true);
  }
}

/** What a fresh connection of a fresh instance makes of the steps. */
export function parse(parser: Parser, steps: readonly Step[], flags = 0, options: HarnessOptions = {}): Output[] {
  const harness = new Harness(parser, options);
  const connection = harness.open(flags);
  harness.feed(connection, steps);
  return [...harness.output(connection)];
}
