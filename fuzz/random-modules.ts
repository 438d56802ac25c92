/**
 * Random valid modules with the features that docs/abi.md allows, made by Binaryen's fuzzer from a seed: they use every
 * kind of instruction and section, import functions, and end by themselves, because a counter of their own traps.
 */
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { leb128 } from '../host/wasm/rewrite/encode.ts';
import { EXPORT, GLOBAL, KIND_GLOBAL, KIND_MEMORY, MEMORY, START } from '../host/wasm/rewrite/opcodes.ts';
import { ByteReader } from '../host/wasm/rewrite/reader.ts';
import { readSections } from '../host/wasm/sections.ts';

export interface RandomModule {
  readonly seed: number;
  readonly bytes: Uint8Array<ArrayBuffer>;
}

const WASM_OPT = join(import.meta.dirname, '..', 'node_modules', 'binaryen', 'bin', 'wasm-opt');
const FEATURES = [
  'mutable-globals',
  'sign-ext',
  'nontrapping-float-to-int',
  'bulk-memory',
  'bulk-memory-opt',
  'multivalue',
  'reference-types',
  'simd',
];
/** The program starts in half a second: two at a time. */
const AT_ONCE = 2;
const SEED_BYTES_MIN = 1000;
const SEED_BYTES_MAX = 24_000;

export async function randomModules(seeds: readonly number[]): Promise<RandomModule[]> {
  const folder = mkdtempSync(join(tmpdir(), 'random-modules-'));
  const modules: RandomModule[] = [];
  try {
    for (let at = 0; at < seeds.length; at += AT_ONCE) {
      modules.push(...(await Promise.all(seeds.slice(at, at + AT_ONCE).map((seed) => randomModule(seed, folder)))));
    }
  } finally {
    rmSync(folder, { recursive: true });
  }
  return modules;
}

async function randomModule(seed: number, folder: string): Promise<RandomModule> {
  const [input, output] = [join(folder, `${seed}.bin`), join(folder, `${seed}.wasm`)];
  writeFileSync(input, randomBytes(seed));
  const features = FEATURES.map((feature) => `--enable-${feature}`);
  // Which NaN an instruction makes is not defined, so that two compilations may differ: there are to be none.
  const options = ['--translate-to-fuzz', '--denan', '--mvp-features', ...features];
  await promisify(execFile)(process.execPath, [WASM_OPT, input, ...options, '-o', output]);
  return { seed, bytes: exposed(new Uint8Array(readFileSync(output))) };
}

/** The module grows with their number. */
function randomBytes(seed: number): Uint8Array {
  const bytes = createHash('shake256', { outputLength: SEED_BYTES_MAX }).update(String(seed)).digest();
  return bytes.subarray(0, SEED_BYTES_MIN + (bytes.readUInt16LE(0) % (SEED_BYTES_MAX - SEED_BYTES_MIN)));
}

/** The module without its start function, and with memory and globals exported: what a run leaves can be compared. */
function exposed(bytes: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
  const imports = WebAssembly.Module.imports(new WebAssembly.Module(bytes));
  const sections = readSections(bytes).filter(({ id }) => id !== START);
  const countOf = (id: number) => {
    const section = sections.find((one) => one.id === id);
    return section ? new ByteReader(bytes, section.start, section.end).u32() : 0;
  };
  const globals = imports.filter(({ kind }) => kind === 'global').length + countOf(GLOBAL);
  const entries = Array.from({ length: globals }, (_, index) => exportEntry(`all:${index}`, KIND_GLOBAL, index));
  if (countOf(MEMORY) > 0) entries.push(exportEntry('memory', KIND_MEMORY, 0));
  const pieces = sections.map(({ id, head, start, end }) => {
    if (id !== EXPORT) return bytes.subarray(head, end);
    const reader = new ByteReader(bytes, start, end);
    const count = leb128(reader.u32() + entries.length);
    const content = Buffer.concat([Buffer.from(count), bytes.subarray(reader.at, end), ...entries]);
    return Buffer.concat([Buffer.of(EXPORT, ...leb128(content.length)), content]);
  });
  return new Uint8Array(Buffer.concat([bytes.subarray(0, 8), ...pieces]));
}

function exportEntry(name: string, kind: number, index: number): Buffer {
  return Buffer.from([name.length, ...Buffer.from(name), kind, ...leb128(index)]);
}
