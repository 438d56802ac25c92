/**
 * V8 inlines no Wasm function into another, and metering charges at each entry: a call costs what a line of a parser does.
 * So functions go into their callers here, further than asc goes; what is large and called from many places stays.
 * An entry is charged for all that stands in the function, and so the fuel that is used grows, too.
 *
 * `node parsers/fewer-calls.ts FILE` does it to a file; the names of functions are kept.
 */
import { readFileSync, writeFileSync } from 'node:fs';

/** What asc and asconfig.json enable. */
const FEATURES = ['MutableGlobals', 'SignExt', 'NontrappingFPToInt', 'BulkMemory', 'BulkMemoryOpt', 'SIMD128'] as const;
/** Sizes, as binaryen counts them, up to which a function goes into its callers. Less is slower; more makes modules and the fuel they use grow. */
const INLINED = { always: 40, withoutCalls: 200, withOneCaller: 1500 };

export async function withFewerCalls(wasm: Uint8Array, keepsNames = false): Promise<Uint8Array> {
  const { default: binaryen } = await import('assemblyscript/binaryen');
  const module = binaryen.readBinary(wasm);
  module.setFeatures(FEATURES.reduce<number>((all, feature) => all | binaryen.Features[feature], 0));
  binaryen.setOptimizeLevel(3);
  binaryen.setShrinkLevel(0);
  binaryen.setDebugInfo(keepsNames);
  binaryen.setAlwaysInlineMaxSize(INLINED.always);
  binaryen.setFlexibleInlineMaxSize(INLINED.withoutCalls);
  binaryen.setOneCallerInlineMaxSize(INLINED.withOneCaller);
  binaryen.setAllowInliningFunctionsWithLoops(true);
  module.runPasses(['inlining-optimizing', 'inlining-optimizing']);
  module.optimize();
  const inlined = module.emitBinary();
  module.dispose();
  return inlined;
}

if (import.meta.main) {
  const [file] = process.argv.slice(2) as [string];
  writeFileSync(file, await withFewerCalls(readFileSync(file), true));
}
