/** Modules from WebAssembly's text format, for tests that need an instruction which no compiler of ours emits. */
import binaryen from 'binaryen';

const { All, GC } = binaryen.Features;
/** What docs/abi.md allows and some more: with garbage collection, references get shorter types. */
const WITHOUT_GC = All & ~GC;
export const EVERYTHING = All;

export function assemble(text: string, features = WITHOUT_GC): Uint8Array<ArrayBuffer> {
  const module = binaryen.parseText(`(module ${text})`);
  module.setFeatures(features);
  try {
    return new Uint8Array(module.emitBinary());
  } finally {
    module.dispose();
  }
}
