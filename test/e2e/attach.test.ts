/**
 * The agent comes while connections are busy: it joins them in the middle of requests and responses that it has not
 * seen the beginning of. From each connection's next full request on there is a span for each; and none, not even for
 * the moments before, has a latency that was not there.
 */

import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { AgentProcess } from '../../examples/demo/agent.ts';
import { freePorts } from '../../examples/demo/programs.ts';
import { type RunningServer, startNginx, startRedis, startService } from '../../examples/demo/servers.ts';
import { accountingErrors } from './support/accounting.ts';
import { type Span, startAgent, stopAgent } from './support/agent.ts';
import { isHttpServer, ofExchange, ofSpan, targetOf, timeErrors } from './support/exchanges.ts';
import { type Exchange, exchangeAlone, HttpConnection, nowNs, type Plan } from './support/http-client.ts';
import { describeLive } from './support/live.ts';
import { Load } from './support/load.ts';
import { differences } from './support/multiset.ts';

const CONNECTIONS = 50;
const PIPELINING_CONNECTIONS = 5;
const PIPELINE_DEPTH = 4;
const BUSY_BEFORE_MS = 300;
const BUSY_AFTER_MS = 1500;
const DELAYS_MS = [0, 3, 15, 40];
/** Timers of the upstream may fire this much early. */
const TIMER_ERROR_MS = 1;

await describeLive('attach to busy connections', () => {
  let application: Server;
  let nginx: RunningServer;

  beforeAll(async () => {
    application = await startApplication();
    const [port] = (await freePorts(1)) as [number];
    nginx = await startNginx({ port, http: http(port, (application.address() as AddressInfo).port) });
  });

  afterAll(async () => {
    application?.closeAllConnections();
    application?.close();
    await nginx?.[Symbol.asyncDispose]();
  });

  test('fifty keep-alive connections', { timeout: 60_000 }, async () => {
    const spans: Span[] = [];
    const args = ['--open-port', String(nginx.port), '--printer', 'json', '--queue', '100000'];
    await using stack = new AsyncDisposableStack();
    let readyNs = 0n;
    let agent: AgentProcess | undefined;
    const exchanges = await busyWhile(nginx.port, async () => {
      await sleep(BUSY_BEFORE_MS);
      agent = stack.use(await startAgent(args, (span) => isHttpServer(span) && spans.push(span)));
      readyNs = nowNs();
      await sleep(BUSY_AFTER_MS);
    });
    const counters = await stopAgent(agent!);

    const before = exchanges.filter(({ sentNs }) => sentNs < readyNs);
    const after = exchanges.filter(({ sentNs }) => sentNs >= readyNs);
    expect(before.length).toBeGreaterThan(CONNECTIONS);
    expect(after.length).toBeGreaterThan(CONNECTIONS * 10);
    expect(counters.kernel.records_lost).toBe(0);
    expect(accountingErrors(counters)).toEqual([]);
    // Some that were asked for before `ready` was read may have spans, too: they must be as true as the others.
    const early = new Set(before.map(({ target }) => target));
    const lateSpans = spans.filter((span) => !early.has(targetOf(span)));
    expect(differences(after.map(ofExchange), lateSpans.map(ofSpan))).toEqual([]);
    expect(timeErrors(spans, exchanges).slice(0, 10)).toEqual([]);
    expect(tooShort(spans).slice(0, 10)).toEqual([]);
  });
});

await describeLive('attach to a client that has its connection already', () => {
  test('its spans are client spans, those of the server are server spans', { timeout: 30_000 }, async () => {
    const [servicePort, redisPort] = (await freePorts(2)) as [number, number];
    await using redis = await startRedis(redisPort);
    await using service = await startService(servicePort, redis.port);
    const spans: Span[] = [];
    const args = ['--open-port', `${service.port},${redis.port}`, '--printer', 'json'];
    await using agent = await startAgent(args, (span) => span.protocol === 'redis' && spans.push(span));
    for (let n = 1; n <= 30; n++) await exchangeAlone(service.port, { method: 'GET', target: `/items/${n}` });
    await stopAgent(agent);
    const seen = spans.map(({ kind, name, attributes, resource }) => {
      const ownPort = resource['process.pid'] === redis.pid ? 'redis' : 'service';
      return `${ownPort} ${kind} ${name} to ${attributes['server.port'] === redisPort ? 'redis' : 'another port'}`;
    });
    const expected = ['redis server HGETALL to redis', 'service client HGETALL to redis'];
    expect(
      differences(
        Array.from({ length: 60 }, (_, i) => expected[i % 2]!),
        seen,
      ),
    ).toEqual([]);
  });
});

/** Most connections wait for each answer, some send several requests in one go. */
async function busyWhile(port: number, work: () => Promise<void>): Promise<Exchange[]> {
  let n = 0;
  let going = true;
  const next = (): Plan => ({ method: 'GET', target: `/delay/${DELAYS_MS[n % DELAYS_MS.length]}?n=${n++}` });
  const pipelining = async () => {
    const exchanges: Exchange[] = [];
    using connection = await HttpConnection.open(port);
    while (going) exchanges.push(...(await connection.pipeline(Array.from({ length: PIPELINE_DEPTH }, next))));
    return exchanges;
  };
  const load = new Load(port, CONNECTIONS - PIPELINING_CONNECTIONS, next);
  const pipelined = Promise.all(Array.from({ length: PIPELINING_CONNECTIONS }, pipelining));
  try {
    await work();
  } finally {
    going = false;
  }
  return [...(await load.stop()), ...(await pipelined).flat()];
}

/** Spans that took less time than the server is known to have waited. */
function tooShort(spans: readonly Span[]): string[] {
  return spans.flatMap((span) => {
    const delayMs = Number(String(span.attributes['url.path']).split('/')[2]);
    const tookMs = Number(BigInt(span.endTimeUnixNano) - BigInt(span.startTimeUnixNano)) / 1e6;
    return tookMs >= delayMs - TIMER_ERROR_MS ? [] : [`${targetOf(span)} took only ${tookMs} ms`];
  });
}

function http(port: number, upstream: number): string {
  return `
    keepalive_requests 100000;
    upstream application { server 127.0.0.1:${upstream}; keepalive 64; }
    server {
      listen 127.0.0.1:${port};
      location / {
        proxy_pass http://application;
        proxy_http_version 1.1;
        proxy_set_header Connection "";
      }
    }`;
}

/** /delay/MS answers after so many milliseconds. */
function startApplication(): Promise<Server> {
  const server = createServer(async (request, response) => {
    await sleep(Number(/^\/delay\/(\d+)/.exec(request.url!)![1]));
    response.end(`waited for ${request.url}\n`);
  });
  return new Promise((resolve) => server.listen(0, '127.0.0.1', () => resolve(server)));
}
