/**
 * What the agent costs an nginx under full load, live: rounds with and without the agent alternate. After them, when
 * asked for, a long run with the agent's memory.
 */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { cpuSeconds, residentMiB, startAgent } from './processes.ts';
import { mean, median, progress, renderTable } from './table.ts';
import { nginxTarget, type Target } from './targets.ts';

export interface LiveOptions {
  /** Pairs of rounds, and the length of one. */
  readonly rounds: number;
  readonly seconds: number;
  readonly soak: number;
  readonly json?: boolean;
}

const WARM_UP_SECONDS = 3;

export interface LiveRound {
  readonly perSecond: number;
  readonly requests: number;
  readonly serverMicros: number;
  readonly agentMicros: number;
  readonly summary: string;
}

export async function benchLive(options: LiveOptions): Promise<void> {
  const receiver = await startReceiver();
  const { endpoint } = receiver;
  const nginx = await nginxTarget();
  try {
    const compared = summary(await takeTurns(nginx, endpoint, options));
    const result = { ...compared, ...(options.soak > 0 && { soak: await soak(nginx, endpoint, options.soak) }) };
    process.stdout.write(options.json ? `${JSON.stringify(result)}\n` : render(result));
  } finally {
    await nginx.stop();
    receiver.stop();
  }
}

/** An OTLP receiver in a process of its own. */
export async function startReceiver(): Promise<{ readonly endpoint: string; readonly stop: () => void }> {
  const receiver = fork(new URL('./null-receiver.ts', import.meta.url));
  const [port] = (await once(receiver, 'message')) as [number];
  return { endpoint: `http://127.0.0.1:${port}`, stop: () => receiver.disconnect() };
}

export interface LiveRounds {
  readonly without: readonly LiveRound[];
  readonly withAgent: readonly LiveRound[];
}

/** Rounds with and without the agent, in turn. */
export async function takeTurns(
  target: Target,
  endpoint: string,
  { rounds, seconds }: Pick<LiveOptions, 'rounds' | 'seconds'>,
): Promise<LiveRounds> {
  const without: LiveRound[] = [];
  const withAgent: LiveRound[] = [];
  await target.load(1);
  for (let round = 1; round <= rounds; round++) {
    progress(`${target.name}: round ${round} of ${rounds}`);
    without.push(await measure(target, seconds, undefined));
    withAgent.push(await measure(target, seconds, endpoint));
  }
  return { without, withAgent };
}

function summary({ without, withAgent }: LiveRounds) {
  const base = { perSecond: medianOf(without, 'perSecond'), nginxMicros: medianOf(without, 'serverMicros') };
  const agent = {
    perSecond: medianOf(withAgent, 'perSecond'),
    nginxMicros: medianOf(withAgent, 'serverMicros'),
    agentMicros: medianOf(withAgent, 'agentMicros'),
    summary: withAgent.at(-1)?.summary ?? '',
  };
  return {
    without: base,
    with: agent,
    ratios: { perSecond: agent.perSecond / base.perSecond, nginxMicros: agent.nginxMicros / base.nginxMicros },
  };
}

async function measure(target: Target, seconds: number, endpoint: string | undefined): Promise<LiveRound> {
  const agent = endpoint === undefined ? undefined : await startAgent(target.port, endpoint);
  // What a process takes to start and to compile is the startup part's affair: agents run for weeks.
  await target.load(WARM_UP_SECONDS);
  const serverBefore = target.cpuSeconds();
  const agentBefore = agent === undefined ? 0 : cpuSeconds(agent.pid);
  const { requests, perSecond } = await target.load(seconds);
  const serverMicros = ((target.cpuSeconds() - serverBefore) * 1e6) / requests;
  await sleep(500);
  const agentMicros = agent === undefined ? 0 : ((cpuSeconds(agent.pid) - agentBefore) * 1e6) / requests;
  const summary = (await agent?.stop()) ?? '';
  return { perSecond, requests, serverMicros, agentMicros, summary };
}

/** Memory under load: the mean of the second quarter (after warm-up) against the mean of the last quarter. */
async function soak(target: Target, endpoint: string, seconds: number) {
  const agent = await startAgent(target.port, endpoint);
  const before = cpuSeconds(agent.pid);
  const samples: number[] = [];
  const timer = setInterval(() => samples.push(residentMiB(agent.pid)), 1000);
  const load = await target.load(seconds);
  clearInterval(timer);
  const agentMicros = ((cpuSeconds(agent.pid) - before) * 1e6) / load.requests;
  const summary = await agent.stop();
  const quarter = Math.floor(samples.length / 4);
  const [early, late] = [mean(samples.slice(quarter, 2 * quarter)), mean(samples.slice(-quarter))];
  return { seconds, ...load, agentMicros, residentMiB: { early, late, growth: late / early }, summary };
}

function medianOf(rounds: readonly LiveRound[], key: 'perSecond' | 'serverMicros' | 'agentMicros'): number {
  return median(rounds.map((round) => round[key]));
}

function render(result: ReturnType<typeof summary> & { soak?: Awaited<ReturnType<typeof soak>> }): string {
  const { without, with: agent, ratios, soak: long } = result;
  const rows = [
    ['', 'without', 'with agent', 'ratio'],
    ['requests per second', fixed(without.perSecond, 0), fixed(agent.perSecond, 0), fixed(ratios.perSecond, 2)],
    [
      'nginx µs CPU per request',
      fixed(without.nginxMicros, 2),
      fixed(agent.nginxMicros, 2),
      fixed(ratios.nginxMicros, 2),
    ],
    ['agent µs CPU per request', '', fixed(agent.agentMicros, 2), ''],
  ];
  const soaked =
    long === undefined
      ? ''
      : `\nsoak ${long.seconds} s: ${fixed(long.perSecond, 0)} requests/s, agent ${fixed(long.agentMicros, 2)} µs CPU per request, ` +
        `resident ${fixed(long.residentMiB.early, 0)} → ${fixed(long.residentMiB.late, 0)} MiB\n${long.summary}\n`;
  return `${renderTable(rows)}\n${agent.summary}\n${soaked}`;
}

function fixed(value: number, digits: number): string {
  return value.toFixed(digits);
}
