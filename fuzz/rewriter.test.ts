/**
 * The rewriter changes nothing but the fuel: a metered module computes, calls, traps and leaves what the original does.
 * And it is safe to give it any bytes: what comes out is a valid module or a refusal.
 */
import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { RefusedError } from '../host/wasm/refusal.ts';
import { FUEL_EXPORT, fuelInstrumentation, meterModule } from '../host/wasm/rewrite/meter.ts';
import { rewriteModule } from '../host/wasm/rewrite/rewrite.ts';
import { readExportedFunctions } from '../host/wasm/rewrite/signatures.ts';
import { WasmFormatError } from '../host/wasm/sections.ts';
import { loadParsers } from './parsers.ts';
import { type RandomModule, randomModules } from './random-modules.ts';

const THOROUGH = Number(process.env.SPANWIRE_THOROUGH ?? 1);
/** Far more than a module uses whose counter ends it, but for one that goes on after each trap. */
const FUEL = 20_000_000;
/** Events after which calls back into a module are not made. */
const TRACE_MAX = 20_000;
const PAGES = 65_536;
const BOUNDS = { memoryPages: PAGES, tables: 16, tableElements: 65_536 };

const modules = await randomModules(fc.sample(fc.nat(), { numRuns: 12 * THOROUGH }));
const shipped = (await loadParsers()).map(({ bytes }) => bytes);

/** What a module does that its host can see, in order. */
type Trace = unknown[];

interface Run {
  readonly trace: Trace;
  readonly exports: Record<string, unknown>;
  /** The host ran out of stack: which call that is depends on the size of the frames. */
  overflowed: boolean;
}

describe('a metered module does what the original does', () => {
  const called: number[] = [];

  for (const { seed, bytes } of modules) {
    test(`seed ${seed}`, () => {
      const output = refusedOr(() => meterModule(bytes, { memoryPages: PAGES }));
      if (!output) return;
      const metered = run({ seed, bytes: output }, bytes);
      const fuel = metered.exports[FUEL_EXPORT] as WebAssembly.Global;
      // Only what ends within the fuel can be asked of the original.
      if (metered.overflowed || (fuel.value as number) < 0) return;
      const original = run({ seed, bytes }, bytes);
      expect(metered.trace, `seed ${seed}`).toEqual(original.trace);
      called.push(metered.trace.length);
    });
  }

  test('and most random modules were compared', () => {
    expect(called.length).toBeGreaterThan(modules.length / 2);
    expect(Math.max(...called)).toBeGreaterThan(20);
  });
});

describe('any bytes give a valid module or a refusal', () => {
  const bases = [...shipped, ...modules.map(({ bytes }) => bytes)];
  const mutated = fc
    .tuple(fc.constantFrom(...bases), fc.array(edit(), { minLength: 1, maxLength: 4 }))
    .map(([bytes, edits]) => edits.reduce((result, change) => change(result), bytes));

  test('mutated modules', () => {
    check(mutated, 1500, (bytes) => {
      const output = refusedOr(() => meterModule(bytes, { memoryPages: 1024 }));
      if (output) expect(WebAssembly.validate(output)).toBe(true);
    });
  });

  test('mutated modules that nobody has validated', () => {
    check(mutated, 1500, (bytes) => {
      refusedOr(() => rewriteModule(bytes, BOUNDS, fuelInstrumentation));
      refusedOr(() => readExportedFunctions(bytes));
    });
  });

  test('random bytes behind a preamble', () => {
    const preamble = [0, 0x61, 0x73, 0x6d, 1, 0, 0, 0];
    const bytes = fc.uint8Array({ maxLength: 300 }).map((rest) => new Uint8Array([...preamble, ...rest]));
    check(fc.oneof(bytes, fc.uint8Array({ maxLength: 20 })), 3000, (random) => {
      refusedOr(() => rewriteModule(random, BOUNDS, fuelInstrumentation));
      refusedOr(() => readExportedFunctions(random));
      refusedOr(() => meterModule(new Uint8Array(random), { memoryPages: 1 }));
    });
  });
});

/** Calls every export twice, with arguments by its type in `original`. */
function run({ seed, bytes }: RandomModule, original: Uint8Array): Run {
  const result: Run = { trace: [], exports: {}, overflowed: false };
  const functions: ((...values: unknown[]) => unknown)[] = [];
  const module = new WebAssembly.Module(bytes);
  const instance = new WebAssembly.Instance(module, importsOf(module, result, functions));
  Object.assign(result.exports, instance.exports);
  const fuel = instance.exports[FUEL_EXPORT] as WebAssembly.Global | undefined;
  if (fuel) fuel.value = FUEL;
  const types = [...readExportedFunctions(original)];
  functions.push(...types.map(([name]) => instance.exports[name] as (...values: unknown[]) => unknown));
  for (let round = 0; round < 2; round++) {
    for (const [index, [name, { parameters }]] of types.entries()) {
      const values = parameters.map((type, at) => argument(type, seed + round + at));
      attempt(result, name, () => functions[index]!(...values));
    }
  }
  result.trace.push(...remains(instance.exports));
  return result;
}

function attempt(result: Run, name: string, call: () => unknown): boolean {
  try {
    result.trace.push([name, visible(call())]);
    return true;
  } catch (error) {
    if (error instanceof RangeError) result.overflowed = true;
    result.trace.push([name, (error as Error).message]);
    return false;
  }
}

/** Functions that note their call; those named call-… call back into the module. Globals are references. */
function importsOf(module: WebAssembly.Module, result: Run, functions: readonly ((...values: unknown[]) => unknown)[]) {
  const imports: Record<string, Record<string, unknown>> = {};
  for (const { module: from, name, kind } of WebAssembly.Module.imports(module)) {
    imports[from] ??= {};
    imports[from][name] = kind === 'global' ? null : stub(name, result, functions);
  }
  return imports;
}

function stub(name: string, result: Run, functions: readonly ((...values: unknown[]) => unknown)[]) {
  return (...values: unknown[]): unknown => {
    result.trace.push([name, values.map(visible)]);
    const [target] = values;
    if (name === 'table-get') return null;
    if (!name.startsWith('call-') || result.trace.length > TRACE_MAX) return 0;
    const callee = typeof target === 'number' ? functions[(target >>> 0) % functions.length] : target;
    const ended = typeof callee === 'function' && attempt(result, `from ${name}`, () => callee());
    if (!ended && !name.endsWith('-catch')) throw new Error(`${name} ended in a trap`);
    return ended ? 0 : 1;
  };
}

/** Memory, tables and globals after the last call. */
function remains(exports: Record<string, unknown>): Trace {
  return Object.entries(exports).flatMap(([name, value]) => {
    if (name === FUEL_EXPORT) return [];
    if (value instanceof WebAssembly.Memory)
      return [[name, createHash('sha256').update(new Uint8Array(value.buffer)).digest('hex')]];
    if (value instanceof WebAssembly.Table) return [[name, value.length]];
    if (value instanceof WebAssembly.Global) return [[name, globalValue(value)]];
    return [];
  });
}

function globalValue(value: WebAssembly.Global): unknown {
  try {
    return visible(value.value);
  } catch {
    return 'a vector';
  }
}

/** Two instances have functions of their own. */
function visible(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(visible);
  return typeof value === 'function' ? 'a function' : value;
}

const NUMBERS = [0, 1, -1, 7, 255, 65_535, 65_536, 2 ** 31 - 1, -(2 ** 31), 0.5];

function argument(type: number, choice: number): unknown {
  const number = NUMBERS[choice % NUMBERS.length]!;
  if (type === 0x7e) return BigInt(Math.trunc(number));
  return type === 0x70 || type === 0x6f ? null : number;
}

type Bytes = Uint8Array<ArrayBuffer>;

/** Replaces, removes or inserts a few bytes somewhere, or cuts the rest off. */
function edit(): fc.Arbitrary<(bytes: Bytes) => Bytes> {
  const place = fc.double({ min: 0, max: 1, noNaN: true });
  const spliced = fc.tuple(place, fc.nat(4), fc.uint8Array({ maxLength: 4 }));
  const replaced = fc.tuple(
    place,
    fc.constant(1),
    fc.nat(255).map((value) => Uint8Array.of(value)),
  );
  const cut = fc.tuple(place, fc.constant(Number.POSITIVE_INFINITY), fc.constant(new Uint8Array(0)));
  return fc
    .oneof({ arbitrary: replaced, weight: 8 }, { arbitrary: spliced, weight: 2 }, cut)
    .map(([where, removed, added]) => (bytes) => {
      const at = Math.floor(where * bytes.length);
      return new Uint8Array(Buffer.concat([bytes.subarray(0, at), added, bytes.subarray(at + removed)]));
    });
}

/** Any error but a refusal is thrown. */
function refusedOr<T>(action: () => T): T | undefined {
  try {
    return action();
  } catch (error) {
    if (error instanceof RefusedError || error instanceof WasmFormatError) return undefined;
    throw error;
  }
}

function check<T>(arbitrary: fc.Arbitrary<T>, numRuns: number, property: (value: T) => void): void {
  fc.assert(fc.property(arbitrary, property), { numRuns: numRuns * THOROUGH });
}
