/** parsers/sdk/abi.ts is one file for two languages, and the only place its numbers stand: so it must hold together. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import * as abi from '../../parsers/sdk/abi.ts';
import { compileSource } from '../host/compile.ts';

const FILE = join(import.meta.dirname, '..', '..', 'parsers', 'sdk', 'abi.ts');
const NUMBERS = Object.entries(abi) as [string, number][];

/** Constants as the file's sections have them, by the first one of each. */
function section(first: string, last: string): [string, number][] {
  const text = readFileSync(FILE, 'utf8');
  const names = [...text.matchAll(/^export const ([A-Z0-9_]+)/gm)].map(([, name]) => name!);
  const from = names.indexOf(first);
  const to = names.indexOf(last);
  expect(from).toBeGreaterThanOrEqual(0);
  expect(to).toBeGreaterThan(from);
  const values = new Map(NUMBERS);
  return names.slice(from, to + 1).map((name) => [name, values.get(name)!]);
}

function expectDistinct(constants: readonly [string, number][]): void {
  expect(constants.filter(([, value], i) => constants.findIndex(([, other]) => other === value) !== i)).toEqual([]);
}

test('it holds integer constants and nothing else', () => {
  const code = readFileSync(FILE, 'utf8')
    .replace(/\/\*[\s\S]*?\*\/|\/\/.*$/gm, '')
    .split('\n')
    .filter((line) => line.trim() !== '');
  for (const line of code) expect(line).toMatch(/^export const [A-Z][A-Z0-9_]* = (0x[0-9a-f]+|\d+);$/);
  expect(NUMBERS).toHaveLength(code.length);
  for (const [, value] of NUMBERS) expect(Number.isInteger(value) && value >= 0 && value <= 0xffffffff).toBe(true);
});

test('no two record types share a number, and messages come before hints', () => {
  const types = section('REQUEST', 'SUBSTREAM_CLOSE');
  expectDistinct(types);
  for (const [, value] of types) expect(value).toBeLessThanOrEqual(0xffff);
  expect(Math.max(abi.REQUEST, abi.RESPONSE, abi.ONEWAY)).toBeLessThan(abi.DESYNC);
  // 0 is what forgotten memory looks like.
  expect(types.map(([, value]) => value)).not.toContain(0);
});

test('chunk kinds, directions and upgrades are distinct', () => {
  expectDistinct(section('DATA', 'RESET'));
  expectDistinct(section('FROM_CLIENT', 'FROM_SERVER'));
  expectDistinct(section('UPGRADE_TUNNEL', 'UPGRADE_TLS'));
});

test('message flags are single bits of a u16', () => {
  const flags = section('MESSAGE_ERROR', 'MESSAGE_SUSPECT');
  expectDistinct(flags);
  for (const [, bit] of flags) expect([bit & (bit - 1), bit <= 0x8000]).toEqual([0, true]);
});

test.each([
  ['layout', section('LAYOUT_INPUT', 'LAYOUT_CURRENT'), abi.LAYOUT_SIZE],
  ['chunk', section('CHUNK_SLOT', 'CHUNK_OFFSET'), abi.CHUNK_SIZE],
  ['output record', section('OUT_LENGTH', 'OUT_FLAGS'), abi.OUT_SHORT],
  ['message', section('MESSAGE_STATUS', 'MESSAGE_PROTOCOL'), abi.MESSAGE_SIZE],
  ['attribute', section('ATTRIBUTE_ID', 'ATTRIBUTE_LENGTH'), abi.ATTRIBUTE_VALUE],
])('fields of a %s are distinct, in order and inside', (_, fields, size) => {
  expectDistinct(fields);
  const offsets = fields.map(([, offset]) => offset);
  expect(offsets).toEqual([...offsets].sort((a, b) => a - b));
  for (const offset of offsets) expect(offset).toBeLessThan(size);
});

test('what is 8 bytes wide lies at a multiple of 8, what is 4 at a multiple of 4', () => {
  const wide = [
    abi.CHUNK_TIMESTAMP,
    abi.CHUNK_OFFSET,
    abi.MESSAGE_KEY,
    abi.MESSAGE_FIRST,
    abi.MESSAGE_LAST,
    abi.MESSAGE_BYTES,
    abi.MESSAGE_BODY_BYTES,
    abi.MESSAGE_SIZE,
    abi.CHUNK_SIZE,
    abi.OUT_SHORT,
    abi.MESSAGE_MAX,
  ];
  for (const offset of wide) expect(offset % 8).toBe(0);
  const words = [abi.CHUNK_SLOT, abi.CHUNK_DATA, abi.CHUNK_LENGTH, abi.CHUNK_WIRE_LENGTH, abi.OUT_LENGTH, abi.OUT_SLOT];
  for (const offset of [...words, abi.OUT_VALUE, abi.MESSAGE_STATUS, abi.SLOT_SIZE, abi.SLOT_OPEN_FLAGS]) {
    expect(offset % 4).toBe(0);
  }
});

test('sizes fit each other', () => {
  expect(abi.MESSAGE_STATUS).toBe(abi.OUT_VALUE);
  expect(abi.OUT_SHORT).toBe(abi.OUT_VALUE + 4);
  expect(abi.SLOT_HEADER).toBeLessThan(abi.SLOT_ALIGN);
  expect(abi.SLOT_ALIGN & (abi.SLOT_ALIGN - 1)).toBe(0);
  expect(abi.STRING_MAX + abi.ATTRIBUTE_VALUE + abi.MESSAGE_SIZE).toBeLessThan(abi.MESSAGE_MAX);
  expect(abi.STRING_MAX).toBeLessThanOrEqual(0xffff);
  expect(abi.IDENTIFY_SCORE_MAX).toBeLessThan(abi.IDENTIFY_SWAPPED);
  expect(abi.IDENTIFY_SCORE_MIN).toBeGreaterThan(abi.IDENTIFY_MORE);
});

test('AssemblyScript reads the same numbers', { timeout: 60_000 }, async () => {
  const names = NUMBERS.map(([name]) => name);
  const cases = names.map((name, index) => `if (index == ${index}) return abi.${name};`).join('\n  ');
  const bytes = await compileSource(
    `import * as abi from './parsers/sdk/abi';\nexport function constant(index: i32): u32 {\n  ${cases}\n  return 0;\n}`,
  );
  const module = new WebAssembly.Module(bytes as Uint8Array<ArrayBuffer>);
  const { constant } = new WebAssembly.Instance(module).exports as { constant: (index: number) => number };
  for (const [index, [, value]] of NUMBERS.entries()) expect(constant(index) >>> 0).toBe(value);
});
