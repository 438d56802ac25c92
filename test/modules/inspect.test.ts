/** `spanwire module inspect`: what it shows of a module that is taken, and what it says of one that is not. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, expect, test } from 'vitest';
import { loadParsers, type Parser } from '../../fuzz/parsers.ts';
import { SIGNATURE_EXTENSION } from '../../host/modules/minisign.ts';
import { digestOf } from '../../host/wasm/admit.ts';
import { runModule } from './command.ts';
import { temporaryFolder } from './fixtures.ts';

let redis: Parser;

beforeAll(async () => {
  redis = (await loadParsers()).find(({ name }) => name === 'redis')!;
});

test('a module that ships, by its name', async () => {
  const { code, stdout } = await runModule('inspect', 'redis');
  expect(code).toBe(0);
  expect(stdout).toMatch(/^redis \d+\.\d+\.\d+\n/);
  expect(stdout).toMatch(/golden cases +\d\d/);
  expect(stdout).toMatch(/run +\(i32, i32\) → \(i32\)/);
  expect(stdout).toMatch(/db\.query\.text +string/);
  expect(stdout).toContain('redis: db, pairing fifo');
});

test('a file, as JSON', async () => {
  const folder = temporaryFolder();
  const file = join(folder, 'mine.wasm');
  writeFileSync(file, redis.bytes);
  writeFileSync(file + SIGNATURE_EXTENSION, 'not looked into');
  const { code, stdout } = await runModule('inspect', file, '--json');
  expect(code).toBe(0);
  expect(JSON.parse(stdout)).toMatchObject({
    file,
    bytes: redis.bytes.length,
    sha256: digestOf(redis.bytes),
    signature: true,
    cases: redis.cases.length,
    manifest: JSON.parse(JSON.stringify(redis.manifest)),
    exports: { memory: 'memory', identify: '(i32) → (i32)', close: '(i32) → ()' },
  });
});

test('a refused file ends with 1 and the reason', async () => {
  const file = join(temporaryFolder(), 'bare.wasm');
  writeFileSync(file, Buffer.from('0061736d01000000', 'hex'));
  const { code, stdout } = await runModule('inspect', file);
  expect(code).toBe(1);
  expect(stdout).toContain(`${file}: refused: lacks the export "memory"`);
  const json = await runModule('inspect', file, '--json');
  expect(json.code).toBe(1);
  expect(JSON.parse(json.stdout)).toMatchObject({ file, refused: expect.stringContaining('memory') });
});

test.each([
  ['text', 'not a module at all'],
  ['half a module', '0061736d'],
])('%s is refused, too', async (_, content) => {
  const file = join(temporaryFolder(), 'garbage.wasm');
  writeFileSync(file, content);
  const { code, stdout } = await runModule('inspect', file);
  expect(code).toBe(1);
  expect(stdout).toContain(`${file}: refused: `);
});

test('what is no module of any kind', async () => {
  const { code, stderr } = await runModule('inspect', 'no-such-module');
  expect(code).toBe(1);
  expect(stderr).toContain('no-such-module: neither a file nor the name of a module');
});
