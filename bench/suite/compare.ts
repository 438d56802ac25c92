/** What changed between two results: figures by name, and whether a change is more than the rounds' own spread. */
import { readFileSync } from 'node:fs';
import { renderTable } from '../table.ts';
import { type Figure, short } from './figures.ts';
import { FORMAT, type Result } from './result.ts';

export interface Change {
  readonly name: string;
  readonly unit: string;
  readonly before: number;
  readonly after: number;
  /** After to before. */
  readonly ratio: number;
  /** `same`: the quarters of both touch. */
  readonly verdict: 'better' | 'worse' | 'same';
}

export interface Changes {
  readonly changes: readonly Change[];
  /** Figures that only one of the results has. */
  readonly onlyBefore: readonly string[];
  readonly onlyAfter: readonly string[];
}

export function readResult(path: string): Result {
  let result: Partial<Result>;
  try {
    result = JSON.parse(readFileSync(path, 'utf8')) as Partial<Result>;
  } catch (error) {
    throw new Error(`--compare ${path}: ${(error as Error).message}`);
  }
  if (result.format === FORMAT && Array.isArray(result.figures)) return result as Result;
  throw new Error(`--compare ${path}: not a result of this bench (\`npm run bench -- --json\` writes one)`);
}

export function compareFigures(before: readonly Figure[], after: readonly Figure[]): Changes {
  const old = new Map(before.map((one) => [one.name, one]));
  const now = new Set(after.map(({ name }) => name));
  return {
    changes: after.flatMap((one) => {
      const other = old.get(one.name);
      return other === undefined ? [] : [changeOf(other, one)];
    }),
    onlyBefore: before.map(({ name }) => name).filter((name) => !now.has(name)),
    onlyAfter: after.map(({ name }) => name).filter((name) => !old.has(name)),
  };
}

function changeOf(before: Figure, after: Figure): Change {
  const { name, unit, lessIsBetter } = after;
  const touches = after.low <= before.high && before.low <= after.high;
  const isBetter = after.median < before.median === lessIsBetter;
  const verdict = touches ? 'same' : isBetter ? 'better' : 'worse';
  return { name, unit, before: before.median, after: after.median, ratio: after.median / before.median, verdict };
}

export function renderChanges({ changes, onlyBefore, onlyAfter }: Changes): string {
  const rows = changes.map(({ name, unit, before, after, ratio, verdict }) => [
    `${name} (${unit})`,
    short(before),
    short(after),
    ratio.toFixed(2),
    verdict === 'same' ? '' : verdict,
  ]);
  const alone = [
    ...onlyBefore.map((name) => `only before: ${name}`),
    ...onlyAfter.map((name) => `only now: ${name}`),
  ].join('\n');
  return `Compared; without a word: within the quarters of the rounds
${renderTable([['', 'before', 'now', 'ratio', ''], ...rows])}
${alone}
`;
}
