/**
 * From the bytes of a file to a module that may be instantiated: every check that needs no guest code, then the rewriter,
 * then the compiler. Nothing here runs code of the module. Throws RefusedError with the reason.
 */
import { createHash } from 'node:crypto';
import { type Manifest, readManifest } from './manifest.ts';
import { checkCost } from './rewrite/cost.ts';
import { meterModule } from './rewrite/meter.ts';
import { checkSignatures } from './rewrite/signatures.ts';

export interface ParserModule {
  readonly manifest: Manifest;
  /** Compiled from the metered bytes. */
  readonly module: WebAssembly.Module;
  /** SHA-256 of the file, hex. */
  readonly digest: string;
}

export function admitModule(bytes: Uint8Array<ArrayBuffer>): ParserModule {
  checkCost(bytes);
  const manifest = readManifest(bytes);
  checkSignatures(bytes, manifest.settings.length > 0);
  const metered = meterModule(bytes, manifest.limits);
  return { manifest, module: new WebAssembly.Module(metered), digest: digestOf(bytes) };
}

export function digestOf(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}
