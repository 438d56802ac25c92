/** Framer and Resync of the SDK: frames of every length come out whole, over any cut and across gaps. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { CHUNK_DATA, CHUNK_LENGTH, CHUNK_TIMESTAMP, CHUNK_WIRE_LENGTH } from '../../parsers/sdk/abi.ts';
import { sdkModule } from '../sdk/module.ts';

/** Bytes of a frame that are kept; its header is a big-endian length of 2 bytes that counts itself. */
const AREA = 12;
const HEADER = 2;

const { call, put, at, memory } = await sdkModule(`
import { be16 } from './parsers/sdk/bytes';
import { Chunk } from './parsers/sdk/chunk';
import { frameAt, frameBytes, frameCut, frameFirst, frameKept } from './parsers/sdk/framer';
import { Resync } from './parsers/sdk/resync';

const half = changetype<Resync>(memory.data(128, 8));
const area: usize = memory.data(64, 8);
/** What was found: u32 length, kept, cut, first; the kept bytes, in 32 bytes. */
const found: usize = memory.data(4096, 8);
let count: u32 = 0;

export function reset(): void { memory.fill(changetype<usize>(half), 0, 128); memory.fill(area, 0xee, 64); }
export function results(): usize { return found; }

export function frames(chunk: Chunk): u32 {
  count = 0;
  while (chunk.length > 0 || half.isDue) {
    if (!half.reach(chunk, ${HEADER}, area, ${AREA})) return count;
    if (half.whole(chunk, be16(frameAt), area, ${AREA})) note();
  }
  return half.lose(chunk.missing) && half.isDue && half.whole(chunk, half.size, area, ${AREA}) ? note() : count;
}

export function records(chunk: Chunk): u32 {
  count = 0;
  while (chunk.length > 0) if (half.until(chunk, 0x0a, area, ${AREA})) note();
  return count;
}

export function seek(chunk: Chunk): u32 {
  return half.seek(chunk, 'MARK', area) ? chunk.length : 0xffffffff;
}

export function drop(): void { half.drop(); }
export function searched(): u32 { return half.searched; }

function note(): u32 {
  const to = found + count * 32;
  store<u32>(to, <u32>frameBytes);
  store<u32>(to, frameKept, 4);
  store<u32>(to, frameCut ? 1 : 0, 8);
  store<u32>(to, <u32>frameFirst, 12);
  memory.copy(to + 16, frameAt, min<u32>(frameKept, 16));
  return ++count;
}
`);

interface Found {
  readonly bytes: number;
  readonly kept: readonly number[];
  readonly isCut: boolean;
  readonly first: number;
}

const CHUNK = 8192;

/** Lays a chunk of the bytes, with others behind them; returns its address. */
function layChunk(bytes: Uint8Array, missing: number, timestamp: number): number {
  put(Uint8Array.from([...bytes, ...Array(8).fill(0x0a)]));
  const view = new DataView(memory().buffer, at + CHUNK);
  view.setUint32(CHUNK_DATA, at, true);
  view.setUint32(CHUNK_LENGTH, bytes.length, true);
  view.setUint32(CHUNK_WIRE_LENGTH, bytes.length + missing, true);
  view.setBigUint64(CHUNK_TIMESTAMP, BigInt(timestamp), true);
  return at + CHUNK;
}

function read(reader: 'frames' | 'records', bytes: Uint8Array, timestamp: number, missing = 0): Found[] {
  const count = call(reader, layChunk(bytes, missing, timestamp));
  const results = call('results');
  return Array.from({ length: count }, (_, index) => {
    const view = new DataView(memory().buffer, results + index * 32);
    const kept = view.getUint32(4, true);
    return {
      bytes: view.getUint32(0, true),
      kept: [...memory().slice(results + index * 32 + 16, results + index * 32 + 16 + kept)],
      isCut: view.getUint32(8, true) === 1,
      first: view.getUint32(12, true),
    };
  });
}

/** The pieces of a stream, and in which of them each byte lies. */
function cutUp(
  stream: Uint8Array,
  places: readonly number[],
): { pieces: Uint8Array[]; pieceOf: (at: number) => number } {
  const edges = [
    0,
    ...[...new Set(places.map((place) => place % (stream.length + 1)))].sort((a, b) => a - b),
    stream.length,
  ];
  const pieces = edges.slice(1).map((end, index) => stream.subarray(edges[index], end));
  return { pieces, pieceOf: (place) => edges.slice(1).findIndex((end) => place < end) };
}

function frame(length: number): Uint8Array {
  const bytes = Uint8Array.from({ length }, (_, index) => (index * 5 + length) & 0xff);
  bytes.set([length >> 8, length & 0xff]);
  return bytes;
}

function starts(parts: readonly Uint8Array[]): number[] {
  let place = 0;
  return parts.map(({ length }) => {
    place += length;
    return place - length;
  });
}

const cuts = fc.array(fc.nat(), { maxLength: 12 });
const lengths = fc.array(fc.oneof(fc.integer({ min: HEADER, max: 20 }), fc.integer({ min: HEADER, max: 300 })), {
  minLength: 1,
  maxLength: 8,
});

test('frames of announced length, over any cut', () => {
  fc.assert(
    fc.property(lengths, cuts, (all, places) => {
      const parts = all.map(frame);
      const { pieces, pieceOf } = cutUp(Buffer.concat(parts), places);
      call('reset');
      const found = pieces.flatMap((piece, index) => read('frames', piece, index));
      const expected = parts.map((part, index) => ({
        bytes: part.length,
        kept: [...part.subarray(0, AREA)],
        isCut: false,
        first: pieceOf(starts(parts)[index]!),
      }));
      expect(found).toEqual(expected);
    }),
    { numRuns: 500 },
  );
});

test('frames that a byte ends, over any cut; that byte is not among what is kept', () => {
  const texts = fc.array(fc.array(fc.integer({ min: 0x20, max: 0x7e }), { maxLength: 40 }), {
    minLength: 1,
    maxLength: 8,
  });
  fc.assert(
    fc.property(texts, cuts, (all, places) => {
      const parts = all.map((text) => Uint8Array.from([...text, 0x0a]));
      const { pieces, pieceOf } = cutUp(Buffer.concat(parts), places);
      call('reset');
      const found = pieces.flatMap((piece, index) => read('records', piece, index));
      const expected = all.map((text, index) => ({
        bytes: text.length + 1,
        kept: text.slice(0, AREA),
        isCut: false,
        first: pieceOf(starts(parts)[index]!),
      }));
      expect(found).toEqual(expected);
    }),
    { numRuns: 500 },
  );
});

test('a gap inside a frame costs at most the bytes that it hides', () => {
  fc.assert(
    fc.property(fc.integer({ min: 3, max: 200 }), fc.nat(), fc.nat(), (length, start, size) => {
      const whole = frame(length);
      const from = HEADER + (start % (length - HEADER));
      const to = from + 1 + (size % (length - from));
      call('reset');
      const found = [
        ...read('frames', whole.subarray(0, from), 1, to - from),
        ...read('frames', whole.subarray(to), 2),
        ...read('frames', frame(5), 3),
      ];
      const seen = Math.min(from, AREA);
      expect(found).toEqual([
        { bytes: length, kept: [...whole.subarray(0, seen)], isCut: seen < Math.min(length, AREA), first: 1 },
        { bytes: 5, kept: [...frame(5)], isCut: false, first: 3 },
      ]);
    }),
    { numRuns: 500 },
  );
});

test('a sequence is found over any cut, and nothing is taken for it', () => {
  const noise = fc.array(fc.constantFrom('M', 'A', 'R', 'K', 'MA', 'MAR', '?'), { maxLength: 30 });
  fc.assert(
    fc.property(noise, cuts, (before, places) => {
      const text = `${before.join('')}MARK!!`;
      const place = text.indexOf('MARK');
      const { pieces } = cutUp(Buffer.from(text), places);
      call('reset');
      let passed = 0;
      for (const [index, piece] of pieces.entries()) {
        const left = call('seek', layChunk(piece, 0, index)) >>> 0;
        passed += piece.length;
        if (left === 0xffffffff) continue;
        expect(passed - left).toBe(place + 4);
        expect(call('searched')).toBe(place);
        return;
      }
      expect.unreachable(`not found in ${text}`);
    }),
    { numRuns: 500 },
  );
});
