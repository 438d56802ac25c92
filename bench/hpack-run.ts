/** parsers/hpack in a module of its own, metered like the parser that uses it: all blocks in its memory, read lap by lap. */

import { FUEL_EXPORT, meterModule } from '../host/wasm/rewrite/meter.ts';
import { compileSource } from '../test/host/compile.ts';
import type { Bytes } from './parser-traffic.ts';
import { tableOf } from './reference.ts';

/** The table is as large as parsers/http2 has it. A block: u32 offset, length, and 1 where a connection begins. */
const SOURCE = `
import { beginBlock, block, BAD, FIELD, nextField, fieldNameLength, fieldValueLength } from './parsers/hpack/decoder';
import { DEFAULT_SIZE, Table, tableSize } from './parsers/hpack/table';

const TABLE_MAX: u32 = 16384;
const TABLE: usize = memory.data(16384, 16);
const BLOCKS: usize = memory.data(65536, 16);
const INPUT: usize = memory.data(1048576, 16);

export let items: u32 = 0;
export let bytes: u32 = 0;
export function blocks(): usize { return BLOCKS; }
export function input(): usize { return INPUT; }
/** One lap. False: a block is bad, or the table outgrows its place. */
export function run(count: u32): bool {
  if (tableSize(DEFAULT_SIZE) > TABLE_MAX) return false;
  const table = changetype<Table>(TABLE);
  items = 0;
  bytes = 0;
  for (let i: u32 = 0; i < count; i++) {
    const entry = BLOCKS + i * 12;
    if (load<u32>(entry, 8) == 1) table.open(DEFAULT_SIZE, true);
    const from = INPUT + load<u32>(entry);
    beginBlock(table, from, from + load<u32>(entry, 4));
    while (nextField() == FIELD) {
      items++;
      bytes += fieldNameLength + fieldValueLength;
    }
    if (block == BAD) return false;
  }
  return true;
}
`;
const MEMORY_PAGES = 64;
const FUEL = 1_000_000_000;

interface Exports {
  readonly memory: WebAssembly.Memory;
  readonly [FUEL_EXPORT]: { value: number };
  readonly items: { value: number };
  readonly bytes: { value: number };
  blocks(): number;
  input(): number;
  run(count: number): number;
}

export class HpackRun {
  items = 0;
  bytes = 0;
  readonly #exports: Exports;
  #count = 0;

  private constructor(exports: Exports) {
    this.#exports = exports;
  }

  static async compile(blocks: readonly Bytes[]): Promise<HpackRun> {
    const plain = new Uint8Array(await compileSource(SOURCE));
    const module = new WebAssembly.Module(meterModule(plain, { memoryPages: MEMORY_PAGES }));
    const made = new HpackRun(new WebAssembly.Instance(module).exports as unknown as Exports);
    made.#write(blocks);
    return made;
  }

  run(laps: number): void {
    for (let lap = 0; lap < laps; lap++) {
      this.#exports[FUEL_EXPORT].value = FUEL;
      if (this.#exports.run(this.#count) === 0) throw new Error('parsers/hpack refuses a block');
      this.items += this.#exports.items.value;
      this.bytes += this.#exports.bytes.value;
    }
  }

  #write(blocks: readonly Bytes[]): void {
    const { memory } = this.#exports;
    const table = tableOf(blocks);
    this.#exports[FUEL_EXPORT].value = FUEL;
    const [at, input] = [this.#exports.blocks(), this.#exports.input()];
    if (table.chunks.byteLength > input - at) throw new Error('more blocks than the module has room for');
    this.#count = blocks.length;
    new Uint32Array(memory.buffer, at, table.chunks.length).set(table.chunks);
    new Uint8Array(memory.buffer, input).set(table.bytes);
  }
}
