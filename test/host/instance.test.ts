/**
 * A module's output is untrusted: whatever it does, its instance fails cleanly, connections go on, and nothing is
 * thrown into the pipeline.
 */
import { beforeAll, describe, expect, test } from 'vitest';
import { ParserInstance } from '../../host/wasm/instance.ts';
import { compileModule, type TestModule } from './compile.ts';
import { LINE_MANIFEST, lineModule, SLOTS } from './line-protocol.ts';
import { createRig, expectBalanced } from './rig.ts';
import { Conversation } from './scripted-source.ts';

let line: TestModule;

beforeAll(async () => {
  line = await lineModule();
}, 60_000);

function start() {
  const rig = createRig([line]);
  const good = new Conversation(rig.source, 0);
  const bad = new Conversation(rig.source, 1);
  good.ask('Q one\n', 100);
  good.answer('A one\n', 200);
  bad.ask('Q one\n', 100);
  bad.answer('A one\n', 200);
  rig.run();
  return { ...rig, rig, good, bad };
}

describe('a module that breaks its contract', () => {
  test.each([
    ['traps in run', '!t\n', 'trap: unreachable', 'parser_traps'],
    ['puts out a record of odd length', '!l\n', 'malformed output record', 'parser_bad_output'],
    ['puts out a record of no length', '!z\n', 'malformed output record', 'parser_bad_output'],
    ['speaks for a slot that is not there', '!f\n', 'malformed output record', 'parser_bad_output'],
    ['speaks for an address that is no slot', '!u\n', 'malformed output record', 'parser_bad_output'],
    ['lets an attribute overrun its message', '!a\n', 'malformed output record', 'parser_bad_output'],
    ['claims more attributes than there are', '!c\n', 'malformed output record', 'parser_bad_output'],
    ['names a protocol it has not', '!p\n', 'malformed output record', 'parser_bad_output'],
    ['puts out a message of type 0', '!0\n', 'malformed output record', 'parser_bad_output'],
    ['claims more output than its arena holds', '!o\n', 'bytes of output', 'parser_bad_output'],
    ['returns a chunk that is not there', '!r\n', 'run returned', 'parser_bad_output'],
    ['makes no progress', '!n\n', 'no progress', 'parser_bad_output'],
    ['puts out messages without progress', '!e\n', 'no progress', 'parser_bad_output'],
    ['grows its memory', '!m\n', 'grew', 'parser_bad_output'],
  ] as const)('%s: fails alone, and what follows is parsed', (_, bytes, reason, counter) => {
    const { rig, good, bad, failures, count } = start();
    bad.ask(bytes, 300);
    good.ask('Q two\n', 300);
    good.answer('A two\n', 400);
    rig.run();
    expect(failures, failures.join()).toHaveLength(1);
    expect(failures[0]).toContain(reason);
    expect(count(counter)).toBe(1);
    for (const one of [good, bad]) {
      one.ask('Q three\n', 500);
      one.answer('A three\n', 600);
      one.ask('Q four\n', 700);
      one.answer('A four\n', 800);
      one.close(900);
    }
    const methods = rig.finish().map(({ attributes }) => attributes['rpc.method']);
    expect(methods.filter((method) => method === 'three')).toHaveLength(2);
    expect(methods.filter((method) => method === 'four')).toHaveLength(2);
    expect(count('connections_closed')).toBe(2);
    expectBalanced(rig);
  });

  test('GROW without end: the connection is given up, the others do not notice', () => {
    const { rig, good, bad, failures, ignored, count } = start();
    bad.ask('!G\n', 300);
    good.ask('Q two\n', 300);
    good.answer('A two\n', 400);
    expect(rig.finish().map(({ attributes }) => attributes['rpc.method'])).toEqual(['one', 'one', 'two']);
    expect(failures).toEqual([]);
    expect(count('slots_grown')).toBe(SLOTS.length - 1);
    expect(count('connections_refused')).toBe(1);
    expect(count('connections_given_up')).toBe(1);
    expect(ignored).toEqual([2]);
    expectBalanced(rig);
  });

  test('a trap in open: the connection is refused, the others go on', () => {
    const { rig, good, bad, failures, count } = start();
    bad.ask('!O\n', 300);
    rig.run();
    new Conversation(rig.source, 2).ask('Q new\n', 400);
    rig.run();
    expect(failures).toEqual(['trap: unreachable']);
    expect(count('connections_refused')).toBe(1);
    good.ask('Q two\n', 500);
    good.answer('A two\n', 600);
    good.close(700);
    expect(rig.finish().map(({ attributes }) => attributes['rpc.method'])).toEqual(['one', 'one', 'two']);
    expectBalanced(rig);
  });

  test('a trap in close: the connection ends all the same', () => {
    const { rig, good, bad, source, failures, count } = start();
    bad.ask('!C\n', 300);
    bad.close(400);
    rig.run();
    expect(failures).toEqual(['trap: unreachable']);
    expect(source.released).toEqual([1]);
    good.ask('Q two\n', 500);
    good.answer('A two\n', 600);
    good.close(700);
    expect(rig.finish()).toHaveLength(3);
    expect(count('connections_closed')).toBe(2);
    expectBalanced(rig);
  });

  test('a trap in identify: the connection is unknown', () => {
    const rig = createRig([{ ...line, manifest: { ...line.manifest, magic: [] } }]);
    new Conversation(rig.source, 0).ask('??\n');
    rig.run();
    expect(rig.count('connections_unknown')).toBe(1);
    expect(rig.ignored).toEqual([1]);
  });

  test('traps again at once: paused', () => {
    const { rig, bad, count, retired } = start();
    for (let i = 0; i < 100; i++) {
      bad.ask('!t\n', 300);
      rig.run();
    }
    expect(count('parser_traps')).toBe(2);
    expect(retired).toEqual([]);
    expectBalanced(rig);
  });
});

describe('slots that move', () => {
  test('GROW keeps the state and offers the chunk again', () => {
    const { rig, good, count } = start();
    // Two lines so far, the command itself is the third: !w tells it from the larger slot.
    good.ask('!g\n!w\n', 300);
    const spans = rig.finish();
    expect(spans.at(-1)?.attributes['rpc.status']).toBe(3);
    expect(count('slots_grown')).toBe(1);
  });

  test('SHRINK happens after the run: later records of the same run name the old slot', () => {
    const { rig, good, count } = start();
    good.ask('!g\n', 300);
    rig.run();
    good.ask('!s\nQ two\n', 400);
    good.answer('A two\n!w\n', 500);
    const spans = rig.finish();
    expect(spans.at(-2)?.attributes['rpc.method']).toBe('two');
    expect(spans.at(-1)?.attributes['rpc.status']).toBe(6);
    expect(count('slots_shrunk')).toBe(1);
    expect(count('parser_bad_output')).toBe(0);
  });

  test('a module at its memory limit refuses connections and goes on with those it has', () => {
    const limits = { ...line.manifest.limits, memoryPages: 64 };
    const instance = new ParserInstance({ ...line, manifest: { ...line.manifest, slots: [512 * 1024], limits } }, 0);
    const consumer = {
      gaveUp() {},
      moved() {},
      refused() {},
      upgraded() {},
      failed: () => expect.unreachable(),
    };
    const slots = Array.from({ length: 20 }, (_, connection) => instance.open(connection, 0, consumer));
    const opened = slots.filter((slot) => slot !== 0);
    expect(opened.length).toBeGreaterThan(2);
    expect(opened.length).toBeLessThan(20);
    expect(instance.memoryBytes).toBeLessThanOrEqual(64 * 65536);
    instance.close(0, consumer);
    expect(instance.open(99, 0, consumer)).toBe(opened[0]);
    expect(instance.slots).toBe(opened.length);
  });
});

describe('layout', () => {
  const rest = `
    export function abi_version(): i32 { return 0x10000; }
    export function open(_slot: u32, _flags: u32): void {}
    export function close(_slot: u32): void {}
    export function identify(_count: u32): u32 { return 0; }
    export function run(_first: u32, end: u32): u32 { return end; }
    const record: usize = memory.data(24, 8);
    function place(input: u32, output: u32, slots: u32): u32 {
      store<u32>(record, input);
      store<u32>(record, output, 4);
      store<u32>(record, slots, 12);
      return <u32>record;
    }
    export function layout(input: u32, output: u32): u32 {
      memory.grow(100);
    `;
  test.each([
    ['is no address', 'return 0;'],
    ['lies outside', 'return 0x7ffffff0;'],
    ['has the arenas overlap', 'return place(65536, 65536 + input - 8, 4194304);'],
    ['has an arena outside', 'return place(65536, 101 << 16, 200 << 16);'],
    ['has slots inside an arena', 'return place(65536, 65536 + input, 65536 + input);'],
    ['has slots unaligned', 'return place(65536, 65536 + input, 4194304 + 8);'],
    ['has the input unaligned', 'return place(65537, 65536 * 20, 4194304);'],
    [
      'takes more memory than the manifest says',
      'return memory.grow(400) < 0 ? 0 : place(65536, 65536 + input, 4194304);',
    ],
    ['traps', 'unreachable(); return 0;'],
  ])('%s: refused with the name of the module', async (_, body) => {
    const limits = { ...LINE_MANIFEST.limits, memoryPages: 256 };
    const module = await compileModule(`${rest} ${body} }`, { ...LINE_MANIFEST, limits });
    expect(() => new ParserInstance(module, 0)).toThrow(/module line cannot start: (layout\(\)|trap)/);
  });

  test('results that are no i32: refused before any code of the module runs', async () => {
    const source = `${rest} return place(65536, 65536 + input, 4194304); }`
      .replace('run(_first: u32, end: u32): u32 { return end; }', 'run(_first: u32, end: u32): u64 { return end; }')
      .replace('identify(_count: u32): u32 { return 0; }', 'identify(_count: u32): u64 { return 100; }');
    await expect(compileModule(source, LINE_MANIFEST)).rejects.toThrow('export "identify" is (i32) → (i64)');
  });
});
