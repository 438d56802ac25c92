/** Compiles a parser module from source text, with the options and the checks of parsers/build.ts. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { admitModule, type ParserModule } from '../../host/wasm/admit.ts';
import { MANIFEST_SECTION } from '../../host/wasm/manifest.ts';
import { appendCustomSection } from '../../host/wasm/sections.ts';

const ROOT = join(import.meta.dirname, '..', '..');
const ENTRY = 'module-under-test.ts';

export type TestModule = ParserModule;

/** The source may import './parsers/sdk/…'. */
export async function compileModule(source: string, manifest: object): Promise<TestModule> {
  const bytes = appendCustomSection(
    await compileSource(source),
    MANIFEST_SECTION,
    Buffer.from(JSON.stringify(manifest)),
  );
  return admitModule(bytes);
}

export async function compileSource(source: string): Promise<Uint8Array> {
  const { default: asc } = await import('assemblyscript/asc');
  let bytes: Uint8Array | undefined;
  const { error, stderr } = await asc.main(
    [ENTRY, '--baseDir', ROOT, '--config', 'asconfig.json', '--outFile', 'out.wasm', '--maximumMemory', '512'],
    {
      readFile: (name: string) => (name === ENTRY ? source : read(join(ROOT, name))),
      writeFile: (name: string, content: string | Uint8Array) => {
        if (name === 'out.wasm') bytes = Buffer.from(content);
      },
      listFiles: () => [],
    },
  );
  if (error !== null || bytes === undefined) throw new Error(`does not compile\n${stderr}`, { cause: error });
  return bytes;
}

function read(path: string): string | null {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return null;
  }
}
