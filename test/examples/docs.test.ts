/** docs/adding-a-protocol.md is true: its code is that of the example, its case passes, its commands and options exist. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Command } from 'commander';
import { expect, test } from 'vitest';
import { createProgram } from '../../host/cli.ts';
import { parseCases } from '../../host/modules/trial/cases.ts';
import { Harness } from '../../host/modules/trial/harness.ts';
import { checkCase } from '../../host/modules/trial/replay.ts';
import { loadExamples } from './modules.ts';

const { ask } = await loadExamples();
const ROOT = join(import.meta.dirname, '..', '..');
const page = readFileSync(join(ROOT, 'docs', 'adding-a-protocol.md'), 'utf8');

/** Contents of the blocks between these fences; a longer fence holds shorter ones. */
function blocks(opening: string): string[] {
  const found: string[][] = [];
  let open: string | undefined;
  for (const line of page.split('\n')) {
    if (open === undefined && line.startsWith('```')) {
      open = line;
      found.push([line]);
    } else if (open !== undefined && line === /^`+/.exec(open)![0]) open = undefined;
    else if (open !== undefined) found.at(-1)!.push(line);
  }
  return found.filter(([fence]) => fence === opening).map((lines) => lines.slice(1).join('\n'));
}

/** Lines without indentation and comments. */
function codeOf(text: string): string[] {
  return text.split('\n').map((line) => line.replace(/\s+\/\/.*$/, '').trim());
}

test('the code is that of the example', () => {
  const folder = join(ROOT, 'examples', 'parser-ask');
  const sources = readdirSync(folder).filter((file) => file.endsWith('.ts'));
  const lines = new Set(sources.flatMap((file) => codeOf(readFileSync(join(folder, file), 'utf8'))));
  const shown = blocks('```ts').filter((text) => !text.includes('migrate'));
  expect(shown.length).toBeGreaterThanOrEqual(3);
  const unknown = shown.flatMap(codeOf).filter((line) => line !== '' && line !== '…' && !lines.has(line));
  expect(unknown).toEqual([]);
});

test('the manifest is that of the example', () => {
  const [shown] = blocks('```json');
  expect(ask.manifest).toMatchObject(JSON.parse(`{${shown}}`));
});

test('the golden case passes', () => {
  const cases = blocks('````').flatMap((text) => parseCases(text, 'adding-a-protocol.md'));
  expect(cases.length).toBe(1);
  for (const one of cases) expect(checkCase(new Harness(ask), one)).toBeUndefined();
});

function find(command: Command, name: string | undefined): Command | undefined {
  return command.commands.find((one) => one.name() === name);
}

test('every command and option exists', () => {
  const lines = blocks('```').flatMap((text) => text.split('\n'));
  const used = lines
    .filter((line) => line.startsWith('spanwire '))
    .map((line) => line.replace(/\s+#.*/, '').split(/\s+/));
  expect(used.length).toBeGreaterThan(8);
  for (const [, first, second, ...rest] of used) {
    const group = find(createProgram(), first);
    const command = first === 'module' ? find(group!, second) : group;
    expect(command, `spanwire ${first} ${second}`).toBeDefined();
    const known = command!.options.flatMap(({ long, short }) => [long, short]);
    for (const option of [second!, ...rest].filter((word) => word.startsWith('-'))) expect(known).toContain(option);
  }
});

test('every option of run that the text names exists', () => {
  const known = find(createProgram(), 'run')!.options.map(({ long }) => long);
  const named = [...page.matchAll(/--(modules?(?:-[a-z]+)?)\b/g)].map(([option]) => option);
  expect(new Set(named).size).toBeGreaterThanOrEqual(5);
  for (const option of named) expect(known).toContain(option);
});
