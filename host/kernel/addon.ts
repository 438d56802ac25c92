/**
 * Finds and loads what is built from C and C++: the addon and the BPF object.
 */
import { existsSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import type * as Native from '../../native/index.d.ts';

export type { Capture, CaptureOptions, CounterName, FeatureProbe, Ring } from '../../native/index.d.ts';

const ADDON = 'native/spanwire.node';
const OBJECT = 'spanwire.bpf.o';
const LADDER = 'ladder.bpf.o';

/**
 * Path of a build product: in the nearest `build` folder above this file that has it. That is one rule for the source
 * tree (host/kernel/addon.ts) and for the compiled one (dist/host/kernel/addon.js, beside build or with its own).
 */
export function buildProduct(name: string): string {
  for (let folder = import.meta.dirname; ; folder = dirname(folder)) {
    const path = join(folder, 'build', name);
    if (existsSync(path)) return path;
    if (dirname(folder) === folder) throw new Error(`build/${name} is missing: run npm run build`);
  }
}

export function loadAddon(): typeof Native {
  return createRequire(import.meta.url)(buildProduct(ADDON)) as typeof Native;
}

/** The bytes of the BPF object, for `new Capture` and `probe`. */
export function readBpfObject(): Uint8Array {
  return readFileSync(buildProduct(OBJECT));
}

/** The same for the do-nothing programs of bpf/ladder.bpf.c. */
export function readLadderObject(): Uint8Array {
  return readFileSync(buildProduct(LADDER));
}

/** The addon, loaded with this file; throws when it is not built. */
export const addon: typeof Native = loadAddon();
export const copyPieces: typeof Native.copyPieces = addon.copyPieces;
