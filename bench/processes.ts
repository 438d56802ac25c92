/** Programs that a bench starts, and what /proc says they cost. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';

/** Linux counts CPU time in ticks of 10 ms everywhere Node runs. */
const TICKS_PER_SECOND = 100;

export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as { port: number };
  server.close();
  await once(server, 'close');
  return port;
}

export interface Nginx {
  readonly port: number;
  /** Process ids of the workers: they do the work. */
  readonly workers: () => number[];
  readonly stop: () => Promise<void>;
}

/** nginx with one worker that answers everything with `bodyBytes` bytes, on so many connections at once. */
export async function startNginx(bodyBytes: number, connections = 4096): Promise<Nginx> {
  const folder = mkdtempSync(join(tmpdir(), 'spanwire-bench-'));
  const port = await freePort();
  writeFileSync(
    join(folder, 'nginx.conf'),
    `daemon off; worker_processes 1; pid ${folder}/pid; error_log ${folder}/error.log;
worker_rlimit_nofile ${connections + 100};
events { worker_connections ${connections}; }
http {
  access_log off; keepalive_requests 100000000; keepalive_timeout 1h; client_body_temp_path ${folder}; proxy_temp_path ${folder};
  fastcgi_temp_path ${folder}; uwsgi_temp_path ${folder}; scgi_temp_path ${folder};
  server { listen 127.0.0.1:${port}; location / { return 200 "${'x'.repeat(bodyBytes)}"; } }
}`,
  );
  const child = spawn('nginx', ['-p', folder, '-c', join(folder, 'nginx.conf')], {
    stdio: ['ignore', 'ignore', 'inherit'],
    env: { ...process.env, PATH: `${process.env.PATH}:/usr/sbin` },
  });
  await sleep(300);
  return {
    port,
    workers: () => childrenOf(child.pid!),
    stop: () => stopProcess(child),
  };
}

export interface AgentProcess {
  readonly pid: number;
  /** From the start of the process until capture had begun. */
  readonly readyMs: number;
  readonly stop: () => Promise<string>;
}

/** The agent on one port, exporting OTLP to an endpoint; resolves when capture has begun. */
export async function startAgent(
  port: number,
  endpoint: string,
  extra: readonly string[] = [],
  entry = 'host/main.ts',
): Promise<AgentProcess> {
  const start = performance.now();
  const child = spawn(
    process.execPath,
    [entry, 'run', '--open-port', String(port), '--otlp-endpoint', endpoint, ...extra],
    { stdio: ['ignore', 'ignore', 'pipe'] },
  );
  const lines: string[] = [];
  const ready = Promise.withResolvers<void>();
  createInterface({ input: child.stderr! }).on('line', (line) => {
    lines.push(line);
    if (/\bready\b/.test(line)) ready.resolve();
  });
  child.once('exit', (code) => ready.reject(new Error(`the agent ended with ${code}:\n${lines.join('\n')}`)));
  ready.promise.catch(() => {});
  await ready.promise;
  return {
    pid: child.pid!,
    readyMs: performance.now() - start,
    stop: async () => {
      await stopProcess(child);
      return lines.filter((line) => /\bstopped\b/.test(line)).join('\n');
    },
  };
}

export async function stopProcess(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  child.kill('SIGTERM');
  await once(child, 'exit');
}

/** CPU seconds, user and system, of a process with all its threads. */
export function cpuSeconds(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND;
}

/** The same with its children, those included that have ended. One that ends meanwhile is its parent's by then. */
export function cpuSecondsWithChildren(pid: number): number {
  const children = childrenOf(pid).reduce((sum, child) => sum + secondsOrNone(child), 0);
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return children + cpuSeconds(pid) + (Number(fields[13]) + Number(fields[14])) / TICKS_PER_SECOND;
}

function secondsOrNone(pid: number): number {
  try {
    return cpuSeconds(pid);
  } catch {
    return 0;
  }
}

/** Resident memory in MiB. */
export function residentMiB(pid: number): number {
  return memoryMiB(pid).resident;
}

/** Resident memory in MiB, and its parts: a process's own, pages of files (the program itself), shared (rings). */
export function memoryMiB(pid: number) {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  const part = (name: string) => Number(new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(status)?.[1] ?? 0) / 1024;
  return { resident: part('VmRSS'), anonymous: part('RssAnon'), file: part('RssFile'), shared: part('RssShmem') };
}

function childrenOf(pid: number): number[] {
  return readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ').filter(Boolean).map(Number);
}

export interface Load {
  readonly requests: number;
  readonly perSecond: number;
}

/** wrk against a port: as fast as it goes. */
export async function wrk(port: number, connections: number, seconds: number): Promise<Load> {
  const child = spawn('wrk', ['-t1', `-c${connections}`, `-d${seconds}s`, `http://127.0.0.1:${port}/bench`]);
  let output = '';
  child.stdout.on('data', (data) => {
    output += data;
  });
  await once(child, 'exit');
  const requests = Number(/(\d+) requests in/.exec(output)?.[1]);
  const perSecond = Number(/Requests\/sec:\s+([\d.]+)/.exec(output)?.[1]);
  if (!Number.isFinite(requests)) throw new Error(`wrk gave no figures:\n${output}`);
  return { requests, perSecond };
}
