/**
 * What the agent costs an nginx under full load, live: rounds with and without the agent alternate. After them, when
 * asked for, a long run with the agent's memory.
 */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { cpuSeconds, type Nginx, residentMiB, startAgent, startNginx, wrk } from './processes.ts';
import { mean, median, progress, renderTable } from './table.ts';

const CONNECTIONS = 50;
const BODY_BYTES = 200;

export interface LiveOptions {
  /** Pairs of rounds, and the length of one. */
  readonly rounds: number;
  readonly seconds: number;
  readonly soak: number;
  readonly json?: boolean;
}

interface Round {
  readonly perSecond: number;
  readonly nginxMicros: number;
  readonly agentMicros: number;
  readonly summary: string;
}

export async function benchLive(options: LiveOptions): Promise<void> {
  const receiver = fork(new URL('./null-receiver.ts', import.meta.url));
  const [receiverPort] = (await once(receiver, 'message')) as [number];
  const endpoint = `http://127.0.0.1:${receiverPort}`;
  const nginx = await startNginx(BODY_BYTES);
  try {
    const compared = await compare(nginx, endpoint, options);
    const result = { ...compared, ...(options.soak > 0 && { soak: await soak(nginx, endpoint, options.soak) }) };
    process.stdout.write(options.json ? `${JSON.stringify(result)}\n` : render(result));
  } finally {
    await nginx.stop();
    receiver.disconnect();
  }
}

async function compare(target: Nginx, endpoint: string, { rounds, seconds }: LiveOptions) {
  const without: Round[] = [];
  const withAgent: Round[] = [];
  await wrk(target.port, CONNECTIONS, 1);
  for (let round = 1; round <= rounds; round++) {
    progress(`round ${round} of ${rounds}`);
    without.push(await measure(target, seconds, undefined));
    withAgent.push(await measure(target, seconds, endpoint));
  }
  const base = { perSecond: medianOf(without, 'perSecond'), nginxMicros: medianOf(without, 'nginxMicros') };
  const agent = {
    perSecond: medianOf(withAgent, 'perSecond'),
    nginxMicros: medianOf(withAgent, 'nginxMicros'),
    agentMicros: medianOf(withAgent, 'agentMicros'),
    summary: withAgent.at(-1)?.summary ?? '',
  };
  return {
    without: base,
    with: agent,
    ratios: { perSecond: agent.perSecond / base.perSecond, nginxMicros: agent.nginxMicros / base.nginxMicros },
  };
}

async function measure(target: Nginx, seconds: number, endpoint: string | undefined): Promise<Round> {
  const agent = endpoint === undefined ? undefined : await startAgent(target.port, endpoint);
  const [worker] = target.workers();
  const nginxBefore = cpuSeconds(worker!);
  const agentBefore = agent === undefined ? 0 : cpuSeconds(agent.pid);
  const load = await wrk(target.port, CONNECTIONS, seconds);
  const nginxMicros = ((cpuSeconds(worker!) - nginxBefore) * 1e6) / load.requests;
  await sleep(500);
  const agentMicros = agent === undefined ? 0 : ((cpuSeconds(agent.pid) - agentBefore) * 1e6) / load.requests;
  const summary = (await agent?.stop()) ?? '';
  return { perSecond: load.perSecond, nginxMicros, agentMicros, summary };
}

/** Memory under load: the mean of the second quarter (after warm-up) against the mean of the last quarter. */
async function soak(target: Nginx, endpoint: string, seconds: number) {
  const agent = await startAgent(target.port, endpoint);
  const before = cpuSeconds(agent.pid);
  const samples: number[] = [];
  const timer = setInterval(() => samples.push(residentMiB(agent.pid)), 1000);
  const load = await wrk(target.port, CONNECTIONS, seconds);
  clearInterval(timer);
  const agentMicros = ((cpuSeconds(agent.pid) - before) * 1e6) / load.requests;
  const summary = await agent.stop();
  const quarter = Math.floor(samples.length / 4);
  const [early, late] = [mean(samples.slice(quarter, 2 * quarter)), mean(samples.slice(-quarter))];
  return { seconds, ...load, agentMicros, residentMiB: { early, late, growth: late / early }, summary };
}

function medianOf(rounds: readonly Round[], key: 'perSecond' | 'nginxMicros' | 'agentMicros'): number {
  return median(rounds.map((round) => round[key]));
}

function render(result: Awaited<ReturnType<typeof compare>> & { soak?: Awaited<ReturnType<typeof soak>> }): string {
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
