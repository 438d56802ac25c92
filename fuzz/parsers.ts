/**
 * The parsers under test: every folder that parsers/build.ts finds, built when stale, compiled once per test file.
 * SPANWIRE_PARSERS=redis,http1 narrows it to those, for work on one of them.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Manifest, readManifest } from '../host/wasm/manifest.ts';
import { buildParsers } from '../parsers/build.ts';
import { type Case, parseCases } from './cases.ts';

export interface Parser {
  readonly name: string;
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly module: WebAssembly.Module;
  readonly manifest: Manifest;
  readonly cases: readonly Case[];
}

const ROOT = join(import.meta.dirname, '..');

export async function loadParsers(): Promise<Parser[]> {
  const built = await buildParsers(process.env.SPANWIRE_PARSERS?.split(','));
  return built.map(({ name, file }) => {
    const bytes = new Uint8Array(readFileSync(file));
    return {
      name,
      bytes,
      module: new WebAssembly.Module(bytes),
      manifest: readManifest(bytes),
      cases: loadCases(name),
    };
  });
}

function loadCases(name: string): Case[] {
  const folder = join(ROOT, 'parsers', name, 'cases');
  return readdirSync(folder)
    .filter((file) => file.endsWith('.md'))
    .sort()
    .flatMap((file) => parseCases(readFileSync(join(folder, file), 'utf8'), `${name}/${file}`));
}
