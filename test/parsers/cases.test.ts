/** Every golden case of every parser found: whole, and in pieces of every length, it gives the expected messages. */
import { describe, expect, test } from 'vitest';
import { loadParsers, loadTemplates } from '../../fuzz/parsers.ts';
import { type Case, openFlags, under } from '../../host/modules/trial/cases.ts';
import { Harness, parse } from '../../host/modules/trial/harness.ts';
import { checkCase, shownAs } from '../../host/modules/trial/replay.ts';
import { splitEvery } from '../../host/modules/trial/steps.ts';

/** Pieces longer than this are tried in doubling steps only: a case of 64 KiB need not run 65,536 times. */
const EVERY_LENGTH = 96;

const shipped = await loadParsers();

test.each(shipped)('$name has at least 20 golden cases', ({ cases }) => {
  expect(cases.length).toBeGreaterThanOrEqual(20);
});

for (const parser of [...shipped, ...(await loadTemplates())]) {
  describe(parser.name, () => {
    for (const one of parser.cases) {
      test(`${one.file}: ${one.title}`, () => {
        const whole = parse(under(parser, one), one.steps, openFlags(one));
        expect(whole.map((message, index) => shownAs(message, one.messages[index]))).toEqual(one.messages);
        for (const length of pieceLengths(one)) {
          const pieces = parse(under(parser, one), splitEvery(one.steps, length), openFlags(one));
          expect(pieces, `in pieces of ${length}`).toEqual(whole);
        }
        expect(checkCase(new Harness(under(parser, one)), one)).toBeUndefined();
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
