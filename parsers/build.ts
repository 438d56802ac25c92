/**
 * Builds parsers: `node parsers/build.ts [NAME or FOLDER…]`, without arguments every one that ships. A parser is a folder
 * with index.ts and manifest.json, in parsers/ or anywhere else; nothing lists them. From the manifest come the attribute
 * constants (attributes.ts), the memory limit and a custom section, from cases/*.md another one; asconfig.json has the
 * compiler options. Rule: what is written has passed the host's own static checks, and is written only when something
 * it depends on is newer.
 */
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, statSync, writeFileSync } from 'node:fs';
import { basename, dirname, isAbsolute, join, relative, resolve, sep } from 'node:path';
import { threadId } from 'node:worker_threads';
import { packModule } from '../host/commands/module/packing.ts';
import { CASES_SECTION, type Manifest, parseManifest } from '../host/wasm/manifest.ts';
import { RefusedError } from '../host/wasm/refusal.ts';
import { withFewerCalls } from './fewer-calls.ts';

export { CASES_SECTION, packModule };

const PARSERS = import.meta.dirname;
const ROOT = dirname(PARSERS);
const CONFIG = join(ROOT, 'asconfig.json');
const SDK = join(PARSERS, 'sdk');
/** What `spanwire module new` copies; built and tested, but not shipped. */
const TEMPLATE = 'template';
const ATTRIBUTES = 'attributes.ts';

/** A parser that cannot be built, with the reason for its author. */
export class BuildError extends Error {
  override readonly name = 'BuildError';
}

export interface BuiltParser {
  /** Its folder, seen from parsers/ or, when that is elsewhere, from the folder it lies in. */
  readonly name: string;
  readonly folder: string;
  readonly file: string;
  /** False when the file was newer than everything it depends on. */
  readonly compiled: boolean;
}

/** Folders of parsers/ that hold a parser. A library beside the SDK has no manifest.json, and so is none. */
export function findParsers(): string[] {
  return parsersIn(PARSERS);
}

/** The same of parsers/template/, as names that buildParser takes. */
export function findTemplates(): string[] {
  return parsersIn(join(PARSERS, TEMPLATE)).map((name) => `${TEMPLATE}/${name}`);
}

function parsersIn(folder: string): string[] {
  return readdirSync(folder, { withFileTypes: true })
    .filter((entry) => entry.isDirectory() && existsSync(join(folder, entry.name, 'index.ts')))
    .map((entry) => entry.name)
    .sort();
}

export async function buildParsers(parsers: readonly string[] = findParsers()): Promise<BuiltParser[]> {
  const built: BuiltParser[] = [];
  for (const parser of parsers) built.push(await buildParser(parser));
  return built;
}

/** Builds a parser, given by name or folder, and writes the module when the one there is stale. */
export async function buildParser(parser: string): Promise<BuiltParser> {
  const folder = folderOf(parser);
  const name = relative(baseOf(folder), folder);
  const manifest = loadManifest(folder);
  writeAttributes(folder, manifest);
  const file = productOf(folder);
  if (isFresh(file, dependencies(folder))) return { name, folder, file, compiled: false };
  const bytes = await compileParser(folder);
  mkdirSync(dirname(file), { recursive: true });
  replaceFile(file, bytes);
  return { name, folder, file, compiled: true };
}

/** The module of a parser, manifest and golden cases embedded. Writes nothing; throws BuildError with asc's words. */
export async function compileParser(parser: string): Promise<Uint8Array<ArrayBuffer>> {
  const folder = folderOf(parser);
  const manifest = loadManifest(folder);
  const wasm = await compile(folder, manifest);
  try {
    return packModule(wasm, JSON.stringify(manifest), readCases(folder));
  } catch (error) {
    throw refusal(shown(folder), error);
  }
}

// ── where things are ─────────────────────────────────────────────────────────────────────────────────────────────

/** A name is a folder of parsers/; anything else is a path. */
function folderOf(parser: string): string {
  const ours = join(PARSERS, parser);
  const isPath = isAbsolute(parser) || (parser.includes(sep) && !existsSync(ours));
  const folder = isPath ? resolve(parser) : ours;
  if (!existsSync(join(folder, 'index.ts'))) throw new BuildError(`${parser}: ${shown(folder)}/index.ts is not there`);
  return folder;
}

function isOurs(folder: string): boolean {
  return folder.startsWith(PARSERS + sep);
}

/** What a parser's imports are relative to: parsers/, or the folder that an outside parser lies in. */
function baseOf(folder: string): string {
  return isOurs(folder) ? PARSERS : dirname(folder);
}

function shown(path: string): string {
  return path.startsWith(ROOT + sep) ? relative(ROOT, path) : path;
}

/** Templates are kept apart: the agent loads all of build/parsers. */
function productOf(folder: string): string {
  const file = `${basename(folder)}.wasm`;
  if (!isOurs(folder)) return join(folder, 'build', file);
  return join(ROOT, 'build', dirname(folder) === PARSERS ? 'parsers' : 'templates', file);
}

// ── manifest and cases ───────────────────────────────────────────────────────────────────────────────────────────

function loadManifest(folder: string): Manifest {
  const file = join(folder, 'manifest.json');
  if (!existsSync(file)) throw new BuildError(`${basename(folder)}: ${shown(file)} is not there`);
  try {
    return parseManifest(readFileSync(file, 'utf8'));
  } catch (error) {
    throw refusal(shown(file), error);
  }
}

/** For editors; the compiler gets the text without it. */
function writeAttributes(folder: string, manifest: Manifest): void {
  const text = attributesText(manifest);
  const file = join(folder, ATTRIBUTES);
  if (!existsSync(file) || readFileSync(file, 'utf8') !== text) replaceFile(file, text);
}

/** Attribute ids as constants, so that a parser and its manifest cannot disagree. */
function attributesText({ attributes }: Manifest): string {
  const lines = attributes.map(
    ({ id, name, ...rest }) => `export const ${rest.const ?? constantName(name)}: u16 = ${id};`,
  );
  return `// Made by parsers/build.ts from manifest.json.\n${lines.join('\n')}\n`;
}

function constantName(attribute: string): string {
  return attribute.toUpperCase().replace(/[^A-Z0-9]/g, '_');
}

function caseFiles(folder: string): string[] {
  const cases = join(folder, 'cases');
  if (!existsSync(cases)) return [];
  const files = readdirSync(cases).filter((file) => file.endsWith('.md'));
  return files.sort().map((file) => join(cases, file));
}

/** All golden cases as one text. */
function readCases(folder: string): string {
  return caseFiles(folder)
    .map((file) => `${readFileSync(file, 'utf8').trimEnd()}\n`)
    .join('\n');
}

// ── freshness ────────────────────────────────────────────────────────────────────────────────────────────────────

/** Everything the module is made of: its own files, the sources of folders it imports from, and the build itself. */
function dependencies(folder: string): string[] {
  const folders = new Set([folder, SDK]);
  for (const one of folders) {
    for (const source of sources(one)) {
      for (const [, other] of readFileSync(source, 'utf8').matchAll(/from '\.\.\/([a-z0-9-]+)\//g)) {
        if (other !== 'sdk') folders.add(join(dirname(one), other!));
      }
    }
  }
  const tools = ['parsers/build.ts', 'host/wasm/manifest.ts', 'host/commands/module/packing.ts', 'package-lock.json'];
  const made = [join(folder, 'manifest.json'), ...caseFiles(folder), CONFIG, ...tools.map((file) => join(ROOT, file))];
  return [...folders].flatMap(sources).concat(made);
}

function sources(folder: string): string[] {
  if (!existsSync(folder)) return [];
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.ts'))
    .map((file) => join(folder, file));
}

function isFresh(file: string, dependencies: readonly string[]): boolean {
  const made = statSync(file, { throwIfNoEntry: false })?.mtimeMs ?? 0;
  return dependencies.every((dependency) => (statSync(dependency, { throwIfNoEntry: false })?.mtimeMs ?? 0) < made);
}

// ── compiler ─────────────────────────────────────────────────────────────────────────────────────────────────────

const OUTPUT = 'module.wasm';

async function compile(folder: string, manifest: Manifest): Promise<Uint8Array> {
  // Imported here because it costs 400 ms, which a build with nothing to do need not pay.
  const { default: asc } = await import('assemblyscript/asc');
  const prefix = isOurs(folder) ? shown(folder) : basename(folder);
  let wasm: Uint8Array | undefined;
  const { error, stderr } = await asc.main(
    [`${prefix}/index.ts`, '--config', 'asconfig.json', '--outFile', OUTPUT, ...memoryLimit(manifest)],
    {
      readFile: (name) => (name === `${prefix}/${ATTRIBUTES}` ? attributesText(manifest) : readSource(folder, name)),
      writeFile: (name, content) => {
        if (name === OUTPUT) wasm = Buffer.from(content);
      },
      listFiles: () => [],
    },
  );
  if (!error && wasm) return withFewerCalls(wasm);
  throw new BuildError(`${basename(folder)}: does not compile\n${stderr.toString().trim() || error?.message}`);
}

function memoryLimit({ limits }: Manifest): string[] {
  return ['--maximumMemory', String(limits.memoryPages)];
}

/** asc's view of the files: the repository's, or those beside an outside parser, with our SDK as their `../sdk`. */
function readSource(folder: string, name: string): string | null {
  if (name === 'asconfig.json') return readFileSync(CONFIG, 'utf8');
  const sdk = /^(?:\.\.\/)*sdk\/(.+)$/.exec(name);
  const path = isOurs(folder) ? join(ROOT, name) : sdk ? join(SDK, sdk[1]!) : join(dirname(folder), name);
  return statSync(path, { throwIfNoEntry: false })?.isFile() ? readFileSync(path, 'utf8') : null;
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

async function main(parsers: string[]): Promise<void> {
  for (const { name, file, compiled } of await buildParsers(parsers.length > 0 ? parsers : undefined)) {
    const size = `${(statSync(file).size / 1024).toFixed(1)} KiB`;
    if (compiled) process.stdout.write(`${name}: ${shown(file)}, ${size}\n`);
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
