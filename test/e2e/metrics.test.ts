/** RED metrics of real traffic: what an OTLP endpoint receives is what was asked of nginx, on both sides. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { freePorts } from '../../examples/demo/programs.ts';
import { type RunningServer, startNginx } from '../../examples/demo/servers.ts';
import type { ReceivedPoint } from '../export/otlp-decode.ts';
import { grpcReceiver, httpReceiver } from '../export/receivers.ts';
import { startAgent, stopAgent } from './support/agent.ts';
import { describeLive } from './support/live.ts';
import { Load } from './support/load.ts';

const CONNECTIONS = 10;
const REQUESTS = 600;

await describeLive('metrics', () => {
  let nginx: RunningServer;

  beforeAll(async () => {
    const [port] = (await freePorts(1)) as [number];
    nginx = await startNginx({ port, http: http(port) });
  });

  afterAll(() => nginx?.[Symbol.asyncDispose]());

  test.each([
    ['http/protobuf', 'cumulative'],
    ['grpc', 'delta'],
  ])('by %s, %s', { timeout: 60_000 }, async (protocol, temporality) => {
    const receiver = protocol === 'grpc' ? await grpcReceiver() : await httpReceiver();
    await using _receiver = { [Symbol.asyncDispose]: () => receiver.close() };
    const args = ['--open-port', String(nginx.port), '--otlp-endpoint', receiver.url, '--otlp-protocol', protocol];
    const settings = ['--metrics-interval', '300', '--metrics-temporality', temporality, '--shards', '2'];
    await using agent = await startAgent([...args, ...settings]);
    const load = new Load(
      nginx.port,
      CONNECTIONS,
      (n) => ({ method: 'GET', target: n % 3 === 0 ? '/gone' : `/?${n}` }),
      REQUESTS,
    );
    const exchanges = await load.finished();
    expect(exchanges).toHaveLength(REQUESTS);
    const { host } = await stopAgent(agent);

    const byStatus = new Map<string, number>();
    for (const point of lastOf(receiver.points, temporality === 'delta')) {
      expect(point.metric).toBe('http.server.request.duration');
      expect(point.resource['service.name']).toBe('string:nginx');
      expect(point.attributes).toMatchObject({
        'http.request.method': 'string:GET',
        'network.protocol.version': 'string:1.1',
        'url.scheme': 'string:http',
      });
      expect(point.sum).toBeGreaterThan(0);
      expect(point.buckets.reduce((sum, one) => sum + one, 0)).toBe(point.count);
      const status = point.attributes['http.response.status_code']!;
      byStatus.set(status, (byStatus.get(status) ?? 0) + point.count);
    }
    expect(Object.fromEntries(byStatus)).toEqual({ 'int:200': (REQUESTS * 2) / 3, 'int:410': REQUESTS / 3 });
    expect(receiver.spans).toHaveLength(REQUESTS);
    expect(host.metrics_exports).toBe(receiver.points.length);
    expect(host.metrics_export_failures + host.metrics_overflowed + host.metrics_unmeasured).toBe(0);
  });
});

/** Of cumulative points the last ones, of delta points all. */
function lastOf(exports: readonly (readonly ReceivedPoint[])[], isDelta: boolean): readonly ReceivedPoint[] {
  expect(exports.flat().every((point) => point.isDelta === isDelta)).toBe(true);
  return isDelta ? exports.flat() : (exports.at(-1) ?? []);
}

function http(port: number): string {
  return `
    keepalive_requests 1000000;
    server {
      listen 127.0.0.1:${port};
      location / { return 200 "plain text"; }
      location /gone { return 410; }
    }`;
}
