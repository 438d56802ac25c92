/**
 * The last gate before a module gets traffic, and the first that runs its code, off the data path: its own golden cases
 * come out as they say, and it does not claim the traffic that the shipped modules' cases hold. Warms it up on the way.
 */
import { IDENTIFY_SCORE_MIN, IDENTIFY_SWAPPED } from '../../parsers/sdk/abi.ts';
import type { ParserModule } from '../wasm/admit.ts';
import { CASES_SECTION } from '../wasm/manifest.ts';
import type { Accept } from './candidates.ts';
import { type Case, parseCases } from './trial/cases.ts';
import { Harness } from './trial/harness.ts';
import { replayCases } from './trial/replay.ts';

/** A hundred cases take some 50 ms; the main thread has other things to do, too. */
const LIMIT_MS = 1000;

interface Others {
  readonly name: string;
  readonly cases: readonly Case[];
}

/** Acceptance beside modules that are there already. */
export function createAcceptance(shipped: readonly ParserModule[]): Accept {
  // Read when a module comes: most agents never get one, and all cases together are some megabytes.
  let others: readonly Others[] | undefined;
  return async (_, module) => {
    const text = casesText(module);
    const wrong = text === undefined ? undefined : replayCases(module, text, { limitMs: LIMIT_MS });
    if (wrong !== undefined) return `fails its golden case ${wrong}`;
    others ??= shipped.map((one) => ({ name: one.manifest.name, cases: casesOf(one) }));
    return claimed(
      module,
      others.filter(({ name }) => name !== module.manifest.name),
    );
  };
}

/** The golden cases a module carries. */
export function casesText({ module }: ParserModule): string | undefined {
  const [section] = WebAssembly.Module.customSections(module, CASES_SECTION);
  return section === undefined ? undefined : new TextDecoder().decode(section);
}

function casesOf(module: ParserModule): readonly Case[] {
  const text = casesText(module);
  return text === undefined ? [] : parseCases(text, module.manifest.name).filter(({ unidentified }) => !unidentified);
}

/** Why the module is too greedy; undefined when it leaves the others theirs. */
function claimed(module: ParserModule, others: readonly Others[]): string | undefined {
  try {
    const harness = new Harness(module, { deadline: performance.now() + LIMIT_MS });
    for (const { name, cases } of others) {
      const theirs = cases.find(({ steps }) => (harness.identify(steps) & ~IDENTIFY_SWAPPED) >= IDENTIFY_SCORE_MIN);
      if (theirs !== undefined) return `claims the traffic of ${name}: its identify() says yes to "${theirs.title}"`;
    }
    return undefined;
  } catch (error) {
    return `identify() failed on the traffic of another protocol: ${(error as Error).message}`;
  }
}
