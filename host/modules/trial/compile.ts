/**
 * The way from the agent's tools to the compiler of parsers. parsers/build.ts is not part of the agent: it is there in
 * the source tree, and needs the package assemblyscript. So it is looked up when a tool asks for it, and nowhere else.
 */
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';

interface ParserBuild {
  /** The module with manifest and golden cases, as it would be written to its file. */
  compileParser(folder: string): Promise<Uint8Array<ArrayBuffer>>;
}

const BUILD = 'parsers/build.ts';

/** Compiles the parser in a folder, without writing a file. */
export async function compileFolder(folder: string): Promise<Uint8Array<ArrayBuffer>> {
  const root = sourceTree();
  if (root === undefined) {
    throw new Error(
      `${folder}: a folder is compiled by Spanwire's source tree; give a .wasm file, or run it from there`,
    );
  }
  try {
    const build = (await import(pathToFileURL(join(root, BUILD)).href)) as ParserBuild;
    return new Uint8Array(await build.compileParser(folder));
  } catch (error) {
    throw withRemedy(error);
  }
}

/** The folder of a parser of the source tree, if there is one of that name. */
export function parserFolder(name: string): string | undefined {
  const root = sourceTree();
  const folder = root && join(root, 'parsers', name);
  return folder && existsSync(join(folder, 'manifest.json')) ? folder : undefined;
}

/** Says how to get a package that is only there for those who work on parsers. */
export function withRemedy(error: unknown): unknown {
  const missing = /Cannot find package '([^']+)'/.exec((error as Error).message)?.[1];
  if (missing === undefined) return error;
  return new Error(`needs the package ${missing}: npm install --save-dev ${missing}`, { cause: error });
}

/** The nearest folder above this file that has the compiler: of the source tree as of dist/. */
function sourceTree(): string | undefined {
  for (let folder = import.meta.dirname; folder !== dirname(folder); folder = dirname(folder)) {
    if (existsSync(join(folder, BUILD))) return folder;
  }
  return undefined;
}
