/** Real servers under full load, with and without the agent in turn: what a request costs both, and what was lost. */
import { startReceiver, takeTurns } from '../../live.ts';
import { renderTable } from '../../table.ts';
import { nginxTarget, postgresTarget, redisTarget, type Target } from '../../targets.ts';
import type { Context } from '../context.ts';
import { short } from '../figures.ts';

const ROUNDS_MAX = 3;
const SECONDS = 4;
const TARGETS = { nginx: nginxTarget, redis: redisTarget, postgres: postgresTarget };

export async function benchLiveServers(context: Context): Promise<void> {
  if (context.ring === 'memory') {
    context.note('live: left out, the agent cannot start without BPF');
    return;
  }
  const receiver = await startReceiver();
  const rows: string[][] = [];
  try {
    for (const [name, start] of Object.entries(TARGETS)) {
      const target = await started(context, name, start);
      if (target !== undefined) rows.push(await measure(context, name, target, receiver.endpoint));
    }
  } finally {
    receiver.stop();
  }
  const head = ['', 'requests/s', 'with agent', 'server µs', 'with agent', 'agent µs', 'records lost', 'spans dropped'];
  context.table(
    'Live: CPU for each request; server, load, agent and receiver share the CPUs',
    renderTable([head, ...rows]),
  );
}

/** Not every machine has every server. */
async function started(context: Context, name: string, start: () => Promise<Target>): Promise<Target | undefined> {
  try {
    return await start();
  } catch (error) {
    context.note(`live/${name}: left out: ${(error as Error).message}`);
    return undefined;
  }
}

async function measure(context: Context, name: string, target: Target, endpoint: string): Promise<string[]> {
  const rounds = Math.min(ROUNDS_MAX, context.effort.rounds);
  try {
    const { without, withAgent } = await takeTurns(target, endpoint, { rounds, seconds: SECONDS });
    const put = (what: string, unit: string, values: readonly number[]) =>
      short(context.figure(`live/${name}/${what}`, unit, values).median);
    const lost = withAgent.map(({ summary }) => told(summary, 'records_lost'));
    const dropped = withAgent.map(({ summary }) => told(summary, 'dropped'));
    if (Math.max(...lost, ...dropped) > 0) context.note(`live/${name}: lost ${lost} records, dropped ${dropped} spans`);
    return [
      target.name,
      put(
        'rate',
        'requests/s',
        without.map(({ perSecond }) => perSecond),
      ),
      put(
        'rate-with-agent',
        'requests/s',
        withAgent.map(({ perSecond }) => perSecond),
      ),
      put(
        'server',
        'µs/request',
        without.map(({ serverMicros }) => serverMicros),
      ),
      put(
        'server-with-agent',
        'µs/request',
        withAgent.map(({ serverMicros }) => serverMicros),
      ),
      put(
        'agent',
        'µs/request',
        withAgent.map(({ agentMicros }) => agentMicros),
      ),
      short(Math.max(...lost)),
      short(Math.max(...dropped)),
    ];
  } finally {
    await target.stop();
  }
}

/** Of the agent's last line. */
function told(summary: string, counter: string): number {
  const value = Number(new RegExp(`\\b${counter}"?[=:]\\s*(\\d+)`).exec(summary)?.[1]);
  if (Number.isNaN(value)) throw new Error(`the agent told nothing of ${counter}: ${summary}`);
  return value;
}
