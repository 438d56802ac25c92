/**
 * Everything of a module but its code: types, imports, tables, memories, globals, exports and segments, entry by entry.
 * Each function reads one entry of one section and refuses what docs/abi.md does not allow.
 * https://webassembly.github.io/spec/core/binary/modules.html
 */
import { RefusedError } from '../refusal.ts';
import { readInstruction, readValueType, refuse } from './instructions.ts';
import * as op from './opcodes.ts';
import { type ByteReader, WasmFormatError } from './reader.ts';

export interface FunctionType {
  readonly parameters: readonly number[];
  readonly results: readonly number[];
}

export interface Limits {
  readonly initial: number;
  readonly maximum: number | undefined;
}

export const HAS_MAXIMUM = 1;
const SHARED = 2;
const SIXTY_FOUR_BIT = 4;
/** A table whose elements begin as the value of an expression. */
const TABLE_WITH_VALUE = 0x40;

const CONSTANT: ReadonlySet<number> = new Set([
  op.I32_CONST,
  op.I64_CONST,
  op.F32_CONST,
  op.F64_CONST,
  op.V128_CONST,
  op.REF_NULL,
  op.REF_FUNC,
  op.GLOBAL_GET,
]);

export function readFunctionType(reader: ByteReader): FunctionType {
  if (reader.byte() !== op.FUNCTION_TYPE) refuse('garbage collection (a type that is no function)');
  return { parameters: readValueTypes(reader), results: readValueTypes(reader) };
}

/** Returns the kind; `functionType` hears the type index of a function. */
export function readImport(reader: ByteReader, functionType: (index: number) => void = () => {}): number {
  reader.skip(reader.u32());
  reader.skip(reader.u32());
  const kind = reader.byte();
  if (kind === op.KIND_FUNCTION) functionType(reader.u32());
  else if (kind === op.KIND_TABLE) readTable(reader);
  else if (kind === op.KIND_MEMORY) readLimits(reader);
  else if (kind === op.KIND_GLOBAL) readGlobalType(reader);
  else refuse(kind === op.KIND_TAG ? 'exceptions' : `an unknown kind of import (${kind})`);
  return kind;
}

/** Returns the element type beside the limits. */
export function readTable(reader: ByteReader): [elementType: number, limits: Limits] {
  if (reader.bytes[reader.at] === TABLE_WITH_VALUE) refuse('typed function references');
  return [readValueType(reader), readLimits(reader)];
}

export function readLimits(reader: ByteReader): Limits {
  const flags = reader.byte();
  if (flags & SHARED) refuse('threads (shared memory)');
  if (flags & SIXTY_FOUR_BIT) refuse('64-bit memories or tables');
  if (flags > HAS_MAXIMUM) refuse('custom page sizes');
  return { initial: reader.u32(), maximum: flags & HAS_MAXIMUM ? reader.u32() : undefined };
}

export function readGlobal(reader: ByteReader): void {
  readGlobalType(reader);
  skipConstant(reader);
}

/** Hears every export; what begins with `spanwire` is the host's to export. */
export function readExport(reader: ByteReader, found: (name: string, kind: number, index: number) => void): void {
  const name = reader.name();
  if (name.startsWith('spanwire')) {
    throw new RefusedError(`exports "${name}": fuel export collision; names that begin with "spanwire" are the host's`);
  }
  found(name, reader.byte(), reader.u32());
}

/** Flag bits: 1 not active, 2 with an index (or, not active, only declared), 4 elements are expressions. */
export function readElements(reader: ByteReader): void {
  const flags = reader.u32();
  if (flags > 7) throw new WasmFormatError(`an element segment has unknown flags ${flags}`);
  const expressions = (flags & 4) !== 0;
  if ((flags & 1) === 0) {
    if (flags & 2) reader.u32();
    skipConstant(reader);
  }
  if (flags & 3) {
    if (expressions) readValueType(reader);
    else reader.skip(1);
  }
  reader.vector(expressions ? skipConstant : (one) => one.u32());
}

/** Flags: 0 active, 1 passive, 2 active with an index. */
export function readData(reader: ByteReader): void {
  const flags = reader.u32();
  if (flags > 2) throw new WasmFormatError(`a data segment has unknown flags ${flags}`);
  if (flags === 2) reader.u32();
  if (flags !== 1) skipConstant(reader);
  reader.skip(reader.u32());
}

function readValueTypes(reader: ByteReader): number[] {
  const types: number[] = [];
  reader.vector((one) => types.push(readValueType(one)));
  return types;
}

function readGlobalType(reader: ByteReader): void {
  readValueType(reader);
  if (reader.byte() > op.MUTABLE) refuse('threads (a shared global)');
}

function skipConstant(reader: ByteReader): void {
  for (;;) {
    const opcode = readInstruction(reader);
    if (opcode === op.END) return;
    if (!CONSTANT.has(opcode)) refuse('extended constant expressions');
  }
}
