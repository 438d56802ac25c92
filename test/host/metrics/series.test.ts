/** Which series a span belongs to: attributes by convention, bounds, what is too many, what is over. */
import { expect, test } from 'vitest';
import { RESOURCE_SERIES } from '../../../host/engine/layout/metrics.ts';
import { SPAN_ONE_WAY } from '../../../host/spans/batch.ts';
import { loadModules, shippedModuleFolder } from '../../../host/wasm/load.ts';
import type { Manifest } from '../../../host/wasm/manifest.ts';
import { bench, countOf, type Row, type Value } from './rows.ts';

const shipped = new Map(loadModules(shippedModuleFolder()).map(({ manifest }) => [manifest.name, manifest]));
const manifestOf = (name: string) => shipped.get(name)!;
const IPV4 = [192, 0, 2, 7];
const IPV6 = [0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1];

/** Attributes by name, in any order. */
function row(manifest: Manifest, attributes: Readonly<Record<string, Value>>, rest: Omit<Row, 'attributes'> = {}): Row {
  const idOf = (name: string) => manifest.attributes.find((one) => one.name === name)!.id;
  return { ...rest, attributes: Object.entries(attributes).map(([name, value]) => [idOf(name), value]) };
}

function only(manifest: Manifest, one: Row) {
  const rig = bench([manifest]);
  rig.measure(one);
  const [series, ...others] = rig.take();
  expect(others).toEqual([]);
  return { metric: series!.metric.name, attributes: series!.attributes };
}

const GET = { 'http.request.method': 'GET', 'url.path': '/a/1', 'url.query': 'q=1', 'network.protocol.version': '1.1' };

test.each<
  [
    title: string,
    module: string,
    attributes: Record<string, Value>,
    rest: Omit<Row, 'attributes'>,
    metric: string,
    expected: object,
  ]
>([
  [
    'an HTTP server',
    'http1',
    GET,
    { status: 200, remote: IPV4 },
    'http.server.request.duration',
    {
      'http.request.method': 'GET',
      'http.response.status_code': 200,
      'network.protocol.version': '1.1',
      'url.scheme': 'http',
    },
  ],
  [
    'a server error',
    'http1',
    { ...GET, 'url.scheme': 'https' },
    { status: 503, isError: true },
    'http.server.request.duration',
    {
      'error.type': '503',
      'http.request.method': 'GET',
      'http.response.status_code': 503,
      'network.protocol.version': '1.1',
      'url.scheme': 'https',
    },
  ],
  [
    'an error without a status',
    'http1',
    GET,
    { isError: true },
    'http.server.request.duration',
    {
      'error.type': '_OTHER',
      'http.request.method': 'GET',
      'network.protocol.version': '1.1',
      'url.scheme': 'http',
    },
  ],
  [
    "a client by the socket's address",
    'http1',
    GET,
    { isServer: false, status: 200, remote: IPV4, remotePort: 8080 },
    'http.client.request.duration',
    {
      'http.request.method': 'GET',
      'http.response.status_code': 200,
      'network.protocol.version': '1.1',
      'server.address': '192.0.2.7',
      'server.port': 8080,
    },
  ],
  [
    'a client by the Host header',
    'http1',
    { ...GET, 'server.address': 'example.com' },
    { isServer: false, status: 200, remote: IPV6, remotePort: 443 },
    'http.client.request.duration',
    {
      'http.request.method': 'GET',
      'http.response.status_code': 200,
      'network.protocol.version': '1.1',
      'server.address': 'example.com',
      'server.port': 443,
    },
  ],
  [
    'gRPC with the code in words',
    'http2',
    { 'rpc.method': 'a.B/C', 'rpc.response.status_code': 'UNAVAILABLE', 'url.path': '/a.B/C' },
    { protocol: 1, status: 14, isError: true },
    'rpc.server.call.duration',
    {
      'error.type': 'UNAVAILABLE',
      'rpc.method': 'a.B/C',
      'rpc.response.status_code': 'UNAVAILABLE',
      'rpc.system.name': 'grpc',
    },
  ],
  [
    'a database client',
    'postgres',
    {
      'db.query.summary': 'SELECT t',
      'db.query.text': 'SELECT 1',
      'db.namespace': 'shop',
      'db.response.status_code': '42P01',
      'error.type': '42P01',
    },
    { isServer: false, isError: true, remote: IPV6, remotePort: 5432 },
    'db.client.operation.duration',
    {
      'db.namespace': 'shop',
      'db.query.summary': 'SELECT t',
      'db.response.status_code': '42P01',
      'db.system.name': 'postgresql',
      'error.type': '42P01',
      'server.address': '2001:db8::1',
      'server.port': 5432,
    },
  ],
  [
    'a database',
    'redis',
    { 'db.operation.name': 'GET', 'db.query.text': 'GET k' },
    { remote: IPV4 },
    'spanwire.db.server.operation.duration',
    {
      'db.operation.name': 'GET',
      'db.system.name': 'redis',
    },
  ],
  [
    'a producer',
    'kafka',
    {
      'messaging.operation.name': 'Produce',
      'messaging.operation.type': 'send',
      'messaging.destination.name': 'orders',
      'messaging.destination.partition.id': '7',
      'kafka.api.key': 0,
    },
    { isServer: false },
    'messaging.client.operation.duration',
    {
      'messaging.destination.name': 'orders',
      'messaging.operation.name': 'Produce',
      'messaging.operation.type': 'send',
      'messaging.system': 'kafka',
    },
  ],
  [
    'a consumer that processes',
    'kafka',
    { 'messaging.operation.type': 'process' },
    { isServer: false },
    'messaging.process.duration',
    {
      'messaging.operation.type': 'process',
      'messaging.system': 'kafka',
    },
  ],
  [
    'an error that a status of no metric tells',
    'kafka',
    { 'messaging.operation.name': 'Fetch' },
    { status: 3, isError: true },
    'spanwire.messaging.server.operation.duration',
    {
      'error.type': '3',
      'messaging.operation.name': 'Fetch',
      'messaging.system': 'kafka',
    },
  ],
  [
    'a protocol without a kind',
    'websocket',
    {},
    { isServer: false, remote: IPV4, remotePort: 9 },
    'spanwire.client.operation.duration',
    {
      'network.protocol.name': 'websocket',
      'server.address': '192.0.2.7',
      'server.port': 9,
    },
  ],
])('%s', (_, module, attributes, rest, metric, expected) => {
  const found = only(manifestOf(module), row(manifestOf(module), attributes, rest));
  expect(found).toEqual({ metric, attributes: expected });
  expect(Object.keys(found.attributes)).toEqual(Object.keys(found.attributes).toSorted());
});

test('equal attributes are one series, whatever their order, their message, and what stands behind them', () => {
  const http = manifestOf('http1');
  const rig = bench([http]);
  const [method, version] = [
    ['http.request.method', 'GET'],
    ['network.protocol.version', '1.1'],
  ] as const;
  rig.measure(row(http, Object.fromEntries([method, version]), { padding: 0 }));
  rig.measure(row(http, Object.fromEntries([version, method]), { padding: 0xaa }));
  rig.measure(row(http, Object.fromEntries([method, version]), { padding: 0x55, ofResponse: 1 }));
  rig.measure(row(http, { ...Object.fromEntries([method, version]), 'url.path': '/x' }));
  // A status that is no attribute of the metric, where there is no error.
  expect(rig.take().map(countOf)).toEqual([4]);
  const kafka = manifestOf('kafka');
  const other = bench([kafka]);
  for (const status of [0, 1, 2]) other.measure(row(kafka, { 'messaging.operation.name': 'Fetch' }, { status }));
  expect(other.take().map(countOf)).toEqual([3]);
});

test('what differs in one attribute, in side, resource, port or outcome is another series', () => {
  const http = manifestOf('http1');
  const rig = bench([http]);
  const base: Row = row(http, GET, { status: 200, isServer: false, remote: IPV4, remotePort: 80 });
  const rows: Row[] = [
    base,
    { ...base, status: 201 },
    { ...base, isServer: true },
    { ...base, resource: 2 },
    { ...base, remotePort: 81 },
    { ...base, remote: [192, 0, 2, 8] },
    { ...base, remote: [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 192, 0, 2, 7] },
    { ...base, isError: true },
    row(http, { ...GET, 'http.request.method': 'GETS' }, base),
  ];
  for (let round = 0; round < 3; round++) for (const one of rows) rig.measure(one);
  expect(rig.take().map(countOf)).toEqual(rows.map(() => 3));
});

test('a module loaded anew goes on with the series of the old one', () => {
  const http = manifestOf('http1');
  const renumbered = { ...http, attributes: http.attributes.map((one) => ({ ...one, id: one.id + 100 })) };
  const rig = bench([http, renumbered, manifestOf('http2')]);
  rig.measure(row(http, GET, { protocol: 0 }));
  rig.measure(row(renumbered, GET, { protocol: 1 }));
  expect(rig.table.size).toBe(1);
  expect(rig.take().map(countOf)).toEqual([2]);
});

test('unicode, bytes that are none, and values that are too long', () => {
  const postgres = manifestOf('postgres');
  const rig = bench([postgres]);
  const spaces = (namespace: Value) => rig.measure(row(postgres, { 'db.namespace': namespace }));
  spaces('größe-📈');
  spaces(Uint8Array.of(0xff, 0x41));
  spaces(`${'x'.repeat(253)}📈 and more`);
  spaces(`${'x'.repeat(253)}📉 and other`);
  spaces(`${'y'.repeat(255)}1`);
  spaces(`${'y'.repeat(255)}2`);
  spaces('');
  expect(rig.take().map((one) => [one.attributes['db.namespace'], countOf(one)])).toEqual([
    ['größe-📈', 1],
    ['\ufffdA', 1],
    ['x'.repeat(253), 2],
    ['y'.repeat(255), 2],
    ['', 1],
  ]);
});

test('too many series are summed up for each metric and resource', () => {
  const postgres = manifestOf('postgres');
  const redis = manifestOf('redis');
  const rig = bench([postgres, redis], { seriesMax: 100 });
  const tables = (count: number, rest: Omit<Row, 'attributes'>) => {
    for (let i = 0; i < count; i++) rig.measure(row(postgres, { 'db.collection.name': `t${i}` }, rest));
  };
  tables(150, { resource: 1 });
  tables(30, { resource: 2, isServer: false, remote: IPV4 });
  rig.measure(row(redis, { 'db.operation.name': 'GET' }, { protocol: 1 }));
  tables(100, { resource: 1 });
  const { measured, overflowed, unmeasured } = rig.table.take(0);
  expect({ overflowed, unmeasured }).toEqual({ overflowed: 81, unmeasured: 0 });
  const over = measured.filter(({ attributes }) => attributes['otel.metric.overflow'] === true);
  expect(
    over.map((one) => [one.metric.name, one.resource.attributes['service.name'], one.attributes, countOf(one)]),
  ).toEqual([
    ['spanwire.db.server.operation.duration', 'nginx', { 'otel.metric.overflow': true }, 51],
    ['db.client.operation.duration', 'redis', { 'otel.metric.overflow': true }, 30],
  ]);
  expect(measured.filter((one) => !over.includes(one)).map(countOf)).toEqual(new Array(100).fill(2));
});

test('a key that is too long is one too many', () => {
  const postgres = manifestOf('postgres');
  const more = ['db.system.name', 'db.stored_procedure.name'].map(
    (name, i) => ({ id: 90 + i, name, type: 'string' }) as const,
  );
  const wordy = { ...postgres, attributes: [...postgres.attributes, ...more] };
  const names = [
    'db.namespace',
    'db.operation.name',
    'db.collection.name',
    'db.query.summary',
    'db.response.status_code',
    'error.type',
    ...more.map(({ name }) => name),
  ];
  const rig = bench([wordy]);
  const long = (count: number) =>
    rig.measure(row(wordy, Object.fromEntries(names.slice(0, count).map((name) => [name, name.repeat(40)]))));
  long(names.length - 1);
  long(names.length);
  const [whole, over] = rig.take();
  expect(whole!.attributes['error.type']).toBe('error.type'.repeat(40).slice(0, 255));
  expect(over!.attributes).toEqual({ 'otel.metric.overflow': true });
});

test('however many resources there are, the table is bounded', () => {
  const rig = bench([manifestOf('redis')], { seriesMax: 4096, resourceOf: () => ({ attributes: {} }) });
  for (let resource = 0; resource < 10_000; resource++) rig.measure({ resource });
  expect(rig.table.size).toBe(8192);
  const { measured, overflowed, unmeasured } = rig.table.take(0);
  expect([measured.length, overflowed, unmeasured]).toEqual([8192, 4096, 10_000 - 8192]);
});

test('spans of a protocol that nobody told of are counted', () => {
  const rig = bench([]);
  rig.measure({ protocol: 3 });
  expect(rig.table.take(0)).toEqual({ measured: [], overflowed: 0, unmeasured: 1 });
});

test('idle series make room, others and what comes anew are found', () => {
  const redis = manifestOf('redis');
  const rig = bench([redis], { seriesMax: 500, idleMs: 1000 });
  const names = (from: number, to: number) => {
    for (let i = from; i < to; i++) rig.measure(row(redis, { 'db.operation.name': `C${i}` }));
  };
  names(0, 500);
  expect(rig.take(0).length).toBe(500);
  names(0, 100);
  expect(rig.take(900).length).toBe(100);
  expect(rig.take(1100)).toEqual([]);
  expect(rig.table.size).toBe(100);
  names(50, 450);
  const { measured, overflowed } = rig.table.take(1200);
  expect([measured.length, overflowed, rig.table.size]).toEqual([400, 0, 450]);
  expect(measured.map((one) => one.attributes['db.operation.name']).toSorted()).toEqual(
    Array.from({ length: 400 }, (_, i) => `C${i + 50}`).toSorted(),
  );
});

test('a resource that is released is taken once more', () => {
  const rig = bench([manifestOf('redis')]);
  rig.measure({ resource: 1 });
  rig.measure({ resource: 2 });
  rig.take(0);
  rig.measure({ resource: 1, status: SPAN_ONE_WAY });
  rig.table.release(1);
  const series = rig.engine.column(Uint32Array, RESOURCE_SERIES, 3);
  expect([...series]).toEqual([0, 1, 1]);
  expect(rig.take(0).map((one) => one.resource.attributes['service.name'])).toEqual(['nginx']);
  expect([...series]).toEqual([0, 0, 1]);
  expect(rig.table.size).toBe(1);
});
