/**
 * Golden cases against a module: what it makes of each must be what the case says. The agent asks this of a module
 * before it gets traffic, which also warms it up: V8 compiles again what runs often, and better off the data path.
 * Rule: whatever module and cases are, it ends in time and does not throw.
 */
import { IDENTIFY_SCORE_MIN, IDENTIFY_SWAPPED } from '../../../parsers/sdk/abi.ts';
import { type Case, type Expected, openFlags, parseCases, under } from './cases.ts';
import type { Subject } from './guest.ts';
import { Harness, type Output } from './harness.ts';
import { type Step, splitEvery } from './steps.ts';

export interface ReplayOptions {
  /** How long all cases may take. */
  readonly limitMs?: number;
  /** How long the cases are repeated afterwards, as warm-up. */
  readonly warmUpMs?: number;
}

/** A hundred cases take some 50 ms; a module that needs more than this is better refused than waited for. */
const LIMIT_MS = 5000;
const WARM_UP_MS = 50;
const WARM_UP_ROUNDS = 400;
/** Pieces that each case is repeated in: about what travels in one packet, and what makes a parser resume. */
const PIECES = [1448, 7] as const;

/** Characters of a reason: what a module and its cases say goes into a log. */
const REASON_MAX = 1000;

/** Why the module does not do what its cases say: the first that fails, and how; undefined when it passes. */
export function replayCases(module: Subject, casesText: string, options: ReplayOptions = {}): string | undefined {
  const { limitMs = LIMIT_MS, warmUpMs = WARM_UP_MS } = options;
  try {
    const cases = parseCases(casesText, `cases of ${module.manifest.name}`);
    for (const alike of alikeOf(cases)) {
      const harness = new Harness(under(module, alike[0]!), { deadline: performance.now() + limitMs });
      for (const one of alike) {
        const difference = checkCase(harness, one);
        if (difference !== undefined) return shorten(`"${one.title}": ${difference}`);
      }
    }
    warmUp(new Harness(module, { deadline: performance.now() + limitMs }), cases, warmUpMs);
    return undefined;
  } catch (error) {
    return shorten((error as Error).message);
  }
}

/** Cases of the same settings: an instance is told them once. */
function alikeOf(cases: readonly Case[]): Case[][] {
  return [...Map.groupBy(cases, ({ settings }) => JSON.stringify([...settings])).values()];
}

function shorten(reason: string): string {
  return reason.length <= REASON_MAX ? reason : `${reason.slice(0, REASON_MAX)}…`;
}

/**
 * How the module's answer to the case differs from the expected one. Takes a connection of the harness, whose module was
 * told what the case wants, and closes it.
 */
export function checkCase(harness: Harness, one: Case): string | undefined {
  try {
    return differenceOf(replay(harness, one, one.steps), one.messages) ?? identityOf(harness, one);
  } catch (error) {
    return (error as Error).message;
  }
}

function replay(harness: Harness, one: Case, steps: readonly Step[]): readonly Output[] {
  const connection = harness.open(openFlags(one));
  harness.feed(connection, steps);
  harness.close(connection);
  return harness.output(connection);
}

/** The first message that is not as expected, with what was and what was not there. */
function differenceOf(output: readonly Output[], expected: readonly Expected[]): string | undefined {
  for (let index = 0; index < Math.max(output.length, expected.length); index++) {
    const [actual, wanted] = [output[index], expected[index]];
    const shown = actual && JSON.stringify(shownAs(actual, wanted));
    if (shown === (wanted && JSON.stringify(wanted))) continue;
    return `message ${index + 1} is ${shown ?? 'missing'}, expected ${JSON.stringify(wanted) ?? 'none'}`;
  }
  return undefined;
}

/** The message with the keys the case asks for, in that order; without a case, what tells something. */
export function shownAs({ attributes, ...message }: Output, expected: Expected | undefined): Record<string, unknown> {
  const all: Record<string, unknown> = { ...message, key: Number(message.key), ...attributes };
  if (expected) return Object.fromEntries(Object.keys(expected).map((key) => [key, all[key]]));
  return Object.fromEntries(Object.entries(all).filter(([, value]) => value !== 0 && !isEmpty(value)));
}

function isEmpty(value: unknown): boolean {
  return Array.isArray(value) && value.length === 0;
}

/** What identify says of a stream that the module must take for its own. */
function identityOf(harness: Harness, one: Case): string | undefined {
  if (one.midStream || one.upgraded || one.unidentified) return undefined;
  const verdict = harness.identify(one.steps);
  if ((verdict & ~IDENTIFY_SWAPPED) < IDENTIFY_SCORE_MIN) return `identify() returns ${verdict}, not a score`;
  return (verdict & IDENTIFY_SWAPPED) === 0 ? undefined : 'identify() takes the client for the server';
}

function warmUp(harness: Harness, cases: readonly Case[], warmUpMs: number): void {
  const end = performance.now() + warmUpMs;
  for (let round = 0; round < WARM_UP_ROUNDS; round++) {
    for (const one of cases) {
      if (performance.now() >= end) return;
      replay(harness, one, splitEvery(one.steps, PIECES[round % PIECES.length]!));
    }
  }
}
