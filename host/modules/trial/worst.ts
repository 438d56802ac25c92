/**
 * The costliest input that can be found: a climb from the golden cases and random input, which changes something and
 * keeps what costs more fuel. fast-check chooses the changes, so a seed finds the same again.
 */
import fc from 'fast-check';
import { DATA } from '../../../parsers/sdk/abi.ts';
import { underAll } from './cases.ts';
import { CONNECTIONS, type Cost, costOf, repeat } from './cost.ts';
import type { Parser } from './parser.ts';
import { capturedLength, type Step, splitEvery } from './steps.ts';
import { randomSteps } from './traffic.ts';

/** Captured bytes of one measurement: large enough to tell, small enough for many. */
const MEDIUM = 32 * 1024;
/** Inputs that a climb goes on from. */
const POOL = 6;
/** Longest input that a climb makes. */
const GROWN = 24 * 1024;

/** The costliest input after `tries` changes. The same seed finds the same. */
export function climb(parser: Parser, tries: number, seed: number): Cost {
  const told = underAll(parser, parser.cases);
  const begin = [...parser.cases.map(({ steps }) => steps), ...fc.sample(randomSteps, { seed, numRuns: 10 })];
  let pool = costliest(begin.filter((steps) => steps.length > 0).map((steps) => costOfAny(told, steps)));
  for (const edit of fc.sample(edits, { seed, numRuns: tries })) {
    const { steps } = pool[edit.pick % pool.length]!;
    pool = costliest([...pool, costOfAny(told, change(steps, edit))]);
  }
  return pool[0]!;
}

function costliest(costs: readonly Cost[]): Cost[] {
  return costs.toSorted((a, b) => b.fuelPerKib - a.fuelPerKib).slice(0, POOL);
}

/** The dearer of one connection that sees the steps again and again, and many that see them once. */
function costOfAny(parser: Parser, steps: readonly Step[]): Cost {
  const one = costOf(parser, repeat(steps, MEDIUM), 1, 'an input found by trying');
  const copies = Math.max(1, Math.min(CONNECTIONS, Math.floor(MEDIUM / (capturedLength(steps) + steps.length))));
  const many = costOf(parser, steps, copies, 'an input found by trying');
  return { ...(one.fuelPerKib > many.fuelPerKib ? one : many), steps };
}

interface Edit {
  readonly pick: number;
  readonly kind: 'set' | 'stretch' | 'cut' | 'double' | 'split';
  readonly step: number;
  readonly place: number;
  readonly length: number;
  readonly value: number;
}

const edits: fc.Arbitrary<Edit> = fc.record({
  pick: fc.nat(),
  kind: fc.constantFrom('set', 'stretch', 'cut', 'double', 'split'),
  step: fc.nat(),
  place: fc.nat(),
  length: fc.integer({ min: 1, max: 40 }),
  value: fc.nat(255),
});

function change(steps: readonly Step[], edit: Edit): Step[] {
  const index = edit.step % steps.length;
  const step = steps[index]!;
  if (step.kind !== DATA || step.bytes.length === 0) return [...steps];
  if (edit.kind === 'split') return splitEvery(steps, edit.length).slice(0, GROWN >> 4);
  const missing = step.wireLength - step.bytes.length;
  const bytes = changeBytes(step.bytes, edit, GROWN - capturedLength(steps));
  if (bytes.length === 0) return [...steps];
  return steps.with(index, { ...step, bytes, wireLength: bytes.length + missing });
}

/** One byte another, a piece many times over, a piece gone, or everything twice. */
function changeBytes(bytes: Uint8Array, { kind, place, length, value }: Edit, room: number): Uint8Array {
  const from = place % bytes.length;
  const piece = bytes.subarray(from, from + length);
  const times = Math.max(0, Math.min(value * 4, Math.floor(room / piece.length)));
  if (kind === 'set') return bytes.with(from, value);
  if (kind === 'cut') return concat(bytes.subarray(0, from), bytes.subarray(from + length));
  if (kind === 'double') return room > bytes.length ? concat(bytes, bytes) : bytes;
  return concat(bytes.subarray(0, from), ...Array.from({ length: times }, () => piece), bytes.subarray(from));
}

function concat(...parts: Uint8Array[]): Uint8Array {
  return new Uint8Array(Buffer.concat(parts));
}
