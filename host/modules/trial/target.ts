/** What `spanwire module test`, `bench` and `try` are told to look at: a parser folder, a parser's name, or a file. */
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { basename, join, resolve } from 'node:path';
import { shippedModuleFolder } from '../../wasm/load.ts';
import { compileFolder, parserFolder } from './compile.ts';
import { loadParser, type Parser, readCases } from './parser.ts';

export interface Target {
  /** As the user wrote it. */
  readonly given: string;
  readonly path: string;
  readonly isFolder: boolean;
}

/** Throws when there is nothing of that name, and says what would have been. */
export function findTarget(given: string): Target {
  const path = parserFolder(given) ?? resolve(given);
  const found = statSync(path, { throwIfNoEntry: false });
  if (!found) throw new Error(`${given}: neither a parser folder, nor a file, nor the name of a parser`);
  return { given, path, isFolder: found.isDirectory() };
}

/** Bytes of the module: compiled when it is a folder. */
export async function readTarget({ path, isFolder }: Target): Promise<Uint8Array<ArrayBuffer>> {
  return isFolder ? await compileFolder(path) : new Uint8Array(readFileSync(path));
}

/** The parser with its golden cases: those of `casesFolder`, of the parser's folder, or of the file itself. */
export async function loadTarget(given: string, casesFolder?: string): Promise<Parser> {
  const target = findTarget(given);
  const bytes = await readTarget(target);
  const folder = casesFolder ?? (target.isFolder ? join(target.path, 'cases') : undefined);
  try {
    return loadParser(bytes, folder === undefined ? undefined : readCases(folder, basename(target.path)));
  } catch (error) {
    throw new Error(`${given}: ${(error as Error).message}`, { cause: error });
  }
}

/** The parsers that ship with Spanwire, but for the one of that name: whose traffic another must not claim. */
export function loadOthers(name: string): Parser[] {
  const folder = shippedModuleFolder();
  return readdirSync(folder)
    .filter((file) => file.endsWith('.wasm'))
    .sort()
    .map((file) => loadParser(new Uint8Array(readFileSync(join(folder, file)))))
    .filter((other) => other.name !== name);
}
