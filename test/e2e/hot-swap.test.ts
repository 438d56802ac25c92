/**
 * The http1 module is swapped fifty times between two versions while nginx is under load: every request that nginx logs
 * is one span, none is missing, none comes twice.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import type { AgentProcess, LogLine } from '../../examples/demo/agent.ts';
import { freePorts } from '../../examples/demo/programs.ts';
import { startNginx } from '../../examples/demo/servers.ts';
import { until } from '../export/fixtures.ts';
import { decodeProtobuf } from '../export/otlp-decode.ts';
import { accountingErrors } from './support/accounting.ts';
import { startAgent, stopAgent } from './support/agent.ts';
import { describeLive } from './support/live.ts';
import { ModuleFolder, versionOf } from './support/modules.ts';
import { countDifferences } from './support/multiset.ts';

const SWAPS = 50;
const CONNECTIONS = 50;
/** Between two requests of a connection: keeps the load at what the agent exports in this build. */
const DELAY_MS = 1;
const SWAP_TIMEOUT_MS = 10_000;

/** Requests with paths of their own, so that a span tells which one it is. */
const SCRIPT = `
local n = 0
function request() n = n + 1; return wrk.format('GET', '/' .. n) end
function delay() return ${DELAY_MS} end
`;

await describeLive('hot swap under load', () => {
  test(`${SWAPS} swaps: every request is one span`, { timeout: 180_000 }, async () => {
    const folder = mkdtempSync(join(tmpdir(), 'spanwire-swap-'));
    const log = join(folder, 'requests.log');
    const script = join(folder, 'requests.lua');
    writeFileSync(script, SCRIPT);
    const [port] = (await freePorts(1)) as [number];
    await using nginx = await startNginx({ port, http: http(port, log) });
    await using receiver = await startReceiver();
    using modules = new ModuleFolder();
    const options = ['--modules', modules.path, '--module-trust', 'off', '--module-interval', '50'];
    const agent = await startAgent(
      ['--open-port', String(port), '--otlp-endpoint', receiver.url, ...options],
      () => {},
    );
    const wrk = spawn('wrk', ['-t1', `-c${CONNECTIONS}`, '-d150s', '-s', script, `http://127.0.0.1:${port}/`], {
      stdio: 'ignore',
    });
    const start = performance.now();
    const versions = ['1.0.1', '1.0.2'].map((version) => versionOf('http1', version));
    for (let swap = 0; swap < SWAPS; swap++) {
      modules.put('http1.wasm', versions[swap % 2]!);
      await until(() => swaps(agent).length > swap, `swap ${swap + 1}`, SWAP_TIMEOUT_MS);
    }
    const seconds = (performance.now() - start) / 1000;
    wrk.kill('SIGINT');
    await once(wrk, 'exit');
    await sleep(500);
    const done = swaps(agent);
    const counters = await stopAgent(agent);
    await nginx[Symbol.asyncDispose]();

    const logged = countLines(readFileSync(log, 'utf8'));
    const spans = receiver.paths();
    const total = [...logged.values()].reduce((sum, one) => sum + one, 0);
    const longest = Math.max(...done.map(({ ms }) => Number(ms)));
    const rate = Math.round(total / seconds);
    process.stderr.write(
      `hot swap: ${total} requests, ${rate}/s, ${done.length} swaps, longest pause ${longest.toFixed(1)} ms, ` +
        `${Math.max(...done.map(({ moved }) => Number(moved)))} connections moved\n`,
    );
    expect(countDifferences(logged, spans)).toEqual([]);
    expect(total).toBeGreaterThan(10_000);
    expect(done.map(({ version }) => version)).toEqual(Array.from({ length: SWAPS }, (_, i) => `1.0.${1 + (i % 2)}`));
    expect(done.slice(1).every(({ moved, draining }) => moved === CONNECTIONS && draining === 0)).toBe(true);
    expect(counters.kernel.bytes_lost).toBe(0);
    expect(counters.host.connections_reidentified).toBe(0);
    expect(accountingErrors(counters)).toEqual([]);
    rmSync(folder, { recursive: true });
  });
});

function http(port: number, log: string): string {
  return `
    keepalive_requests 100000000;
    log_format path '$uri $status';
    server {
      listen 127.0.0.1:${port};
      access_log ${log} path buffer=256k flush=1s;
      location / { return 200 "ok"; }
    }`;
}

const swaps = (agent: AgentProcess): LogLine[] => agent.log.filter(({ msg }) => msg === 'module loaded by a shard');

/** Answered requests by path. */
function countLines(text: string): Map<string, number> {
  const counts = new Map<string, number>();
  for (const line of text.split('\n')) {
    const [path, status] = line.split(' ');
    if (status === '200') counts.set(path!, (counts.get(path!) ?? 0) + 1);
  }
  return counts;
}

/** Takes batches as they are; decodes them when all is over. */
async function startReceiver() {
  const bodies: Buffer[] = [];
  const server = createServer(async (request, response) => {
    const body = Buffer.concat(await request.toArray());
    if (request.url === '/v1/traces') bodies.push(body);
    response.end();
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    paths(): Map<string, number> {
      const counts = new Map<string, number>();
      for (const { attributes } of bodies.flatMap(decodeProtobuf)) {
        const path = attributes['url.path']!.slice('string:'.length);
        counts.set(path, (counts.get(path) ?? 0) + 1);
      }
      return counts;
    },
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}
