/** The HPACK library as a module of its own, so that a test can hand it blocks and look at the fields. */
import { compileSource } from '../host/compile.ts';

const SOURCE = `
import { beginBlock, block, BAD, FIELD, nextField, fieldName, fieldNameLength, fieldUnknown, fieldValue,
  fieldValueLength } from './parsers/hpack/decoder';
import { Table, tableSize } from './parsers/hpack/table';

const TABLE: usize = memory.data(16384, 16);
const INPUT: usize = memory.data(65536, 16);
const OUTPUT: usize = memory.data(262144, 16);

export function input(): usize { return INPUT; }
export function output(): usize { return OUTPUT; }
export function open(capacity: u32, isWhole: bool): bool {
  if (tableSize(capacity) > 16384) return false;
  changetype<Table>(TABLE).open(capacity, isWhole);
  return true;
}
export function doubt(): void { changetype<Table>(TABLE).doubt(); }
export function held(): u32 { return changetype<Table>(TABLE).count; }
export function skim(length: u32): bool {
  beginBlock(changetype<Table>(TABLE), INPUT, INPUT + length);
  while (nextField() == FIELD);
  return block != BAD;
}
/** u32 unknown, name length, value length, then both; for each field. -1: a bad block. */
export function decode(length: u32): i32 {
  let to = OUTPUT;
  beginBlock(changetype<Table>(TABLE), INPUT, INPUT + length);
  while (nextField() == FIELD) {
    store<u32>(to, fieldUnknown);
    store<u32>(to, fieldNameLength, 4);
    store<u32>(to, fieldValueLength, 8);
    memory.copy(to + 12, fieldName, fieldNameLength);
    memory.copy(to + 12 + fieldNameLength, fieldValue, fieldValueLength);
    to += 12 + fieldNameLength + fieldValueLength;
  }
  return block == BAD ? -1 : <i32>(to - OUTPUT);
}
`;

interface Exports {
  readonly memory: WebAssembly.Memory;
  input(): number;
  output(): number;
  open(capacity: number, isWhole: number): number;
  doubt(): void;
  held(): number;
  skim(length: number): number;
  decode(length: number): number;
}

const UNKNOWN_NAME = 1;
const UNKNOWN_VALUE = 2;

/** Name and value; `undefined` for what refers to an entry that was not seen. */
export type Field = readonly [string | undefined, string | undefined];

export class Hpack {
  readonly #exports: Exports;

  private constructor(exports: Exports) {
    this.#exports = exports;
  }

  static async compile(): Promise<Hpack> {
    const module = new WebAssembly.Module(new Uint8Array(await compileSource(SOURCE)));
    return new Hpack(new WebAssembly.Instance(module).exports as unknown as Exports);
  }

  /** An empty table; `isWhole`: nothing came before. */
  open({ capacity = 4096, isWhole = true } = {}): void {
    if (this.#exports.open(capacity, isWhole ? 1 : 0) === 0) throw new Error('no room for such a table');
  }

  /** Blocks were missed. */
  doubt(): void {
    this.#exports.doubt();
  }

  get held(): number {
    return this.#exports.held();
  }

  /** Only for its time. */
  skim(block: Uint8Array): void {
    this.#write(block);
    if (this.#exports.skim(block.length) === 0) throw new Error('bad block');
  }

  /** The fields of a block; undefined when it is none. */
  decode(block: Uint8Array | string): Field[] | undefined {
    const bytes = typeof block === 'string' ? Buffer.from(block.replaceAll(' ', ''), 'hex') : block;
    this.#write(bytes);
    const length = this.#exports.decode(bytes.length);
    return length < 0 ? undefined : this.#fields(length);
  }

  #write(bytes: Uint8Array): void {
    new Uint8Array(this.#exports.memory.buffer).set(bytes, this.#exports.input());
  }

  #fields(length: number): Field[] {
    const bytes = Buffer.from(this.#exports.memory.buffer, this.#exports.output(), length);
    const fields: Field[] = [];
    for (let at = 0; at < length; ) {
      const [unknown, name, value] = [bytes.readUInt32LE(at), bytes.readUInt32LE(at + 4), bytes.readUInt32LE(at + 8)];
      const text = (from: number, size: number) => bytes.toString('latin1', from, from + size);
      fields.push([
        (unknown & UNKNOWN_NAME) === 0 ? text(at + 12, name) : undefined,
        (unknown & UNKNOWN_VALUE) === 0 ? text(at + 12 + name, value) : undefined,
      ]);
      at += 12 + name + value;
    }
    return fields;
  }
}
