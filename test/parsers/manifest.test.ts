/** The static checks of host/wasm/manifest.ts: what is refused, and that the reason is said. No guest code runs. */
import { describe, expect, test } from 'vitest';
import { MANIFEST_SECTION, parseManifest, readManifest } from '../../host/wasm/manifest.ts';
import { RefusedError } from '../../host/wasm/refusal.ts';
import { appendCustomSection, hasStartSection, WasmFormatError } from '../../host/wasm/sections.ts';

type Json = Record<string, unknown>;

const attribute = { id: 1, name: 'db.operation.name', type: 'string' };
const protocol = {
  name: 'demo',
  kind: 'db',
  pairing: 'fifo',
  spanName: '{db.operation.name}',
  spanNameFallback: 'demo',
  constants: { 'db.system.name': 'demo' },
};
const manifest = {
  name: 'demo',
  version: '1.0.0',
  abi: { major: 1, minor: 0 },
  protocols: [protocol],
  ports: [1234],
  magic: ['\u0016\u0003', '*'],
  minBytes: 1,
  accepts: [],
  slots: [64, 256],
  stateVersion: 1,
  limits: { memoryPages: 16, fuelPerKiB: 1000, outputPerCall: 65536 },
  attributes: [attribute],
  settings: [],
};
/** What makes a manifest of version 1.1. */
const pair = { id: 2, name: 'db.header', type: 'pair', keys: 'db.keys' };
const told = { abi: { major: 1, minor: 1 }, settings: ['db.keys'], attributes: [attribute, pair] };

const text = (change: Json = {}) => JSON.stringify({ ...manifest, ...change });

describe('a manifest', () => {
  test('is read as it stands', () => {
    expect(parseManifest(text())).toEqual(manifest);
  });

  test('may name constants and the status attribute in the span name', () => {
    const status = { attribute: 'demo.status', error: { server: 500, client: 400 } };
    const spanName = '{db.system.name} {demo.status}';
    expect(() => parseManifest(text({ protocols: [{ ...protocol, spanName, status }] }))).not.toThrow();
  });

  const refused: readonly (readonly [string, Json, string])[] = [
    ['another ABI major', { abi: { major: 2, minor: 0 } }, 'speaks ABI 2.0, this host speaks 1.x'],
    ['a key nobody knows', { portz: [1] }, 'portz'],
    ['no protocol', { protocols: [] }, 'protocols'],
    ['an attribute id of 0', { attributes: [{ ...attribute, id: 0 }] }, 'attributes.0.id'],
    ['an attribute id above 65535', { attributes: [{ ...attribute, id: 65_536 }] }, 'attributes.0.id'],
    ['an attribute id twice', { attributes: [attribute, { ...attribute, name: 'x' }] }, 'attribute id 1'],
    [
      'an attribute name twice',
      { attributes: [attribute, { ...attribute, id: 2 }] },
      'attribute name db.operation.name',
    ],
    ['a pair without keys', { ...told, attributes: [{ ...pair, keys: undefined }] }, 'a pair has keys'],
    ['keys of what is no pair', { ...told, attributes: [{ ...pair, type: 'string' }] }, 'a pair has keys'],
    ['keys of no setting', { ...told, settings: [] }, 'which is none of the settings'],
    ['a pair that is redacted', { ...told, attributes: [attribute, { ...pair, redaction: 'auth' }] }, 'only a string'],
    ['a setting twice', { ...told, settings: ['db.keys', 'db.keys'] }, 'setting db.keys'],
    ['settings in version 1.0', { ...told, abi: manifest.abi }, 'settings need ABI 1.1'],
    ['a span named by a pair', { ...told, protocols: [{ ...protocol, spanName: '{db.header}' }] }, 'refers to'],
    ['an unknown attribute type', { attributes: [{ ...attribute, type: 'bytes' }] }, 'attributes.0.type'],
    ['a span name of unknown attributes', { protocols: [{ ...protocol, spanName: '{nope}' }] }, 'refers to "nope"'],
    ['a span name with an unpaired brace', { protocols: [{ ...protocol, spanName: 'a{' }] }, 'unpaired brace'],
    ['redaction of a number', { attributes: [{ ...attribute, type: 'int', redaction: 'sql' }] }, 'only a string'],
    [
      'protocols that pair in different ways',
      { protocols: [protocol, { ...protocol, name: 'other', pairing: 'key' }] },
      'the same pairing',
    ],
    [
      'an attribute in the host\u2019s namespace',
      { attributes: [{ ...attribute, name: 'service.name' }] },
      'namespace',
    ],
    ['a slot size that is no multiple of 64', { slots: [100] }, 'slots.0: must be a multiple of 64'],
    ['a slot larger than any', { slots: [64 * 1024 * 1024] }, 'slots.0'],
    ['slots that do not ascend', { slots: [256, 256] }, 'must ascend'],
    ['five slot classes', { slots: [64, 128, 192, 256, 320] }, 'slots'],
    ['more memory than any module gets', { limits: { ...manifest.limits, memoryPages: 65_536 } }, 'limits.memoryPages'],
    ['less output than a message', { limits: { ...manifest.limits, outputPerCall: 100 } }, 'limits.outputPerCall'],
    ['a magic that is not Latin-1', { magic: ['\u20ac'] }, 'magic.0'],
    ['a port that is none', { ports: [0] }, 'ports.0'],
    ['a version that is none', { version: 'one' }, 'version'],
  ];
  for (const [what, change, reason] of refused) {
    test(`with ${what} is refused`, () => {
      expect(() => parseManifest(text(change))).toThrow(RefusedError);
      expect(() => parseManifest(text(change))).toThrow(reason);
    });
  }

  test('that is not JSON is refused', () => {
    expect(() => parseManifest('{')).toThrow('not JSON');
  });
});

/** A module with the given exports (functions without parameters, and a memory) in the text of the specification. */
function moduleWith({
  exports,
  start = false,
}: {
  exports: readonly string[];
  start?: boolean;
}): Uint8Array<ArrayBuffer> {
  const vector = (items: readonly (readonly number[])[]) => [items.length, ...items.flat()];
  const section = (id: number, body: readonly number[]) => [id, body.length, ...body];
  const entry = (name: string) => [name.length, ...Buffer.from(name), name === 'memory' ? 2 : 0, 0];
  return new Uint8Array([
    ...[0x00, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
    ...section(1, vector([[0x60, 0, 0]])),
    ...section(3, vector([[0]])),
    ...section(5, vector([[0, 1]])),
    ...section(7, vector(exports.map(entry))),
    ...(start ? section(8, [0]) : []),
    ...section(10, vector([[2, 0, 0x0b]])),
  ]);
}

describe('a module', () => {
  const exports = ['memory', 'abi_version', 'layout', 'open', 'identify', 'run', 'close'];
  const described = (bytes: Uint8Array, content = text()) =>
    appendCustomSection(bytes, MANIFEST_SECTION, new TextEncoder().encode(content));

  test('with everything it needs is accepted, as bytes and compiled', () => {
    const bytes = described(moduleWith({ exports }));
    expect(readManifest(bytes)).toEqual(manifest);
    expect(readManifest(new WebAssembly.Module(bytes))).toEqual(manifest);
  });

  test('that names settings has configure, or is refused', () => {
    const content = text(told);
    expect(() => readManifest(described(moduleWith({ exports }), content))).toThrow('lacks the export "configure"');
    expect(readManifest(described(moduleWith({ exports: [...exports, 'configure'] }), content))).toMatchObject(told);
  });

  test('with a start function is refused', () => {
    const bytes = described(moduleWith({ exports, start: true }));
    expect(hasStartSection(bytes)).toBe(true);
    expect(() => readManifest(bytes)).toThrow('has a start function');
  });

  test('that lacks an export, or has it in another kind, is refused', () => {
    expect(() => readManifest(described(moduleWith({ exports: exports.slice(0, -1) })))).toThrow(
      'lacks the export "close"',
    );
    const odd = moduleWith({ exports });
    odd[
      odd.indexOf(
        0x02,
        odd.findIndex((_, at) => Buffer.from(odd).toString('latin1', at, at + 6) === 'memory'),
      )
    ] = 0;
    expect(() => readManifest(described(odd))).toThrow('export "memory" is a function, must be a memory');
  });

  test('that imports anything is refused', () => {
    const importing = new Uint8Array([
      ...[0x00, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
      ...[1, 4, 1, 0x60, 0, 0],
      ...[2, 7, 1, 1, 0x65, 1, 0x66, 0, 0],
    ]);
    expect(() => readManifest(described(importing))).toThrow('imports e.f; a module must import nothing');
  });

  test('without a manifest, with two, or with one that is not UTF-8, is refused', () => {
    const bytes = moduleWith({ exports });
    expect(() => readManifest(bytes)).toThrow('lacks the custom section');
    expect(() => readManifest(described(described(bytes)))).toThrow('has 2 sections');
    const broken = appendCustomSection(bytes, MANIFEST_SECTION, new Uint8Array([0xff, 0xfe]));
    expect(() => readManifest(broken)).toThrow('not UTF-8');
    expect(() => readManifest(described(bytes, ' '.repeat(300_000)))).toThrow('300000 bytes');
  });

  test('that is no module, or a cut one, is refused', () => {
    expect(() => readManifest(new Uint8Array([1, 2, 3]))).toThrow('not a valid module');
    const bytes = described(moduleWith({ exports }));
    for (let length = 0; length < bytes.length; length++) {
      expect(() => readManifest(bytes.slice(0, length)), `${length} bytes`).toThrow(RefusedError);
    }
  });

  test('the section walk stops at the end of its bytes', () => {
    expect(() => hasStartSection(new Uint8Array([0, 0, 0, 0, 0, 0, 0, 0, 1, 200, 1]))).toThrow(WasmFormatError);
    expect(() => hasStartSection(new Uint8Array([0, 0, 0, 0, 0, 0, 0, 0, 1, 128, 128, 128, 128, 128]))).toThrow(
      WasmFormatError,
    );
  });
});
