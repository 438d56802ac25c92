/** Every golden case of every parser found: whole, and in pieces of every length, it gives the expected messages. */
import { describe, expect, test } from 'vitest';
import type { Case, Expected } from '../../fuzz/cases.ts';
import { Harness, type Output, parse } from '../../fuzz/harness.ts';
import { loadParsers } from '../../fuzz/parsers.ts';
import { splitEvery } from '../../fuzz/steps.ts';
import { IDENTIFY_SCORE_MIN, IDENTIFY_SWAPPED, OPEN_MID_STREAM } from '../../parsers/sdk/abi.ts';

/** Pieces longer than this are tried in doubling steps only: a case of 64 KiB need not run 65,536 times. */
const EVERY_LENGTH = 96;

for (const parser of await loadParsers()) {
  describe(parser.name, () => {
    test('has at least 20 golden cases', () => {
      expect(parser.cases.length).toBeGreaterThanOrEqual(20);
    });

    for (const one of parser.cases) {
      const flags = one.midStream ? OPEN_MID_STREAM : 0;

      test(`${one.file}: ${one.title}`, () => {
        const whole = parse(parser, one.steps, flags);
        expect(whole.map((message, index) => shownAs(message, one.messages[index]))).toEqual(one.messages);
        for (const length of pieceLengths(one)) {
          const pieces = parse(parser, splitEvery(one.steps, length), flags);
          expect(pieces, `in pieces of ${length}`).toEqual(whole);
        }
      });

      if (one.midStream || one.unidentified) continue;
      test(`${one.file}: ${one.title}: is identified`, () => {
        const verdict = new Harness(parser).identify(one.steps);
        expect(verdict & ~IDENTIFY_SWAPPED).toBeGreaterThanOrEqual(IDENTIFY_SCORE_MIN);
        expect(verdict & IDENTIFY_SWAPPED).toBe(0);
      });
    }
  });
}

function pieceLengths({ steps }: Case): number[] {
  const longest = Math.max(...steps.map(({ bytes }) => bytes.length));
  const lengths: number[] = [];
  for (let length = 1; length < longest; length += length < EVERY_LENGTH ? 1 : length) lengths.push(length);
  return lengths;
}

/** The message with the keys the case asks for, and no others. */
function shownAs({ attributes, ...message }: Output, expected: Expected | undefined): Record<string, unknown> {
  const all: Record<string, unknown> = { ...message, key: Number(message.key), ...attributes };
  return Object.fromEntries(Object.keys(expected ?? all).map((key) => [key, all[key]]));
}
