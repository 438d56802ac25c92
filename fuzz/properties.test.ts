/**
 * What holds for every parser, ours or a user's: each property of host/modules/trial/properties.ts on every parser
 * found. SPANWIRE_THOROUGH multiplies the runs: 1 for every day, 50 before a release or after a rewrite.
 */
import { describe, expect, test } from 'vitest';
import { PROPERTIES } from '../host/modules/trial/properties.ts';
import { loadParsers, loadTemplates } from './parsers.ts';

const shipped = await loadParsers();
const parsers = [...shipped, ...(await loadTemplates())];
const scale = Number(process.env.SPANWIRE_THOROUGH ?? 1);

test('there are parsers to hold to the properties', () => {
  expect(parsers).not.toEqual([]);
});

for (const parser of parsers) {
  const others = shipped.filter(({ name }) => name !== parser.name);
  describe(parser.name, () => {
    for (const { title, run } of PROPERTIES) {
      test(title, () => {
        run(parser, others, { scale });
      });
    }
  });
}
