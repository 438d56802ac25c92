/** From the shards' measurements to an endpoint: each protocol, failures, the last export, the log. */
import { afterEach, expect, test, vi } from 'vitest';
import { readConfig } from '../../../host/config.ts';
import type { OtlpProtocol } from '../../../host/export/otlp-config.ts';
import { createMetrics } from '../../../host/metrics/configured.ts';
import { CONVENTIONS } from '../../../host/metrics/conventions.ts';
import { metricsExporter, metricsProtocol, metricsUrl } from '../../../host/metrics/settings.ts';
import type { Measured, Taken } from '../../../host/metrics/table.ts';
import { C, createCounters } from '../../../host/self/counters.ts';
import { TestLog, until } from '../../export/fixtures.ts';
import { accept, grpcReceiver, hang, httpReceiver, type Receiver, refuse } from '../../export/receivers.ts';
import { SILENT } from '../rig.ts';

const open: Receiver[] = [];

afterEach(async () => {
  vi.unstubAllEnvs();
  for (const receiver of open.splice(0)) await receiver.close();
});

function opened<T extends Receiver>(receiver: T): T {
  open.push(receiver);
  return receiver;
}

function measured(count: number, attributes: Measured['attributes'] = { 'db.operation.name': 'GET größe' }): Measured {
  const { client: metric, bounds } = CONVENTIONS.db;
  const buckets = bounds.map(() => 0).concat(count);
  const resource = { attributes: { 'service.name': 'shop', 'process.pid': 7 } };
  return { metric, attributes, resource, bounds, buckets, sum: count * 20, min: 20, max: 20 };
}

function rig(options: Record<string, string>, shards: () => readonly Taken[] = () => []) {
  const counters = createCounters();
  const log = Object.assign(new TestLog(), { debug: SILENT.debug, error: SILENT.error });
  const config = readConfig({ metricsInterval: '20', ...options }, {});
  const { reader, store } = createMetrics(config, counters, log, async () => shards())!;
  return { reader, store, counters, log };
}

function taken(...all: Measured[]): Taken {
  return { measured: all, overflowed: 0, unmeasured: 0 };
}

test.each<OtlpProtocol>(['http/protobuf', 'http/json', 'grpc'])('%s', async (protocol) => {
  const receiver = opened(protocol === 'grpc' ? await grpcReceiver() : await httpReceiver());
  let left = 3;
  const shards = () => (left-- > 0 ? [taken(measured(1)), taken(measured(1, { 'db.operation.name': 'SET' }))] : []);
  const { reader, counters } = rig({ otlpEndpoint: receiver.url, otlpProtocol: protocol }, shards);
  reader.start();
  await until(() => receiver.points.flat().some(({ count }) => count === 3), 'three intervals');
  reader.add(taken(measured(4)));
  await reader.stop(5000);
  const last = receiver.points.at(-1)!;
  expect(last.map(({ attributes, count }) => [attributes['db.operation.name'], count])).toEqual([
    ['string:GET größe', 7],
    ['string:SET', 3],
  ]);
  expect(last[0]).toMatchObject({
    metric: 'db.client.operation.duration',
    unit: 's',
    isDelta: false,
    resource: { 'service.name': 'string:shop', 'process.pid': 'int:7' },
    bounds: CONVENTIONS.db.bounds,
    buckets: [0, 0, 0, 0, 0, 0, 0, 0, 0, 7],
    sum: 140,
  });
  expect(last[0]!.scope).toMatch(/^spanwire@/);
  expect(last[0]!.startNs).toBeLessThan(last[0]!.timeNs);
  expect(counters[C.metrics_exports]).toBe(receiver.points.length);
  expect(counters[C.metrics_export_failures]).toBe(0);
});

test.each(['delta', 'lowmemory'])(
  '%s: the points of all exports together are what was measured',
  async (preference) => {
    const receiver = opened(await httpReceiver([accept]));
    let left = 5;
    const { reader } = rig({ otlpEndpoint: receiver.url, metricsTemporality: preference }, () =>
      left-- > 0 ? [taken(measured(2))] : [],
    );
    reader.start();
    await until(() => receiver.points.length >= 5, 'five exports');
    reader.add(taken(measured(1)));
    await reader.stop(5000);
    const points = receiver.points.flat();
    expect(points.every(({ isDelta }) => isDelta)).toBe(true);
    expect(points.reduce((sum, { count }) => sum + count, 0)).toBe(11);
    for (let i = 1; i < points.length; i++) expect(points[i]!.startNs).toBeGreaterThanOrEqual(points[i - 1]!.timeNs);
  },
);

test('what fails is said once, counted, and part of the next export', async () => {
  const receiver = opened(await httpReceiver([refuse(400)]));
  const { reader, counters, log } = rig({ otlpEndpoint: receiver.url });
  reader.add(taken(measured(5)));
  reader.start();
  await until(() => counters[C.metrics_export_failures]! >= 3, 'three failures');
  expect(log.lines.filter((line) => line.includes('cannot export metrics'))).toHaveLength(1);
  receiver.answers = [accept];
  await until(() => receiver.points.length > 0, 'an export');
  await reader.stop(5000);
  expect(receiver.points[0]!.map(({ count }) => count)).toEqual([5]);
  expect(log.lines.at(-1)).toMatch(/^info metrics: exporting again/);
});

test('an endpoint that never answers does not keep the agent', { timeout: 30_000 }, async () => {
  const receiver = opened(await httpReceiver([hang]));
  const { reader, counters } = rig({ otlpEndpoint: receiver.url });
  reader.add(taken(measured(1)));
  const start = performance.now();
  await reader.stop(500);
  expect(performance.now() - start).toBeLessThan(8000);
  expect(counters[C.metrics_exports]).toBe(counters[C.metrics_export_failures]);
});

test('too many series are said once, with the remedy', async () => {
  const receiver = opened(await httpReceiver());
  const { reader, log } = rig({ otlpEndpoint: receiver.url });
  for (let i = 0; i < 3; i++) reader.add({ measured: [], overflowed: 1, unmeasured: 0 });
  expect(log.lines).toEqual([expect.stringMatching(/^warn metrics: too many series.*--metrics-series/)]);
  await reader.stop(100);
});

test('where metrics go by default', () => {
  const exporter = (options: object, environment: Record<string, string> = {}) => {
    vi.unstubAllEnvs();
    for (const name of ['OTEL_EXPORTER_OTLP_ENDPOINT', 'OTEL_EXPORTER_OTLP_METRICS_ENDPOINT']) vi.stubEnv(name, '');
    for (const [name, value] of Object.entries(environment)) vi.stubEnv(name, value);
    return metricsExporter(readConfig(options, environment));
  };
  expect(exporter({})).toBe('none');
  expect(exporter({ otlpEndpoint: 'http://a:4318' })).toBe('otlp');
  expect(exporter({}, { OTEL_EXPORTER_OTLP_ENDPOINT: 'http://a:4318' })).toBe('otlp');
  expect(exporter({}, { OTEL_EXPORTER_OTLP_METRICS_ENDPOINT: 'http://a:4318/m' })).toBe('otlp');
  expect(exporter({}, { OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: 'http://a:4318/t' })).toBe('none');
  expect(exporter({ otlpEndpoint: 'http://a:4318' }, { OTEL_METRICS_EXPORTER: 'none' })).toBe('none');
  expect(exporter({ metricsExporter: 'console' }, { OTEL_METRICS_EXPORTER: 'none' })).toBe('console');
});

test('protocol and URL', () => {
  vi.stubEnv('OTEL_EXPORTER_OTLP_PROTOCOL', 'grpc');
  expect(metricsProtocol(readConfig({}, {}))).toBe('grpc');
  vi.stubEnv('OTEL_EXPORTER_OTLP_METRICS_PROTOCOL', 'http/json');
  expect(metricsProtocol(readConfig({}, {}))).toBe('http/json');
  expect(metricsProtocol(readConfig({ otlpProtocol: 'http/protobuf' }, {}))).toBe('http/protobuf');
  expect(metricsUrl('http://a:4318', 'http/json')).toBe('http://a:4318/v1/metrics');
  expect(metricsUrl('http://a:4318/x/', 'http/json')).toBe('http://a:4318/x/v1/metrics');
  expect(metricsUrl('http://a:4318/v1/traces', 'http/json')).toBe('http://a:4318/v1/metrics');
  expect(metricsUrl('http://a:4318/v1/metrics?k=1', 'http/json')).toBe('http://a:4318/v1/metrics?k=1');
  expect(metricsUrl('a:4317', 'grpc')).toBe('a:4317');
});

test('endpoint and headers of the environment', async () => {
  const receiver = opened(await httpReceiver());
  vi.stubEnv('OTEL_EXPORTER_OTLP_METRICS_ENDPOINT', `${receiver.url}/mine/v1/metrics`);
  vi.stubEnv('OTEL_EXPORTER_OTLP_METRICS_HEADERS', 'x-key=secret');
  const { reader } = rig({});
  reader.add(taken(measured(1)));
  await reader.stop(5000);
  expect(receiver.points.flat().map(({ count }) => count)).toEqual([1]);
  expect(receiver.heads[0]).toMatchObject({ path: '/mine/v1/metrics', headers: { 'x-key': 'secret' } });
});
