/** The best score wins, a port breaks ties, and the buffering of what nobody knows is bounded. */
import { beforeAll, describe, expect, test } from 'vitest';
import {
  type BufferedChunk,
  createProber,
  Identifier,
  PlacedChunk,
  UNDECIDED,
  UNKNOWN,
} from '../../host/conn/identify.ts';
import { ParserInstance } from '../../host/wasm/instance.ts';
import { compileModule, type TestModule } from './compile.ts';
import { LINE_MANIFEST } from './line-protocol.ts';

/** Answers with the number that its first chunk's bytes say, or that of all chunks together: `*` counts them. */
const SOURCE = `
import { Chunk } from './parsers/sdk/chunk';
export { abi_version, layout } from './parsers/sdk/module';
export function open(_slot: u32, _flags: u32): void {}
export function close(_slot: u32): void {}
export function run(_first: u32, end: u32): u32 { return end; }
export function identify(count: u32): u32 {
  const chunk = Chunk.at(0);
  if (load<u8>(chunk.data) == 0x2a) return count >= 3 ? 60 : 1;
  if (load<u8>(chunk.data) == 0x6d) return 1;
  let value: u32 = 0;
  for (let i: u32 = 0; i < chunk.length && load<u8>(chunk.data + i) - 0x30 < 10; i++) {
    value = value * 10 + load<u8>(chunk.data + i) - 0x30;
  }
  return value;
}
`;

let compiled: TestModule;

beforeAll(async () => {
  compiled = await compileModule(SOURCE, { ...LINE_MANIFEST, magic: [] });
}, 60_000);

const PORTS = [8080, 50_000] as const;

function chunk(text: string, direction = 0): BufferedChunk {
  const bytes = Buffer.from(text, 'latin1');
  return { direction, bytes, wireLength: bytes.length, timeLow: 0, timeHigh: 0, offset: 0 };
}

function identifier(...modules: { magic?: string[]; ports?: number[]; minBytes?: number }[]): Identifier {
  const probers = modules.map((one, index) =>
    createProber(new ParserInstance({ ...compiled, manifest: { ...compiled.manifest, ports: [], ...one } }, index)),
  );
  return new Identifier(
    () => probers,
    () => expect.unreachable(),
  );
}

describe('Identifier', () => {
  test.each([
    ['0', UNKNOWN],
    ['2', { parser: 0, swapped: false }],
    ['100', { parser: 0, swapped: false }],
    ['101', UNKNOWN],
    ['255', UNKNOWN],
    ['356', { parser: 0, swapped: true }],
    ['256', UNKNOWN],
    ['1', UNDECIDED],
  ])('a verdict of %s', (text, expected) => {
    const verdict = identifier({}).offer(0, chunk(text), 0, false, PORTS);
    if (typeof expected === 'string') expect(verdict).toBe(expected);
    else expect(verdict).toMatchObject(expected);
  });

  test('what came before is given back, in order', () => {
    const one = identifier({});
    expect(one.offer(0, chunk('*a'), 0, false, PORTS)).toBe(UNDECIDED);
    expect(one.offer(1, chunk('*other connection'), 0, false, PORTS)).toBe(UNDECIDED);
    expect(one.offer(0, chunk('b', 1), 0, false, PORTS)).toBe(UNDECIDED);
    const verdict = one.offer(0, chunk('c'), 0, false, PORTS);
    expect(verdict).toMatchObject({ parser: 0 });
    if (typeof verdict === 'string') return expect.unreachable();
    expect(verdict.chunks.map(({ bytes }) => Buffer.from(bytes).toString())).toEqual(['*a', 'b', 'c']);
  });

  test('only modules whose magic fits are asked; a chunk shorter than the magic fits', () => {
    const one = identifier({ magic: ['90 one'] }, { magic: ['90 two'] });
    expect(one.offer(0, chunk('90 two'), 0, false, PORTS)).toMatchObject({ parser: 1 });
    expect(one.offer(1, chunk('90 three'), 0, false, PORTS)).toBe(UNKNOWN);
    expect(one.offer(2, chunk('9'), 0, false, PORTS)).toMatchObject({ parser: 0 });
  });

  test('a module is not asked before it has as many bytes as it wants', () => {
    const one = identifier({ minBytes: 4 });
    expect(one.offer(0, chunk('90'), 0, false, PORTS)).toBe(UNDECIDED);
    expect(one.offer(0, chunk('xx', 1), 0, false, PORTS)).toMatchObject({ parser: 0 });
  });

  test('a port breaks a tie and does not decide', () => {
    const tie = identifier({}, { ports: [8080] });
    expect(tie.offer(0, chunk('50'), 0, false, PORTS)).toMatchObject({ parser: 1 });
    const worse = identifier({ magic: ['70'] }, { ports: [8080], magic: ['x'] });
    expect(worse.offer(0, chunk('70'), 0, false, PORTS)).toMatchObject({ parser: 0 });
  });

  test('a module that wants more for ever is bounded in chunks and in bytes', () => {
    const one = identifier({});
    const verdicts = Array.from({ length: 32 }, () => one.offer(0, chunk('more'), 0, false, PORTS));
    expect(verdicts.indexOf(UNKNOWN)).toBe(31);
    const large = chunk(`m${'x'.repeat(10_000)}`);
    expect(Array.from({ length: 4 }, () => one.offer(1, large, 0, false, PORTS)).indexOf(UNKNOWN)).toBe(3);
  });

  test('in mid-stream each chunk is a new attempt, with what came before it and on its own', () => {
    const one = identifier({});
    expect(one.offer(0, chunk('0'), 0, true, PORTS)).toBe(UNDECIDED);
    expect(one.offer(0, chunk('90'), 0, true, PORTS)).toMatchObject({ parser: 0, chunks: [chunk('90')] });
    for (let i = 0; i < 63; i++) expect(one.offer(1, chunk('0'), 0, true, PORTS)).toBe(UNDECIDED);
    expect(one.offer(1, chunk('0'), 0, true, PORTS)).toBe(UNKNOWN);
  });

  test('forget: nothing of before is in a later answer', () => {
    const one = identifier({});
    one.offer(0, chunk('*a'), 0, false, PORTS);
    one.forget(0);
    expect(one.offer(0, chunk('90'), 0, false, PORTS)).toMatchObject({ chunks: [chunk('90')] });
  });

  test('what is lent is copied when it has to wait, and given back to nobody when not', () => {
    const one = identifier({});
    const batch = Buffer.from('*a');
    const lent = new PlacedChunk();
    expect(one.offer(0, lent.set(0, batch, 2, 7, 8, 9), 0, false, PORTS)).toBe(UNDECIDED);
    batch.write('90');
    expect(one.offer(0, lent.set(1, batch, 2, 7, 8, 11), 0, false, PORTS)).toBe(UNDECIDED);
    batch.write('xx');
    const verdict = one.offer(0, lent.set(0, batch, 2, 7, 8, 13), 0, false, PORTS);
    if (typeof verdict === 'string') return expect.unreachable();
    expect(verdict.chunks.map(({ bytes }) => Buffer.from(bytes).toString())).toEqual(['*a', '90']);
    expect(verdict.chunks[0]).toMatchObject({ direction: 0, wireLength: 2, timeLow: 7, timeHigh: 8, offset: 9 });
    expect(one.offer(1, lent.set(0, Buffer.from('90'), 2, 7, 8, 9), 0, false, PORTS)).toMatchObject({ chunks: [] });
    expect(one.offer(2, lent.set(0, Buffer.from('0'), 1, 7, 8, 9), 0, false, PORTS)).toBe(UNKNOWN);
  });
});
