import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Slab } from '../../host/spans/slab.ts';

const LONGEST = 2048;

describe('Slab', () => {
  test('a block that was given back is the next one taken of its size', () => {
    const slab = new Slab(1 << 20);
    const kept = slab.take(10);
    const first = slab.take(64);
    slab.give(first, 64);
    expect(slab.take(1)).toBe(first);
    expect(kept).not.toBe(first);
  });

  test('no block is longer than the longest message', () => {
    const slab = new Slab(1 << 20);
    expect(slab.take(LONGEST)).toBeGreaterThanOrEqual(0);
    expect(slab.take(LONGEST + 1)).toBe(-1);
  });

  test.each([1024, 100_000, 1 << 20, 3 << 20])('never grows beyond %d bytes', (limit) => {
    const slab = new Slab(limit);
    let taken = 0;
    while (slab.take(200) >= 0) taken++;
    expect(slab.words.byteLength).toBeLessThanOrEqual(limit);
    expect(taken).toBe(Math.floor(limit / 1024));
  });

  test('growing keeps what is in the blocks', () => {
    const slab = new Slab(8 << 20);
    const first = slab.take(64);
    slab.words.fill(7, first, first + 64);
    const before = slab.words;
    while (slab.words === before) slab.take(LONGEST);
    expect([...slab.words.subarray(first, first + 64)]).toEqual(new Array(64).fill(7));
  });

  test('memory that was full of small blocks serves large ones once all are back', () => {
    const slab = new Slab(1 << 20);
    const blocks: number[] = [];
    for (let at = slab.take(64); at >= 0; at = slab.take(64)) blocks.push(at);
    expect(slab.take(LONGEST)).toBe(-1);
    for (const at of blocks) slab.give(at, 64);
    expect(slab.take(LONGEST)).toBeGreaterThanOrEqual(0);
  });

  test('any sequence of take and give keeps the contents of what is taken', () => {
    const step = fc.oneof(
      fc.record({ take: fc.integer({ min: 0, max: LONGEST }) }),
      fc.record({ give: fc.nat({ max: 1000 }) }),
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 400 }), (steps) => {
        const slab = new Slab(2 << 20);
        const taken: { at: number; count: number; mark: number }[] = [];
        let mark = 1;
        for (const one of steps) {
          if ('take' in one) {
            const at = slab.take(one.take);
            if (at < 0) continue;
            slab.words.fill(mark, at, at + one.take);
            taken.push({ at, count: one.take, mark: mark++ });
          } else if (taken.length > 0) {
            const [gone] = taken.splice(one.give % taken.length, 1);
            slab.give(gone!.at, gone!.count);
          }
        }
        for (const { at, count, mark: expected } of taken) {
          expect(slab.words.subarray(at, at + count).every((word) => word === expected)).toBe(true);
        }
      }),
      { numRuns: 100 },
    );
  });
});
