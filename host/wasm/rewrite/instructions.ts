/**
 * Where an instruction ends: one table from opcode to the shape of its immediates. Rule: what is not in the table is
 * not allowed, and whoever uses it learns the name of the feature it belongs to.
 * https://webassembly.github.io/spec/core/appendix/index-instructions.html
 */
import { RefusedError } from '../refusal.ts';
import { NO_RESULT } from './opcodes.ts';
import { type ByteReader, I64_BYTES, U32_BYTES } from './reader.ts';

/** Passes over the immediates of an instruction. */
type Immediates = (reader: ByteReader) => void;

const SATURATING_AND_BULK = 0xfc;
const SIMD = 0xfd;

type Range = readonly [first: number, last: number, immediates: Immediates];

const PLAIN = table([
  [0x00, 0x01, nothing],
  [0x02, 0x04, blockType],
  [0x05, 0x05, nothing],
  [0x0b, 0x0b, nothing],
  [0x0c, 0x0d, index],
  [0x0e, 0x0e, labels],
  [0x0f, 0x0f, nothing],
  [0x10, 0x10, index],
  [0x11, 0x11, twoIndices],
  [0x1a, 0x1b, nothing],
  [0x1c, 0x1c, valueTypes],
  [0x20, 0x26, index],
  [0x28, 0x3e, address],
  [0x3f, 0x40, index],
  [0x41, 0x42, number],
  [0x43, 0x43, fourBytes],
  [0x44, 0x44, eightBytes],
  [0x45, 0xc4, nothing],
  [0xd0, 0xd0, readValueType],
  [0xd1, 0xd1, nothing],
  [0xd2, 0xd2, index],
]);

const AFTER_FC = table([
  [0, 7, nothing],
  [8, 8, twoIndices],
  [9, 9, index],
  [10, 10, twoIndices],
  [11, 11, index],
  [12, 12, twoIndices],
  [13, 13, index],
  [14, 14, twoIndices],
  [15, 17, index],
]);

const AFTER_FD = table([
  [0, 11, address],
  [12, 13, sixteenBytes],
  [14, 20, nothing],
  [21, 34, oneByte],
  [35, 83, nothing],
  [84, 91, addressAndLane],
  [92, 93, address],
  [94, 255, nothing],
]);

const FEATURES: readonly (readonly [first: number, last: number, feature: string])[] = [
  [0x06, 0x0a, 'exceptions'],
  [0x12, 0x13, 'tail calls'],
  [0x14, 0x15, 'typed function references'],
  [0x18, 0x19, 'exceptions'],
  [0x1f, 0x1f, 'exceptions'],
  [0xd3, 0xd3, 'garbage collection'],
  [0xd4, 0xd6, 'typed function references'],
  [0xfb, 0xfb, 'garbage collection'],
  [0xfe, 0xfe, 'threads'],
];

/** i32, i64, f32, f64, v128, funcref, externref. */
const VALUE_TYPE_CODES: ReadonlySet<number> = new Set([0x7f, 0x7e, 0x7d, 0x7c, 0x7b, 0x70, 0x6f]);
const EXCEPTION_TYPES: ReadonlySet<number> = new Set([0x69, 0x74]);

/** Bit of a memory operand's alignment: an index of a memory follows. */
const HAS_MEMORY_INDEX = 0x40;

/** Passes over one instruction and returns its opcode; of one with a prefix, the prefix is the upper byte. */
export function readInstruction(reader: ByteReader): number {
  const first = reader.byte();
  if (first === SATURATING_AND_BULK) return readPrefixed(reader, first, AFTER_FC, 'multi-memory or wide arithmetic');
  if (first === SIMD) return readPrefixed(reader, first, AFTER_FD, 'relaxed SIMD');
  const skipImmediates = PLAIN[first] ?? refuse(featureOf(first));
  skipImmediates(reader);
  return first;
}

/** A feature that parsers do without. */
export function refuse(feature: string): never {
  throw new RefusedError(`uses ${feature}, which is not allowed; compile without that feature`);
}

export function readValueType(reader: ByteReader): number {
  const code = reader.byte();
  if (VALUE_TYPE_CODES.has(code)) return code;
  return refuse(EXCEPTION_TYPES.has(code) ? 'exceptions' : `garbage collection (type 0x${code.toString(16)})`);
}

function readPrefixed(reader: ByteReader, prefix: number, known: readonly Immediates[], otherwise: string): number {
  const code = reader.u32();
  const skipImmediates = known[code] ?? refuse(`${otherwise} (0x${prefix.toString(16)} ${code})`);
  skipImmediates(reader);
  return prefix * 0x100 + code;
}

function featureOf(opcode: number): string {
  const known = FEATURES.find(([first, last]) => opcode >= first && opcode <= last);
  return known?.[2] ?? `an unknown instruction (0x${opcode.toString(16)})`;
}

function table(ranges: readonly Range[]): Immediates[] {
  const entries: Immediates[] = [];
  for (const [first, last, immediates] of ranges) {
    for (let code = first; code <= last; code++) entries[code] = immediates;
  }
  return entries;
}

function nothing(): void {}

function index(reader: ByteReader): void {
  reader.skipLeb(U32_BYTES);
}

function twoIndices(reader: ByteReader): void {
  index(reader);
  index(reader);
}

function labels(reader: ByteReader): void {
  reader.vector(index);
  index(reader);
}

function valueTypes(reader: ByteReader): void {
  reader.vector(readValueType);
}

function number(reader: ByteReader): void {
  reader.skipLeb(I64_BYTES);
}

function oneByte(reader: ByteReader): void {
  reader.skip(1);
}

function fourBytes(reader: ByteReader): void {
  reader.skip(4);
}

function eightBytes(reader: ByteReader): void {
  reader.skip(8);
}

function sixteenBytes(reader: ByteReader): void {
  reader.skip(16);
}

/** No result, a value type, or the index of a function type as a signed number of 33 bits. */
function blockType(reader: ByteReader): void {
  const first = reader.bytes[reader.at] ?? 0;
  if (first === NO_RESULT) reader.skip(1);
  else if (first > NO_RESULT && first < 0x80) readValueType(reader);
  else index(reader);
}

function address(reader: ByteReader): void {
  if (reader.u32() >= HAS_MEMORY_INDEX) refuse('multiple memories');
  number(reader);
}

function addressAndLane(reader: ByteReader): void {
  address(reader);
  oneByte(reader);
}
