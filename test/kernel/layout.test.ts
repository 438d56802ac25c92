/**
 * One contract, three readers: wire.h as the C compiler sees it, BTF of the BPF object as the kernel sees it (that is
 * what layout.ts is generated from), and the TypeScript constants.
 */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { CounterName } from '../../host/kernel/addon.ts';
import * as layout from '../../host/kernel/layout.ts';

const WIRE = join(import.meta.dirname, '../../bpf/wire.h');
const header = readFileSync(WIRE, 'utf8');

/** Names of the fields of a struct in wire.h, or of the values of an enum. */
function namesIn(opening: string): string[] {
  const body = header.slice(header.indexOf(`${opening} {`)).split('};', 1)[0] ?? '';
  const pattern = opening.startsWith('enum') ? /^\t(SPANWIRE_\w+) =/gm : /^\t__u\d+ (\w+)/gm;
  return [...body.matchAll(pattern)].map((match) => match[1]!);
}

/** Compiles a program that prints C expressions; returns their values. */
function evaluate(expressions: readonly string[]): number[] {
  const folder = mkdtempSync(join(tmpdir(), 'spanwire-layout-'));
  const prints = expressions.map((expression) => `printf("%ld\\n", (long)(${expression}));`).join('\n');
  const source = `#include <linux/types.h>\n#include <stdio.h>\n#include "${WIRE}"\nint main(void) {${prints}}`;
  writeFileSync(join(folder, 'layout.c'), source);
  execFileSync('clang', ['-std=gnu11', '-o', join(folder, 'layout'), join(folder, 'layout.c')]);
  const text = execFileSync(join(folder, 'layout'), { encoding: 'utf8' });
  return text.trim().split('\n').map(Number);
}

const camel = (name: string) => name.replace(/_([a-z0-9])/g, (_, letter: string) => letter.toUpperCase());

describe('layout.ts', () => {
  it('has every field of the record at the offset the C compiler gives it', () => {
    const fields = namesIn('struct spanwire_record');
    expect(fields.length).toBeGreaterThan(20);
    const offsets = evaluate(fields.map((field) => `__builtin_offsetof(struct spanwire_record, ${field})`));
    const expected = Object.fromEntries(fields.map((field, index) => [camel(field), offsets[index]]));
    expect(layout.RECORD).toEqual(expected);
    expect(evaluate(['sizeof(struct spanwire_record)'])).toEqual([layout.RECORD_SIZE]);
  });

  it('indexes 32-bit words where the bytes are', () => {
    for (const [field, index] of Object.entries(layout.RECORD_U32)) {
      expect(index * 4).toBe(layout.RECORD[field as keyof typeof layout.RECORD]);
    }
    expect(Object.keys(layout.RECORD_U32)).toEqual(expect.arrayContaining(['connection', 'position', 'slot']));
  });

  it.each([
    ['limit', ''],
    ['kind', 'KIND_'],
    ['direction', 'DIRECTION_'],
    ['flag', 'FLAG_'],
  ])('has every value of enum spanwire_%s', (name, prefix) => {
    const names = namesIn(`enum spanwire_${name}`);
    expect(names.length).toBeGreaterThan(1);
    const values = evaluate(names);
    const constants = layout as unknown as Record<string, number>;
    const generated = names.map((value) => constants[value.replace('SPANWIRE_', prefix)]);
    expect(generated).toEqual(values);
  });

  it('names the counters in the order of the struct', () => {
    const names: readonly CounterName[] = layout.KERNEL_COUNTERS;
    expect(names).toEqual(namesIn('struct spanwire_counters'));
    expect(evaluate(['sizeof(struct spanwire_counters)'])).toEqual([names.length * 8]);
  });
});
