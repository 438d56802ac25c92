/** The worked protocol, in AssemblyScript and in C: golden cases whole and in pieces, and every property. */
import { describe, expect, test } from 'vitest';
import { loadParsers } from '../../fuzz/parsers.ts';
import { openFlags, under } from '../../host/modules/trial/cases.ts';
import { Harness, parse } from '../../host/modules/trial/harness.ts';
import { PROPERTIES } from '../../host/modules/trial/properties.ts';
import { checkCase } from '../../host/modules/trial/replay.ts';
import { splitEvery } from '../../host/modules/trial/steps.ts';
import { loadExamples } from './modules.ts';

/** Two lengths around that of a header, and those where most is carried. */
const PIECES = [1, 2, 3, 5, 11, 12, 13, 77] as const;

const { ask, inC } = await loadExamples();
const others = await loadParsers();

test('there is something to hold them against', () => {
  expect(ask.cases.length).toBeGreaterThanOrEqual(20);
  expect(inC.cases).toEqual(ask.cases.map((one) => ({ ...one, file: 'ask-c.wasm' })));
  expect(inC.manifest).toEqual({ ...ask.manifest, name: 'ask-c' });
});

describe.each([ask, inC])('$name', (parser) => {
  test.each(parser.cases.map((one) => ({ title: one.title, one })))('$title', ({ one }) => {
    expect(checkCase(new Harness(under(parser, one)), one)).toBeUndefined();
    const whole = parse(under(parser, one), one.steps, openFlags(one));
    for (const length of PIECES) {
      const pieces = parse(under(parser, one), splitEvery(one.steps, length), openFlags(one));
      expect(pieces, `in pieces of ${length}`).toEqual(whole);
    }
  });

  test.each(PROPERTIES)('$title', ({ run }) => {
    run(parser, others, {});
  });
});
