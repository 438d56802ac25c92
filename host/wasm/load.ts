/** Finds and compiles the parser modules that ship with the agent: every .wasm file of a folder, in name order. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { buildProduct } from '../self/build-product.ts';
import { admitModule, type ParserModule } from './admit.ts';

export function shippedModuleFolder(): string {
  return buildProduct('parsers');
}

/** Throws with the file's name when a module is refused. */
export function loadModules(folder: string): ParserModule[] {
  const files = readdirSync(folder).filter((file) => file.endsWith('.wasm'));
  if (files.length === 0) throw new Error(`no parser modules in ${folder}: run \`npm run build\` first`);
  return files.sort().map((file) => loadModule(join(folder, file)));
}

function loadModule(path: string): ParserModule {
  try {
    return admitModule(new Uint8Array(readFileSync(path)));
  } catch (error) {
    throw new Error(`${path}: ${(error as Error).message}`, { cause: error });
  }
}
