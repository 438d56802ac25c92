/** `spanwire module new`: what it makes builds, holds every property, and is none of the others' protocol. */
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { loadTemplates } from '../../fuzz/parsers.ts';
import { createModule, type Framing, markOf } from '../../host/commands/module/new.ts';
import { examine } from '../../host/modules/trial/examine.ts';
import { loadParser, type Parser } from '../../host/modules/trial/parser.ts';
import { UsageError } from '../../host/usage-error.ts';
import { buildParser } from '../../parsers/build.ts';

const FRAMINGS: readonly Framing[] = ['line', 'length', 'delimiter'];
const into = mkdtempSync(join(tmpdir(), 'spanwire-new-'));
afterAll(() => rmSync(into, { recursive: true }));

const templates = await loadTemplates();
const copies: Parser[] = [];
for (const framing of FRAMINGS) {
  const { file } = await buildParser(createModule(`my-${framing}`, framing, into));
  copies.push(loadParser(new Uint8Array(readFileSync(file))));
}

describe.each(copies)('$name', (copy) => {
  const template = templates.find(({ name }) => `my-${name}` === copy.name)!;

  test('has the name it was given, and no port', () => {
    const [protocol] = copy.manifest.protocols;
    expect(copy.manifest).toMatchObject({ name: copy.name, ports: [] });
    expect(protocol).toMatchObject({ name: copy.name, constants: { 'rpc.system.name': copy.name } });
    expect(readFileSync(join(into, copy.name, 'README.md'), 'utf8')).toMatch(new RegExp(`^# ${copy.name}\n`));
  });

  test("has the template's files and cases, and nothing of its mark", () => {
    const texts = readdirSync(join(into, copy.name), { recursive: true, encoding: 'utf8' })
      .filter((file) => /\.(ts|md|json)$/.test(file))
      .map((file) => readFileSync(join(into, copy.name, file), 'utf8'));
    expect(texts.join('\n')).toContain(markOf(copy.name));
    expect(texts.join('\n')).not.toMatch(/TLIN|TLEN|TDEL/);
    expect(copy.cases.map(({ title }) => title)).toEqual(template.cases.map(({ title }) => title));
  });

  test('passes its cases and all properties, its template and the other copies among the others', () => {
    const others = [...templates, ...copies].filter((other) => other !== copy);
    const failures = [...examine(copy, others, { runs: 30 })].filter(({ failure }) => failure !== undefined);
    expect(failures).toEqual([]);
  });

  test('its template refuses it', () => {
    const failures = [...examine(template, [copy], { runs: 5 })].filter(({ failure }) => failure !== undefined);
    expect(failures).toEqual([]);
  });
});

test('two names make two protocols', () => {
  const names = Array.from({ length: 500 }, (_, index) => `protocol-${index}`);
  const marks = new Set(names.map(markOf));
  // A few of a hundred and thirty thousand marks may meet.
  expect(marks.size).toBeGreaterThan(490);
  for (const mark of marks) {
    expect(mark).toMatch(/^[A-Z]{4}$/);
    expect(mark.slice(1)).not.toContain(mark[0]);
  }
});

test.each(['Kv', '', '../kv', 'a b', '1st', 'x'.repeat(33), 'sdk', 'template'])('the name "%s" is refused', (name) => {
  expect(() => createModule(name, 'line', into)).toThrow(UsageError);
});

test('a folder that is there already is left alone', () => {
  expect(() => createModule('my-line', 'length', into)).toThrow(/my-line is there already/);
  expect(existsSync(join(into, 'my-line', 'header.ts'))).toBe(false);
});
