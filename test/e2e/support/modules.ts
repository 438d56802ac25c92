/** Modules for a running agent: other versions of shipped ones, and a folder it watches. */
import { mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { packModule } from '../../../host/commands/module/packing.ts';
import { casesText } from '../../../host/modules/accept.ts';
import { admitModule } from '../../../host/wasm/admit.ts';
import { shippedModuleFolder } from '../../../host/wasm/load.ts';

/** The shipped module with another version number: same code, same cases, other digest. */
export function versionOf(name: string, version: string): Uint8Array {
  const bytes = new Uint8Array(readFileSync(join(shippedModuleFolder(), `${name}.wasm`)));
  const module = admitModule(bytes);
  return packModule(bytes, JSON.stringify({ ...module.manifest, version }), casesText(module) ?? '');
}

export class ModuleFolder implements Disposable {
  readonly path = mkdtempSync(join(tmpdir(), 'spanwire-modules-'));

  /** As a careful program does it: under another name first. */
  put(name: string, bytes: Uint8Array): void {
    const temporary = join(this.path, `.${name}.new`);
    writeFileSync(temporary, bytes);
    renameSync(temporary, join(this.path, name));
  }

  [Symbol.dispose](): void {
    rmSync(this.path, { recursive: true, force: true });
  }
}
