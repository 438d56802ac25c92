/** A parser under trial: an admitted module, metered as in the agent, and the golden cases that come with it. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { admitModule, type ParserModule } from '../../wasm/admit.ts';
import { CASES_SECTION } from '../../wasm/manifest.ts';
import { RefusedError } from '../../wasm/refusal.ts';
import { type Case, parseCases } from './cases.ts';

export interface Parser extends ParserModule {
  readonly name: string;
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly cases: readonly Case[];
}

/** Throws RefusedError for a module that the host does not take. The cases come from its own section by default. */
export function loadParser(bytes: Uint8Array<ArrayBuffer>, cases?: readonly Case[]): Parser {
  const admitted = admitModule(bytes);
  const { name } = admitted.manifest;
  const own = cases ?? parseCases(casesTextOf(bytes), `${name}.wasm`);
  return { ...admitted, name, bytes, cases: own };
}

/** The golden cases of a folder: every .md file of it. */
export function readCases(folder: string, label: string): Case[] {
  const files = existsSync(folder) ? readdirSync(folder).filter((file) => file.endsWith('.md')) : [];
  if (files.length === 0) throw new Error(`no golden cases: ${folder} has no .md file (see docs/adding-a-protocol.md)`);
  return files.sort().flatMap((file) => parseCases(readFileSync(join(folder, file), 'utf8'), `${label}/${file}`));
}

/** Text of the section with the golden cases; throws RefusedError when it has none. */
export function casesTextOf(bytes: Uint8Array<ArrayBuffer>): string {
  const [section] = WebAssembly.Module.customSections(new WebAssembly.Module(bytes), CASES_SECTION);
  if (section) return new TextDecoder().decode(section);
  throw new RefusedError(`has no golden cases: no custom section "${CASES_SECTION}" (give --cases DIR)`);
}
