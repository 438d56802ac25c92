/**
 * What holds for every parser, ours or a user's: each property runs on every parser found under parsers/. The golden
 * cases are the traffic; fast-check chooses where to cut, lose, join, interleave and move.
 */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  FROM_CLIENT,
  FROM_SERVER,
  IDENTIFY_NO,
  IDENTIFY_SCORE_MIN,
  MESSAGE_MAX,
  OPEN_MID_STREAM,
} from '../parsers/sdk/abi.ts';
import type { Case } from './cases.ts';
import { Harness, parse } from './harness.ts';
import { checkJoin, checkLoss, isComplete, truthOf } from './loss.ts';
import { loadParsers } from './parsers.ts';
import { capturedLength, splitAt, splitEvery, stampBytes } from './steps.ts';
import { data, interleave, mutatedSteps, randomSteps, separateGap, truncate } from './traffic.ts';

const parsers = await loadParsers();
/** Stamped runs take a chunk per byte: longer cases are left to the other properties. */
const STAMPED_MAX = 1500;
const THOROUGH = Number(process.env.SPANWIRE_THOROUGH ?? 1);

const flagsOf = ({ midStream }: Case) => (midStream ? OPEN_MID_STREAM : 0);
const cuts = fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { maxLength: 8 });

for (const parser of parsers) {
  const anyCase = fc.constantFrom(...parser.cases);
  // Whole captures from their first byte: what the properties about loss compare with.
  const complete = parser.cases.filter((one) => isComplete(one) && capturedLength(one.steps) <= STAMPED_MAX);
  const stamped = complete.map((one) => ({ one, steps: stampBytes(one.steps) }));
  const truth = stamped.map(({ steps }) => truthOf(parse(parser, steps)));
  const anyComplete = fc.nat(complete.length - 1);

  describe(parser.name, () => {
    test('any split gives the same messages', () => {
      check(
        fc.property(anyCase, cuts, (one, places) => {
          const split = parse(parser, splitAt(one.steps, places), flagsOf(one));
          expect(split).toEqual(parse(parser, one.steps, flagsOf(one)));
        }),
        300,
      );
    });

    test('what lies behind the captured bytes makes no difference', () => {
      check(
        fc.property(anyCase, cuts, fc.nat(255), (one, places, poison) => {
          const steps = splitAt(one.steps, places);
          expect(parse(parser, steps, flagsOf(one), { poison })).toEqual(parse(parser, steps, flagsOf(one)));
        }),
        200,
      );
    });

    test('a gap behind captured bytes is the same as a GAP of its own', () => {
      check(
        fc.property(anyCase, fc.double({ min: 0, max: 1, noNaN: true }), fc.nat(64), (one, place, extra) => {
          const index = Math.floor(place * (one.steps.length - 1));
          const joined = one.steps.map((step, at) => (at === index ? truncate(step, extra) : step));
          const apart = joined.flatMap(separateGap);
          expect(parse(parser, apart, flagsOf(one))).toEqual(parse(parser, joined, flagsOf(one)));
        }),
        200,
      );
    });

    test('a gap of one byte anywhere: only true messages, and none missing between two DESYNCs', () => {
      for (const [index, { one, steps }] of stamped.entries()) {
        const stride = Math.ceil(steps.length / 60);
        for (let at = 0; at < steps.length; at += stride) checkLoss(parser, one, steps, at, at + 1, truth[index]!);
      }
    });

    test('a gap of any length anywhere: only true messages, and none missing between two DESYNCs', () => {
      const fraction = fc.double({ min: 0, max: 1, noNaN: true });
      check(
        fc.property(anyComplete, fraction, fraction, (index, start, share) => {
          const { one, steps } = stamped[index]!;
          const from = Math.floor(start * steps.length);
          const to = from + 1 + Math.floor(share * share * (steps.length - from));
          checkLoss(parser, one, steps, from, to, truth[index]!);
        }),
        300,
      );
    });

    test('joined at every byte: from the first turn on, only true messages', () => {
      for (const [index, { one, steps }] of stamped.entries()) {
        const stride = Math.ceil(steps.length / 60);
        for (let at = 0; at < steps.length; at += stride) checkJoin(parser, one, steps.slice(at), truth[index]!);
      }
    });

    test('interleaved connections equal separate ones', () => {
      const three = fc.array(fc.tuple(anyCase, cuts), { minLength: 2, maxLength: 4 });
      check(
        fc.property(three, fc.infiniteStream(fc.nat(3)), (all, order) => {
          const harness = new Harness(parser, { inputBytes: 32768 });
          const queues = all.map(([one, places]) => [...splitAt(one.steps, places)]);
          const numbers = all.map(([one]) => harness.open(flagsOf(one)));
          harness.feedAll(interleave(queues, numbers, order));
          for (const [index, [one]] of all.entries()) {
            expect(harness.output(numbers[index]!)).toEqual(parse(parser, one.steps, flagsOf(one)));
          }
        }),
        100,
      );
    });

    test('a connection moved to another instance goes on as if nothing had happened', () => {
      check(
        fc.property(anyCase, cuts, fc.nat(), (one, places, at) => {
          const steps = splitAt(one.steps, places);
          const place = at % (steps.length + 1);
          const [before, after] = [new Harness(parser), new Harness(parser)];
          const first = before.open(flagsOf(one));
          after.open(0);
          before.feed(first, steps.slice(0, place));
          const second = before.moveTo(after, first);
          after.feed(second, steps.slice(place));
          expect(after.output(second)).toEqual(parse(parser, one.steps, flagsOf(one)));
        }),
        200,
      );
    });

    test('a full output arena loses nothing', () => {
      check(
        fc.property(anyCase, cuts, (one, places) => {
          const steps = splitAt(one.steps, places);
          const tight = parse(parser, steps, flagsOf(one), { outputBytes: MESSAGE_MAX + 64 });
          expect(tight).toEqual(parse(parser, one.steps, flagsOf(one)));
        }),
        150,
      );
    });

    test('random and mutated bytes never trap, and output stays bounded', () => {
      check(
        fc.property(fc.oneof(randomSteps, mutatedSteps(parser)), fc.boolean(), (steps, midStream) => {
          const output = parse(parser, steps, midStream ? OPEN_MID_STREAM : 0);
          expect(output.length).toBeLessThanOrEqual(capturedLength(steps) + 2 * steps.length + 2);
        }),
        400,
      );
    });

    test('identify refuses random bytes', () => {
      const bytes = fc.uint8Array({ minLength: 64, maxLength: 600 });
      check(
        fc.property(bytes, bytes, (client, server) => {
          expect(new Harness(parser).identify([data(FROM_CLIENT, client), data(FROM_SERVER, server)])).toBe(
            IDENTIFY_NO,
          );
        }),
        300,
      );
    });

    test('identify does not trap on any prefix, and does not take back a refusal', () => {
      check(
        fc.property(fc.constantFrom(...parsers.flatMap(({ cases }) => cases)), (one) => {
          const harness = new Harness(parser);
          const steps = splitEvery(one.steps, 3).slice(0, 60);
          const verdicts = steps.map((_, index) => harness.identify(steps.slice(0, index + 1)));
          const refused = verdicts.indexOf(IDENTIFY_NO);
          if (refused >= 0) expect(new Set(verdicts.slice(refused))).toEqual(new Set([IDENTIFY_NO]));
        }),
        60,
      );
    });

    for (const other of parsers.filter(({ name }) => name !== parser.name)) {
      test(`identify refuses ${other.name}`, () => {
        const harness = new Harness(parser);
        for (const one of other.cases) {
          expect(harness.identify(one.steps), one.title).toBeLessThan(IDENTIFY_SCORE_MIN);
        }
      });
    }
  });
}

/** Runs of a property, times SPANWIRE_THOROUGH: 1 for every day, 50 before a release or after a rewrite. */
function check<T>(property: fc.IProperty<T>, numRuns: number): void {
  fc.assert(property, { numRuns: numRuns * THOROUGH });
}
