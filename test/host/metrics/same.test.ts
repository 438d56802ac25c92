/** What series say is what their spans say: of spans at random, of every protocol that is shipped. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Engine } from '../../../host/engine/engine.ts';
import { ROW_RESOURCE } from '../../../host/engine/layout/spans.ts';
import { CONVENTIONS, metricOf } from '../../../host/metrics/conventions.ts';
import { SeriesTable } from '../../../host/metrics/table.ts';
import { SealedBatch, SPAN_ERROR, SPAN_SERVER, SpanColumns } from '../../../host/spans/batch.ts';
import { ProtocolTable, type SpanProtocol } from '../../../host/spans/protocols.ts';
import { loadModules, shippedModuleFolder } from '../../../host/wasm/load.ts';
import { textRecord } from '../../export/fixtures.ts';
import { putRows } from '../../export/row-writer.ts';
import { countOf, RESOURCES } from './rows.ts';

const table = new ProtocolTable();
for (const { manifest } of loadModules(shippedModuleFolder())) table.add(manifest, new Set());

/** Family and bytes. */
const ADDRESSES: readonly (readonly [number, string])[] = [
  [0, ''],
  [2, 'c0000207'],
  [10, '20010db8000000000000000000000001'],
  [10, '00000000000000000000000000000001'],
  [10, 'fe800000000000010000000000000002'],
  [10, '00000000000000000000000000000000'],
];

const spanAt = fc.record({
  protocol: fc.nat(table.list.length - 1),
  flags: fc.constantFrom(0, SPAN_SERVER, SPAN_ERROR, SPAN_SERVER | SPAN_ERROR),
  status: fc.constantFrom(0, 3, 200, 404, 503),
  resource: fc.nat(RESOURCES.length - 1),
  address: fc.constantFrom(...ADDRESSES),
  port: fc.constantFrom(80, 443),
  values: fc.array(fc.tuple(fc.nat(), fc.constantFrom('', 'a', 'größe', '📈'.repeat(9), '12345678')), { maxLength: 8 }),
});
type Spanned = typeof spanAt extends fc.Arbitrary<infer One> ? One : never;

test('spans at random', () => {
  fc.assert(
    fc.property(fc.array(spanAt, { minLength: 1, maxLength: 60 }), (spans) => {
      const engine = new Engine();
      const metrics = new SeriesTable(engine, {
        seriesMax: 2000,
        idleMs: 1,
        resourceOf: (number) => RESOURCES[number],
      });
      table.list.forEach((protocol, index) => void metrics.add(index, protocol));
      const batch = batchOf(spans);
      putRows(engine, batch);
      engine.column(Uint32Array, ROW_RESOURCE, spans.length).set(spans.map(({ resource }) => resource));
      spans.forEach((_, row) => void engine.exports.measure!(row));
      const series = metrics.take(0).measured;
      const found = series.map((one) => [
        JSON.stringify([one.metric.name, one.resource.attributes, one.attributes]),
        countOf(one),
      ]);
      expect(new Map(found as [string, number][])).toEqual(expected(batch, spans));
      // No two series with one identity.
      expect(new Set(found.map(([key]) => key)).size).toBe(found.length);
    }),
    { numRuns: 60 },
  );
});

/** Attributes of each type that a protocol's manifest has, no id twice. */
function recordsOf(protocol: SpanProtocol, values: Spanned['values']): number[][] {
  const ids = protocol.attributes.flatMap((field, id) => (field?.reported && field.type !== 'pair' ? [id] : []));
  const chosen = new Map(values.map(([pick, text]) => [ids.length === 0 ? 0 : ids[pick % ids.length]!, text]));
  chosen.delete(0);
  return [...chosen].map(([id, text]) => {
    const type = protocol.attributes[id]!.type;
    if (type === 'int') return [id | (8 << 16), text.length, 0];
    return type === 'boolean' ? [id | (1 << 16), text.length & 1] : textRecord(id, text);
  });
}

function batchOf(spans: readonly Spanned[]): SealedBatch {
  const records = spans.map(({ protocol, values }) => recordsOf(table.list[protocol]!, values));
  const columns = new SpanColumns(spans.length, records.flat(2).length);
  columns.words.set(records.flat(2));
  let at = 0;
  spans.forEach((one, i) => {
    columns.protocol[i] = one.protocol;
    columns.flags[i] = one.flags;
    columns.status[i] = one.status;
    columns.attributesAt[i] = at;
    columns.requestAttributes[i] = records[i]!.length >> 1;
    columns.responseAttributes[i] = records[i]!.length - (records[i]!.length >> 1);
    at += records[i]!.flat().length;
    const [family, address] = one.address;
    columns.family[i] = family;
    columns.localPort[i] = 9;
    columns.remotePort[i] = one.port;
    for (const side of [0, 16]) columns.addresses.set(Buffer.from(address, 'hex'), i * 32 + side);
  });
  const resources = spans.map(({ resource }) => RESOURCES[resource]!);
  return new SealedBatch(columns, spans.length, table.list, resources);
}

/** From the spans as exporters read them. */
function expected(batch: SealedBatch, spans: readonly Spanned[]): Map<string, number> {
  const counts = new Map<string, number>();
  spans.forEach(({ protocol: index, flags }, i) => {
    const { kind, name } = table.list[index]!;
    const isServer = (flags & SPAN_SERVER) !== 0;
    const { both, serverOnly, clientOnly } = CONVENTIONS[kind];
    const listed = new Set([...both, ...(isServer ? serverOnly : clientOnly)]);
    const { attributes, resource } = batch.read(i);
    const all = kind === 'other' ? { 'network.protocol.name': name, ...attributes } : attributes;
    const kept = Object.fromEntries(
      Object.entries(all)
        .filter(([one]) => listed.has(one))
        .sort(([a], [b]) => (a < b ? -1 : 1)),
    );
    const key = JSON.stringify([metricOf(kind, isServer, kept).name, resource.attributes, kept]);
    counts.set(key, (counts.get(key) ?? 0) + 1);
  });
  return counts;
}
