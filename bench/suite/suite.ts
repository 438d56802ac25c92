/** `npm run bench`: all parts, one after the other; a table for each, and the result as JSON. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { progress } from '../table.ts';
import { shippedParsers } from '../traffic.ts';
import { compareFigures, readResult, renderChanges } from './compare.ts';
import { Context, type Effort } from './context.ts';
import { benchLiveServers } from './parts/live.ts';
import { benchMatrix } from './parts/matrix.ts';
import { benchMemory } from './parts/memory.ts';
import { benchOtel } from './parts/otel.ts';
import { benchProtocols } from './parts/protocols.ts';
import { benchReject } from './parts/reject.ts';
import { benchStages } from './parts/stages.ts';
import { benchStartup } from './parts/startup.ts';
import { benchWorkers } from './parts/workers.ts';
import { PART_NAMES, type PartName } from './parts.ts';
import { FORMAT, machine, type Result } from './result.ts';
import { ringKind } from './rig.ts';

const PARTS: Readonly<Record<PartName, (context: Context) => Promise<void>>> = {
  protocols: benchProtocols,
  stages: benchStages,
  reject: benchReject,
  otel: benchOtel,
  memory: benchMemory,
  workers: benchWorkers,
  startup: benchStartup,
  live: benchLiveServers,
  matrix: benchMatrix,
};
/** What the headline is made of. */
const QUICK_PARTS: readonly PartName[] = ['protocols', 'reject', 'otel', 'memory'];

/** The last run's result. */
const LAST = join(import.meta.dirname, '../../build/bench/last.json');
const FULL: Effort = { rounds: 15, roundMs: 50, warmUpMs: 1500 };
const QUICK: Effort = { rounds: 7, roundMs: 50, warmUpMs: 800 };

export interface SuiteOptions {
  readonly rounds?: number;
  readonly only?: string;
  readonly quick?: boolean;
  readonly json?: boolean;
  readonly compare?: string;
}

export async function benchSuite(options: SuiteOptions): Promise<void> {
  const before = options.compare === undefined ? undefined : readResult(options.compare);
  const result = await measureAll(options);
  const compared = before === undefined ? undefined : compareFigures(before.figures, result.figures);
  keep(result);
  if (options.json)
    process.stdout.write(`${JSON.stringify(compared === undefined ? result : { ...result, compared })}\n`);
  else if (compared !== undefined) process.stdout.write(renderChanges(compared));
  if (!options.json && result.notes.length > 0) process.stdout.write(`NOTES\n${result.notes.join('\n')}\n`);
}

/** A run that was shown as tables is there as JSON as well, for a later --compare. */
function keep(result: Result): void {
  mkdirSync(dirname(LAST), { recursive: true });
  writeFileSync(LAST, JSON.stringify(result));
  progress(`as JSON: ${relative(process.cwd(), LAST)}`);
}

async function measureAll({ rounds, only, quick = false, json = false }: SuiteOptions): Promise<Result> {
  const start = performance.now();
  const { kind, refusal } = ringKind();
  const effort = quick ? QUICK : FULL;
  const context = new Context(
    { ...effort, rounds: rounds ?? effort.rounds },
    {
      isQuick: quick,
      ring: kind,
      parsers: shippedParsers(),
      show: (table) => {
        if (!json) process.stdout.write(table);
      },
    },
  );
  if (refusal !== undefined) {
    context.note(`BPF is refused: no kernel's ring, records come from ordinary memory, and nothing live.\n${refusal}`);
  }
  for (const name of chosen(quick, only)) {
    progress(`part ${name}`);
    await run(name, context);
  }
  const { figures, headline, notes } = context;
  const seconds = (performance.now() - start) / 1000;
  const about = { format: FORMAT, quick, rounds: context.effort.rounds, ring: kind, machine: machine() } as const;
  return { ...about, headline, figures, notes, seconds };
}

/** A part that fails takes no other along; the run has failed all the same. */
async function run(name: PartName, context: Context): Promise<void> {
  try {
    await PARTS[name](context);
  } catch (error) {
    context.note(`${name} FAILED: ${(error as Error).message}`);
    process.exitCode = 1;
  }
}

function chosen(quick: boolean, only: string | undefined): readonly PartName[] {
  if (only === undefined) return quick ? QUICK_PARTS : PART_NAMES;
  const part = PART_NAMES.find((name) => name === only);
  if (part !== undefined) return [part];
  throw new Error(`there is no part "${only}": ${PART_NAMES.join(', ')}`);
}
