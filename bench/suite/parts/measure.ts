/** One scenario from its start to its figures. */
import type { Context } from '../context.ts';
import type { Figure } from '../figures.ts';
import { type Count, type Round, Scenario, type ScenarioSetup } from '../scenario.ts';

export interface Measured {
  readonly rounds: readonly Round[];
  /** Share of the exchanges that became pairs. */
  readonly made: number;
}

/** Up to here every exchange must be told; with more connections modules may reach their limit of memory. */
const ALL_MADE_CONNECTIONS = 1000;

export async function measure(
  context: Context,
  name: string,
  setup: Omit<ScenarioSetup, 'ring' | 'parsers'>,
): Promise<Measured> {
  const { effort, ring, parsers } = context;
  context.progress(name);
  await using scenario = await Scenario.start({ ring, parsers, ...setup });
  const opening = await scenario.open();
  await scenario.warm(effort.warmUpMs);
  const rounds: Round[] = [];
  for (let round = 0; round < effort.rounds; round++) rounds.push(await scenario.round(effort.roundMs));
  // A round sees few of very many connections: the opening tells of all.
  const all = [opening, ...rounds];
  const [pairs, expected] = [sum(all, 'pairs'), sum(all, 'expected')];
  const made = expected === 0 ? 1 : pairs / expected;
  if (made !== 1 && setup.connections <= ALL_MADE_CONNECTIONS) {
    throw new Error(`${name}: of ${expected} exchanges ${pairs} became pairs`);
  }
  if (made !== 1) context.note(`${name}: no figures, ${Math.round(made * 100)} % of the exchanges became pairs`);
  return { rounds, made };
}

function sum(rounds: readonly Count[], key: 'pairs' | 'expected'): number {
  return rounds.reduce((total, round) => total + round[key], 0);
}

export interface PairFigures {
  readonly ns: Figure;
  readonly floorNs: Figure;
  readonly ratio: Figure;
  readonly rate: Figure;
}

export function pairFigures(context: Context, name: string, rounds: readonly Round[]): PairFigures {
  const ns = rounds.map(({ pipelineNs, expected }) => pipelineNs / expected);
  return {
    ns: context.figure(`${name}/ns`, 'ns/pair', ns),
    floorNs: context.figure(
      `${name}/floor`,
      'ns/pair',
      rounds.map(({ floorNs, expected }) => floorNs / expected),
    ),
    ratio: context.figure(`${name}/ratio`, '× floor', ratios(rounds)),
    rate: context.figure(
      `${name}/rate`,
      'pairs/s',
      ns.map((one) => 1e9 / one),
    ),
  };
}

export function ratios(rounds: readonly Round[]): number[] {
  return rounds.map(({ pipelineNs, floorNs }) => pipelineNs / floorNs);
}
