/** The direct encoder writes what OpenTelemetry's serializer writes: the same spans, decoded by neither of them. */
import { ProtobufTraceSerializer } from '@opentelemetry/otlp-transformer';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { toReadableSpans } from '../../host/export/readable-span.ts';
import { SealedBatch, SpanColumns } from '../../host/spans/batch.ts';
import { ProtocolTable } from '../../host/spans/protocols.ts';
import { parseManifest } from '../../host/wasm/manifest.ts';
import { NGINX, offerOf, REDIS, SCOPE, textRecord } from './fixtures.ts';
import { decodeProtobuf, type Received } from './otlp-decode.ts';

const TYPES = ['string', 'int', 'double', 'boolean'] as const;

/** Every kind of attribute, of template and of rule that a manifest can ask for. */
const MANIFEST = {
  name: 'everything',
  version: '1.0.0',
  abi: { major: 1, minor: 1 },
  protocols: [
    {
      name: 'web',
      kind: 'http',
      pairing: 'key',
      spanName: '{a.string} {a.int}',
      spanNameFallback: 'web {a.boolean}',
      status: { attribute: 'a.status', error: { server: 500, client: 400 } },
      bodySize: { request: 'a.request', response: 'a.response' },
      constants: { 'url.scheme': 'http', 'a.int': 7, 'b.constant': true, 'c.constant': 1.5 },
    },
    {
      name: 'plain',
      kind: 'messaging',
      pairing: 'key',
      spanName: '{b.string}',
      spanNameFallback: 'plain',
      constants: {},
    },
  ],
  ports: [],
  magic: [],
  slots: [64],
  stateVersion: 1,
  limits: { memoryPages: 16, fuelPerKiB: 1000, outputPerCall: 8192 },
  attributes: [
    ...['a', 'b'].flatMap((group, g) =>
      TYPES.map((type, t) => ({ id: 1 + g * 4 + t, name: `${group}.${type}`, type })),
    ),
    { id: 9, name: 'a.status', type: 'string' },
    { id: 10, name: 'server.address', type: 'string' },
    { id: 11, name: 'error.type', type: 'string' },
    { id: 12, name: 'hidden', type: 'string', optIn: true },
    { id: 13, name: 'traceparent', type: 'string', role: 'traceparent' },
    { id: 14, name: 'tracestate', type: 'string', role: 'tracestate' },
    { id: 15, name: 'messaging.operation.type', type: 'string' },
    { id: 16, name: 'header', type: 'pair', keys: 'keys' },
  ],
  settings: ['keys'],
};
/** Behind the manifest's ids are those of the lists that pairs become. */
const [FIRST_LIST, LAST_LIST, IDS] = [17, 18, 19];
const protocols = new ProtocolTable();
protocols.add(parseManifest(JSON.stringify(MANIFEST)), new Set(), new Map([['keys', ['one', 'two']]]));

const [NO_FAMILY, V4, V6] = [0, 2, 10];
/** Addresses as a socket has them, local and remote. */
const endpoints = [
  { resource: NGINX, family: V4, local: [10, 0, 0, 1], localPort: 80, remote: [10, 0, 0, 2], remotePort: 50_000 },
  { resource: REDIS, family: V6, local: v6(0x2001, 0xdb8), localPort: 6379, remote: v6(0xfe80, 0), remotePort: 1 },
  { resource: REDIS, family: V6, local: v6(0, 0), localPort: 80, remote: v6(1, 0), remotePort: 65_535 },
  { resource: NGINX, family: NO_FAMILY, local: [], localPort: 0, remote: [], remotePort: 0 },
];

/** An address that begins with two groups and ends with a 1. */
function v6(first: number, second: number): number[] {
  return [first >> 8, first & 0xff, second >> 8, second & 0xff, ...new Array(11).fill(0), 1];
}

const text = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 40 }).map((value) => new TextEncoder().encode(value)),
  fc.uint8Array({ maxLength: 40 }),
  fc.constantFrom('_OTHER', '', 'x'.repeat(2048), 'ä'.repeat(300)).map((value) => new TextEncoder().encode(value)),
);
/** JavaScript has one type of number: the serializer cannot know a whole double for one, nor hold a larger integer. */
const int = fc.maxSafeInteger().map((value) => bits((view) => view.setBigInt64(0, BigInt(value), true)));
const double = fc
  .double({ noNaN: true, noDefaultInfinity: true })
  .filter((value) => !Number.isInteger(value))
  .map((value) => bits((view) => view.setFloat64(0, value, true)));
const boolean = fc.boolean().map((value) => Uint8Array.of(value ? 1 : 0));
/** A value of no number's length. */
const misfit = fc.uint8Array({ minLength: 2, maxLength: 7 });
const state = fc.constantFrom('a=1', 'congo=t61rcWkgMzE,rojo=00f067aa0ba902b7');

function bits(write: (view: DataView) => void): Uint8Array {
  const bytes = new Uint8Array(8);
  write(new DataView(bytes.buffer));
  return bytes;
}

const attribute = fc.nat(IDS).chain((id) => {
  const type =
    id === 14
      ? 'state'
      : id === 15
        ? 'operation'
        : (MANIFEST.attributes.find((one) => one.id === id)?.type ?? 'string');
  const values: Record<string, fc.Arbitrary<Uint8Array>> = {
    string: text,
    int: fc.oneof({ weight: 9, arbitrary: int }, misfit),
    double: fc.oneof({ weight: 9, arbitrary: double }, misfit),
    boolean: fc.oneof({ weight: 9, arbitrary: boolean }, misfit),
    operation: fc.constantFrom('send', 'create', 'receive', 'process', 'settle', '').map((value) => Buffer.from(value)),
    pair: fc.constant(new Uint8Array(4)),
    state: state.map((value) => new TextEncoder().encode(value)),
  };
  return fc.tuple(fc.constant(id), values[type]!);
});

const row = fc.record({
  protocol: fc.nat(1),
  flags: fc.nat(63),
  traceFlags: fc.nat(255),
  status: fc.constantFrom(0, 200, 404, 503, 0xffff_ffff),
  ids: fc.array(fc.integer({ min: 1, max: 0xffff_ffff }), { minLength: 8, maxLength: 8 }),
  times: fc.array(fc.nat(0xffff_ffff), { minLength: 4, maxLength: 4 }),
  bodies: fc.tuple(fc.nat(2 ** 31), fc.oneof({ weight: 9, arbitrary: fc.nat(2 ** 31) }, fc.constant(Number.NaN))),
  firstByteNs: fc.constantFrom(0, 1, 1_234_567),
  endpoint: fc.constantFrom(...endpoints),
  attributes: fc.array(attribute, { maxLength: 10 }).map(onceEach),
});

/** An id comes once, but for lists. */
function onceEach(all: readonly (readonly [number, Uint8Array])[]) {
  return all.filter(([id], at) =>
    id >= FIRST_LIST && id <= LAST_LIST ? true : all.findIndex(([other]) => other === id) === at,
  );
}

type Row = typeof row extends fc.Arbitrary<infer T> ? T : never;

/** The columns of rows, as the assembler would fill them. */
function batchOf(rows: readonly Row[]): SealedBatch {
  const words = rows.flatMap(({ attributes }) => attributes.flatMap(([id, value]) => textRecord(id, value)));
  const columns = new SpanColumns(rows.length, words.length);
  columns.words.set(words);
  let at = 0;
  rows.forEach((one, i) => {
    columns.protocol[i] = one.protocol;
    columns.flags[i] = one.flags;
    columns.traceFlags[i] = one.traceFlags;
    columns.status[i] = one.status;
    columns.traceId.set(one.ids.slice(0, 4), i * 4);
    columns.spanId.set(one.ids.slice(4, 6), i * 2);
    columns.parentSpanId.set(one.ids.slice(6, 8), i * 2);
    columns.start.set(one.times.slice(0, 2), i * 2);
    columns.end.set(one.times.slice(2, 4), i * 2);
    [columns.requestBodyBytes[i], columns.responseBodyBytes[i]] = one.bodies;
    columns.firstByteNs[i] = one.firstByteNs;
    columns.attributesAt[i] = at;
    columns.requestAttributes[i] = one.attributes.length >> 1;
    columns.responseAttributes[i] = one.attributes.length - (one.attributes.length >> 1);
    columns.family[i] = one.endpoint.family;
    columns.localPort[i] = one.endpoint.localPort;
    columns.remotePort[i] = one.endpoint.remotePort;
    columns.addresses.set(one.endpoint.local, i * 32);
    columns.addresses.set(one.endpoint.remote, i * 32 + 16);
    for (const [, value] of one.attributes) at += 1 + ((value.length + 3) >>> 2);
  });
  const resources = rows.map(({ endpoint }) => endpoint.resource);
  return new SealedBatch(columns, rows.length, protocols.list, resources);
}

/** Attributes and resources as sets: their order says nothing. */
function normal(spans: readonly Received[]) {
  const sorted = (object: Record<string, string>) => Object.entries(object).sort(([a], [b]) => (a < b ? -1 : 1));
  return spans.map(({ resource, scope, attributes, span: { attributes: _, ...span } }) => ({
    ...{ resource: sorted(resource), scope, attributes: sorted(attributes) },
    span: { ...span, status: span.status?.code ?? 0 },
  }));
}

test('equals the serializer, whatever the spans', { timeout: 60_000 }, () => {
  fc.assert(
    fc.property(fc.array(row, { minLength: 1, maxLength: 12 }), (rows) => {
      const batch = batchOf(rows);
      const theirs = ProtobufTraceSerializer.serializeRequest(toReadableSpans(batch, SCOPE))!;
      expect(normal(decodeProtobuf(offerOf(batch).encoded.body))).toEqual(normal(decodeProtobuf(theirs)));
    }),
    { numRuns: 2000 },
  );
});

/** Request and response may both say it; so may a module that is careless. */
const repetitive = fc.tuple(row, fc.array(attribute, { maxLength: 20 })).map(([one, more]) => {
  return { ...one, attributes: [...one.attributes, ...more] };
});

test('writes an attribute once, as it was last said', { timeout: 60_000 }, () => {
  fc.assert(
    fc.property(fc.array(repetitive, { minLength: 1, maxLength: 12 }), (rows) => {
      const batch = batchOf(rows);
      const ours = decodeProtobuf(offerOf(batch).encoded.body);
      for (const { span } of ours) {
        const keys = span.attributes.map(({ key }) => key);
        expect(keys).toEqual([...new Set(keys)]);
      }
      const theirs = ProtobufTraceSerializer.serializeRequest(toReadableSpans(batch, SCOPE))!;
      expect(normal(ours)).toEqual(normal(decodeProtobuf(theirs)));
    }),
    { numRuns: 1000 },
  );
});
