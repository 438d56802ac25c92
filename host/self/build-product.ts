/** Finds what the build has made. */
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';

/**
 * Path of a build product: in the nearest `build` folder above this file that has it. That is one rule for the source
 * tree (host/self) and for the compiled one (dist/host/self, beside build or with its own).
 */
export function buildProduct(name: string): string {
  for (let folder = import.meta.dirname; ; folder = dirname(folder)) {
    const path = join(folder, 'build', name);
    if (existsSync(path)) return path;
    if (dirname(folder) === folder) throw new Error(`build/${name} is missing: run npm run build`);
  }
}
