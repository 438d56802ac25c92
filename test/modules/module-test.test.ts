/** `spanwire module test` and `bench`: a sound parser passes, a planted fault is found, shown, and found again. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, expect, test } from 'vitest';
import { loadTemplates, type Parser } from '../../fuzz/parsers.ts';
import { runModule } from './command.ts';
import { temporaryFolder } from './fixtures.ts';
import { trialFile } from './trial-module.ts';

const CASES = `# A request

unidentified
\`\`\`client
Qone\\nQtwo\\n
\`\`\`
\`\`\`messages
{"type":"request","trial.text":"one"}
{"type":"request","trial.text":"two"}
\`\`\`
`;

let sound: Parser;
let faulty: Uint8Array;

beforeAll(async () => {
  sound = (await loadTemplates())[0]!;
  faulty = await trialFile(CASES);
});

function write(name: string, content: Uint8Array | string): string {
  const file = join(temporaryFolder(), name);
  writeFileSync(file, content);
  return file;
}

test('a sound parser holds all properties', async () => {
  const { code, stdout } = await runModule('test', write('sound.wasm', sound.bytes), '--runs', '3');
  expect(stdout).not.toContain('FAIL');
  expect(stdout).toContain(`ok    golden cases (${sound.cases.length})`);
  expect(stdout).toContain('ok    any split gives the same messages');
  expect(stdout).toMatch(/uses \d+ of the \d+ per KiB asked for/);
  expect(stdout).toMatch(/all hold\n$/);
  expect(code).toBe(0);
});

test('a parser that does not hold state between chunks fails, and the seed finds the same again', async () => {
  const file = write('faulty.wasm', faulty);
  const first = await runModule('test', file);
  expect(first.code).toBe(1);
  expect(first.stdout).toContain('ok    golden cases (1)');
  expect(first.stdout).toContain('FAIL  any split gives the same messages');
  expect(first.stdout).toContain('"A request"');
  const seed = /seed: (-?\d+)/.exec(first.stdout)![1]!;
  const counterexample = (text: string) => /FAIL {2}any split.*?Counterexample: ([^\n]*)/s.exec(text)![1];
  const second = await runModule('test', file, '--seed', seed);
  expect(counterexample(second.stdout)).toBe(counterexample(first.stdout));
});

test('golden cases of a folder, and the one that differs', async () => {
  const cases = join(temporaryFolder(), 'cases');
  mkdirSync(cases);
  writeFileSync(join(cases, 'wrong.md'), CASES.replace('"two"', '"three"'));
  const { code, stdout } = await runModule('test', write('faulty.wasm', faulty), '--cases', cases, '--runs', '1');
  expect(code).toBe(1);
  expect(stdout).toContain('FAIL  golden cases (1)');
  expect(stdout).toContain('message 2 is {"type":"request","trial.text":"two"}, expected');
});

test('what cannot be tested says why', async () => {
  const bare = await trialFile('');
  const without = await runModule('test', write('bare.wasm', bare));
  expect(without).toMatchObject({ code: 1, stderr: expect.stringContaining('--cases DIR') });
  const nothing = await runModule('test', 'no-such-parser');
  expect(nothing).toMatchObject({ code: 1, stderr: expect.stringContaining('neither a parser folder') });
  const runs = await runModule('test', 'redis', '--runs', 'many');
  expect(runs).toMatchObject({ code: 2, stderr: expect.stringContaining('--runs') });
});

test('bench measures throughput, metering and fuel', async () => {
  const { code, stdout } = await runModule('bench', write('sound.wasm', sound.bytes), '--seconds', '0.1', '--json');
  expect(code).toBe(0);
  const result = JSON.parse(stdout);
  expect(result).toMatchObject({ name: sound.name, cases: sound.cases.length });
  for (const figure of ['messagesPerSecond', 'bytesPerSecond', 'nsPerMessage', 'meteredRatio', 'rounds']) {
    expect(result[figure], figure).toBeGreaterThan(0);
  }
  expect(result.fuelPerKib.most).toBeGreaterThan(result.fuelPerKib.typical * 0.5);
  expect(result.fuelPerKib.asked).toBe(sound.manifest.limits.fuelPerKiB);
});
