/**
 * The parser in C and the one in AssemblyScript say the same of any traffic: right, wrong, cut, lost and joined in the
 * middle. One is written from docs/abi.md, the other with the SDK: where they differ, one of them is wrong, or the
 * document.
 */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { CALL, CAST, encodeAnswer, encodeCall } from '../../examples/parser-ask/wire.ts';
import { openFlags } from '../../host/modules/trial/cases.ts';
import { Harness, parse } from '../../host/modules/trial/harness.ts';
import { type Step, splitAt } from '../../host/modules/trial/steps.ts';
import {
  anyCaseOf,
  cuts,
  data,
  mutatedSteps,
  randomSteps,
  separateGap,
  truncate,
} from '../../host/modules/trial/traffic.ts';
import { EOF, FROM_CLIENT, FROM_SERVER, GAP, OPEN_MID_STREAM, RESET } from '../../parsers/sdk/abi.ts';
import { loadExamples } from './modules.ts';

const { ask, inC } = await loadExamples();

const id = fc.nat(0xffff_ffff);
const payload = fc.uint8Array({ maxLength: 40 });
const method = fc
  .string({ minLength: 1, maxLength: 64 })
  .map((text) => Buffer.from(text).subarray(0, 64).toString('latin1'));
const call = fc.tuple(id, method, payload, fc.constantFrom(CALL, CAST)).map((parts) => encodeCall(...parts));
const answer = fc.tuple(id, fc.nat(0xffff), payload).map((parts) => encodeAnswer(...parts));
/** A frame whose payload is a frame, and one that is cut off. */
const nested = fc.tuple(id, method, call).map((parts) => encodeCall(...parts));
const torn = fc.tuple(call, fc.nat(20)).map(([frame, length]) => frame.subarray(0, length));
const noise = fc.oneof(
  payload,
  fc.nat(30).map((length) => new Uint8Array(length)),
);

function dataOf(direction: number, bytes: fc.Arbitrary<Uint8Array>): fc.Arbitrary<Step> {
  return bytes.filter(({ length }) => length > 0).map((one) => data(direction, one));
}

const loss: fc.Arbitrary<Step> = fc
  .tuple(
    fc.constantFrom(GAP, GAP, GAP, EOF, RESET),
    fc.constantFrom(FROM_CLIENT, FROM_SERVER),
    fc.integer({ min: 1, max: 60 }),
  )
  .map(([kind, direction, bytes]) => ({
    ...{ kind, direction, timestamp: 1, bytes: new Uint8Array(0) },
    wireLength: kind === GAP ? bytes : 0,
  }));

const step = fc.oneof(
  { weight: 6, arbitrary: dataOf(FROM_CLIENT, call) },
  { weight: 6, arbitrary: dataOf(FROM_SERVER, answer) },
  { weight: 1, arbitrary: dataOf(FROM_CLIENT, nested) },
  { weight: 1, arbitrary: dataOf(FROM_CLIENT, torn) },
  { weight: 1, arbitrary: dataOf(FROM_CLIENT, noise) },
  { weight: 1, arbitrary: dataOf(FROM_SERVER, noise) },
  { weight: 1, arbitrary: loss },
);

/** Traffic of ask with all that may go wrong; every step has a time of its own. */
const conversation = fc
  .tuple(fc.array(step, { minLength: 1, maxLength: 16 }), cuts, fc.array(fc.nat(30), { maxLength: 4 }))
  .map(([steps, places, losses]) => {
    const timed = splitAt(steps, places).map((one, index) => ({ ...one, timestamp: index + 1 }));
    return timed.map((one, index) => (losses.includes(index) ? truncate(one, 1 + (index % 9)) : one));
  });

function expectSame(steps: readonly Step[], flags: number): number {
  const wanted = parse(ask, steps, flags);
  expect(parse(inC, steps, flags)).toEqual(wanted);
  return wanted.length;
}

function check(arbitrary: fc.Arbitrary<Step[]>, numRuns: number): void {
  const both = fc.property(arbitrary, fc.boolean(), (steps, midStream) => {
    expectSame(steps, midStream ? OPEN_MID_STREAM : 0);
    expect(new Harness(inC).identify(steps)).toBe(new Harness(ask).identify(steps));
  });
  fc.assert(both, { numRuns });
}

test('conversations with all that may go wrong', () => check(conversation, 1500));

test('random bytes', () => check(randomSteps, 300));

test('golden cases with some bytes changed', () => check(mutatedSteps(ask), 600));

test('golden cases, cut anywhere and with gaps', () => {
  const lossy = fc.tuple(anyCaseOf(ask.cases), cuts, fc.nat(30), fc.nat(20), fc.boolean());
  const same = fc.property(lossy, ([one, places, at, bytes, apart]) => {
    const cut = splitAt(one.steps, places).map((part, index) => (index === at ? truncate(part, bytes) : part));
    expectSame(apart ? cut.flatMap(separateGap) : cut, openFlags(one));
  });
  fc.assert(same, { numRuns: 600 });
});

test('most conversations hold messages', () => {
  const counts = fc.sample(conversation, { numRuns: 100, seed: 1 }).map((steps) => expectSame(steps, 0));
  expect(counts.filter((count) => count > 2).length).toBeGreaterThan(50);
});

describe('a search', () => {
  const frame = data(FROM_CLIENT, encodeCall(1, 'a', new Uint8Array(0)));
  const zeros = (kib: number) => Array.from({ length: kib }, () => data(FROM_CLIENT, new Uint8Array(1023)));
  const typesOf = (steps: Step[]) => {
    expectSame(steps, 0);
    return parse(ask, steps).map(({ type }) => type);
  };

  test('is given up after a megabyte, at the same byte', () => {
    expect(typesOf([frame, ...zeros(1030), frame, frame])).toEqual(['request', 'desync', 'give-up']);
  });

  test('begins anew behind every message', () => {
    const twice = [frame, ...zeros(600), frame, frame, ...zeros(600), frame, frame];
    expect(typesOf(twice)).toEqual(['request', 'desync', 'request', 'desync', 'request']);
  });
});
