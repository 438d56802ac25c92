/** `spanwire module try`: spans of a capture with a module that is being written, once and at every save. */
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, expect, test } from 'vitest';
import { loadParsers, type Parser } from '../../fuzz/parsers.ts';
import { packModule } from '../../parsers/build.ts';
import { CAPTURE, runModule, startModule } from './command.ts';
import { makeModule, temporaryFolder } from './fixtures.ts';

let redis: Parser;

beforeAll(async () => {
  redis = (await loadParsers()).find(({ name }) => name === 'redis')!;
});

/** As an editor or a compiler saves: whole or not at all. */
function save(file: string, content: Uint8Array): void {
  writeFileSync(`${file}.new`, content);
  renameSync(`${file}.new`, file);
}

function watchLog(child: ChildProcess): (pattern: RegExp) => Promise<string> {
  let log = '';
  child.stderr!.on('data', (data: Buffer) => {
    log += data.toString();
  });
  child.stdout!.resume();
  return async (pattern) => {
    while (!pattern.test(log)) await once(child.stderr!, 'data');
    const seen = log;
    log = '';
    return seen;
  };
}

test('a module takes the place of the shipped one of its name', async () => {
  const file = join(temporaryFolder(), 'mine.wasm');
  save(file, makeModule('redis', '9.8.7'));
  const { code, stdout, stderr } = await runModule('try', file, CAPTURE, '--printer', 'json');
  expect(code).toBe(0);
  const spans = stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));
  const own = spans.filter(({ attributes }) => attributes['db.system.name'] === 'redis');
  expect(own.length).toBeGreaterThan(10);
  expect(own.length).toBeLessThan(spans.length);
  expect(stderr).toContain(`redis 9.8.7: ${own.length} of ${spans.length} spans; 0 of`);
});

test('a module that fails on the way: the reason, and exit code 1', async () => {
  const file = join(temporaryFolder(), 'hungry.wasm');
  const { manifest, bytes } = redis;
  save(file, packModule(bytes, JSON.stringify({ ...manifest, limits: { ...manifest.limits, fuelPerKiB: 100 } }), ''));
  const { code, stderr } = await runModule('try', file, CAPTURE);
  expect(code).toBe(1);
  expect(stderr).toMatch(/failed (once|\d+ times): .*fuel/);
});

test('what cannot be tried says why', async () => {
  const missing = await runModule('try', 'redis', 'no-such.pcap');
  expect(missing).toMatchObject({ code: 1, stderr: expect.stringContaining('no-such.pcap') });
  const file = join(temporaryFolder(), 'broken.wasm');
  save(file, Buffer.from('not a module'));
  const broken = await runModule('try', file, CAPTURE);
  expect(broken).toMatchObject({ code: 1, stderr: expect.stringMatching(/not a WebAssembly binary/) });
});

test.each(['SIGINT', 'SIGTERM'] as const)('--watch: again at every save, past mistakes, until %s', async (signal) => {
  const file = join(temporaryFolder(), 'mine.wasm');
  save(file, redis.bytes);
  const child = startModule('try', file, CAPTURE, '--watch');
  const logged = watchLog(child);
  expect(await logged(/waiting for changes/)).toMatch(/redis .* spans/);
  save(file, Buffer.from('half a module'));
  expect(await logged(/waiting for changes/)).toMatch(/not a WebAssembly binary/);
  save(file, makeModule('redis', '9.8.7'));
  expect(await logged(/waiting for changes/)).toMatch(/redis 9\.8\.7: \d\d of/);
  child.kill(signal);
  const [code, killedBy] = await once(child, 'exit');
  expect([code, killedBy]).toEqual([0, null]);
});
