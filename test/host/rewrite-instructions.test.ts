/**
 * The rewriter and the engine agree on where every instruction ends. The engine is asked through validation: behind
 * `unreachable` an instruction finds any operands, so the fewest zero bytes that make a function valid are its immediates.
 */
import { describe, expect, test } from 'vitest';
import { encodeBody, leb128 } from '../../host/wasm/rewrite/encode.ts';
import { readInstruction } from '../../host/wasm/rewrite/instructions.ts';
import { ByteReader } from '../../host/wasm/rewrite/reader.ts';

const LONGEST = 18;
const I32 = 0x7f;
const RESULTS = [[], [I32], [0x7e], [0x7d], [0x7c], [0x7b], [0x70], [0x6f]];

const section = (id: number, ...entries: number[][]) => {
  const content = [...leb128(entries.length), ...entries.flat()];
  return [id, ...leb128(content.length), ...content];
};

/** Function 0 has the instructions and these results; there is one of everything an index of zero could name. */
function isValid(results: number[], instructions: number[]): boolean {
  const bytes = [
    ...[0, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
    ...section(1, [0x60, 0, 0], [0x60, 1, I32, results.length, ...results]),
    ...section(3, [1]),
    ...section(4, [0x70, 0, 1]),
    ...section(5, [0, 1]),
    ...section(6, [I32, 1, 0x41, 0, 0x0b]),
    ...section(9, [1, 0, 1, 0]),
    ...[12, 1, 1],
    ...section(10, encodeBody(instructions)),
    ...section(11, [1, 0]),
  ];
  return WebAssembly.validate(new Uint8Array(bytes));
}

/** Bytes of the immediates as the engine sees them; undefined when it does not know the opcode. */
function lengthInEngine(opcode: number[], end: number[]): number | undefined {
  for (let length = 0; length <= LONGEST; length++) {
    const instructions = [0x00, ...opcode, ...Array(length).fill(0), ...end];
    if (RESULTS.some((results) => isValid(results, instructions))) return length;
  }
  return undefined;
}

function lengthInRewriter(opcode: number[]): number {
  const reader = new ByteReader(new Uint8Array([...opcode, ...Array(LONGEST + 1).fill(0)]));
  readInstruction(reader);
  return reader.at - opcode.length;
}

/** Blocks need one `end` more; these cannot have zeroes behind them, or not stand alone. */
const BLOCKS = new Set([0x02, 0x03, 0x04]);
const ALONE = new Set([0x05, 0x0b, 0x1c, 0xd0]);

describe.each([
  ['plain', [], 0xd2, 179],
  ['0xfc', [0xfc], 17, 18],
  ['0xfd', [0xfd], 255, 236],
] as const)('%s instructions', (_, prefix, last, expected) => {
  test('end where the engine says', () => {
    let compared = 0;
    for (let code = 0; code <= last; code++) {
      if (prefix.length === 0 && ALONE.has(code)) continue;
      const opcode = prefix.length === 0 ? [code] : [...prefix, ...leb128(code)];
      const length = lengthInEngine(opcode, BLOCKS.has(opcode[0]!) ? [0x0b, 0x0b] : [0x0b]);
      if (length === undefined || isOfAnotherFeature(opcode)) continue;
      expect(lengthInRewriter(opcode), `opcode ${opcode.map((byte) => byte.toString(16))}`).toBe(length);
      compared++;
    }
    expect(compared).toBe(expected);
  });
});

/** What the engine knows and docs/abi.md does not: exceptions, tail calls, references to types. */
function isOfAnotherFeature([first]: number[]): boolean {
  return first! < 0x1a && ![0, 1, 2, 3, 4, 0x0c, 0x0d, 0x0e, 0x0f, 0x10, 0x11].includes(first!);
}

test.each([
  ['select with types', [0x1c, 2, 0x7f, 0x70], 0x1c],
  ['ref.null', [0xd0, 0x6f], 0xd0],
  ['a block with a result', [0x02, 0x7b], 0x02],
  ['a block without one', [0x03, 0x40], 0x03],
  ['a block of a type with a long index', [0x04, 0xff, 0x80, 0x00], 0x04],
  ['br_table', [0x0e, 3, 0x80, 0x01, 2, 3, 4], 0x0e],
  ['an address with a long offset', [0x28, 2, 0xff, 0xff, 0xff, 0xff, 0x0f], 0x28],
  ['a long number', [0x42, ...Array(9).fill(0xff), 0x7f], 0x42],
  ['a prefixed opcode in more bytes than needed', [0xfc, 0x8b, 0x00, 0], 0xfc0b],
])('%s is read whole', (_, bytes, opcode) => {
  const reader = new ByteReader(new Uint8Array(bytes));
  expect(readInstruction(reader)).toBe(opcode);
  expect(reader.done).toBe(true);
});
