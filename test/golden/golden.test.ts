/** Modules of every ABI version are taken for ever, unchanged, and say what they said when they were built: README.md. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { createAcceptance } from '../../host/modules/accept.ts';
import { Harness } from '../../host/modules/trial/harness.ts';
import { loadParser } from '../../host/modules/trial/parser.ts';
import { checkCase } from '../../host/modules/trial/replay.ts';
import { admitModule } from '../../host/wasm/admit.ts';
import { ABI_MAJOR } from '../../parsers/sdk/abi.ts';

const FOLDER = import.meta.dirname;
/** File, ABI version and digest of each row. */
const ROW = /^\| `(abi-[\d.]+\.wasm)` \| (\d+)\.(\d+) \|.*\| `([0-9a-f]{64})` \|$/gm;

const rows = [...readFileSync(join(FOLDER, 'README.md'), 'utf8').matchAll(ROW)].map(
  ([, file, major, minor, digest]) => ({ file: file!, major: Number(major), minor: Number(minor), digest: digest! }),
);

test('every binary has its row, and this ABI major has a binary', () => {
  const files = readdirSync(FOLDER).filter((file) => file.endsWith('.wasm'));
  expect(rows.map(({ file }) => file)).toEqual(files.sort());
  expect(rows.map(({ major }) => major)).toContain(ABI_MAJOR);
});

describe.each(rows)('$file', ({ file, major, minor, digest }) => {
  const bytes = new Uint8Array(readFileSync(join(FOLDER, file)));

  test('is the file it always was, of that version', () => {
    const module = admitModule(bytes);
    expect(module.digest).toBe(digest);
    expect(module.manifest.abi).toEqual({ major, minor });
  });

  test('gives the expected messages', () => {
    const parser = loadParser(bytes);
    expect(parser.cases.length).toBeGreaterThanOrEqual(20);
    const failures = parser.cases.map((one) => checkCase(new Harness(parser), one)).filter((one) => one !== undefined);
    expect(failures).toEqual([]);
  });

  test('is accepted by the agent', async () => {
    expect(await createAcceptance([])(bytes, admitModule(bytes))).toBeUndefined();
  });
});
