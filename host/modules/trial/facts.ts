/** What a module file says and holds, as `spanwire module inspect` shows it. No code of the module runs. */
import { existsSync, readFileSync } from 'node:fs';
import { admitModule } from '../../wasm/admit.ts';
import type { Manifest } from '../../wasm/manifest.ts';
import { CASES_SECTION } from '../../wasm/manifest.ts';
import { readExportedFunctions } from '../../wasm/rewrite/signatures.ts';
import { SIGNATURE_EXTENSION } from '../minisign.ts';
import { parseCases } from './cases.ts';

export interface ModuleFacts {
  readonly file: string;
  readonly bytes: number;
  readonly sha256: string;
  /** A file with a signature lies beside it; `spanwire module verify` says whose. */
  readonly signature: boolean;
  /** Name and signature, or what else it is. */
  readonly exports: Readonly<Record<string, string>>;
  /** Golden cases inside, or why they cannot be read. */
  readonly cases: number | string;
  readonly manifest: Manifest;
}

const TYPE_NAMES: Readonly<Record<number, string>> = { 127: 'i32', 126: 'i64', 125: 'f32', 124: 'f64', 123: 'v128' };

/** Throws RefusedError when the host would not take the file. */
export function factsOf(file: string): ModuleFacts {
  const bytes = new Uint8Array(readFileSync(file));
  const { manifest, digest } = admitModule(bytes);
  const module = new WebAssembly.Module(bytes);
  return {
    file,
    bytes: bytes.length,
    sha256: digest,
    signature: existsSync(file + SIGNATURE_EXTENSION),
    exports: exportsOf(bytes, module),
    cases: countCases(module, file),
    manifest,
  };
}

function exportsOf(bytes: Uint8Array, module: WebAssembly.Module): Record<string, string> {
  const functions = readExportedFunctions(bytes);
  const names = (types: readonly number[]) => types.map((type) => TYPE_NAMES[type] ?? 'ref').join(', ');
  return Object.fromEntries(
    WebAssembly.Module.exports(module).map(({ name, kind }) => {
      const type = functions.get(name);
      return [name, type ? `(${names(type.parameters)}) → (${names(type.results)})` : kind];
    }),
  );
}

function countCases(module: WebAssembly.Module, file: string): number | string {
  const [section] = WebAssembly.Module.customSections(module, CASES_SECTION);
  if (section === undefined) return 0;
  try {
    return parseCases(new TextDecoder().decode(section), file).length;
  } catch (error) {
    return (error as Error).message;
  }
}
