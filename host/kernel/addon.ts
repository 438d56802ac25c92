/** Loads what is built from C and C++: the addon and the BPF objects. */
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import type * as Native from '../../native/index.d.ts';
import { buildProduct } from '../self/build-product.ts';

export type { Capture, CaptureOptions, CounterName, FeatureProbe, Ring } from '../../native/index.d.ts';

const ADDON = 'native/spanwire.node';
const OBJECT = 'spanwire.bpf.o';
const LADDER = 'ladder.bpf.o';

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
