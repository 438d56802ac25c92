/** Attribute records are bytes of an untrusted module: what is no value of its type is left out. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { decodeAttributes } from '../../host/spans/attributes.ts';
import { nameSpan, ProtocolTable, spanKind } from '../../host/spans/protocols.ts';
import type { Attributes } from '../../host/spans/span.ts';
import { parseManifest } from '../../host/wasm/manifest.ts';
import { LINE_MANIFEST } from './line-protocol.ts';
import { refined } from './message-memory.ts';

const MANIFEST = parseManifest(
  JSON.stringify({
    ...LINE_MANIFEST,
    abi: { major: 1, minor: 1 },
    settings: ['a.keys'],
    protocols: [
      { ...LINE_MANIFEST.protocols[0], spanName: '{a.string} to {a.int}', spanNameFallback: 'only {a.string}' },
    ],
    attributes: [
      { id: 1, name: 'a.string', type: 'string' },
      { id: 2, name: 'a.int', type: 'int' },
      { id: 3, name: 'a.double', type: 'double' },
      { id: 4, name: 'a.boolean', type: 'boolean' },
      { id: 5, name: 'a.hidden', type: 'string', optIn: true },
      { id: 6, name: 'a.header', type: 'pair', keys: 'a.keys' },
      { id: 7, name: 'a.header.known', type: 'string' },
      { id: 60, name: 'tracestate', type: 'string', role: 'tracestate' },
      { id: 61, name: 'traceparent', type: 'string', role: 'traceparent' },
    ],
  }),
);

const SETTINGS = new Map([['a.keys', ['X-Id', 'cookie', 'x-api-key', 'known']]]);

function protocolFor(optIn: string[] = []) {
  const table = new ProtocolTable();
  return table.list[table.add(MANIFEST, new Set(optIn), SETTINGS)]!;
}

function decode(list: { id: number; value: Uint8Array | string }[], optIn: string[] = []) {
  const into: Attributes = {};
  const protocol = protocolFor(optIn);
  const { words, count } = refined(protocol, list);
  const traceState = decodeAttributes(into, protocol, words, 0, count);
  return { into, traceState };
}

function pair(key: string, value: string | Uint8Array, keyLength = key.length): Uint8Array {
  return Buffer.concat([Uint8Array.of(keyLength & 0xff, keyLength >>> 8), Buffer.from(key), Buffer.from(value)]);
}

function int(value: bigint): Uint8Array {
  const bytes = Buffer.alloc(8);
  bytes.writeBigInt64LE(value);
  return bytes;
}

function double(value: number): Uint8Array {
  const bytes = Buffer.alloc(8);
  bytes.writeDoubleLE(value);
  return bytes;
}

describe('decodeAttributes', () => {
  test('values of every type', () => {
    const list = [
      { id: 1, value: 'text' },
      { id: 2, value: int(-5n) },
      { id: 3, value: double(1.5) },
      { id: 4, value: new Uint8Array([1]) },
    ];
    expect(decode(list).into).toEqual({ 'a.string': 'text', 'a.int': -5, 'a.double': 1.5, 'a.boolean': true });
  });

  test('bytes that are no UTF-8 become U+FFFD, a byte order mark stays', () => {
    expect(decode([{ id: 1, value: new Uint8Array([0x61, 0xff, 0xc3]) }]).into).toEqual({
      'a.string': 'a\ufffd\ufffd',
    });
    expect(decode([{ id: 1, value: '\ufeffx' }]).into).toEqual({ 'a.string': '\ufeffx' });
    expect(decode([{ id: 1, value: '' }]).into).toEqual({ 'a.string': '' });
  });

  test.each([
    ['an int of 4 bytes', 2, 4],
    ['an int of no bytes', 2, 0],
    ['an int of 16 bytes', 2, 16],
    ['a double of 7 bytes', 3, 7],
    ['a boolean of 4 bytes', 4, 4],
    ['a boolean of no bytes', 4, 0],
    ['an id the manifest has not', 9, 5],
    ['id 0', 0, 5],
  ])('%s is left out, what follows is read', (_, id, length) => {
    const { into } = decode([
      { id, value: new Uint8Array(length).fill(7) },
      { id: 1, value: 'after' },
    ]);
    expect(into).toEqual({ 'a.string': 'after' });
  });

  test('pairs of a key are elements of one array, by the name that was asked for', () => {
    const list = [pair('x-id', 'one'), pair('X-ID', ''), pair('x-id', new Uint8Array([0x61, 0xff]))];
    expect(decode(list.map((value) => ({ id: 6, value }))).into).toEqual({ 'a.header.x-id': ['one', '', 'a\ufffd'] });
  });

  test.each([
    ['of a key that nobody asked for', pair('x-ids', 'v')],
    ['of a key that begins like one', pair('x-i', 'v')],
    ['of no key', pair('', 'x-id')],
    ['of a key longer than the value', pair('x-id', 'v', 6)],
    ['of a key of 65,535 bytes', pair('x-id', 'v', 0xffff)],
    ['of a single byte', new Uint8Array([1])],
    ['of nothing', new Uint8Array(0)],
  ])('a pair %s is left out', (_, value) => {
    const { into } = decode([
      { id: 6, value },
      { id: 1, value: 'after' },
    ]);
    expect(into).toEqual({ 'a.string': 'after' });
  });

  test('values of fields that hold secrets are never shown', () => {
    const { into } = decode(['cookie', 'X-Api-Key'].map((key) => ({ id: 6, value: pair(key, 'abc') })));
    expect(into).toEqual({ 'a.header.cookie': ['REDACTED'], 'a.header.x-api-key': ['REDACTED'] });
  });

  test('a pair does not replace what the module says in an attribute of that name', () => {
    const { into } = decode([
      { id: 7, value: 'decoded' },
      { id: 6, value: pair('known', 'raw') },
    ]);
    expect(into).toEqual({ 'a.header.known': 'decoded' });
  });

  test('the value of a pair is cut at 2048 bytes', () => {
    const { into } = decode([{ id: 6, value: pair('x-id', 'x'.repeat(3000)) }]);
    expect((into['a.header.x-id'] as string[])[0]).toHaveLength(2048);
  });

  test('the lists that pairs become are not a module’s to write', () => {
    // Behind the manifest's last id.
    const list = [62, 63, 64, 65].map((id) => ({ id, value: 'forged' }));
    expect(decode(list).into).toEqual({});
  });

  test('strings are cut at 2048 bytes', () => {
    const { into } = decode([{ id: 1, value: 'x'.repeat(3000) }]);
    expect(into['a.string']).toHaveLength(2048);
  });

  test('opt-in attributes come only where asked for', () => {
    const list = [{ id: 5, value: 'secret' }];
    expect(decode(list).into).toEqual({});
    expect(decode(list, ['a.hidden']).into).toEqual({ 'a.hidden': 'secret' });
  });

  test('trace context is no attribute', () => {
    const { into, traceState } = decode([
      { id: 60, value: 'a=1' },
      { id: 61, value: '00-…' },
    ]);
    expect(into).toEqual({});
    expect(traceState).toBe('a=1');
  });

  test('every list of strings and ints comes back', () => {
    const value = fc.oneof(
      fc.record({ id: fc.constant(1), value: fc.string({ unit: 'grapheme', maxLength: 50 }) }),
      fc.record({ id: fc.constant(2), value: fc.maxSafeInteger().map((n) => int(BigInt(n))) }),
    );
    fc.assert(
      fc.property(fc.array(value, { maxLength: 20 }), (list) => {
        const expected: Attributes = {};
        for (const one of list) {
          if (typeof one.value === 'string') expected['a.string'] = one.value;
          else expected['a.int'] = Number(Buffer.from(one.value).readBigInt64LE());
        }
        expect(decode(list).into).toEqual(expected);
      }),
    );
  });
});

describe('nameSpan', () => {
  test.each([
    [{ 'a.string': 'GET', 'a.int': 3 }, 'GET to 3'],
    [{ 'a.string': 'GET' }, 'only GET'],
    [{ 'a.string': '_OTHER', 'a.int': 3 }, LINE_MANIFEST.protocols[0]!.name],
    [{ 'a.string': '', 'a.int': 0 }, ' to 0'],
  ])('%o is %s', (attributes, name) => {
    expect(nameSpan(protocolFor(), attributes)).toBe(name);
  });
});

describe('spanKind', () => {
  const kindOf = (kind: 'messaging' | 'rpc', operation: string | undefined, isServer = false) =>
    spanKind(
      { ...protocolFor(), kind },
      operation === undefined ? {} : { 'messaging.operation.type': operation },
      isServer,
    );

  test('a client produces, consumes, or merely asks; a server serves', () => {
    const operations = ['create', 'send', 'receive', 'process', 'settle', undefined];
    expect(operations.map((operation) => kindOf('messaging', operation))).toEqual([
      'producer',
      'producer',
      'consumer',
      'consumer',
      'client',
      'client',
    ]);
    expect(new Set(operations.map((operation) => kindOf('messaging', operation, true)))).toEqual(new Set(['server']));
    expect(kindOf('rpc', 'send')).toBe('client');
  });
});
