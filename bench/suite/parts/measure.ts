/** One scenario from its start to its figures. */
import type { Context } from '../context.ts';
import type { Figure } from '../figures.ts';
import { type Round, Scenario, type ScenarioSetup } from '../scenario.ts';

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
  await scenario.open();
  await scenario.warm(effort.warmUpMs);
  const rounds: Round[] = [];
  for (let round = 0; round < effort.rounds; round++) rounds.push(await scenario.round(effort.roundMs));
  const made = sum(rounds, 'pairs') / sum(rounds, 'expected');
  if (made !== 1 && setup.connections <= ALL_MADE_CONNECTIONS && sum(rounds, 'expected') > 0) {
    throw new Error(`${name}: of ${sum(rounds, 'expected')} exchanges ${sum(rounds, 'pairs')} became pairs`);
  }
  if (made < 1) context.note(`${name}: ${Math.round(made * 100)} % of the exchanges became pairs`);
  return { rounds, made };
}

function sum(rounds: readonly Round[], key: 'pairs' | 'expected'): number {
  return rounds.reduce((total, round) => total + round[key], 0);
}

export interface PairFigures {
  readonly ns: Figure;
  readonly floorNs: Figure;
  readonly ratio: Figure;
  readonly rate: Figure;
}

/** For each exchange, whether or not it became a pair. */
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
