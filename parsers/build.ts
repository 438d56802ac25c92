/**
 * Builds every parser found: `node parsers/build.ts [NAME…]`. A parser is a folder of parsers/ with index.ts and
 * manifest.json; nothing lists them. From the manifest come the attribute constants (attributes.ts), the memory limit
 * and the custom section; asconfig.json has the compiler options. Rule: what is written to build/parsers/ has passed
 * the host's own static checks, and is written only when something it depends on is newer.
 */
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { threadId } from 'node:worker_threads';
import { MANIFEST_SECTION, type Manifest, parseManifest, readManifest } from '../host/wasm/manifest.ts';
import { RefusedError } from '../host/wasm/refusal.ts';
import { appendCustomSection } from '../host/wasm/sections.ts';

const PARSERS = dirname(fileURLToPath(import.meta.url));
const ROOT = dirname(PARSERS);
const CONFIG = join(ROOT, 'asconfig.json');
const OUTPUT = join(ROOT, 'build', 'parsers');
/** The shared library of all parsers; it has no manifest, so it is not one. */
const SDK = 'sdk';

/** A parser that cannot be built, with the reason for its author. */
export class BuildError extends Error {
  override readonly name = 'BuildError';
}

export interface BuiltParser {
  readonly name: string;
  readonly file: string;
  /** False when the file was newer than everything it depends on. */
  readonly compiled: boolean;
}

/** Folders of parsers/ that hold a parser. */
export function findParsers(): string[] {
  return readdirSync(PARSERS, { withFileTypes: true })
    .filter((entry) => entry.isDirectory() && existsSync(join(PARSERS, entry.name, 'index.ts')))
    .map((entry) => entry.name)
    .filter((name) => name !== SDK)
    .sort();
}

export async function buildParsers(names: readonly string[] = findParsers()): Promise<BuiltParser[]> {
  const built: BuiltParser[] = [];
  for (const name of names) built.push(await buildParser(name));
  return built;
}

export async function buildParser(name: string): Promise<BuiltParser> {
  const folder = join(PARSERS, name);
  if (!existsSync(join(folder, 'index.ts'))) throw new BuildError(`${name}: parsers/${name}/index.ts is not there`);
  const manifest = loadManifest(name);
  writeAttributes(folder, manifest);
  const file = join(OUTPUT, `${name}.wasm`);
  if (isFresh(file, dependencies(name))) return { name, file, compiled: false };
  mkdirSync(OUTPUT, { recursive: true });
  const bytes = withManifest(await compile(name, manifest), manifest);
  check(name, bytes);
  replaceFile(file, bytes);
  return { name, file, compiled: true };
}

function loadManifest(name: string): Manifest {
  const file = join(PARSERS, name, 'manifest.json');
  if (!existsSync(file)) throw new BuildError(`${name}: parsers/${name}/manifest.json is not there`);
  try {
    return parseManifest(readFileSync(file, 'utf8'));
  } catch (error) {
    throw refusal(`parsers/${name}/manifest.json`, error);
  }
}

/** Attribute ids as constants, so that a parser and its manifest cannot disagree. */
function writeAttributes(folder: string, { attributes }: Manifest): void {
  const lines = attributes.map(
    ({ id, name, ...rest }) => `export const ${rest.const ?? constantName(name)}: u16 = ${id};`,
  );
  const text = `// Made by parsers/build.ts from manifest.json.\n${lines.join('\n')}\n`;
  const file = join(folder, 'attributes.ts');
  if (!existsSync(file) || readFileSync(file, 'utf8') !== text) replaceFile(file, text);
}

function constantName(attribute: string): string {
  return attribute.toUpperCase().replace(/[^A-Z0-9]/g, '_');
}

/** Everything the module is made of: its own sources, those of the folders it imports from, and the build itself. */
function dependencies(name: string): string[] {
  const folders = new Set([name, SDK]);
  for (const folder of folders) {
    for (const source of sources(folder)) {
      for (const [, other] of readFileSync(source, 'utf8').matchAll(/from '\.\.\/([a-z0-9-]+)\//g)) folders.add(other!);
    }
  }
  const tools = ['parsers/build.ts', 'host/wasm/manifest.ts', 'package-lock.json'].map((file) => join(ROOT, file));
  return [...folders].flatMap(sources).concat(join(PARSERS, name, 'manifest.json'), CONFIG, tools);
}

function sources(folder: string): string[] {
  const path = join(PARSERS, folder);
  if (!existsSync(path)) return [];
  return readdirSync(path, { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.ts'))
    .map((file) => join(path, file));
}

function isFresh(file: string, dependencies: readonly string[]): boolean {
  const made = statSync(file, { throwIfNoEntry: false })?.mtimeMs ?? 0;
  return dependencies.every((dependency) => (statSync(dependency, { throwIfNoEntry: false })?.mtimeMs ?? 0) < made);
}

async function compile(name: string, { limits }: Manifest): Promise<Uint8Array> {
  // Imported here because it costs 400 ms, which a build with nothing to do need not pay.
  const { default: asc } = await import('assemblyscript/asc');
  const temporary = join(OUTPUT, `${name}.${process.pid}.${threadId}.tmp`);
  const { error, stderr } = await asc.main([
    relative(ROOT, join(PARSERS, name, 'index.ts')),
    ...['--baseDir', ROOT, '--config', CONFIG, '--outFile', relative(ROOT, temporary)],
    ...['--maximumMemory', String(limits.memoryPages)],
  ]);
  if (error) throw new BuildError(`${name}: does not compile\n${stderr.toString().trim() || error.message}`);
  const bytes = readFileSync(temporary);
  rmSync(temporary);
  return bytes;
}

function withManifest(bytes: Uint8Array, manifest: Manifest): Uint8Array<ArrayBuffer> {
  return appendCustomSection(bytes, MANIFEST_SECTION, new TextEncoder().encode(JSON.stringify(manifest)));
}

function check(name: string, bytes: Uint8Array<ArrayBuffer>): void {
  try {
    readManifest(bytes);
  } catch (error) {
    throw refusal(name, error);
  }
}

function refusal(what: string, error: unknown): unknown {
  return error instanceof RefusedError ? new BuildError(`${what}: ${error.message}`, { cause: error }) : error;
}

/** Two builds at once must not show each other half a file. */
function replaceFile(file: string, content: Uint8Array | string): void {
  const temporary = `${file}.${process.pid}.${threadId}.new`;
  writeFileSync(temporary, content);
  renameSync(temporary, file);
}

async function main(names: string[]): Promise<void> {
  for (const { name, file, compiled } of await buildParsers(names.length > 0 ? names : undefined)) {
    const size = `${(statSync(file).size / 1024).toFixed(1)} KiB`;
    if (compiled) process.stdout.write(`${name}: ${relative(ROOT, file)}, ${size}\n`);
  }
}

if (import.meta.main) {
  try {
    await main(process.argv.slice(2));
  } catch (error) {
    if (!(error instanceof BuildError)) throw error;
    process.stderr.write(`${error.message}\n`);
    process.exitCode = 1;
  }
}
