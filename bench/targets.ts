/** Servers under full load, live: how each is started, loaded, and what it costs. */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { startRedis } from '../examples/demo/servers.ts';
import { PostgresServer, postgresMissing, runPostgresProgram } from '../test/support/postgres-server.ts';
import { cpuSeconds, cpuSecondsWithChildren, freePort, type Load, startNginx, wrk } from './processes.ts';

export interface Target {
  readonly name: string;
  readonly port: number;
  /** CPU time of the server so far. */
  readonly cpuSeconds: () => number;
  readonly load: (seconds: number) => Promise<Load>;
  readonly stop: () => Promise<void>;
}

const CONNECTIONS = 50;
const BODY_BYTES = 200;
/** redis-benchmark counts requests, not seconds: a first run says how many. */
const REDIS_FIRST = 200_000;
const REDIS_PIPELINE = 16;
const POSTGRES_CLIENTS = 10;

const run = promisify(execFile);

export async function nginxTarget(): Promise<Target> {
  const nginx = await startNginx(BODY_BYTES);
  return {
    name: 'nginx',
    port: nginx.port,
    cpuSeconds: () => cpuSeconds(nginx.workers()[0]!),
    load: (seconds) => wrk(nginx.port, CONNECTIONS, seconds),
    stop: nginx.stop,
  };
}

export async function redisTarget(): Promise<Target> {
  const port = await freePort();
  const redis = await startRedis(port);
  const { requests, perSecond } = await redisBenchmark(port, REDIS_FIRST);
  if (requests !== REDIS_FIRST) throw new Error('redis-benchmark did not send what it was asked for');
  return {
    name: `redis, pipelines of ${REDIS_PIPELINE}`,
    port,
    cpuSeconds: () => cpuSeconds(redis.pid),
    load: (seconds) => redisBenchmark(port, Math.ceil(perSecond * seconds)),
    stop: async () => redis[Symbol.asyncDispose](),
  };
}

async function redisBenchmark(port: number, requests: number): Promise<Load> {
  const options = { '-p': port, '-c': CONNECTIONS, '-P': REDIS_PIPELINE, '-n': requests, '-t': 'get', '-d': 64 };
  const start = performance.now();
  await run('redis-benchmark', [...Object.entries(options).flat().map(String), '-q']);
  return { requests, perSecond: (requests * 1000) / (performance.now() - start) };
}

/** pgbench's reads of one row, with prepared statements. */
export async function postgresTarget(): Promise<Target> {
  const missing = postgresMissing();
  if (missing) throw new Error(missing);
  const server = await PostgresServer.start();
  const { port } = server;
  await runPostgresProgram('pgbench', port, ['-i', '-q', 'postgres']);
  const lines = await runPostgresProgram('psql', port, ['-Atc', "SELECT pg_read_file('postmaster.pid')", 'postgres']);
  const pid = Number(lines.split('\n')[0]);
  return {
    name: 'postgres, pgbench -S',
    port,
    cpuSeconds: () => cpuSecondsWithChildren(pid),
    load: (seconds) => pgbench(port, seconds),
    stop: async () => server[Symbol.dispose](),
  };
}

async function pgbench(port: number, seconds: number): Promise<Load> {
  const options = ['-S', '-n', '-M', 'prepared', '-c', POSTGRES_CLIENTS, '-T', seconds, 'postgres'].map(String);
  const output = await runPostgresProgram('pgbench', port, options);
  const requests = Number(/transactions actually processed: (\d+)/.exec(output)?.[1]);
  const perSecond = Number(/^tps = ([\d.]+)/m.exec(output)?.[1]);
  if (!Number.isFinite(requests)) throw new Error(`pgbench gave no figures:\n${output}`);
  return { requests, perSecond };
}
