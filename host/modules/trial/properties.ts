/**
 * What holds for every parser, ours or a user's, written once. The golden cases are the traffic; fast-check chooses
 * where to cut, lose, join, interleave and move. A property throws when it does not hold, with what shows it.
 * This file needs fast-check, which the agent does not have: only tools and tests import it.
 */
import assert from 'node:assert/strict';
import { isDeepStrictEqual } from 'node:util';
import fc from 'fast-check';
import {
  FROM_CLIENT,
  FROM_SERVER,
  IDENTIFY_NO,
  IDENTIFY_SCORE_MIN,
  MESSAGE_MAX,
  OPEN_MID_STREAM,
} from '../../../parsers/sdk/abi.ts';
import { type Case, openFlags, under, underAll } from './cases.ts';
import { costOfCases, excerpt } from './cost.ts';
import { Harness, parse } from './harness.ts';
import { checkJoin, checkLoss, isComplete, type Truth, truthOf } from './loss.ts';
import type { Parser } from './parser.ts';
import { capturedLength, loseFront, type Step, splitAt, splitEvery, stampBytes } from './steps.ts';
import {
  anyCaseOf,
  cuts,
  data,
  fraction,
  interleave,
  mutatedSteps,
  randomSteps,
  separateGap,
  truncate,
} from './traffic.ts';
import { climb } from './worst.ts';

export interface Effort {
  /** Multiplies the runs of each property: 1 for every day, 50 before a release or after a rewrite. */
  readonly scale?: number | undefined;
  /** Runs of each property, whatever it asks for itself. */
  readonly runs?: number | undefined;
  readonly seed?: number | undefined;
}

export interface Property {
  readonly title: string;
  /** Throws when the property does not hold; may return a remark. `others` are parsers of other protocols. */
  readonly run: (parser: Parser, others: readonly Parser[], effort: Effort) => string | undefined;
}

/** Stamped runs take a chunk per byte: longer cases are left to the other properties. */
const STAMPED_MAX = 1500;
/** Places of a case that are tried one after the other. */
const PLACES = 60;
/** The largest share of the fuel allowance that an input found here may use: the worst one was not found. */
const FUEL_SHARE_MAX = 0.5;
const SEED = 1;

export const PROPERTIES: readonly Property[] = [
  {
    title: 'any split gives the same messages',
    run: (parser, _, effort) =>
      check(effort, 300, anyCaseOf(parser.cases), cuts, (one, places) => {
        expectSame(parser, one, splitAt(one.steps, places));
      }),
  },
  {
    title: 'what lies behind the captured bytes makes no difference',
    run: (parser, _, effort) =>
      check(effort, 200, anyCaseOf(parser.cases), fc.tuple(cuts, fc.nat(255)), (one, [places, poison]) => {
        const [told, steps] = [under(parser, one), splitAt(one.steps, places)];
        assert.deepEqual(parse(told, steps, openFlags(one), { poison }), parse(told, steps, openFlags(one)));
      }),
  },
  {
    title: 'a gap behind captured bytes is the same as a GAP of its own',
    run: (parser, _, effort) =>
      check(effort, 200, anyCaseOf(parser.cases), fc.tuple(fraction, fc.nat(64)), (one, [place, extra]) => {
        const index = Math.floor(place * (one.steps.length - 1));
        const joined = one.steps.map((step, at) => (at === index ? truncate(step, extra) : step));
        const apart = joined.flatMap(separateGap);
        const told = under(parser, one);
        assert.deepEqual(parse(told, apart, openFlags(one)), parse(told, joined, openFlags(one)));
      }),
  },
  {
    title: 'a gap of one byte anywhere: only true messages, and none missing between two DESYNCs',
    run: (parser) => {
      for (const { one, steps, truth } of completeOf(parser)) {
        const stride = Math.ceil(steps.length / PLACES);
        for (let at = 0; at < steps.length; at += stride) checkLoss(parser, one, steps, at, at + 1, truth);
      }
      return undefined;
    },
  },
  {
    title: 'a gap of any length anywhere: only true messages, and none missing between two DESYNCs',
    run: (parser, _, effort) => {
      const complete = completeOf(parser);
      const where = fc.tuple(fraction, fraction);
      return check(effort, 300, fc.nat(complete.length - 1), where, (index, [start, share]) => {
        const { one, steps, truth } = complete[index]!;
        const from = Math.floor(start * steps.length);
        const to = from + 1 + Math.floor(share * share * (steps.length - from));
        checkLoss(parser, one, steps, from, to, truth);
      });
    },
  },
  {
    title: 'joined at every byte: from the first turn on, only true messages',
    run: (parser) => {
      for (const { one, steps, truth } of completeOf(parser)) {
        const stride = Math.ceil(steps.length / PLACES);
        for (let at = 0; at < steps.length; at += stride) checkJoin(parser, one, steps.slice(at), truth);
      }
      return undefined;
    },
  },
  {
    title: 'bytes that SKIP calls unneeded may be missing',
    run: (parser, _, effort) =>
      check(effort, 100, anyCaseOf(parser.cases), cuts, (one, places) => {
        const told = under(parser, one);
        const harness = new Harness(told);
        const connection = harness.open(openFlags(one));
        const offsets = [0, 0];
        for (const step of splitAt(one.steps, places)) {
          const unneeded = harness.skips(connection)[step.direction]! - offsets[step.direction]!;
          harness.feed(connection, loseFront(step, unneeded));
          offsets[step.direction]! += step.wireLength;
        }
        assert.deepEqual(harness.output(connection), parse(told, one.steps, openFlags(one)));
      }),
  },
  {
    title: 'interleaved connections equal separate ones',
    run: (parser, _, effort) => {
      const some = fc.array(fc.tuple(anyCaseOf(parser.cases), cuts), { minLength: 2, maxLength: 4 });
      return check(effort, 100, some, fc.infiniteStream(fc.nat(3)), (chosen, order) => {
        // An instance is told its settings once.
        const all = chosen.filter(([one]) => isDeepStrictEqual(one.settings, chosen[0]![0].settings));
        const told = under(parser, chosen[0]![0]);
        const harness = new Harness(told, { inputBytes: 32768 });
        const queues = all.map(([one, places]) => [...splitAt(one.steps, places)]);
        const numbers = all.map(([one]) => harness.open(openFlags(one)));
        harness.feedAll(interleave(queues, numbers, order));
        for (const [index, [one]] of all.entries()) {
          assert.deepEqual(harness.output(numbers[index]!), parse(told, one.steps, openFlags(one)));
        }
      });
    },
  },
  {
    title: 'a snapshot restored in another instance equals a run that never stopped',
    run: (parser, _, effort) =>
      check(effort, 200, anyCaseOf(parser.cases), fc.tuple(cuts, fc.nat()), (one, [places, at]) => {
        const steps = splitAt(one.steps, places);
        const place = at % (steps.length + 1);
        const told = under(parser, one);
        const [before, after] = [new Harness(told), new Harness(told)];
        const first = before.open(openFlags(one));
        after.open(0);
        before.feed(first, steps.slice(0, place));
        const second = before.moveTo(after, first);
        after.feed(second, steps.slice(place));
        assert.deepEqual(after.output(second), parse(told, one.steps, openFlags(one)));
      }),
  },
  {
    title: 'a full output arena loses nothing',
    run: (parser, _, effort) =>
      check(effort, 150, anyCaseOf(parser.cases), cuts, (one, places) => {
        expectSame(parser, one, splitAt(one.steps, places), MESSAGE_MAX + 64);
      }),
  },
  {
    title: 'random and mutated bytes never trap, and output stays bounded',
    run: (parser, _, effort) =>
      check(effort, 400, fc.oneof(randomSteps, mutatedSteps(parser)), fc.boolean(), (steps, midStream) => {
        const harness = new Harness(underAll(parser, parser.cases));
        harness.feed(harness.open(midStream ? OPEN_MID_STREAM : 0), steps);
        const most = capturedLength(steps) + 2 * steps.length + 2;
        assert(harness.records <= most, `${harness.records} records of output, where ${most} are plenty`);
      }),
  },
  { title: 'fuel is linear in the input: at most half of the allowance is used', run: checkFuel },
  {
    title: 'identify refuses random bytes',
    run: (parser, _, effort) => {
      const bytes = fc.uint8Array({ minLength: 64, maxLength: 600 });
      return check(effort, 300, bytes, bytes, (client, server) => {
        const verdict = new Harness(parser).identify([data(FROM_CLIENT, client), data(FROM_SERVER, server)]);
        assert.equal(verdict, IDENTIFY_NO);
      });
    },
  },
  {
    title: 'identify does not trap on any prefix, and does not take back a refusal',
    run: (parser, others, effort) =>
      check(effort, 60, anyCaseOf([parser, ...others].flatMap(({ cases }) => cases)), fc.constant(3), (one, length) => {
        const harness = new Harness(parser);
        const steps = splitEvery(one.steps, length).slice(0, 60);
        const verdicts = steps.map((_, index) => harness.identify(steps.slice(0, index + 1)));
        const refused = verdicts.indexOf(IDENTIFY_NO);
        if (refused >= 0)
          assert(
            verdicts.slice(refused).every((verdict) => verdict === IDENTIFY_NO),
            String(verdicts),
          );
      }),
  },
  {
    title: "identify refuses every other protocol's cases",
    run: (parser, others) => {
      const harness = new Harness(parser);
      for (const one of others.flatMap(({ cases }) => cases)) {
        const verdict = harness.identify(one.steps);
        assert(verdict < IDENTIFY_SCORE_MIN, `identify() returns ${verdict} for "${one.title}" of ${one.file}`);
      }
      return undefined;
    },
  },
];

function checkFuel(parser: Parser, _: readonly Parser[], effort: Effort): string {
  assert(new Harness(parser).guest.isMetered, 'the module is not metered');
  const found = climb(parser, effort.runs ?? 60 * (effort.scale ?? 1), effort.seed ?? SEED);
  const [ofCases] = costOfCases(parser);
  const worst = ofCases && ofCases.fuelPerKib > found.fuelPerKib ? ofCases : found;
  const asked = parser.manifest.limits.fuelPerKiB;
  const used = `uses ${Math.ceil(worst.fuelPerKib)} of the ${asked} per KiB asked for, at worst by ${worst.what}`;
  assert(worst.fuelPerKib <= asked * FUEL_SHARE_MAX, `${used}\n${excerpt(worst.steps)}`);
  return used;
}

/** What the parser makes of the steps is what it makes of the case as it stands. */
function expectSame(parser: Parser, one: Case, steps: readonly Step[], outputBytes = 65536): void {
  const [told, flags] = [under(parser, one), openFlags(one)];
  assert.deepEqual(parse(told, steps, flags, { outputBytes }), parse(told, one.steps, flags));
}

interface Complete {
  readonly one: Case;
  /** A step for each byte, so that a message tells where it was found. */
  readonly steps: Step[];
  readonly truth: Truth;
}

const completeByParser = new WeakMap<Parser, Complete[]>();

/** Whole captures from their first byte: what the properties about loss compare with. */
function completeOf(parser: Parser): readonly Complete[] {
  const known = completeByParser.get(parser);
  if (known) return known;
  const cases = parser.cases.filter((one) => isComplete(one) && capturedLength(one.steps) <= STAMPED_MAX);
  assert(cases.length > 0, 'no case is a whole capture from its first byte: nothing to compare with after a loss');
  const complete = cases.map((one) => {
    const steps = stampBytes(one.steps);
    return { one, steps, truth: truthOf(parser, parse(under(parser, one), steps, openFlags(one))) };
  });
  completeByParser.set(parser, complete);
  return complete;
}

function check<A, B>(
  effort: Effort,
  runs: number,
  a: fc.Arbitrary<A>,
  b: fc.Arbitrary<B>,
  holds: (a: A, b: B) => void,
) {
  const numRuns = effort.runs ?? Math.ceil(runs * (effort.scale ?? 1));
  fc.assert(fc.property(a, b, holds), { numRuns, ...(effort.seed !== undefined && { seed: effort.seed }) });
  return undefined;
}
