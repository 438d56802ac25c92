/**
 * `npm run bench`: what the agent costs an nginx under full load, live, on this machine.
 * Rounds with and without the agent alternate, figures are medians, comparisons are ratios of the same run.
 *   --rounds N    pairs of rounds (3)      --seconds N   length of a round (5)
 *   --soak N      then N seconds with the agent, memory sampled every second (0: none)
 *   --json        the result as JSON on stdout, progress on stderr
 */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { cpuSeconds, type Nginx, residentMiB, startAgent, startNginx, wrk } from './processes.ts';

const CONNECTIONS = 50;
const BODY_BYTES = 200;

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '3' },
    seconds: { type: 'string', default: '5' },
    soak: { type: 'string', default: '0' },
    json: { type: 'boolean', default: false },
  },
});

interface Round {
  readonly perSecond: number;
  readonly nginxMicros: number;
  readonly agentMicros: number;
  readonly summary: string;
}

const receiver = fork(new URL('./null-receiver.ts', import.meta.url));
const [receiverPort] = (await once(receiver, 'message')) as [number];
const endpoint = `http://127.0.0.1:${receiverPort}`;
const nginx = await startNginx(BODY_BYTES);
try {
  const result = { ...(await compare(nginx)), ...(Number(values.soak) > 0 && { soak: await soak(nginx) }) };
  process.stdout.write(values.json ? `${JSON.stringify(result)}\n` : render(result));
} finally {
  await nginx.stop();
  receiver.disconnect();
}

async function compare(target: Nginx) {
  const without: Round[] = [];
  const withAgent: Round[] = [];
  await wrk(target.port, CONNECTIONS, 1);
  for (let round = 1; round <= Number(values.rounds); round++) {
    progress(`round ${round} of ${values.rounds}`);
    without.push(await measure(target, undefined));
    withAgent.push(await measure(target, endpoint));
  }
  const base = { perSecond: median(without, 'perSecond'), nginxMicros: median(without, 'nginxMicros') };
  const agent = {
    perSecond: median(withAgent, 'perSecond'),
    nginxMicros: median(withAgent, 'nginxMicros'),
    agentMicros: median(withAgent, 'agentMicros'),
    summary: withAgent.at(-1)?.summary ?? '',
  };
  return {
    without: base,
    with: agent,
    ratios: { perSecond: agent.perSecond / base.perSecond, nginxMicros: agent.nginxMicros / base.nginxMicros },
  };
}

async function measure(target: Nginx, agentEndpoint: string | undefined): Promise<Round> {
  const agent = agentEndpoint === undefined ? undefined : await startAgent(target.port, agentEndpoint);
  const [worker] = target.workers();
  const nginxBefore = cpuSeconds(worker!);
  const agentBefore = agent === undefined ? 0 : cpuSeconds(agent.pid);
  const load = await wrk(target.port, CONNECTIONS, Number(values.seconds));
  const nginxMicros = ((cpuSeconds(worker!) - nginxBefore) * 1e6) / load.requests;
  await sleep(500);
  const agentMicros = agent === undefined ? 0 : ((cpuSeconds(agent.pid) - agentBefore) * 1e6) / load.requests;
  const summary = (await agent?.stop()) ?? '';
  return { perSecond: load.perSecond, nginxMicros, agentMicros, summary };
}

/** Memory under load: the mean of the second quarter (after warm-up) against the mean of the last quarter. */
async function soak(target: Nginx) {
  const seconds = Number(values.soak);
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

function median(rounds: readonly Round[], key: 'perSecond' | 'nginxMicros' | 'agentMicros'): number {
  const sorted = rounds.map((round) => round[key]).sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
}

function mean(samples: readonly number[]): number {
  return samples.reduce((sum, sample) => sum + sample, 0) / samples.length;
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
  const table = rows
    .map(([name = '', ...cells]) => name.padEnd(28) + cells.map((cell) => cell.padStart(12)).join(''))
    .join('\n');
  const soaked =
    long === undefined
      ? ''
      : `\nsoak ${long.seconds} s: ${fixed(long.perSecond, 0)} requests/s, agent ${fixed(long.agentMicros, 2)} µs CPU per request, ` +
        `resident ${fixed(long.residentMiB.early, 0)} → ${fixed(long.residentMiB.late, 0)} MiB\n${long.summary}\n`;
  return `${table}\n${agent.summary}\n${soaked}`;
}

function fixed(value: number, digits: number): string {
  return value.toFixed(digits);
}

function progress(text: string): void {
  process.stderr.write(`bench: ${text}\n`);
}
