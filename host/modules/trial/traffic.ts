/** Traffic for the properties: what fast-check makes up, and what it makes of the golden cases. */
import fc from 'fast-check';
import { DATA, EOF, FROM_CLIENT, FROM_SERVER, GAP, RESET } from '../../../parsers/sdk/abi.ts';
import { type Case, formatSteps } from './cases.ts';
import type { Parser } from './parser.ts';
import type { Step } from './steps.ts';

/** A golden case, and in a report just its name. */
export function anyCaseOf(cases: readonly Case[]): fc.Arbitrary<Case> {
  const named = cases.map((one) => ({ ...one, [fc.toStringMethod]: () => `"${one.title}" of ${one.file}` }));
  return fc.constantFrom(...named);
}

const FRACTIONS = 1 << 20;
/** From 0 to 1, each place as likely as the other: fast-check's doubles are mostly next to nothing. */
export const fraction: fc.Arbitrary<number> = fc.nat(FRACTIONS - 1).map((part) => part / FRACTIONS);
/** Places to cut a step at, as fractions of its length. */
export const cuts: fc.Arbitrary<number[]> = fc.array(fraction, { maxLength: 8 });

/** Steps that a report shows as a case would. */
function reported(steps: Step[]): Step[] {
  return Object.defineProperty(steps, fc.toStringMethod, { value: () => `\n${formatSteps(steps)}\n` });
}

export function data(direction: number, bytes: Uint8Array): Step {
  return { kind: DATA, direction, bytes, wireLength: bytes.length, timestamp: 1 };
}

/** Cuts the last `missing` bytes off a data step; they went over the wire all the same. */
export function truncate(step: Step, missing: number): Step {
  const keep = Math.max(1, step.bytes.length - missing);
  return step.kind === DATA ? { ...step, bytes: step.bytes.subarray(0, keep) } : step;
}

export function separateGap(step: Step): Step[] {
  const missing = step.wireLength - step.bytes.length;
  if (step.kind !== DATA || missing === 0) return [step];
  const gap = { ...step, kind: GAP, bytes: new Uint8Array(0), wireLength: missing };
  return [{ ...step, wireLength: step.bytes.length }, gap];
}

export function interleave(queues: Step[][], numbers: readonly number[], order: Iterable<number>) {
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

export const randomSteps: fc.Arbitrary<Step[]> = fc
  .array(
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
  )
  .map(reported);

/** A golden case with some of its bytes changed. */
export function mutatedSteps({ cases }: Parser): fc.Arbitrary<Step[]> {
  const edits = fc.array(fc.tuple(fc.nat(), fc.nat(), fc.nat(255)), { minLength: 1, maxLength: 6 });
  return fc.tuple(fc.constantFrom(...cases), edits).map(([{ steps }, all]) => {
    const copies = steps.map((step) => ({ ...step, bytes: step.bytes.slice() }));
    for (const [step, place, value] of all) {
      const { bytes } = copies[step % copies.length]!;
      if (bytes.length > 0) bytes[place % bytes.length] = value;
    }
    return reported(copies);
  });
}
