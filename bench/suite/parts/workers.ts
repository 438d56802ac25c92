/** One worker and two, each with a ring, parsers and encoder of its own, in turn in one run. */
import { renderTable } from '../../table.ts';
import type { Context } from '../context.ts';
import { conversationOf } from '../conversations/index.ts';
import { short, withQuarters } from '../figures.ts';
import { type Drained, Scenario } from '../scenario.ts';

const CONNECTIONS = 1000;
/** Long enough that the start of one beside the other weighs little. */
const RING_BYTES = 256 * 1024 * 1024;

export async function benchWorkers(context: Context): Promise<void> {
  context.progress('workers');
  const { effort, ring, parsers } = context;
  const conversations = [await conversationOf('http1', parsers)];
  const start = () => Scenario.start({ ring, parsers, connections: CONNECTIONS, conversations, ringBytes: RING_BYTES });
  await using first = await start();
  await using second = await start();
  for (const one of [first, second]) {
    await one.open();
    await one.warm(effort.warmUpMs);
  }
  const alone: Drained[][] = [];
  const both: Drained[][] = [];
  for (let round = 0; round < effort.rounds; round++) {
    alone.push(await drain(round % 2 === 0 ? [first] : [second]));
    both.push(await drain([first, second]));
  }
  const rate = (rounds: readonly Drained[][]) => rounds.map(ratePerSecond);
  const one = context.figure('workers/one', 'pairs/s', rate(alone));
  const two = context.figure('workers/two', 'pairs/s', rate(both));
  const wall = context.figure(
    'workers/wall',
    '× one',
    both.map((round, index) => ratePerSecond(round) / ratePerSecond(alone[index]!)),
  );
  // On a machine that others use, too: what two would do if each had a core of its own.
  const cpu = context.figure(
    'workers/cpu',
    '× one',
    both.map((round, index) => (2 * nsPerPair(alone[index]!)) / nsPerPair(round)),
  );
  const row = ['HTTP/1', short(one.median), short(two.median), withQuarters(wall), withQuarters(cpu)];
  context.table(
    'Two workers side by side: the rate of both to that of one, by the clock and by CPU time',
    renderTable([['', 'one, pairs/s', 'two, pairs/s', 'by the clock', 'by CPU time'], row]),
  );
}

async function drain(scenarios: readonly Scenario[]): Promise<Drained[]> {
  for (const scenario of scenarios) await scenario.fill();
  return Promise.all(scenarios.map((scenario) => scenario.drain()));
}

/** From the first one's start to the last one's end. */
function ratePerSecond(drained: readonly Drained[]): number {
  const start = Math.min(...drained.map(({ startNs }) => startNs));
  const end = Math.max(...drained.map(({ endNs }) => endNs));
  return (pairsOf(drained) * 1e9) / (end - start);
}

function nsPerPair(drained: readonly Drained[]): number {
  return drained.reduce((sum, { cpuNs }) => sum + cpuNs, 0) / pairsOf(drained);
}

function pairsOf(drained: readonly Drained[]): number {
  return drained.reduce((sum, { pairs }) => sum + pairs, 0);
}
