import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Engine } from '../../host/engine/engine.ts';
import { Slab } from './engine-parts.ts';

const LONGEST = 2048;

describe('Slab', () => {
  test('a block that was given back is the next one taken of its size', () => {
    const slab = new Slab(1 << 20);
    const kept = slab.take(10);
    const first = slab.take(64);
    slab.give(first);
    expect(slab.take(1)).toBe(first);
    expect(kept).not.toBe(first);
  });

  test('no block is longer than the longest message', () => {
    const slab = new Slab(1 << 20);
    expect(slab.take(LONGEST)).toBeGreaterThanOrEqual(0);
    expect(slab.take(LONGEST + 1)).toBe(-1);
  });

  test.each([8192, 100_000, 1 << 20, 3 << 20])('never grows beyond %d bytes', (limit) => {
    const slab = new Slab(limit);
    let taken = 0;
    while (slab.take(200) >= 0) taken++;
    expect(slab.words.byteLength).toBeLessThanOrEqual(limit);
    expect(taken).toBe(Math.floor(limit / 8192) * 8);
    expect(slab.freeWords).toBe(0);
  });

  test('pages that are taken later leave alone what is in the blocks', () => {
    const slab = new Slab(8 << 20);
    const first = slab.take(64);
    slab.words.fill(7, first, first + 64);
    while (slab.take(LONGEST) >= 0);
    expect([...slab.words.subarray(first, first + 64)]).toEqual(new Array(64).fill(7));
  });

  test('memory that was full of small blocks serves large ones once all are back', () => {
    const slab = new Slab(1 << 20);
    const blocks: number[] = [];
    for (let at = slab.take(64); at >= 0; at = slab.take(64)) blocks.push(at);
    expect(slab.take(LONGEST)).toBe(-1);
    for (const at of blocks) slab.give(at);
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
            slab.give(gone!.at);
          }
        }
        for (const { at, count, mark: expected } of taken) {
          expect(slab.words.subarray(at, at + count).every((word) => word === expected)).toBe(true);
        }
      }),
      { numRuns: 100 },
    );
  });

  /** Sizes in words, and the block each takes. */
  const BLOCKS = [64, 256, 1024, LONGEST];

  test('a block of a larger size serves when there is no other, and goes back to that size', () => {
    const slab = new Slab(8192 * 2);
    const [half, , whole] = [slab.take(1024), slab.take(1024), slab.take(LONGEST)];
    expect(slab.take(64)).toBe(-1);
    slab.give(half);
    expect(slab.take(64)).toBe(half);
    expect(slab.take(64)).toBe(-1);
    slab.give(half);
    slab.give(whole);
    expect(slab.take(LONGEST)).toBe(whole);
    expect(slab.take(1024)).toBe(half);
    expect(slab.freeWords).toBe(0);
  });

  test('freed blocks of 8 KiB serve small ones, and small ones 8 KiB, while others stay', () => {
    const slab = new Slab(8192 * 10);
    const large = Array.from({ length: 10 }, () => slab.take(LONGEST));
    for (const at of large.slice(1)) slab.give(at);
    const small = Array.from({ length: 9 * 32 }, () => slab.take(64));
    expect(new Set(small).size).toBe(9 * 32);
    expect(small).not.toContain(-1);
    expect(slab.take(64)).toBe(-1);
    for (const at of small) slab.give(at);
    expect(Array.from({ length: 9 }, () => slab.take(LONGEST)).sort()).toEqual(large.slice(1).sort());
  });

  test('blocks never overlap, and however all was used before, all of it can be used again', () => {
    const step = fc.record({ size: fc.nat({ max: 3 }), count: fc.nat({ max: 100 }), give: fc.array(fc.nat()) });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 30 }), fc.integer({ min: 1, max: 20 }), (steps, pages) => {
        const slab = new Slab(pages * 8192);
        const taken: { at: number; count: number }[] = [];
        for (const { size, count, give } of steps) {
          for (let left = count; left > 0; left--) {
            const at = slab.take(BLOCKS[size]!);
            if (at >= 0) taken.push({ at, count: BLOCKS[size]! });
            else expect(slab.freeWords).toBeLessThan(pages * LONGEST);
          }
          for (const index of give) if (taken.length > 0) slab.give(taken.splice(index % taken.length, 1)[0]!.at);
          const byPlace = taken.toSorted((a, b) => a.at - b.at);
          const overlapping = byPlace.filter(({ at }, i) => i > 0 && byPlace[i - 1]!.at + byPlace[i - 1]!.count > at);
          expect(overlapping).toEqual([]);
        }
        for (const { at } of taken) slab.give(at);
        expect(slab.freeWords).toBe(slab.limit);
        const all = Array.from({ length: pages }, () => slab.take(LONGEST));
        expect(all.sort((a, b) => a - b)).toEqual(Array.from({ length: pages }, (_, page) => page * LONGEST));
      }),
      { numRuns: 200 },
    );
  });
});

describe('share', () => {
  const FLOOR = 64;
  const TOTAL = 1 << 20;
  const share = new Engine().exports.share as (free: number, total: number, floor: number) => number;

  /** What is left when so many take all they may. */
  function left(holders: number): number {
    let free = TOTAL;
    for (let holder = 0; holder < holders; holder++) free -= share(free, TOTAL, FLOOR);
    return free;
  }

  test('is never more than an eighth of what is free, where that is more than the floor', () => {
    for (let free = TOTAL; free > 0; free -= 1000) {
      const most = share(free, TOTAL, FLOOR);
      expect(most).toBeGreaterThan(0);
      expect(most).toBeLessThanOrEqual(Math.max(free / 8, FLOOR));
      if (free >= TOTAL / 2) expect(most).toBeGreaterThanOrEqual(FLOOR);
    }
  });

  test.each([10, 100, 1000, 10_000])('of %d greedy holders leaves room for the next', (holders) => {
    const floors = (1 - FLOOR / (TOTAL / 2)) ** holders;
    expect(left(holders)).toBeGreaterThanOrEqual((TOTAL / 2) * floors);
  });
});
