/**
 * Modules that never get near traffic: refused from their bytes alone, by the golden cases of others, or because they
 * cannot start. A refusal is an error of its own kind with words for the author, and the shard goes on as it was.
 */
import { describe, expect, test } from 'vitest';
import { createAcceptance } from '../../host/modules/accept.ts';
import { admitModule, type ParserModule } from '../../host/wasm/admit.ts';
import { MANIFEST_SECTION } from '../../host/wasm/manifest.ts';
import { RefusedError } from '../../host/wasm/refusal.ts';
import { appendCustomSection } from '../../host/wasm/sections.ts';
import { createRig } from '../host/rig.ts';
import { Conversation } from '../host/scripted-source.ts';
import { assemble, EVERYTHING } from '../host/wat.ts';
import { HOSTILE_MANIFEST, hostile, hostileBytes, hostileText, type Parts, SETTINGS, SPIN, TOLD } from './modules.ts';
import { besiege, shipped } from './siege.ts';

function refusal(bytes: Uint8Array<ArrayBuffer>): string {
  try {
    admitModule(bytes);
  } catch (error) {
    expect(error).toBeInstanceOf(RefusedError);
    return (error as Error).message;
  }
  throw new Error('was not refused');
}

const withManifest = (bytes: Uint8Array<ArrayBuffer>, text: string) =>
  appendCustomSection(bytes, MANIFEST_SECTION, Buffer.from(text));
const bare = () => assemble(hostileText({}));
const memory = (text: string) => ({ memory: text });

describe('refused for its code', () => {
  const MORE: readonly (readonly [string, string, string])[] = [
    ['a start function', '(func $start) (start $start)', 'has a start function'],
    ['an imported function', '', 'imports env.f; a module must import nothing'],
    ['a thread’s instruction', '(func (drop (i32.atomic.load (i32.const 0))))', 'threads'],
    ['a second memory', '(memory 1)', 'multiple memories'],
    ['a tail call', '(func $tail (return_call $tail))', 'tail calls'],
    ['exceptions', '(tag $e) (func (throw $e))', 'exceptions'],
    ['garbage collection', '(type $s (struct)) (func (drop (struct.new $s)))', 'garbage collection'],
    ['an export by the name of the fuel', '(export "spanwire_fuel" (global $at))', 'fuel export collision'],
    ['seventeen tables', '(table 1 funcref)'.repeat(17), 'has 17 tables'],
    ['a table of a million elements', '(table 1000000 funcref)', 'begins with 1000000 elements'],
    ['a type of a thousand parameters', `(func (param ${'i32 '.repeat(999)}))`, 'more than 32 parameters'],
  ];
  test.each(MORE)('%s', (_, more, reason) => {
    const text = more === '' ? `(import "env" "f" (func)) ${hostileText({})}` : hostileText({ more });
    const bytes = assemble(text, EVERYTHING);
    expect(refusal(withManifest(bytes, JSON.stringify(HOSTILE_MANIFEST)))).toContain(reason);
  });

  const REPLACED: readonly (readonly [string, Parts, string])[] = [
    ['a shared memory', memory('(memory (export "memory") 1 100 shared)'), 'threads (shared memory)'],
    ['a memory that begins above its limit', memory('(memory (export "memory") 129)'), 'begins with 129 pages'],
    ['a memory that is not exported', memory('(memory 1)'), 'lacks the export "memory"'],
    ['a table in place of its memory', memory('(memory 1) (table (export "memory") 1 funcref)'), 'is a table'],
  ];
  test.each(REPLACED)('%s', (_, parts, reason) => {
    const bytes = assemble(hostileText(parts), EVERYTHING);
    expect(refusal(withManifest(bytes, JSON.stringify(HOSTILE_MANIFEST)))).toContain(reason);
  });

  test('a 64-bit memory', () => {
    const text = '(memory (export "memory") i64 1)';
    expect(refusal(withManifest(assemble(text, EVERYTHING), JSON.stringify(HOSTILE_MANIFEST)))).toMatch(/64-bit|lacks/);
  });

  test.each(['abi_version', 'layout', 'open', 'identify', 'run', 'close'])('no export %s', (name) => {
    const text = hostileText({}).replace(`(export "${name}")`, '(export "else")');
    expect(refusal(withManifest(assemble(text), JSON.stringify(HOSTILE_MANIFEST)))).toContain(
      `lacks the export "${name}"`,
    );
  });

  test('a configure that takes something else, but not where no settings are named', () => {
    const more = '(func (export "configure") (param i64) (result i32) (i32.const 1))';
    expect(refusal(hostileBytes({ more }, TOLD))).toContain('export "configure" is (i64) → (i32)');
    const old = hostile({ more });
    expect(old.manifest.settings).toEqual([]);
    besiege(old, shipped, SETTINGS).expectHeld();
  });

  test('a migrate that takes something else', () => {
    const more = '(func (export "migrate") (param i64 i32) (result i32) (i32.const 1))';
    expect(refusal(hostileBytes({ more }))).toContain('export "migrate" is (i64, i32) → (i32)');
  });

  test('more than a MiB, whatever it is', () => {
    for (const name of ['padding', 'name', 'spanwire.cases']) {
      const large = appendCustomSection(hostileBytes(), name, new Uint8Array(1024 * 1024));
      expect(refusal(large)).toContain('at most 1048576 are allowed');
    }
  });
});

describe('refused for its manifest', () => {
  const [protocol] = HOSTILE_MANIFEST.protocols;
  const attribute = { id: 9, name: 'rpc.more', type: 'string' };
  test.each([
    ['another ABI', { abi: { major: 2, minor: 0 } }, 'speaks ABI 2.0'],
    ['no protocol', { protocols: [] }, 'protocols'],
    ['slots that are not aligned', { slots: [100] }, 'must be a multiple of 64'],
    ['slots that shrink', { slots: [128, 64] }, 'sizes must ascend'],
    ['slots of a GiB', { slots: [2 ** 30] }, 'slots.0'],
    ['slots of nothing', { slots: [0] }, 'slots.0'],
    ['five sizes of slots', { slots: [64, 128, 192, 256, 320] }, 'slots'],
    ['an unknown redaction', { attributes: [{ ...attribute, redaction: 'rot13' }] }, 'attributes.0.redaction'],
    ['the id of a reference', { attributes: [{ ...attribute, id: 0 }] }, 'attributes.0.id'],
    [
      'an id twice',
      { attributes: [attribute, { ...attribute, name: 'rpc.other' }] },
      'attribute id 9 is defined twice',
    ],
    ['a name of the host', { attributes: [{ ...attribute, name: 'service.name' }] }, "namespace that is the host's"],
    [
      'a status by a name of the host',
      { protocols: [{ ...protocol, status: { attribute: 'k8s.pod', error: {} } }] },
      "host's",
    ],
    [
      'a constant by a name of the host',
      { protocols: [{ ...protocol, constants: { 'process.pid': 1 } }] },
      'protocols.0',
    ],
    [
      'a span name of what is not there',
      { protocols: [{ ...protocol, spanName: '{env.PATH}' }] },
      'spanName refers to',
    ],
    ['a span name with half a brace', { protocols: [{ ...protocol, spanName: '{{rpc.method}' }] }, 'unpaired brace'],
    [
      'more memory than there may be',
      { limits: { ...HOSTILE_MANIFEST.limits, memoryPages: 65_536 } },
      'limits.memoryPages',
    ],
    ['more fuel than there may be', { limits: { ...HOSTILE_MANIFEST.limits, fuelPerKiB: 1e9 } }, 'limits.fuelPerKiB'],
    ['fuel that is no number', { limits: { ...HOSTILE_MANIFEST.limits, fuelPerKiB: '1' } }, 'limits.fuelPerKiB'],
    [
      'an output that holds no message',
      { limits: { ...HOSTILE_MANIFEST.limits, outputPerCall: 64 } },
      'limits.outputPerCall',
    ],
    ['a magic of a KiB', { magic: ['x'.repeat(1024)] }, 'magic.0'],
    ['a key nobody knows', { network: 'allow' }, 'network'],
    ['a name that is a path', { name: '../http1' }, 'name'],
  ])('%s', (_, change, reason) => {
    expect(refusal(hostileBytes({}, change))).toContain(reason);
  });

  test.each([
    ['no JSON', '{', 'manifest is not JSON'],
    ['nothing', '', 'manifest is not JSON'],
    ['a hundred thousand brackets', '['.repeat(100_000) + ']'.repeat(100_000), 'manifest'],
    ['objects nested without end', '{"name":'.repeat(20_000), 'manifest is not JSON'],
    ['a list', '[]', 'manifest: (root)'],
    ['a prototype', '{"__proto__":{"name":"x"}}', 'manifest'],
    ['300 KiB', ' '.repeat(300 * 1024), 'at most 262144 are read'],
  ])('%s', (_, text, reason) => {
    expect(refusal(withManifest(bare(), text))).toContain(reason);
  });

  test('10 MB of it', () => {
    expect(refusal(withManifest(bare(), ' '.repeat(10_000_000)))).toContain('at most 1048576 are allowed');
  });

  test('two of it, none of it, bytes that are no text', () => {
    expect(refusal(withManifest(hostileBytes(), '{}'))).toContain('has 2 sections');
    expect(refusal(bare())).toContain('lacks the custom section');
    expect(refusal(appendCustomSection(bare(), MANIFEST_SECTION, Buffer.from([0xff, 0xfe])))).toBe(
      'manifest is not UTF-8',
    );
  });
});

describe('broken on its way', () => {
  const whole = hostileBytes();

  test('cut off, at every byte: refused', () => {
    for (let length = 0; length < whole.length; length++) refusal(whole.slice(0, length));
  });

  test('a byte changed, in five hundred places: refused, or as harmless as any', () => {
    const random = randomNumbers(42);
    const end = bare().length;
    let admitted = 0;
    for (let i = 0; i < 500; i++) {
      const bytes = whole.slice();
      bytes[8 + (random() % (end - 8))] = random();
      const module = admitted < 40 ? admittedOrRefused(bytes) : undefined;
      if (module === undefined) continue;
      admitted++;
      survive(module);
    }
    expect(admitted).toBe(40);
  });

  test('names that go on for ever: they say nothing to the host', () => {
    const names = Uint8Array.from([1, 0xff, 0xff, 0xff, 0xff, 0x0f, 0xff, 0xff, 0xff, 0x7f]);
    const siege = besiege(admitModule(appendCustomSection(hostileBytes({ bad: '(unreachable)' }), 'name', names)));
    siege.round(([one]) => one!.ask('!', 10));
    expect(siege.failures).toEqual(['trap: unreachable']);
    siege.expectHeld();
  });
});

function admittedOrRefused(bytes: Uint8Array<ArrayBuffer>): ParserModule | undefined {
  try {
    return admitModule(bytes);
  } catch (error) {
    expect(error).toBeInstanceOf(RefusedError);
    return undefined;
  }
}

/** It may refuse to start; else the others lose nothing. */
function survive(module: ParserModule): void {
  try {
    createRig([module]);
  } catch (error) {
    if (!(error instanceof WebAssembly.RuntimeError)) expect((error as Error).message).toContain('cannot start');
    return;
  }
  const siege = besiege(module);
  siege.round((attackers) => {
    for (const one of attackers) one.ask('E more', 20);
  });
  siege.expectHeld();
}

/** xorshift32. */
function randomNumbers(seed: number): () => number {
  let state = seed;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return state >>> 0;
  };
}

describe('cannot start', () => {
  const store = (field: number, value: string) => `(i32.store offset=${field} (i32.const 64) ${value}) (i32.const 64)`;
  test.each<readonly [string, Parts, RegExp]>([
    ['speaks another ABI than its manifest', { abiVersion: '(i32.const 0x20000)' }, /abi_version\(\) says 2\.0/],
    ['traps when asked for its version', { abiVersion: '(unreachable)' }, /trap: unreachable/],
    ['never tells its version', { abiVersion: `${SPIN} (i32.const 0)` }, /fuel used up/],
    ['never returns from layout', { layout: SPIN }, /fuel used up/],
    ['traps in layout', { layout: '(unreachable)' }, /trap: unreachable/],
    ['has no layout', { layoutResult: '(i32.const 0)' }, /found no memory/],
    ['has a layout outside of its memory', { layoutResult: '(i32.const -8)' }, /points outside/],
    ['has a layout that is not aligned', { layoutResult: '(i32.const 68)' }, /points outside/],
    ['has its input in its output', { layoutResult: store(0, '(global.get $out)') }, /overlap/],
    [
      'has its output behind its memory',
      { layoutResult: store(4, '(i32.const 0x7ffffff8)') },
      /overlap or lie outside/,
    ],
    ['has slots in its output', { layoutResult: store(12, '(i32.const 65536)') }, /overlap or lie outside/],
    [
      'has slots that are not aligned',
      { layoutResult: store(12, '(i32.add (global.get $slots) (i32.const 8))') },
      /overlap/,
    ],
    [
      'has its layout in its input',
      { layoutResult: '(memory.copy (i32.const 1024) (i32.const 64) (i32.const 24)) (i32.const 1024)' },
      /overlap/,
    ],
    ['has data behind its memory', { more: '(data (i32.const 65530) "too long")' }, /out of bounds/],
  ])('%s', (_, parts, reason) => {
    const siege = besiege(hostile());
    const next = hostile(parts, { name: 'another' });
    expect(() => siege.pipeline.load(next, performance.now())).toThrow(reason);
    expect(siege.pipeline.modules(performance.now()).map(({ name }) => name)).not.toContain('another');
    siege.expectHeld();
  });

  test.each<readonly [string, string, RegExp]>([
    ['traps', '(unreachable)', /trap: unreachable/],
    ['never ends', `${SPIN} (i32.const 1)`, /fuel used up/],
    ['says no', '(i32.const 0)', /configure\(\) returned 0: it cannot take the settings/],
    ['says what it must not', '(i32.const 2)', /configure\(\) returned 2/],
    ['grows its memory', '(drop (memory.grow (i32.const 1))) (i32.const 1)', /configure\(\) grew the memory/],
    ['writes behind its memory', '(i32.store (i32.const -8) (i32.const 1)) (i32.const 1)', /out of bounds/],
  ])('a configure that %s', (_, configure, reason) => {
    const siege = besiege(hostile(), shipped, SETTINGS);
    const next = hostile({ configure }, { ...TOLD, name: 'another' });
    expect(() => siege.pipeline.load(next, performance.now())).toThrow(reason);
    expect(siege.pipeline.modules(performance.now()).map(({ name }) => name)).not.toContain('another');
    siege.expectHeld();
  });

  test('a new version that cannot take the settings: the old one goes on', () => {
    const siege = besiege(hostile({ configure: '(i32.const 1)' }, TOLD), shipped, SETTINGS);
    const next = hostile({ configure: '(i32.const 0)' }, { ...TOLD, version: '1.1.0' });
    expect(() => siege.pipeline.load(next, performance.now())).toThrow(/returned 0/);
    expect(siege.status()).toMatchObject({ version: '1.0.0', state: 'running', connections: 4 });
    siege.expectHeld();
  });

  test('slots at the end of the address space: it starts, and no connection gets one', () => {
    const siege = besiege(hostile({ layoutResult: store(12, '(i32.const -64)') }));
    expect(siege.count('connections_refused')).toBe(4);
    siege.expectHeld();
  });
});

describe('claims what is not its own', () => {
  const GREEDY = { magic: [], ports: [6379, 8080] };
  const accept = (parts: Parts, manifest: object = GREEDY) => {
    const bytes = hostileBytes(parts, manifest);
    return createAcceptance(shipped)(bytes, admitModule(bytes));
  };

  test.each<readonly [string, string, string]>([
    ['everything', '(i32.const 100)', 'claims the traffic of http1'],
    ['everything, the other way round', '(i32.const 0x164)', 'claims the traffic of http1'],
    ['a little of everything', '(i32.const 2)', 'claims the traffic of http1'],
    [
      'what begins with *',
      '(select (i32.const 60) (i32.const 0) (i32.eq (call $byte (i32.const 0)) (i32.const 0x2a)))',
      'claims the traffic of redis',
    ],
    ['nothing, but burns all fuel', `${SPIN} (i32.const 0)`, 'identify() failed on the traffic of another protocol'],
    ['nothing, but traps', '(unreachable)', 'identify() failed on the traffic of another protocol'],
    ['what no verdict says', '(i32.const 0x7fffffff)', 'identify() failed on the traffic of another protocol'],
  ])('%s: not accepted', async (_, identify, reason) => {
    expect(await accept({ identify })).toContain(reason);
  });

  test('what is its own: accepted; less than that, what is left of a request may be taken for it', async () => {
    const own = '(i32.eq (i32.load16_u (i32.load offset=8 (call $chunk (i32.const 0)))) (i32.const 0x2045))';
    expect(await accept({ identify: `(select (i32.const 100) (i32.const 0) ${own})` })).toBeUndefined();
    expect(await accept({}, {})).toContain('says yes to "Joined in the middle of a request line"');
  });

  test('one that is not asked before it runs costs those it outbids, and only those', () => {
    const siege = besiege(hostile({ identify: '(i32.const 90)' }, { magic: [] }));
    // Less certain than HTTP/1 with a method and a version, more than a Redis command alone.
    const web = new Conversation(siege.source, 80);
    web.ask('GET /mine HTTP/1.1\r\nHost: x.example\r\n\r\n', 5);
    web.answer('HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n', 6);
    const cache = new Conversation(siege.source, 81, { localPort: 6379 });
    cache.ask('PING\r\n', 5);
    cache.answer('+PONG\r\n', 6);
    siege.run();
    const early = siege.spans.filter(({ startTimeUnixNano }) => startTimeUnixNano === 5n);
    expect(early.map(({ protocol }) => protocol).sort()).toEqual(['hostile', 'http']);
  });
});
