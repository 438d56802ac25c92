/**
 * What input costs in fuel. A call's allowance is linear in its input (fuel.ts), so work that is not shows as a share of
 * it that grows with the input: the golden cases are measured at several sizes and in several arrangements.
 */
import { DATA } from '../../../parsers/sdk/abi.ts';
import { NO_SETTINGS } from '../../wasm/settings.ts';
import { formatSteps, openFlags, under } from './cases.ts';
import type { Subject } from './guest.ts';
import { Harness } from './harness.ts';
import type { Parser } from './parser.ts';
import { capturedLength, type Step, splitEvery } from './steps.ts';

export interface Cost {
  /** Fuel for each KiB that the call was paid for: what limits.fuelPerKiB has to exceed. */
  readonly fuelPerKib: number;
  readonly steps: readonly Step[];
  /** Which arrangement of the steps it was, and of what. */
  readonly what: string;
}

/** Captured bytes of one measurement: the constant part of the allowance is then a small one. */
const LARGE = 64 * 1024;
const INPUT_BYTES = 512 * 1024;
/** Connections that a measurement opens at most. */
export const CONNECTIONS = 128;
/** Pieces of one byte that are measured: as many take a chunk each. */
const PIECES = 2000;
/** Characters of an input that a report shows. */
const EXCERPT = 800;

/** Costs of the golden cases: repeated on one connection, on many, and in pieces of one byte; the costliest first. */
export function costOfCases(parser: Parser): Cost[] {
  const costs = parser.cases.flatMap((one) => {
    const what = `"${one.title}"`;
    const told = under(parser, one);
    return [
      costOf(told, repeat(one.steps, LARGE), 1, what, openFlags(one)),
      costOf(told, one.steps, CONNECTIONS, what, openFlags(one)),
      costOf(told, splitEvery(one.steps, 1).slice(0, PIECES), 1, `${what} in pieces of one byte`, openFlags(one)),
    ];
  });
  return costs.sort((a, b) => b.fuelPerKib - a.fuelPerKib);
}

export function costOf(parser: Subject, steps: readonly Step[], connections: number, what: string, flags = 0): Cost {
  const harness = new Harness(unlimited(parser), { inputBytes: INPUT_BYTES, outputBytes: INPUT_BYTES });
  try {
    harness.identify(steps.slice(0, 32));
    const numbers = Array.from({ length: connections }, () => harness.open(flags));
    harness.feedAll(numbers.flatMap((connection) => steps.map((step) => ({ connection, step }))));
  } catch (error) {
    throw new Error(`${(error as Error).message}: ${what}\n${excerpt(steps)}`, { cause: error });
  }
  const [call, fuelPerKib] = [...harness.guest.fuelPerKib].reduce((a, b) => (a[1] >= b[1] ? a : b));
  const times = connections > 1 ? `, on ${connections} connections` : `, ${capturedLength(steps)} bytes`;
  return { fuelPerKib, steps, what: `${call}() of ${what}${times}` };
}

/** The module with all the fuel there is: what it would take is what is asked. */
export function unlimited({ module, manifest, settings = NO_SETTINGS }: Subject): Subject {
  return {
    module,
    settings,
    manifest: { ...manifest, limits: { ...manifest.limits, fuelPerKiB: Number.MAX_SAFE_INTEGER } },
  };
}

/** The steps again and again on one connection, until they hold `bytes`; endings only at the end. */
export function repeat(steps: readonly Step[], bytes: number): Step[] {
  const open = steps.filter(({ kind }) => kind === DATA);
  const times = Math.ceil(bytes / Math.max(1, capturedLength(open))) - 1;
  return [...Array.from({ length: Math.min(times, bytes >> 6) }, () => open).flat(), ...steps];
}

export function excerpt(steps: readonly Step[]): string {
  const text = formatSteps(steps);
  return text.length <= EXCERPT ? text : `${text.slice(0, EXCERPT)}…`;
}
