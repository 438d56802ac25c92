/**
 * Every request that nginx answers is one server span with its method, path, status and sizes: over connections that
 * stay open, over one each, pipelined, with and without bodies, chunked in both directions.
 */
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { freePorts } from '../../examples/demo/programs.ts';
import type { RunningServer } from '../../examples/demo/servers.ts';
import { accountingErrors } from './support/accounting.ts';
import { type Span, startAgent, stopAgent } from './support/agent.ts';
import { isHttpServer, ofExchange, ofSpan, timeErrors } from './support/exchanges.ts';
import { type Exchange, exchangeAlone, HttpConnection, type Plan } from './support/http-client.ts';
import { describeLive } from './support/live.ts';
import { Load } from './support/load.ts';
import { differences } from './support/multiset.ts';
import { pipelinedPlan, plan, startNginxSite, startNodeSite } from './support/site.ts';

const CONNECTIONS = 50;
const KEPT_ALIVE = 10_000;
const ONE_EACH = 500;
const PIPELINED = 200;
const PIPELINE_DEPTH = 20;
await describeLive('nginx', () => {
  let application: Server;
  let nginx: RunningServer;

  beforeAll(async () => {
    // Not captured, since its port is not asked for.
    application = await startNodeSite();
    const [port] = (await freePorts(1)) as [number];
    nginx = await startNginxSite(port, (application.address() as AddressInfo).port);
  });

  afterAll(async () => {
    application?.closeAllConnections();
    application?.close();
    await nginx?.[Symbol.asyncDispose]();
  });

  test('every request has its span, and every span its request', { timeout: 120_000 }, async () => {
    const spans: Span[] = [];
    const args = ['--open-port', String(nginx.port), '--printer', 'json', '--queue', '100000'];
    await using agent = await startAgent(args, (span) => isHttpServer(span) && spans.push(span));
    const exchanges = [
      ...(await new Load(nginx.port, CONNECTIONS, (n) => plan(n, 'kept'), KEPT_ALIVE).finished()),
      ...(await oneEach(nginx.port, ONE_EACH)),
      ...(await pipelined(nginx.port, PIPELINED)),
    ];
    const counters = await stopAgent(agent);
    const { kernel, host } = counters;

    expect(exchanges).toHaveLength(KEPT_ALIVE + ONE_EACH + PIPELINED);
    expect(differences(exchanges.map(ofExchange), spans.map(ofSpan))).toEqual([]);
    expect(timeErrors(spans, exchanges).slice(0, 10)).toEqual([]);
    expect(kernel).toMatchObject({ records_lost: 0, bytes_lost: 0 });
    expect(host).toMatchObject({ bytes_gap_lost: 0, spans_dropped_queue_full: 0, spans_exported: host.spans_made });
    expect(accountingErrors(counters)).toEqual([]);
  });

  test('chunked bodies that are captured whole keep their spans', { timeout: 30_000 }, async () => {
    const { sent, targets } = await chunkedUploads(nginx.port, '16KiB', 25);
    expect(differences(sent, targets)).toEqual([]);
  });

  // Chunk sizes that were not captured leave the body without an end: no span is better than a wrong one.
  test('of larger ones spans are missing, counted, and none is wrong', { timeout: 30_000 }, async () => {
    const { sent, targets, counters } = await chunkedUploads(nginx.port, '1KiB', 60);
    const missing = differences(sent, targets);
    expect(missing.filter((line) => !/^missing 1×|^and \d+ more/.test(line))).toEqual([]);
    expect(new Set(targets).size).toBe(targets.length);
    expect(targets.every((target) => sent.includes(target))).toBe(true);
    const { messages_dropped_desync, messages_dropped_unpaired } = counters.host;
    expect(messages_dropped_desync + messages_dropped_unpaired).toBeGreaterThan(0);
  });
});

/** Uploads of 500, 1000, 1500… bytes in chunks of 700, one after the other: what was sent and what spans there are. */
async function chunkedUploads(port: number, payload: string, count: number) {
  const targets: string[] = [];
  const args = ['--open-port', String(port), '--printer', 'json', '--payload', payload];
  await using agent = await startAgent(args, (span) => isHttpServer(span) && targets.push(ofTarget(span)));
  using connection = await HttpConnection.open(port);
  const sent: string[] = [];
  for (let n = 0; n < count; n++) {
    const plan: Plan = { method: 'POST', target: `/echo?n=${n}`, body: 'y'.repeat(500 * (n + 1)), chunk: 700 };
    const { method, target, status } = await connection.exchange(plan);
    sent.push(`${method} ${target} ${status}`);
  }
  const counters = await stopAgent(agent);
  expect(accountingErrors(counters)).toEqual([]);
  return { sent, targets, counters };
}

function ofTarget(span: Span): string {
  return ofSpan(span).replace(/ request .*/, '');
}

async function oneEach(port: number, requests: number): Promise<Exchange[]> {
  const exchanges: Exchange[] = [];
  for (let n = 0; n < requests; n++) exchanges.push(await exchangeAlone(port, plan(n, 'alone')));
  return exchanges;
}

/** Each pipeline as one write: the server answers them one after the other. */
async function pipelined(port: number, requests: number): Promise<Exchange[]> {
  const exchanges: Exchange[] = [];
  using connection = await HttpConnection.open(port);
  for (let first = 0; first < requests; first += PIPELINE_DEPTH) {
    const plans = Array.from({ length: PIPELINE_DEPTH }, (_, i) => pipelinedPlan(first + i));
    exchanges.push(...(await connection.pipeline(plans)));
  }
  return exchanges;
}
