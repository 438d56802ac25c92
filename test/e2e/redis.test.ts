/**
 * Every command that a Redis server ran is one server span. The server itself counts them (INFO commandstats), so the
 * clients may be any: redis-benchmark with deep pipelines, redis-cli with what it says on its own account.
 */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { freePorts } from '../../examples/demo/programs.ts';
import { RedisClient } from '../../examples/demo/redis-client.ts';
import { type RunningServer, startRedis } from '../../examples/demo/servers.ts';
import { accountingErrors } from './support/accounting.ts';
import { type Counters, type Span, SpanCounts, startAgent, stopAgent } from './support/agent.ts';
import { describeLive } from './support/live.ts';
import { countDifferences } from './support/multiset.ts';

const run = promisify(execFile);

const BENCHMARKS = 'ping_inline,ping_mbulk,set,get,incr,lpush,rpush,lpop,rpop,sadd,hset,spop,zadd,zpopmin,mset';
const REQUESTS = 3000;

await describeLive('redis', () => {
  let redis: RunningServer;

  beforeAll(async () => {
    const [port] = (await freePorts(1)) as [number];
    redis = await startRedis(port);
  });

  afterAll(() => redis?.[Symbol.asyncDispose]());

  test('redis-benchmark, pipelines of 16', { timeout: 120_000 }, async () => {
    // MSET of ten keys, sixteen times, is more than the 4 KiB that are captured of a call by default.
    const { ran, spans, counters } = await observed(redis.port, ['--payload', '16KiB'], async () => {
      const args = ['-p', redis.port, '-P', 16, '-c', 20, '-n', REQUESTS, '-q', '-t', BENCHMARKS].map(String);
      await run('redis-benchmark', args);
    });
    // It sends whole pipelines: up to 15 more than it was asked for.
    expect(ran.get('set')).toBeGreaterThanOrEqual(REQUESTS);
    expect(countDifferences(ran, spans)).toEqual([]);
    expectNothingLost(counters);
  });

  test('redis-benchmark, RESP3, large values, no pipeline', { timeout: 60_000 }, async () => {
    const { ran, spans, counters } = await observed(redis.port, [], async () => {
      await run('redis-benchmark', [
        '-p',
        `${redis.port}`,
        '-3',
        '-d',
        '20000',
        '-c',
        '10',
        '-n',
        '2000',
        '-q',
        '-t',
        'set,get',
      ]);
    });
    expect(countDifferences(ran, spans)).toEqual([]);
    expectNothingLost(counters);
  });

  test('redis-cli: replies of every type, errors, transactions, blocking, scripts', { timeout: 60_000 }, async () => {
    const errors: string[] = [];
    const onSpan = (span: Span) =>
      span.status === 'error' && errors.push(`${span.name} ${span.attributes['error.type']}`);
    const { ran, spans, counters } = await observed(redis.port, [], () => cliSession(redis.port), onSpan);
    // redis-cli asks for this by itself. Of the reply, an array of 200 KB, most is not captured: where the array ends
    // cannot be seen, and a span that ended anywhere else would be invented.
    ran.delete('command docs');
    expect(countDifferences(ran, spans)).toEqual([]);
    expect(errors.sort()).toEqual(['EVAL ERR', 'INCR WRONGTYPE']);
    expectNothingLost(counters);
  });
});

/** Every line over one connection, then some over connections of their own. */
async function cliSession(port: number): Promise<void> {
  const lines = [
    'SET text "some text"',
    'GET text',
    'GET nothing',
    'SET number 41',
    'INCR number',
    'INCR text2',
    'RPUSH list a b c',
    'INCR list',
    'LRANGE list 0 -1',
    'LRANGE nothing 0 -1',
    'HSET hash field value',
    'HGETALL hash',
    'SADD set x y',
    'SMEMBERS set',
    'ZADD scores 1.5 x 2.5 y',
    'ZRANGE scores 0 -1 WITHSCORES',
    'OBJECT ENCODING list',
    'CLIENT SETNAME tester',
    'CONFIG GET maxmemory',
    'MULTI',
    'SET in-transaction 1',
    'INCR in-transaction',
    'EXEC',
    'EVAL "return {1, {2, KEYS[1]}}" 1 text',
    'EVAL "return redis.error_reply(\'ERR refused\')" 0',
    'BLPOP nothing 0.05',
    'XADD stream * field value',
    'XRANGE stream - +',
    'GETRANGE text 0 3',
    'TYPE list',
    'SCAN 0',
    'TIME',
  ];
  const session = run('redis-cli', ['-p', String(port)]);
  session.child.stdin!.end(`${lines.join('\n')}\n`);
  await session;
  for (const command of [['-3', 'HGETALL', 'hash'], ['-n', '3', 'PING'], ['DBSIZE']]) {
    await run('redis-cli', ['-p', String(port), ...command]);
  }
}

interface Observation {
  /** Calls by command, as the server counted them and as spans show them; in lower case. */
  readonly ran: Map<string, number>;
  readonly spans: Map<string, number>;
  readonly counters: Counters;
}

async function observed(
  port: number,
  args: readonly string[],
  traffic: () => Promise<void>,
  onSpan: (span: Span) => void = () => {},
): Promise<Observation> {
  const before = await commandCalls(port);
  const counts = new SpanCounts(({ name }) => name.toLowerCase());
  const forPort = ['--open-port', String(port), '--printer', 'json', '--queue', '1000000', ...args];
  await using agent = await startAgent(forPort, (span) => {
    counts.add(span);
    onSpan(span);
  });
  await traffic();
  const counters = await stopAgent(agent);
  const after = await commandCalls(port);
  const ran = new Map<string, number>();
  for (const [name, calls] of after) {
    const difference = calls - (before.get(name) ?? 0);
    // INFO is what asks for the counts.
    if (difference > 0 && name !== 'info') ran.set(name, difference);
  }
  return { ran, spans: counts.byKey, counters };
}

/** `cmdstat_config|get:calls=2,…` → `config get` 2. A script's own commands count, too, and those of a transaction. */
async function commandCalls(port: number): Promise<Map<string, number>> {
  const client = new RedisClient(port);
  const text = (await client.send('INFO', 'commandstats')) as string;
  client.close();
  const found = text.matchAll(/^cmdstat_([^:]+):calls=(\d+)/gm);
  return new Map(Array.from(found, ([, name, calls]) => [name!.replace('|', ' '), Number(calls)]));
}

function expectNothingLost(counters: Counters): void {
  const { kernel, host } = counters;
  expect(accountingErrors(counters)).toEqual([]);
  expect(kernel).toMatchObject({ records_lost: 0, bytes_lost: 0 });
  expect(host).toMatchObject({ bytes_gap_lost: 0, spans_dropped_queue_full: 0, spans_exported: host.spans_made });
}
