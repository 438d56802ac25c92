/**
 * Modules come, go and fail while connections are in the middle of a message: what they have begun goes on.
 * The module under test is http1 as it ships, with one addition: a chunk that begins with BOOM is a trap.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import type { ParserModule } from '../../host/wasm/admit.ts';
import { compileModule } from './compile.ts';
import { LINE_MANIFEST, lineModule } from './line-protocol.ts';
import { createRig, expectBalanced, type Rig } from './rig.ts';
import { Conversation } from './scripted-source.ts';

const ROOT = join(import.meta.dirname, '..', '..');
const HTTP1 = JSON.parse(readFileSync(join(ROOT, 'parsers', 'http1', 'manifest.json'), 'utf8'));
const CONNECTIONS = 1024;

const source = (migrate = '') => `
import { Chunk } from './parsers/sdk/chunk';
import { beginOutput, endOutput, enter } from './parsers/sdk/output';
import { consume } from './parsers/http1/frame';
export { abi_version, layout } from './parsers/sdk/module';
export { configure, open, close, identify } from './parsers/http1/index';

const BOOM: u32 = 0x4d4f4f42;

export function run(first: u32, end: u32): u32 {
  beginOutput();
  let index = first;
  while (index < end) {
    const chunk = enter(index);
    if (chunk.length > 4 && load<u32>(chunk.data) == BOOM) unreachable();
    if (!consume(chunk)) break;
    index++;
  }
  endOutput();
  return index;
}
${migrate}
`;

interface Versions {
  readonly first: ParserModule;
  readonly second: ParserModule;
  /** Another state version: nothing can be handed over to it. */
  readonly stranger: ParserModule;
  /** The same, with a migrate export. */
  readonly heir: ParserModule;
  /** Larger slots. */
  readonly roomier: ParserModule;
  /** An attribute means something else. */
  readonly renamed: ParserModule;
}

let v: Versions;
let line: ParserModule;

beforeAll(async () => {
  const migrate = 'export function migrate(_slot: u32, from: u32): i32 { return from == 1 ? 1 : 0; }';
  const renamed = structuredClone(HTTP1);
  renamed.attributes.find((one: { name: string }) => one.name === 'user_agent.original').name = 'user_agent.name';
  const [w0, w1, w2] = HTTP1.slots;
  v = {
    first: await compileModule(source(), HTTP1),
    second: await compileModule(source(), { ...HTTP1, version: '1.0.1' }),
    stranger: await compileModule(source(), { ...HTTP1, version: '2.0.0', stateVersion: 2 }),
    heir: await compileModule(source(migrate), { ...HTTP1, version: '2.0.1', stateVersion: 2 }),
    roomier: await compileModule(source(), { ...HTTP1, version: '1.1.0', slots: [w0, w1, w2, w2 + 6400] }),
    renamed: await compileModule(source(), { ...renamed, version: '1.2.0' }),
  };
  line = await lineModule();
}, 240_000);

const head = (path: string) => `GET ${path} HTTP/1.1\r\nHost: shop.example\r\n\r\n`;
const OK = 'HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello';

function talks(rig: Rig, count: number): Conversation[] {
  return Array.from({ length: count }, (_, i) => new Conversation(rig.source, i));
}

/** Connections that have had an exchange, so that they are known, and are in the middle of the next head. */
function begun(rig: Rig, count: number): Conversation[] {
  const all = talks(rig, count);
  for (const talk of all) talk.ask(head('/first'), 10);
  for (const talk of all) talk.answer(OK, 20);
  for (const talk of all) talk.ask(head('/second').slice(0, 12), 100);
  rig.run();
  return all;
}

function complete(talk: Conversation): void {
  talk.ask(head('/second').slice(12), 200);
  talk.answer(OK, 300);
}

const paths = (rig: Rig) => rig.spans.map(({ attributes }) => String(attributes['url.path'])).sort();
const loaded = (rig: Rig) =>
  rig.pipeline.modules(performance.now()).map(({ version, state, connections }) => [version, state, connections]);

describe('a trap in the middle of 1,024 half-parsed connections', () => {
  test('1,023 go on to correct spans, and the one at fault is found again', () => {
    const rig = createRig([v.first]);
    const all = talks(rig, CONNECTIONS);
    for (const [i, talk] of all.entries()) talk.ask(head(`/${i}`).slice(0, 20), 100);
    rig.run();
    for (const [i, talk] of all.entries()) talk.ask(`${i === 512 ? 'BOOM' : ''}${head(`/${i}`).slice(20)}`, 200);
    for (const talk of all) talk.answer(OK, 300);
    rig.run();
    expect(rig.failures).toEqual(['trap: unreachable']);
    expect(paths(rig)).toEqual(
      all
        .map((_, i) => `/${i}`)
        .filter((path) => path !== '/512')
        .sort(),
    );
    for (const span of rig.spans) {
      expect(span.endTimeUnixNano - span.startTimeUnixNano).toBe(200n);
      expect(span.attributes).toMatchObject({ 'http.response.status_code': 200, 'server.address': 'shop.example' });
    }
    all[512]!.ask(head('/again'), 400);
    all[512]!.answer(OK, 500);
    for (const talk of all) talk.close(600);
    rig.finish();
    expect(rig.spans).toHaveLength(CONNECTIONS);
    expect(paths(rig)).toContain('/again');
    expect(rig.count('connections_reidentified')).toBe(1);
    expectBalanced(rig);
  });

  test('again within seconds: all are identified anew, and the module comes back after its pause', () => {
    const rig = createRig([v.first]);
    const all = talks(rig, 4);
    const boom = () => {
      all[0]!.ask(head('/found'), 100);
      rig.run();
      all[0]!.ask(`BOOM${head('/x')}`, 100);
      rig.run();
    };
    for (const talk of all) talk.ask(head('/begun'), 50);
    boom();
    expect(loaded(rig)).toEqual([['1.0.0', 'running', 3]]);
    boom();
    expect(loaded(rig)).toEqual([['1.0.0', 'paused', 0]]);
    for (const talk of all) talk.ask(head('/while-paused'), 150);
    rig.run();
    expect(rig.ignored).toEqual([]);
    rig.pipeline.tick(performance.now() + 1100);
    for (let i = 0; i < 3; i++) for (const talk of all) talk.ask(head('/after'), 200);
    rig.run();
    expectBalanced(rig);
  });
});

describe('a swap', () => {
  test('in the middle of heads, bodies and answers: nothing is lost, nothing doubled', () => {
    const rig = createRig([v.first]);
    const all = begun(rig, 200);
    for (const talk of all) complete(talk);
    const versions = [v.second, v.first];
    const body = 'POST /post HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\n0123456789';
    for (let round = 0; round < 50; round++) {
      const text = round % 2 === 0 ? body : head(`/${round}`);
      const cut = 1 + ((round * 7) % (text.length - 1));
      for (const talk of all) talk.ask(text.slice(0, cut), 100);
      rig.run();
      const report = rig.pipeline.load(versions[round % 2]!, performance.now());
      expect(report).toMatchObject({ moved: 200, draining: 0 });
      for (const talk of all) talk.ask(text.slice(cut), 200);
      for (const talk of all) talk.answer(OK, 300);
      rig.run();
    }
    for (const talk of all) talk.close(400);
    rig.finish();
    expect(rig.spans).toHaveLength(200 * 52);
    expect(new Set(rig.spans.map((span) => span.endTimeUnixNano - span.startTimeUnixNano))).toEqual(
      new Set([10n, 200n]),
    );
    expect(rig.spans.filter(({ attributes }) => attributes['http.request.body.size'] === 10)).toHaveLength(200 * 25);
    rig.pipeline.tick(performance.now());
    expect(loaded(rig)).toEqual([['1.0.0', 'running', 0]]);
    expectBalanced(rig);
  });

  test('to other slot sizes: every connection is moved by itself', () => {
    const rig = createRig([v.first]);
    const all = begun(rig, 20);
    expect(rig.pipeline.load(v.roomier, performance.now())).toMatchObject({ moved: 20, draining: 0 });
    for (const talk of all) complete(talk);
    expect(rig.finish()).toHaveLength(40);
  });

  test('to another state version with migrate: handed over', () => {
    const rig = createRig([v.first]);
    const [talk] = begun(rig, 1);
    expect(rig.pipeline.load(v.heir, performance.now())).toMatchObject({ moved: 1, draining: 0 });
    complete(talk!);
    expect(rig.finish()).toHaveLength(2);
  });

  test.each([
    ['to another state version', 'stranger'],
    ['to a version in which an attribute means something else', 'renamed'],
  ] as const)('%s: old connections stay with the old version until they end', (_, version) => {
    const rig = createRig([v.first]);
    const [old] = begun(rig, 1);
    expect(rig.pipeline.load(v[version], performance.now())).toMatchObject({ moved: 0, draining: 1 });
    const young = new Conversation(rig.source, 1);
    young.ask(head('/new'), 150);
    young.answer(OK, 160);
    complete(old!);
    rig.run();
    expect(paths(rig)).toEqual(['/first', '/new', '/second']);
    const { version: next } = v[version].manifest;
    expect(loaded(rig)).toEqual([
      ['1.0.0', 'draining', 1],
      [next, 'running', 1],
    ]);
    old!.close(400);
    rig.run();
    expect(loaded(rig)).toEqual([[next, 'running', 1]]);
    expectBalanced(rig);
  });

  test('old versions do not pile up: the oldest loses its connections to the newest', () => {
    const rig = createRig([v.first]);
    for (let i = 0; i < 12; i++) {
      const talk = new Conversation(rig.source, i);
      talk.ask(head(`/${i}`), 100);
      talk.answer(OK, 200);
      rig.run();
      rig.pipeline.load(i % 2 === 0 ? v.stranger : v.first, performance.now());
      rig.pipeline.tick(performance.now());
    }
    expect(loaded(rig).filter(([, state]) => state === 'draining').length).toBeLessThanOrEqual(8);
    expect(rig.spans).toHaveLength(12);
    expectBalanced(rig);
  });

  test('a module that cannot start changes nothing', () => {
    const rig = createRig([v.first]);
    const [talk] = talks(rig, 1);
    talk!.ask(head('/a'), 100);
    rig.run();
    const tiny = { ...v.second, manifest: { ...v.second.manifest, limits: { ...HTTP1.limits, fuelPerKiB: 0 } } };
    expect(() => rig.pipeline.load(tiny, performance.now())).toThrow('module http1 cannot start: fuel used up');
    talk!.answer(OK, 200);
    expect(rig.finish()).toHaveLength(1);
  });
});

describe('a module that comes or goes', () => {
  test('comes: tried on connections that nobody knew, if that is not long ago', () => {
    const rig = createRig([line]);
    const [talk, old] = talks(rig, 2);
    old!.ask('GET / HTTP/1.1\r\n\r\n', 50);
    rig.pipeline.poll(performance.now() - 65_000);
    talk!.ask(head('/before'), 100);
    rig.run();
    expect(rig.ignored).toEqual([2, 1]);
    expect(rig.pipeline.load(v.first, performance.now())).toMatchObject({ revived: 1 });
    expect(rig.ignored).toEqual([2]);
    talk!.ask(head('/after'), 200);
    talk!.answer(OK, 300);
    talk!.ask(head('/more'), 400);
    talk!.answer(OK, 500);
    talk!.close(600);
    rig.finish();
    expect(paths(rig)).toEqual(['/after', '/more']);
    expect(rig.count('bytes_gap_lost')).toBe(0);
    expectBalanced(rig);
  });

  test('goes: what it had is identified anew', () => {
    const rig = createRig([v.first, line]);
    const [talk] = talks(rig, 1);
    talk!.ask(head('/a'), 100);
    rig.run();
    rig.pipeline.unload(v.first.digest);
    rig.pipeline.tick(performance.now());
    expect(loaded(rig).map(([version]) => version)).toEqual([LINE_MANIFEST.version]);
    for (let i = 0; i < 64; i++) talk!.ask('Q line\n', 200);
    talk!.answer('A line\n', 300);
    talk!.close(400);
    rig.finish();
    expect(rig.count('messages_dropped_desync')).toBe(1);
    expect(rig.count('connections_reidentified')).toBe(1);
    expectBalanced(rig);
  });
});
