/** What arrives at a collector, decoded independently, is what was in the batch: for each of the three protocols. */
import { afterEach, describe, expect, it, vi } from 'vitest';
import { createOtlpSink } from '../../host/export/otlp.ts';
import type { OtlpConfig } from '../../host/export/otlp-config.ts';
import type { SealedBatch } from '../../host/spans/batch.ts';
import type { ExportOutcome } from '../../host/spans/span.ts';
import { batch, NGINX, offerOf, REDIS, SCOPE, START, span, TestLog } from './fixtures.ts';
import { grpcReceiver, httpReceiver, type Receiver } from './receivers.ts';

const PROTOCOLS = ['http/protobuf', 'http/json', 'grpc'] as const;
const PARENT = '00f067aa0ba902b7';

const open: { close(): Promise<unknown> }[] = [];

afterEach(async () => {
  vi.unstubAllEnvs();
  for (const one of open.splice(0).reverse()) await one.close();
});

async function receiverFor(protocol: (typeof PROTOCOLS)[number]): Promise<Receiver> {
  const receiver = protocol === 'grpc' ? await grpcReceiver() : await httpReceiver();
  open.push(receiver);
  return receiver;
}

async function send(config: OtlpConfig, spans: SealedBatch): Promise<ExportOutcome> {
  const sink = createOtlpSink(config, SCOPE, new TestLog());
  open.push({ close: () => sink.shutdown() });
  return sink.export(sink.take(offerOf(spans)), AbortSignal.timeout(10_000));
}

describe.each(PROTOCOLS)('%s', (protocol) => {
  it('carries ids, kinds, times, status, parent, trace state, scope and two resources', async () => {
    const receiver = await receiverFor(protocol);
    const spans = batch(
      span(0, { parentSpanId: PARENT, traceState: 'congo=t61rcWkgMzE,rojo=00f067aa0ba902b7', status: 'error' }),
      span(1, { resource: REDIS, kind: 'client', protocol: 'redis', name: 'SET', traceFlags: 0, parentSpanId: PARENT }),
      span(2, { kind: 'producer' }),
      span(3, { kind: 'consumer' }),
      span(4, { startTimeUnixNano: 0n, endTimeUnixNano: 2n ** 63n }),
    );
    expect(await send({ endpoint: receiver.url, protocol }, spans)).toEqual({ ok: true });

    const byId = new Map(receiver.spans.map((received) => [received.span.spanId, received]));
    expect(byId.size).toBe(5);
    const [server, client, producer, consumer, long] = [1, 2, 3, 4, 5].map(
      (id) => byId.get(id.toString(16).padStart(16, '0'))!,
    );
    expect(server!.span).toMatchObject({
      traceId: '0af7651916cd43dd8448eb211c80319c',
      parentSpanId: PARENT,
      traceState: 'congo=t61rcWkgMzE,rojo=00f067aa0ba902b7',
      name: 'GET',
      kind: 2,
      startTimeUnixNano: String(START),
      endTimeUnixNano: String(START + 1_234_567n),
      status: { code: 2 },
      flags: 0x301,
    });
    expect(server!.scope).toBe('spanwire@1.2.3');
    expect(server!.resource).toEqual({
      'service.name': 'string:nginx',
      'process.pid': 'int:4711',
      'host.name': 'string:node-1',
    });
    expect(client!.resource).toEqual({ 'service.name': 'string:redis-server', 'process.pid': 'int:4712' });
    expect(client!.span).toMatchObject({ name: 'SET', kind: 3, flags: 0x100, parentSpanId: PARENT });
    expect(producer!.span.kind).toBe(4);
    expect(producer!.span.status?.code ?? 0).toBe(0);
    expect(producer!.span.parentSpanId ?? '').toHaveLength(0);
    expect(consumer!.span.kind).toBe(5);
    expect(long!.span).toMatchObject({ endTimeUnixNano: String(2n ** 63n) });
    expect(Number(long!.span.startTimeUnixNano)).toBe(0);
  });

  it('carries every type of attribute, and text in any script', async () => {
    const receiver = await receiverFor(protocol);
    const attributes = {
      text: 'GET /käse/チーズ/🧀?q=\u0000"\\\n',
      empty: '',
      int: 200,
      negative: -1,
      large: Number.MAX_SAFE_INTEGER,
      double: 0.1,
      yes: true,
      no: false,
      beyond: 2 ** 64,
      infinite: Number.POSITIVE_INFINITY,
      list: ['one', '', 'deux'],
    };
    const name = '数据库 🧀';
    const resource = { attributes: { ...NGINX.attributes, 'service.name': 'сервис' } };
    expect(await send({ endpoint: receiver.url, protocol }, batch(span(0, { name, attributes, resource })))).toEqual({
      ok: true,
    });
    expect(receiver.spans[0]!.span.name).toBe(name);
    expect(receiver.spans[0]!.resource['service.name']).toBe('string:сервис');
    expect(receiver.spans[0]!.attributes).toEqual({
      text: `string:${attributes.text}`,
      empty: 'string:',
      int: 'int:200',
      negative: 'int:-1',
      large: 'int:9007199254740991',
      double: 'double:0.1',
      yes: 'bool:true',
      no: 'bool:false',
      beyond: protocol === 'http/json' ? 'string:18446744073709552000' : 'double:18446744073709552000',
      infinite: protocol === 'http/json' ? 'string:Infinity' : 'double:Infinity',
      list: 'array:string:one,string:,string:deux',
    });
  });

  it('compresses and sends headers, by option and by environment', async () => {
    const receiver = await receiverFor(protocol);
    vi.stubEnv('OTEL_EXPORTER_OTLP_ENDPOINT', receiver.url);
    vi.stubEnv('OTEL_EXPORTER_OTLP_PROTOCOL', protocol);
    vi.stubEnv('OTEL_EXPORTER_OTLP_HEADERS', 'x-tenant=a%20b,x-from=environment');
    vi.stubEnv('OTEL_EXPORTER_OTLP_COMPRESSION', 'gzip');
    expect(await send({}, batch(span(0)))).toEqual({ ok: true });
    expect(await send({ headers: { 'x-from': 'option' }, compression: 'none' }, batch(span(1)))).toEqual({ ok: true });
    const heads = headersOf(receiver);
    expect(heads).toEqual([
      { tenant: 'a b', from: 'environment' },
      { tenant: 'a b', from: 'option' },
    ]);
    expect(receiver.spans).toHaveLength(2);
  });
});

function headersOf(receiver: Receiver): object[] {
  if ('heads' in receiver) {
    const { heads } = receiver as Awaited<ReturnType<typeof httpReceiver>>;
    return heads.map(({ headers }) => ({ tenant: headers['x-tenant'], from: headers['x-from'] }));
  }
  const { metadata } = receiver as Awaited<ReturnType<typeof grpcReceiver>>;
  return metadata.map((one) => ({ tenant: one.get('x-tenant')[0], from: one.get('x-from')[0] }));
}

describe('where requests go', () => {
  const cases: [title: string, OtlpConfig, environment: Record<string, string>, path: string][] = [
    ['base URL by option', { endpoint: 'BASE' }, {}, '/v1/traces'],
    ['base URL with a slash', { endpoint: 'BASE/' }, {}, '/v1/traces'],
    ['base URL with a path', { endpoint: 'BASE/otlp/' }, {}, '/otlp/v1/traces'],
    ['the traces endpoint by option', { endpoint: 'BASE/v1/traces' }, {}, '/v1/traces'],
    ['a query is kept', { endpoint: 'BASE/in?key=1' }, {}, '/in/v1/traces?key=1'],
    ['base URL by environment', {}, { OTEL_EXPORTER_OTLP_ENDPOINT: 'BASE/otlp' }, '/otlp/v1/traces'],
    ['traces endpoint by environment, as it is', {}, { OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: 'BASE/in' }, '/in'],
    [
      'the option wins',
      { endpoint: 'BASE' },
      { OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: 'http://127.0.0.1:1/' },
      '/v1/traces',
    ],
  ];

  it.each(cases)('%s', async (_title, config, environment, path) => {
    const receiver = await httpReceiver();
    open.push(receiver);
    const place = (text: string) => text.replace('BASE', receiver.url);
    for (const [name, value] of Object.entries(environment)) vi.stubEnv(name, place(value));
    const endpoint = config.endpoint === undefined ? undefined : place(config.endpoint);
    expect(await send({ ...config, endpoint }, batch(span(0)))).toEqual({ ok: true });
    expect(receiver.heads[0]!.path).toBe(path);
    expect(receiver.heads[0]!.headers['content-type']).toBe('application/x-protobuf');
  });

  it('takes gzip off the wire only when asked', async () => {
    const receiver = await httpReceiver();
    open.push(receiver);
    await send({ endpoint: receiver.url, compression: 'gzip' }, batch(span(0)));
    await send({ endpoint: receiver.url }, batch(span(1)));
    expect(receiver.heads.map(({ headers }) => headers['content-encoding'])).toEqual(['gzip', undefined]);
    expect(receiver.spans).toHaveLength(2);
  });
});
