/**
 * Node's HTTP/1 server and clients through real eBPF, in one process: every exchange is one span of either side, with
 * what the client did, whichever client it was.
 */
import { once } from 'node:events';
import { Agent, type IncomingMessage, type RequestOptions, request, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { accountingErrors } from './support/accounting.ts';
import { type Span, startAgent, stopAgent } from './support/agent.ts';
import { ofExchange, ofSpan, timeErrors } from './support/exchanges.ts';
import { type Exchange, exchangeAlone, HttpConnection, nowNs, type Plan } from './support/http-client.ts';
import { describeLive } from './support/live.ts';
import { Load } from './support/load.ts';
import { differences } from './support/multiset.ts';
import { pipelinedPlan, plan, startNodeSite } from './support/site.ts';

const KEPT_ALIVE = 1000;
const ALONE = 60;
const PIPELINES = 20;
const PIPELINE_DEPTH = 10;
/** Of Node's own client. */
const REQUESTS = 400;
const AT_ONCE = 8;
const FETCHES = 60;
const UNSEEN = 40;

await describeLive('Node', () => {
  let server: Server;
  let port: number;

  beforeAll(async () => {
    server = await startNodeSite();
    ({ port } = server.address() as AddressInfo);
  });

  afterAll(() => {
    server?.closeAllConnections();
    server?.close();
  });

  /** Spans of both sides, of what happens meanwhile. */
  async function watch(work: () => Promise<Exchange[]>, payload = '16KiB') {
    const spans: Span[] = [];
    const args = ['--open-port', String(port), '--payload', payload, '--queue', '100000', '--printer', 'json'];
    await using agent = await startAgent(args, (span) => span.protocol === 'http' && spans.push(span));
    const exchanges = await work();
    const counters = await stopAgent(agent);
    expect(counters.kernel).toMatchObject({ records_lost: 0, bytes_lost: 0 });
    expect(accountingErrors(counters)).toEqual([]);
    const of = (kind: string) => spans.filter((span) => span.kind === kind);
    return { exchanges, server: of('server'), client: of('client') };
  }

  test('requests of every kind, written by hand', { timeout: 120_000 }, async () => {
    const { exchanges, ...sides } = await watch(async () => [
      ...(await new Load(port, 10, (n) => plan(n, 'kept'), KEPT_ALIVE).finished()),
      ...(await inTurn(ALONE, (n) => exchangeAlone(port, plan(n, 'alone')))),
      ...(await pipelines(port)),
    ]);
    expect(exchanges).toHaveLength(KEPT_ALIVE + ALONE + PIPELINES * PIPELINE_DEPTH);
    for (const spans of [sides.server, sides.client]) {
      expect(differences(exchanges.map(ofExchange), spans.map(ofSpan))).toEqual([]);
    }
    expect(timeErrors(sides.server, exchanges).slice(0, 10)).toEqual([]);
  });

  test('requests of node:http and of fetch', { timeout: 120_000 }, async () => {
    const { exchanges, ...sides } = await watch(async () => {
      const agent = new Agent({ keepAlive: true, maxSockets: AT_ONCE });
      const asked = await inBatches(REQUESTS, (n) => ask(port, plan(n, 'node'), agent));
      agent.destroy();
      return [...asked, ...(await inBatches(FETCHES, (n) => fetched(port, n)))];
    });
    expect(exchanges).toHaveLength(REQUESTS + FETCHES);
    for (const spans of [sides.server, sides.client]) {
      expect(differences(exchanges.map(ofExchange), spans.map(ofSpan))).toEqual([]);
    }
    expect(timeErrors(sides.server, exchanges).slice(0, 10)).toEqual([]);
  });

  // Chunk sizes behind the payload limit are not seen: such a response ends where the next one, or the connection, shows.
  test('chunked responses of which little is captured', { timeout: 60_000 }, async () => {
    const { exchanges, ...sides } = await watch(async () => {
      using connection = await HttpConnection.open(port);
      const wide = await inTurn(UNSEEN, (n) => {
        return connection.exchange({ method: 'GET', target: `/chunked/${1 + (n % 9)}?wide=4000&n=${n}` });
      });
      return [...wide, await connection.exchange({ method: 'GET', target: '/text?last' })];
    }, '1KiB');
    for (const spans of [sides.server, sides.client]) {
      const withoutSize = (line: string) => line.replace(/ response \d+$/, '');
      expect(differences(exchanges.map(ofExchange).map(withoutSize), spans.map(ofSpan).map(withoutSize))).toEqual([]);
      const sized = spans.filter(({ attributes }) => attributes['http.response.body.size'] !== undefined);
      expect(sized.length).toBeLessThan(spans.length);
      expect(differences(sized.map(ofSpan), exchanges.map(ofExchange)).filter((line) => /^missing/.test(line))).toEqual(
        [],
      );
    }
    expect(timeErrors(sides.server, exchanges).slice(0, 10)).toEqual([]);
  });
});

async function inTurn(count: number, exchange: (n: number) => Promise<Exchange>): Promise<Exchange[]> {
  const exchanges: Exchange[] = [];
  for (let n = 0; n < count; n++) exchanges.push(await exchange(n));
  return exchanges;
}

async function inBatches(count: number, exchange: (n: number) => Promise<Exchange>): Promise<Exchange[]> {
  const exchanges: Exchange[] = [];
  for (let first = 0; first < count; first += AT_ONCE) {
    const numbers = Array.from({ length: Math.min(AT_ONCE, count - first) }, (_, i) => first + i);
    exchanges.push(...(await Promise.all(numbers.map(exchange))));
  }
  return exchanges;
}

/** Node writes what follows a large body in one call with it: the heads in there would not be captured. */
function smallPlan(n: number): Plan {
  const one = pipelinedPlan(n);
  return { ...one, target: one.target.replace('/large', '/file') };
}

async function pipelines(port: number): Promise<Exchange[]> {
  using connection = await HttpConnection.open(port);
  const exchanges: Exchange[] = [];
  for (let first = 0; first < PIPELINES * PIPELINE_DEPTH; first += PIPELINE_DEPTH) {
    const plans = Array.from({ length: PIPELINE_DEPTH }, (_, i) => smallPlan(first + i));
    exchanges.push(...(await connection.pipeline(plans)));
  }
  return exchanges;
}

/** One request of node:http, its body with a length, in chunks, or after the server has said that it wants it. */
async function ask(port: number, { method, target, headers, body = '', chunk }: Plan, agent: Agent): Promise<Exchange> {
  const sentNs = nowNs();
  const length = chunk === undefined && body !== '' ? { 'content-length': String(body.length) } : {};
  const options: RequestOptions = { port, host: '127.0.0.1', method, path: target, agent };
  const asked = request({ ...options, headers: { ...headers, ...length } });
  if (headers?.expect !== undefined) {
    asked.flushHeaders();
    await once(asked, 'continue');
  }
  if (chunk !== undefined) asked.write(body.slice(0, chunk));
  asked.end(chunk === undefined ? body : body.slice(chunk));
  const [response] = (await once(asked, 'response')) as [IncomingMessage];
  const received = Buffer.concat(await response.toArray()).length;
  const sizes = { requestBodyBytes: body.length, responseBodyBytes: received };
  return { method, target, status: response.statusCode!, ...sizes, sentNs, receivedNs: nowNs() };
}

async function fetched(port: number, n: number): Promise<Exchange> {
  const target = `/echo?fetch=${n}`;
  const body = n % 3 === 0 ? '' : 'fetched '.repeat(n);
  const sentNs = nowNs();
  const response = await fetch(`http://127.0.0.1:${port}${target}`, { method: 'POST', body });
  const { length } = await response.text();
  const sizes = { requestBodyBytes: body.length, responseBodyBytes: length };
  return { method: 'POST', target, status: response.status, ...sizes, sentNs, receivedNs: nowNs() };
}
