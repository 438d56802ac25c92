/** The exports of a module have the types that docs/abi.md demands, and the host finds that out without calling them. */
import { expect, test } from 'vitest';
import { admitModule } from '../../host/wasm/admit.ts';
import { MANIFEST_SECTION } from '../../host/wasm/manifest.ts';
import { RefusedError } from '../../host/wasm/refusal.ts';
import { checkSignatures, readExportedFunctions } from '../../host/wasm/rewrite/signatures.ts';
import { appendCustomSection } from '../../host/wasm/sections.ts';
import { LINE_MANIFEST } from './line-protocol.ts';
import { assemble } from './wat.ts';

const SIGNATURES: Readonly<Record<string, string>> = {
  abi_version: '(result i32)',
  layout: '(param i32 i32) (result i32)',
  open: '(param i32 i32)',
  identify: '(param i32) (result i32)',
  run: '(param i32 i32) (result i32)',
  close: '(param i32)',
};

function moduleWith(changes: Readonly<Record<string, string>> = {}): Uint8Array<ArrayBuffer> {
  const functions = Object.entries({ ...SIGNATURES, ...changes });
  return assemble(
    `(memory (export "memory") 1)
     ${functions.map(([name, type]) => `(func (export "${name}") ${type} (unreachable))`).join('\n')}`,
  );
}

test('a module as it should be passes', () => {
  checkSignatures(moduleWith());
  checkSignatures(moduleWith({ migrate: '(param i32 i32) (result i32)', another: '(param f64)' }));
  expect(readExportedFunctions(moduleWith()).size).toBe(6);
});

test.each([
  ['run', '(param i32) (result i32)', '(i32) → (i32), must be (i32, i32) → (i32)'],
  ['run', '(param i32 i32)', '(i32, i32) → (), must be (i32, i32) → (i32)'],
  ['layout', '(param i64 i32) (result i32)', '(i64, i32) → (i32), must be (i32, i32) → (i32)'],
  ['open', '(param i32 i32) (result i32)', '(i32, i32) → (i32), must be (i32, i32) → ()'],
  ['close', '', '() → (), must be (i32) → ()'],
  ['identify', '(param i32) (result f32)', '(i32) → (f32), must be (i32) → (i32)'],
  ['abi_version', '(result i32 i32)', '() → (i32, i32), must be () → (i32)'],
  ['migrate', '(param i32 funcref) (result i32)', '(i32, a reference) → (i32), must be (i32, i32) → (i32)'],
])('%s with %s is refused', (name, type, reason) => {
  const check = () => checkSignatures(moduleWith({ [name]: type }));
  expect(check).toThrow(RefusedError);
  expect(check).toThrow(`export "${name}" is ${reason}`);
});

test('types are found behind imported functions', () => {
  const bytes = assemble('(import "a" "b" (func (param f32))) (func (export "close") (param i32))');
  expect(readExportedFunctions(bytes).get('close')).toEqual({ parameters: [0x7f], results: [] });
});

test('admitModule checks them', () => {
  const manifest = new TextEncoder().encode(JSON.stringify(LINE_MANIFEST));
  const admit = (bytes: Uint8Array) => admitModule(appendCustomSection(bytes, MANIFEST_SECTION, manifest));
  expect(admit(moduleWith()).digest).toHaveLength(64);
  expect(() => admit(moduleWith({ close: '' }))).toThrow('export "close" is () → (), must be (i32) → ()');
});
