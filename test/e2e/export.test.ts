/**
 * Export while traffic flows. An endpoint that fails in whatever way costs spans, each of them counted, but neither
 * memory nor what comes after it. And an agent that is told to end exports what it has captured until then.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { freePorts } from '../../examples/demo/programs.ts';
import { type RunningServer, startNginx } from '../../examples/demo/servers.ts';
import type { Received } from '../export/otlp-decode.ts';
import { grpcReceiver, hang, httpReceiver, type Receiver, refuse } from '../export/receivers.ts';
import { accountingErrors } from './support/accounting.ts';
import { type Counters, startAgent, stopAgent } from './support/agent.ts';
import { tcpServer } from './support/garbage.ts';
import { nowNs } from './support/http-client.ts';
import { describeLive } from './support/live.ts';
import { Load } from './support/load.ts';
import { residentBytes } from './support/memory.ts';
import { differences } from './support/multiset.ts';

const CONNECTIONS = 20;
/** Several times what the queue holds. */
const REQUESTS = 8000;
const QUEUE = ['--queue', '2000', '--batch', '256', '--batch-timeout', '100'];
/** More than this machine can make before the agent is told to end: what is lost then is lost by the ending. */
const ROOMY = ['--queue', '1000000', '--shutdown-timeout', '40000'];
const RECOVERED = 200;
/** The longest pause between two attempts that a few seconds of failures lead to, and then some. */
const RECOVERY_MS = 20_000;
/** Garbage of a collected heap comes and goes; what grows with the load would be more than this. */
const GROWTH_BYTES = 64 * 1024 * 1024;

type FailingEndpoint = (port: number) => Promise<Pick<Receiver, 'close'>>;

const FAILURES: readonly (readonly [name: string, start: FailingEndpoint])[] = [
  ['is not there', async () => ({ close: async () => {} })],
  ['answers 503', (port) => httpReceiver([refuse(503)], port)],
  ['answers 429 and asks for a pause', (port) => httpReceiver([refuse(429, { 'retry-after': '1' })], port)],
  ['never answers', (port) => httpReceiver([hang], port)],
  ['answers something that is not HTTP', (port) => tcpServer(port, 'garbage\r\n\r\nmore of it')],
];

await describeLive('export', () => {
  let nginx: RunningServer;

  beforeAll(async () => {
    const [port] = (await freePorts(1)) as [number];
    nginx = await startNginx({ port, http: http(port) });
  });

  afterAll(() => nginx?.[Symbol.asyncDispose]());

  test.each(FAILURES)('to an endpoint that %s', { timeout: 60_000 }, async (_name, startFailing) => {
    const [port] = (await freePorts(1)) as [number];
    const failing = await startFailing(port);
    await using agent = await startAgent([...argsFor(nginx.port, port, 'http/protobuf'), ...QUEUE], () => {}, TIMEOUT);
    const pid = agent.program.pid;
    await load('first', REQUESTS).finished();
    const before = residentBytes(pid);
    await load('second', REQUESTS).finished();
    const growth = residentBytes(pid) - before;

    await failing.close();
    await using receiver = disposable(await httpReceiver(undefined, port));
    const recovered = await load('recovered', RECOVERED).finished();
    const missing = () =>
      differences(
        recovered.map(({ target }) => target),
        targets(receiver.spans, 'recovered'),
      );
    for (const deadline = Date.now() + RECOVERY_MS; Date.now() < deadline && missing().length > 0; ) await sleep(100);
    expect(missing()).toEqual([]);

    const counters = await stopAgent(agent);
    expect(accountingErrors(counters)).toEqual([]);
    // A request that is answered too late is sent again, or given up: it has arrived all the same.
    const arrived = new Set(receiver.spans.map(({ span }) => span.spanId));
    expect(arrived.size).toBeGreaterThanOrEqual(counters.host.spans_exported);
    expect(counters.host.spans_made).toBe(2 * REQUESTS + RECOVERED);
    expect(counters.host.spans_dropped_queue_full + counters.host.spans_dropped_export_failed).toBeGreaterThan(0);
    expect(growth).toBeLessThan(GROWTH_BYTES);
    expect(agent.says()).toMatch(/export|otlp/i);
  });

  test.each(['http/protobuf', 'http/json', 'grpc'])(
    'by %s, ended under load',
    { timeout: 60_000 },
    async (protocol) => {
      await using receiver = disposable(protocol === 'grpc' ? await grpcReceiver() : await httpReceiver());
      await using agent = await startAgent([...argsFor(nginx.port, receiver.port, protocol), ...ROOMY]);
      const traffic = load('load', Number.POSITIVE_INFINITY);
      await sleep(700);
      const endedNs = nowNs();
      const counters = await stopAgent(agent);
      const exchanges = await traffic.stop();

      expectAccounted(counters, receiver.spans.length);
      expect(counters.host.spans_exported).toBe(counters.host.spans_made);
      const answered = exchanges.filter(({ receivedNs }) => receivedNs < endedNs);
      expect(answered.length).toBeGreaterThan(CONNECTIONS * 10);
      const seen = targets(receiver.spans, 'load');
      // What was answered while the agent was ending may be there, too.
      const lost = differences(
        answered.map(({ target }) => target),
        seen,
      ).filter((line) => line.startsWith('missing'));
      expect(lost).toEqual([]);
      expect(new Set(seen).size).toBe(seen.length);
    },
  );

  function load(phase: string, requests: number): Load {
    return new Load(nginx.port, CONNECTIONS, (n) => ({ method: 'GET', target: `/?${phase}=${n}` }), requests);
  }
});

const TIMEOUT = { OTEL_EXPORTER_OTLP_TIMEOUT: '1000' };

function argsFor(port: number, otlpPort: number, protocol: string): string[] {
  const endpoint = ['--otlp-endpoint', `http://127.0.0.1:${otlpPort}`, '--otlp-protocol', protocol];
  return ['--open-port', String(port), ...endpoint];
}

/** No span without a fate, and what the agent calls exported is what arrived. */
function expectAccounted(counters: Counters, received: number): void {
  expect(accountingErrors(counters)).toEqual([]);
  expect(received).toBe(counters.host.spans_exported);
}

function targets(spans: readonly Received[], phase: string): string[] {
  const all = spans.map(({ attributes }) => `${text(attributes['url.path'])}?${text(attributes['url.query'])}`);
  return all.filter((target) => target.includes(phase));
}

/** `string:/a` → `/a` */
function text(value: string | undefined): string {
  return value?.replace(/^string:/, '') ?? '';
}

function disposable<T extends Pick<Receiver, 'close'>>(receiver: T): T & AsyncDisposable {
  return Object.assign(receiver, { [Symbol.asyncDispose]: () => receiver.close() });
}

function http(port: number): string {
  return `
    keepalive_requests 1000000;
    server { listen 127.0.0.1:${port}; location / { return 200 "plain text"; } }`;
}
