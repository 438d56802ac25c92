/**
 * Records are lost: the ring is tiny and nobody reads it for a while. What has to hold then: the application does not
 * notice; every lost byte is counted twice, by the kernel that lost it and by the host that misses it, alike; the
 * parsers find back; and no span goes from a request before the gap to a response after it.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { AgentProcess } from '../../examples/demo/agent.ts';
import { freePorts } from '../../examples/demo/programs.ts';
import { RedisClient } from '../../examples/demo/redis-client.ts';
import { type RunningServer, startNginx, startRedis } from '../../examples/demo/servers.ts';
import { accountingErrors } from './support/accounting.ts';
import { type Span, startAgent, stopAgent } from './support/agent.ts';
import { isHttpServer, ofExchange, ofSpan, targetOf, timeErrors } from './support/exchanges.ts';
import { type Exchange, HttpConnection } from './support/http-client.ts';
import { describeLive } from './support/live.ts';
import { differences } from './support/multiset.ts';

const CONNECTIONS = 10;
const BEFORE = 300;
/** Several times what the ring holds. */
const WHILE_HELD = 5000;
const AFTER = 400;
const RING = ['--ring', '64KiB'];
/** Between a connection's requests where nothing is to be lost: even so small a ring holds what comes between two looks. */
const PACE_MS = 20;
/** The worker has heard of it by then. */
const HEARD_MS = 100;
/** Far above what a request takes on a busy machine, far below waiting for a reader that never comes. */
const BLOCKED_MS = 1000;

await describeLive('a full ring', () => {
  let nginx: RunningServer;

  beforeAll(async () => {
    const [port] = (await freePorts(1)) as [number];
    nginx = await startNginx({
      port,
      workers: 2,
      http: http(port),
      files: { 'large.txt': 'a large file\n'.repeat(2000) },
    });
  });

  afterAll(() => nginx?.[Symbol.asyncDispose]());

  test('costs spans, but neither the application nor the truth', { timeout: 60_000 }, async () => {
    const spans: Span[] = [];
    const args = ['--open-port', String(nginx.port), '--printer', 'json', ...RING];
    await using agent = await startAgent(args, (span) => isHttpServer(span) && spans.push(span), HOLDABLE);
    using connections = await openAll(nginx.port);
    const before = await exchangeAll(connections, 'before', BEFORE, PACE_MS);
    await settled();
    await toggleHold(agent);
    const held = await exchangeAll(connections, 'held', WHILE_HELD);
    await toggleHold(agent);
    const after = await exchangeAll(connections, 'after', AFTER, PACE_MS);
    connections[Symbol.dispose]();
    await settled();
    const counters = await stopAgent(agent);
    const { kernel, host } = counters;
    const of = (phase: string) => spans.filter((span) => targetOf(span).includes(phase));

    expect(kernel.records_lost).toBeGreaterThan(WHILE_HELD);
    expect(host.bytes_gap_lost).toBe(kernel.bytes_lost);
    expect(accountingErrors(counters)).toEqual([]);
    expect(slowest(held)).toBeLessThan(BLOCKED_MS);

    expect(differences(before.map(ofExchange), of('before').map(ofSpan))).toEqual([]);
    expect(of('held').length).toBeLessThan(WHILE_HELD / 2);
    expect(surplus(held, of('held'))).toEqual([]);
    expect(timeErrors(spans, [...before, ...held, ...after]).slice(0, 10)).toEqual([]);
    // A connection's first exchange after the gap may be what shows that its pairs fit again; all others have spans.
    expect(surplus(after, of('after'))).toEqual([]);
    expect(of('after').length).toBeGreaterThanOrEqual(AFTER - CONNECTIONS);
  });

  test('is told from a stream that ends: what was lost last is counted by the close', { timeout: 30_000 }, async () => {
    const args = ['--open-port', String(nginx.port), '--printer', 'json', ...RING];
    await using agent = await startAgent(args, () => {}, HOLDABLE);
    using connections = await openAll(nginx.port);
    await exchangeAll(connections, 'before', BEFORE, PACE_MS);
    await settled();
    await toggleHold(agent);
    await exchangeAll(connections, 'held', WHILE_HELD);
    await toggleHold(agent);
    await settled();
    connections[Symbol.dispose]();
    await settled();
    const counters = await stopAgent(agent);
    const { kernel, host } = counters;
    expect(kernel.records_lost).toBeGreaterThan(WHILE_HELD);
    expect(host.bytes_gap_lost).toBe(kernel.bytes_lost);
    expect(accountingErrors(counters)).toEqual([]);
  });
});

await describeLive('a full ring, with a pipelining client', () => {
  test('Redis replies never meet the commands of others', { timeout: 60_000 }, async () => {
    const [port] = (await freePorts(1)) as [number];
    await using redis = await startRedis(port);
    const wrong: string[] = [];
    let seen = 0;
    const args = ['--open-port', String(redis.port), '--printer', 'json', ...RING];
    const onSpan = ({ name, status }: Span) => {
      seen++;
      // INCR is asked of a list only, and is the only one that fails.
      if ((name === 'INCR') !== (status === 'error')) wrong.push(`${name} ${status}`);
    };
    await using agent = await startAgent(args, onSpan, HOLDABLE);
    const client = new RedisClient(redis.port);
    await client.send('RPUSH', 'list', 'a');
    await pipelines(client, 20, PACE_MS);
    await settled();
    await toggleHold(agent);
    await pipelines(client, 400);
    await toggleHold(agent);
    await pipelines(client, 100, PACE_MS);
    client.close();
    await settled();
    const counters = await stopAgent(agent);
    const { kernel, host } = counters;
    expect(kernel.records_lost).toBeGreaterThan(100);
    expect(host.bytes_gap_lost).toBe(kernel.bytes_lost);
    expect(accountingErrors(counters)).toEqual([]);
    expect(wrong.slice(0, 10)).toEqual([]);
    // All of the first twenty pipelines and, but for one or two at the seam, of the last hundred.
    expect(seen).toBeGreaterThan((20 + 98) * PIPELINE_DEPTH);
  });
});

const HOLDABLE = { SPANWIRE_DEBUG_HOLD: '1' };
const PIPELINE_DEPTH = 10;

/** Every third command fails: a reply that meets the wrong command shows. */
async function pipelines(client: RedisClient, count: number, paceMs = 0): Promise<void> {
  for (let n = 0; n < count; n++) {
    const replies = Array.from({ length: PIPELINE_DEPTH }, (_, i) =>
      i % 3 === 0 ? client.send('INCR', 'list').catch(() => null) : client.send('SET', `key ${n}`, 'v'.repeat(100)),
    );
    await Promise.all(replies);
    if (paceMs > 0) await sleep(paceMs);
  }
}

class Connections implements Disposable {
  readonly list: readonly HttpConnection[];

  constructor(list: readonly HttpConnection[]) {
    this.list = list;
  }

  [Symbol.dispose](): void {
    for (const connection of this.list) connection[Symbol.dispose]();
  }
}

async function openAll(port: number): Promise<Connections> {
  return new Connections(await Promise.all(Array.from({ length: CONNECTIONS }, () => HttpConnection.open(port))));
}

async function exchangeAll({ list }: Connections, phase: string, count: number, paceMs = 0): Promise<Exchange[]> {
  let n = 0;
  const exchanges: Exchange[] = [];
  const lane = async (connection: HttpConnection) => {
    for (let k = n++; k < count; k = n++) {
      const target = `/${k % 5 === 0 ? 'large.txt' : 'text'}?${phase}=${k}`;
      exchanges.push(await connection.exchange({ method: 'GET', target }));
      if (paceMs > 0) await sleep(paceMs);
    }
  };
  await Promise.all(list.map(lane));
  return exchanges;
}

/** Time for the agent to read what there is. */
function settled(): Promise<void> {
  return sleep(300);
}

async function toggleHold(agent: AgentProcess): Promise<void> {
  process.kill(agent.program.pid, 'SIGUSR2');
  await sleep(HEARD_MS);
}

function slowest(exchanges: readonly Exchange[]): number {
  return Math.max(...exchanges.map(({ sentNs, receivedNs }) => Number(receivedNs - sentNs) / 1e6));
}

/** Spans that no exchange explains; an exchange without a span is no error here. */
function surplus(exchanges: readonly Exchange[], spans: readonly Span[]): string[] {
  return differences(exchanges.map(ofExchange), spans.map(ofSpan)).filter((line) => line.startsWith('unexpected'));
}

function http(port: number): string {
  return `
    keepalive_requests 100000;
    sendfile off;
    server {
      listen 127.0.0.1:${port};
      root html;
      location = /text { return 200 "plain text"; }
    }`;
}
