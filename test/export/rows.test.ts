/** The encoder reads rows where they stand: addresses as bytes, what is numbered by number, and more than fits at a time. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Engine } from '../../host/engine/engine.ts';
import { ADDRESS_TEXT_BITS, OUTPUT_BYTES } from '../../host/engine/layout/otlp.ts';
import * as l from '../../host/engine/layout/spans.ts';
import type { Rows } from '../../host/engine/rows.ts';
import { OtlpEncoder } from '../../host/export/encoder/encoder.ts';
import { SealedBatch, SPAN_SERVER, SpanBatch } from '../../host/spans/batch.ts';
import { addressText } from '../../host/spans/endpoint.ts';
import type { SpanProtocol } from '../../host/spans/protocols.ts';
import { Resources } from '../../host/spans/resources.ts';
import type { Resource } from '../../host/spans/span.ts';
import { batch, NGINX, numbered, REDIS, SCOPE, span, textRecord } from './fixtures.ts';
import { decodeProtobuf } from './otlp-decode.ts';
import { putRows } from './row-writer.ts';

const engine = new Engine();
const encoder = new OtlpEncoder(engine, SCOPE);
const put = (spans: SealedBatch) => putRows(engine, spans);

const PER_BATCH = l.ROWS_MAX;

function encoded(rows: Rows) {
  return decodeProtobuf(encoder.encode(rows).body);
}

describe('addresses', () => {
  const octet = fc.oneof({ weight: 2, arbitrary: fc.constant(0) }, fc.nat(255));
  const bytes = fc.array(octet, { minLength: 16, maxLength: 16 });
  const groups = fc
    .array(fc.oneof(fc.constant(0), fc.nat(0xffff)), { minLength: 8, maxLength: 8 })
    .map((all) => all.flatMap((group) => [group >> 8, group & 0xff]));
  const mapped = fc
    .array(octet, { minLength: 4, maxLength: 4 })
    .map((last) => [...new Array<number>(10).fill(0), 0xff, 0xff, ...last]);
  const address = fc.oneof(bytes, groups, mapped);
  const pair = fc.tuple(fc.constantFrom(2, 10, 0, 1), address, address);

  test('are written as addressText writes them, whatever they are', { timeout: 60_000 }, () => {
    fc.assert(
      fc.property(fc.array(pair, { minLength: 200, maxLength: 200 }), (pairs) => {
        const rows = put(batch(...pairs.map((_, i) => span(i, { kind: 'server' }))));
        pairs.forEach(([family, local, remote], row) => {
          engine.u8[l.ROW_FAMILY + row] = family;
          engine.u8.set([...local, ...remote], l.ROW_ADDRESSES + row * 32);
        });
        encoded(rows).forEach(({ attributes }, row) => {
          const [family, local, remote] = pairs[row]!;
          const known = addressText(Uint8Array.from(remote), family) !== '';
          const told = (side: readonly number[]) =>
            known ? `string:${addressText(Uint8Array.from(side), family)}` : undefined;
          expect(attributes['server.address']).toBe(told(local));
          expect(attributes['client.address']).toBe(told(remote));
          expect(attributes['network.peer.address']).toBe(told(remote));
        });
      }),
      { numRuns: 100 },
    );
  });

  test('the same bytes are another address in another family', () => {
    const rows = put(numbered(4));
    const bytes = [10, 0, 0, 1, ...new Array<number>(12).fill(0)];
    [2, 10, 2, 10].forEach((family, row) => {
      engine.u8[l.ROW_FAMILY + row] = family;
      engine.u8.set([...bytes, ...bytes], l.ROW_ADDRESSES + row * 32);
    });
    const told = encoded(rows).map(({ attributes }) => [attributes['server.address'], attributes['client.address']]);
    const [inet, inet6] = ['string:10.0.0.1', 'string:a00:1::'];
    expect(told).toEqual([inet, inet6, inet, inet6].map((text) => [text, text]));
  });
});

describe('endpoints', () => {
  /** Twice over, so that every one is met again after others took its place. */
  test('that are more than are kept', { timeout: 60_000 }, () => {
    const plain = batch(...Array.from({ length: PER_BATCH }, (_, i) => span(i)));
    const nameParts = [{ attribute: 'server.address' }, { attribute: 'client.port' }];
    const protocols = plain.protocols.map((protocol) => ({ ...protocol, nameParts }));
    const { columns, resources } = plain;
    const total = 12 << ADDRESS_TEXT_BITS;
    for (let first = 0; first < 2 * total; first += PER_BATCH) {
      const endpoints = Array.from({ length: PER_BATCH }, (_, i) => endpointOf((first + i) % total));
      endpoints.forEach(({ family, local, localPort, remote, remotePort }, i) => {
        columns.family[i] = family;
        columns.localPort[i] = localPort;
        columns.remotePort[i] = remotePort;
        columns.addresses.set([...local, ...remote], i * 32);
      });
      const sealed = new SealedBatch(columns, PER_BATCH, protocols, resources);
      encoded(put(sealed)).forEach(({ span: { name }, attributes }, i) => {
        const { family, local, localPort, remote, remotePort } = endpoints[i]!;
        const [localAddress, remoteAddress] = [addressText(local, family), addressText(remote, family)];
        expect(name).toBe(`${localAddress}${remotePort}`);
        expect(attributes).toMatchObject({
          'server.address': `string:${localAddress}`,
          'server.port': `int:${localPort}`,
          'client.address': `string:${remoteAddress}`,
          'client.port': `int:${remotePort}`,
          'network.peer.address': `string:${remoteAddress}`,
          'network.peer.port': `int:${remotePort}`,
        });
      });
    }
  });

  /** Longest and shortest, of both families; ports that are one byte, two and three. */
  function endpointOf(index: number) {
    const [high, low] = [index >> 8, index & 0xff];
    const ports = { localPort: 1 + (index % 900), remotePort: index % 65_536 };
    const [local, remote] = [new Uint8Array(16), new Uint8Array(16)];
    if (index % 3 > 0) {
      local.set([192, 168, index % 7, 1]);
      remote.set([10, high, 0, low]);
      return { family: 2, local, remote, ...ports };
    }
    local[15] = (index % 9) + 1;
    remote.set([0x20, 0x01, 0x0d, 0xb8, 0x11, 0x11, 0x22, 0x22, 0x33, 0x33, 0x44, 0x44, 0x50, high, 0x10, low]);
    return { family: 10, local, remote, ...ports };
  }
});

describe('lengths', () => {
  const { protocols } = numbered(1);
  const texts = [0, 1, 15, 16, 17, 32, 33, 60, 100, 122, 123, 124, 127, 128, 129, 300, 16_380, 16_390].map(
    (length, i) => 'ä'.repeat(i % 2 === 0 ? 0 : length >> 1).padEnd(i % 2 === 0 ? length : length - (length >> 1), 'y'),
  );

  /** Spans of a text and of a number each, whose varints are of one to eight bytes. */
  function filled(textId: number, intId: number, known: readonly SpanProtocol[]): SpanBatch {
    const spans = new SpanBatch(new Engine(), texts.length, known, new Resources());
    for (const text of texts) {
      const i = spans.length++;
      const number = new Uint8Array(BigInt64Array.of(numberOf(i)).buffer);
      const records = [...textRecord(textId, text), ...textRecord(intId, number)];
      spans.columns.attributesAt[i] = spans.words;
      spans.columns.requestAttributes[i] = 2;
      spans.columns.words.set(records, spans.words);
      spans.words += records.length;
    }
    return spans;
  }

  function numberOf(i: number): bigint {
    return 1n << BigInt(i * 3);
  }

  test.each([1, 8, 26, 27, 35, 36, 37, 60, 120, 128])('names of %i bytes', (length) => {
    const [textName, intName] = ['a', 'b'].map((first) => first.padEnd(length, 'x')) as [string, string];
    const field = (name: string, type: 'string' | 'int') => {
      return { name, type, reported: true, redaction: undefined, pairs: undefined };
    };
    const attributes = [undefined, field(textName, 'string'), field(intName, 'int')];
    const protocol = {
      ...protocols[0]!,
      constants: {},
      tracestateId: 0,
      attributes,
      nameParts: [{ attribute: textName }],
    };
    const spans = filled(1, 2, [protocol]);
    const received = decodeProtobuf(new OtlpEncoder(spans.engine, SCOPE).encode(spans).body);
    expect(received.map((one) => one.span.name)).toEqual(texts);
    expect(received.map((one) => one.attributes)).toEqual(
      texts.map((text, i) => ({ [textName]: `string:${text}`, [intName]: `int:${numberOf(i)}` })),
    );
  });

  test('a protocol of thousands of names', () => {
    const attributes = Object.fromEntries(Array.from({ length: 3000 }, (_, i) => [`constant.${i}`, i]));
    const received = encoded(put(batch(span(0, { attributes }), span(1))));
    const told = Object.entries(attributes).map(([name, value]) => [name, `int:${value}`]);
    expect(received[0]!.attributes).toEqual(Object.fromEntries(told));
    expect(Object.keys(received[1]!.attributes)).toEqual(Object.keys(span(1).attributes));
  });
});

describe('tables', () => {
  test('a number that stands for another resource is encoded anew', () => {
    const rows = put(numbered(2));
    const serviceOf = (resource: Resource) =>
      encoded({ ...rows, resourceOf: () => resource }).map((one) => one.resource['service.name']);
    expect(serviceOf(NGINX)).toEqual(['string:nginx', 'string:nginx']);
    expect(serviceOf(REDIS)).toEqual(['string:redis-server', 'string:redis-server']);
    expect(serviceOf(NGINX)).toEqual(['string:nginx', 'string:nginx']);
  });

  test('that are full are made anew: spans of ever new protocols and resources', () => {
    const names = (count: number, round: number) => Array.from({ length: count }, (_, i) => `span ${round} ${i}`);
    for (let round = 0; round < 60; round++) {
      const expected = names(200, round);
      const resources = expected.map((name) => ({ attributes: { 'service.name': name } }));
      const spans = expected.map((name, i) => span(i, { name, resource: resources[i]! }));
      const received = encoded(put(batch(...spans)));
      expect(received.map((one) => one.span.name)).toEqual(expected);
      expect(received.map((one) => one.resource['service.name'])).toEqual(expected.map((name) => `string:${name}`));
    }
  });

  test('that cannot hold what one batch needs: an error, and the next batch goes out', () => {
    const huge = { attributes: { 'service.name': 'x'.repeat(9 << 20) } };
    expect(() => encoded(put(batch(span(0, { resource: huge }))))).toThrow('tables');
    expect(encoded(put(numbered(3)))).toHaveLength(3);
  });
});

/** Bytes that are no UTF-8 become three each. */
test('spans that might not fit are written in parts', { timeout: 60_000 }, () => {
  const text = { name: 'text', type: 'string', reported: true, redaction: undefined, pairs: undefined } as const;
  const nameParts = Array.from({ length: 80 }, () => ({ attribute: 'text' }));
  const attributes = [undefined, text];
  const protocols = numbered(1).protocols.map((one) => ({ ...one, tracestateId: 0, attributes, nameParts }));
  const record = textRecord(1, new Uint8Array(440).fill(0xff));
  const fresh = new Engine();
  const filled = new SpanBatch(fresh, l.ROWS_MAX, protocols, new Resources());
  while (filled.hasRoom(record.length)) {
    const i = filled.length++;
    filled.columns.flags[i] = SPAN_SERVER;
    filled.columns.spanId[i * 2 + 1] = i + 1;
    filled.columns.attributesAt[i] = filled.words;
    filled.columns.requestAttributes[i] = 1;
    filled.columns.words.set(record, filled.words);
    filled.words += record.length;
  }
  const { length } = filled;
  expect(length * 3 * 440 * nameParts.length).toBeGreaterThan(OUTPUT_BYTES);
  const received = decodeProtobuf(new OtlpEncoder(fresh, SCOPE).encode(filled).body);
  expect(received.map(({ span: { spanId } }) => Number.parseInt(spanId, 16))).toEqual(
    Array.from({ length }, (_, i) => i + 1),
  );
  const name = '\ufffd'.repeat(440 * nameParts.length);
  for (const { span } of received) expect(span.name === name).toBe(true);
});
