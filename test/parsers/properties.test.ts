/**
 * What holds for every parser, ours or a user's: each property runs on every parser found under parsers/. The golden
 * cases are the traffic; fast-check chooses where to cut, lose, join, interleave and move.
 */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  DATA,
  EOF,
  FROM_CLIENT,
  FROM_SERVER,
  GAP,
  IDENTIFY_NO,
  IDENTIFY_SCORE_MIN,
  MESSAGE_MAX,
  OPEN_MID_STREAM,
  RESET,
} from '../../parsers/sdk/abi.ts';
import type { Case } from './cases.ts';
import { Harness, type Output, parse } from './harness.ts';
import { loadParsers, type Parser } from './parsers.ts';
import { capturedLength, loseSteps, mergeGaps, type Step, splitAt, splitEvery, stampBytes } from './steps.ts';

const parsers = await loadParsers();
/** Stamped runs take a chunk per byte: longer cases are left to the other properties. */
const STAMPED_MAX = 1500;

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

function check<T>(property: fc.IProperty<T>, numRuns: number): void {
  fc.assert(property, { numRuns });
}

// ── loss ──────────────────────────────────────────────────────────────────────────────────────────────────────────

/** The messages of a run without loss: by where they begin, and their order among those that pair. */
interface Truth {
  readonly byPlace: ReadonlyMap<string, Output>;
  readonly order: ReadonlyMap<string, number>;
}

const placeOf = ({ type, first }: Output) => `${type}@${first}`;
const pairs = ({ type, flags }: Output) =>
  (type === 'request' && !flags.includes('no-response')) || (type === 'response' && !flags.includes('push'));

function truthOf(output: readonly Output[]): Truth {
  const order = new Map<string, number>();
  for (const type of ['request', 'response']) {
    const ofType = output.filter((message) => message.type === type && pairs(message));
    for (const [index, message] of ofType.entries()) order.set(placeOf(message), index);
  }
  return { byPlace: new Map(output.map((message) => [placeOf(message), message])), order };
}

function checkLoss(parser: Parser, one: Case, steps: Step[], from: number, to: number, truth: Truth): void {
  const output = parse(parser, mergeGaps(loseSteps(steps, from, to)));
  const where = `${one.title}, bytes ${from} to ${to} lost`;
  for (const message of output) expectTrue(message, truth, where);
  expectUnbroken(output, truth, where);
}

function checkJoin(parser: Parser, one: Case, steps: Step[], truth: Truth): void {
  const turn = steps.findIndex(({ direction }) => direction !== steps[0]!.direction);
  const since = turn < 0 ? Number.POSITIVE_INFINITY : steps[turn]!.timestamp;
  const where = `${one.title}, joined at byte ${steps[0]!.timestamp - 1}`;
  for (const message of parse(parser, steps, OPEN_MID_STREAM)) {
    if (message.first >= since) expectTrue(message, truth, where);
  }
}

/** A message that is not partial is one of the true ones, and says nothing that the true one does not. */
function expectTrue(message: Output, { byPlace }: Truth, where: string): void {
  if (!['request', 'response', 'oneway'].includes(message.type) || message.flags.includes('partial')) return;
  const original = byPlace.get(placeOf(message));
  if (!original) expect.unreachable(`${where}: invented ${JSON.stringify({ ...message, key: undefined })}`);
  expect(original, where).toMatchObject({ last: message.last, attributes: message.attributes });
}

/** Between two DESYNCs the k-th request and the k-th response stay k apart: none is left out. */
function expectUnbroken(output: readonly Output[], { order }: Truth, where: string): void {
  const next: Record<string, number | undefined> = { request: 0, response: 0 };
  for (const message of output) {
    if (message.type === 'desync') {
      next.request = undefined;
      next.response = undefined;
    }
    const index = order.get(placeOf(message));
    if (index === undefined) continue;
    expect(index, `${where}: a ${message.type} is missing without a DESYNC`).toBe(next[message.type] ?? index);
    next[message.type] = index + 1;
  }
}

function isComplete({ midStream, steps }: Case): boolean {
  return !midStream && steps.every(({ kind, bytes, wireLength }) => kind !== GAP && wireLength === bytes.length);
}

// ── traffic ───────────────────────────────────────────────────────────────────────────────────────────────────────

function data(direction: number, bytes: Uint8Array): Step {
  return { kind: DATA, direction, bytes, wireLength: bytes.length, timestamp: 1 };
}

/** Cuts the last `missing` bytes off a data step; they went over the wire all the same. */
function truncate(step: Step, missing: number): Step {
  const keep = Math.max(1, step.bytes.length - missing);
  return step.kind === DATA ? { ...step, bytes: step.bytes.subarray(0, keep) } : step;
}

function separateGap(step: Step): Step[] {
  const missing = step.wireLength - step.bytes.length;
  if (step.kind !== DATA || missing === 0) return [step];
  const gap = { ...step, kind: GAP, bytes: new Uint8Array(0), wireLength: missing };
  return [{ ...step, wireLength: step.bytes.length }, gap];
}

function interleave(queues: Step[][], numbers: readonly number[], order: Iterable<number>) {
  const merged: { connection: number; step: Step }[] = [];
  for (const choice of order) {
    const waiting = queues.flatMap((queue, index) => (queue.length > 0 ? [index] : []));
    if (waiting.length === 0) break;
    const index = waiting[choice % waiting.length]!;
    merged.push({ connection: numbers[index]!, step: queues[index]!.shift()! });
  }
  return merged;
}

/** Bytes that look like nothing, or like the alphabet of a text protocol. */
const someBytes = fc.oneof(
  fc.uint8Array({ maxLength: 200 }),
  fc
    .array(fc.constantFrom('\r\n', '\r', '\n', '*', '$', '-1', '3', '0', '+', '>', ':', ' ', 'GET', 'HTTP/1.1', 'a'), {
      maxLength: 60,
    })
    .map((tokens) => new Uint8Array(Buffer.from(tokens.join('')))),
);

const randomSteps: fc.Arbitrary<Step[]> = fc.array(
  fc
    .record({
      kind: fc.constantFrom(DATA, DATA, DATA, GAP, EOF, RESET),
      direction: fc.constantFrom(FROM_CLIENT, FROM_SERVER),
      bytes: someBytes,
      missing: fc.oneof(fc.constant(0), fc.nat(5000), fc.constant(0x7fff_ffff)),
    })
    .map(({ kind, direction, bytes, missing }) => ({
      kind,
      direction,
      bytes: kind === DATA ? bytes : new Uint8Array(0),
      wireLength: kind === DATA ? bytes.length + missing : kind === GAP ? missing : 0,
      timestamp: 1,
    })),
  { maxLength: 12 },
);

/** A golden case with some of its bytes changed. */
function mutatedSteps({ cases }: Parser): fc.Arbitrary<Step[]> {
  const edits = fc.array(fc.tuple(fc.nat(), fc.nat(), fc.nat(255)), { minLength: 1, maxLength: 6 });
  return fc.tuple(fc.constantFrom(...cases), edits).map(([{ steps }, all]) => {
    const copies = steps.map((step) => ({ ...step, bytes: step.bytes.slice() }));
    for (const [step, place, value] of all) {
      const { bytes } = copies[step % copies.length]!;
      if (bytes.length > 0) bytes[place % bytes.length] = value;
    }
    return copies;
  });
}
