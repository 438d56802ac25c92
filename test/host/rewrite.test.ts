/** What the rewriter makes of a module: it ends by fuel, stays within its memory, and has only what docs/abi.md allows. */
import { describe, expect, test } from 'vitest';
import { RefusedError } from '../../host/wasm/refusal.ts';
import { FUEL_EXPORT, meterModule } from '../../host/wasm/rewrite/meter.ts';
import { appendCustomSection } from '../../host/wasm/sections.ts';
import { assemble, EVERYTHING } from './wat.ts';

const PAGES = 4;
const FUEL_MAX = 2 ** 31 - 1;

type Call = (...values: unknown[]) => unknown;

/** A metered instance whose export `go` can be called with so much fuel; returns its result and the fuel it took. */
function metered(text: string, imports: Record<string, Record<string, unknown>> = {}) {
  const module = new WebAssembly.Module(meterModule(assemble(text), { memoryPages: PAGES }));
  const { exports } = new WebAssembly.Instance(module, imports);
  const fuel = exports[FUEL_EXPORT] as WebAssembly.Global;
  const call = (amount: number, ...values: unknown[]) => {
    fuel.value = amount;
    const result = (exports.go as Call)(...values);
    return { result, used: amount - (fuel.value as number) };
  };
  return { exports, fuel, call };
}

function refusal(text: string): string {
  const bytes = assemble(text, EVERYTHING);
  try {
    meterModule(bytes, { memoryPages: PAGES });
  } catch (error) {
    expect(error).toBeInstanceOf(RefusedError);
    return (error as Error).message;
  }
  throw new Error('was not refused');
}

describe('runs out of fuel', () => {
  const bulk = '(memory 4) (table 100 funcref) (elem declare func $f) (func $f)';
  test.each([
    ['an endless loop', '(func (export "go") (loop $l (br $l)))'],
    ['a loop by br_table', '(func (export "go") (loop $l (br_table $l $l $l (i32.const 1))))'],
    ['a loop by br_if', '(func (export "go") (loop $l (br_if $l (i32.const 1))))'],
    ['an inner loop', '(func (export "go") (loop $a (loop $b (br_if $b (i32.const 0))) (br $a)))'],
    ['recursion', '(func $f (export "go") (call $f))'],
    ['recursion of two', '(func $f (export "go") (call $g)) (func $g (call $f) (call $f))'],
    ['indirect recursion', '(table funcref (elem $f)) (func $f (export "go") (call_indirect (i32.const 0)))'],
    [
      'a fill of all memory, again and again',
      `${bulk} (func (export "go") (loop $l (memory.fill (i32.const 0) (i32.const 0) (i32.const 262144)) (br $l)))`,
    ],
    ['growth of a table', `${bulk} (func (export "go") (drop (table.grow (ref.func $f) (i32.const -1))))`],
    ['growth by nothing', '(memory 1) (func (export "go") (loop $l (drop (memory.grow (i32.const 0))) (br $l)))'],
  ])('%s', (_, text) => {
    const { call, fuel } = metered(text);
    expect(() => call(5000)).toThrow('unreachable');
    expect(fuel.value).toBeLessThan(0);
  });

  test('and can be called again with new fuel', () => {
    const { call } = metered('(func (export "go") (param $n i32) (loop $l (br_if $l (local.get $n))))');
    expect(() => call(1000, 1)).toThrow('unreachable');
    expect(call(1000, 0).used).toBeLessThan(20);
    expect(() => call(0, 0)).toThrow('unreachable');
  });
});

describe('a call takes as much fuel', () => {
  test('as the function has instructions', () => {
    // local.get, i32.const, i32.add, end
    expect(
      metered('(func (export "go") (param i32) (result i32) (i32.add (local.get 0) (i32.const 2)))').call(4, 40),
    ).toEqual({
      result: 42,
      used: 4,
    });
  });

  test('as its loops have, each time around', () => {
    const { call } = metered(
      `(func (export "go") (param $n i32)
         (loop $l (local.set $n (i32.sub (local.get $n) (i32.const 1))) (br_if $l (local.get $n))))`,
    );
    // loop and end; then local.get, i32.const, i32.sub, local.set, local.get, br_if, end
    expect(call(FUEL_MAX, 1).used).toBe(2 + 7);
    expect(call(FUEL_MAX, 1000).used).toBe(2 + 7 * 1000);
  });

  test('as the functions it calls have', () => {
    const { call } = metered('(func $f (nop) (nop)) (func (export "go") (call $f) (call $f))');
    expect(call(FUEL_MAX).used).toBe(3 + 3 + 3);
  });

  test('as a function has locals, by four', () => {
    const locals = Array(401).fill('(local i64)').join(' ');
    expect(metered(`(func (export "go") ${locals})`).call(FUEL_MAX).used).toBe(1 + 101);
  });

  test.each([
    ['memory.fill', 'memory.fill (i32.const 0) (i32.const 1)', 5],
    ['memory.copy', 'memory.copy (i32.const 0) (i32.const 1)', 5],
    ['memory.init', 'memory.init $d (i32.const 0) (i32.const 0)', 5],
    ['table.fill', 'table.fill $t (i32.const 0) (ref.null func)', 4 + 256],
    ['table.copy', 'table.copy $t $t (i32.const 0) (i32.const 1)', 4 + 256],
    ['table.init', 'table.init $t $e (i32.const 0) (i32.const 0)', 4 + 256],
  ])('as %s has length', (_, instruction, own) => {
    const { call } = metered(
      `(memory 2) (table $t 200 funcref) (data $d "${'x'.repeat(160)}") (func $f)
       (elem $e func ${Array(160).fill('$f').join(' ')})
       (func (export "go") (param i32) (${instruction} (local.get 0)))`,
    );
    expect(call(FUEL_MAX, 0).used).toBe(own);
    expect(call(FUEL_MAX, 15).used).toBe(own);
    expect(call(FUEL_MAX, 160).used).toBe(own + 10);
    expect(() => call(own + 9, 160)).toThrow('unreachable');
  });

  test('as memory grows by pages, and none for what fails at once', () => {
    const { call } = metered('(memory 1) (func (export "go") (param i32) (result i32) (memory.grow (local.get 0)))');
    expect(call(FUEL_MAX, 2)).toEqual({ result: 1, used: 2 + 1024 + 2 * 64 });
    expect(call(FUEL_MAX, 65_536)).toEqual({ result: -1, used: 2 + 1024 + 65_536 * 64 });
    expect(call(FUEL_MAX, 65_537)).toEqual({ result: -1, used: 2 + 1024 });
    expect(call(FUEL_MAX, -1)).toEqual({ result: -1, used: 2 + 1024 });
  });

  test('as a table grows', () => {
    const { call } = metered(
      '(table 1 funcref) (func (export "go") (param i32) (result i32) (table.grow (ref.null func) (local.get 0)))',
    );
    expect(call(FUEL_MAX, 32)).toEqual({ result: 1, used: 3 + 256 + 2 });
  });
});

describe('what the module may have is bounded', () => {
  const growing = (memory: string) => `${memory} (func (export "go") (result i32) (memory.grow (i32.const 1)))`;

  test.each([
    ['without a maximum', '(memory 3)'],
    ['with a larger maximum', '(memory 3 100)'],
  ])('a memory %s grows to the limit and no further', (_, memory) => {
    const { call } = metered(growing(memory));
    expect([call(FUEL_MAX).result, call(FUEL_MAX).result]).toEqual([3, -1]);
  });

  test('a memory with a smaller maximum keeps it', () => {
    expect(metered(growing('(memory 1 1)')).call(FUEL_MAX).result).toBe(-1);
  });

  test('a memory or table that begins larger is refused', () => {
    expect(refusal('(memory 5)')).toBe('its memory begins with 5 pages, at most 4 are allowed');
    expect(refusal('(table 10 funcref) (table 65537 externref)')).toBe(
      'table 1 begins with 65537 elements, at most 65536 are allowed',
    );
    expect(refusal('(table 1 funcref)'.repeat(17))).toBe('has 17 tables, at most 16 are allowed');
  });

  test('a table grows to the limit and no further', () => {
    const text = '(table 65535 funcref) (func (export "go") (result i32) (table.grow (ref.null func) (i32.const 1)))';
    const { call } = metered(text);
    expect([call(FUEL_MAX).result, call(FUEL_MAX).result]).toEqual([65_535, -1]);
  });
});

describe('is refused', () => {
  test.each([
    ['threads', '(memory 1 1 shared)', 'uses threads (shared memory)'],
    ['atomic instructions', '(func) (func (atomic.fence))', 'function 1 uses threads'],
    ['exceptions', '(tag $e) (func (throw $e))', 'uses exceptions'],
    ['an imported exception', '(import "a" "b" (tag $e))', 'uses exceptions'],
    ['exception handling', '(func) (func (block $b (try_table (catch_all $b) (nop))))', 'function 1 uses exceptions'],
    ['a tail call', '(func $f (return_call $f))', 'function 0 uses tail calls'],
    [
      'an indirect tail call behind an import',
      '(import "a" "b" (func)) (table 1 funcref) (func (return_call_indirect (i32.const 0)))',
      'function 1 uses tail calls',
    ],
    ['garbage collection', '(type $s (struct)) (func (drop (struct.new $s)))', 'uses garbage collection'],
    ['a reference of that kind', '(func (local anyref))', 'uses garbage collection (type 0x6e)'],
    [
      'typed function references',
      '(func $f) (func (call_ref 0 (ref.func $f))) (elem declare func $f)',
      'function 1 uses',
    ],
    [
      'relaxed SIMD',
      '(func (param v128) (drop (i32x4.relaxed_trunc_f32x4_s (local.get 0))))',
      'function 0 uses relaxed SIMD',
    ],
    ['a 64-bit memory', '(memory i64 1)', 'uses 64-bit memories'],
    ['a 64-bit table', '(table i64 1 funcref)', 'uses 64-bit memories or tables'],
    ['two memories', '(memory 1) (memory 1)', 'uses multiple memories'],
    [
      'an extended constant expression',
      '(global i32 (i32.add (i32.const 1) (i32.const 2)))',
      'uses extended constant expressions',
    ],
    ['a start function', '(func $f) (start $f)', 'has a start function'],
    ['an export by the name of the fuel', '(memory 1) (export "spanwire_fuel" (memory 0))', 'fuel export collision'],
    ['an export by another name of the host', '(func (export "spanwire"))', 'exports "spanwire"'],
    [
      'a type of many parameters',
      `(type (func (param ${'i32 '.repeat(33)}))) (func (type 0))`,
      'more than 32 parameters',
    ],
    ['a type of many results', `(import "a" "b" (func (result ${'i32 '.repeat(33)})))`, 'more than 32 parameters'],
  ])('%s', (_, text, reason) => {
    expect(refusal(text)).toContain(reason);
  });

  test('what is larger than a MiB', () => {
    const large = appendCustomSection(assemble(''), 'padding', new Uint8Array(1024 * 1024));
    expect(() => meterModule(large, { memoryPages: PAGES })).toThrow('at most 1048576 are allowed');
  });

  test('what takes the engine long to validate: a million locals', () => {
    // 21 functions of 49,999 locals, each 7 bytes long: one run of locals, end.
    const body = [6, 1, 0xcf, 0x86, 0x03, 0x7e, 0x0b];
    const code = [21, ...Array(21).fill(body).flat()];
    const functions = [3, 22, 21, ...Array(21).fill(0)];
    const head = [0, 0x61, 0x73, 0x6d, 1, 0, 0, 0, 1, 4, 1, 0x60, 0, 0];
    const bytes = new Uint8Array([...head, ...functions, 10, code.length, 1, ...code]);
    bytes.set([(code.length & 0x7f) | 0x80, code.length >>> 7], head.length + functions.length + 1);
    expect(WebAssembly.validate(bytes)).toBe(true);
    expect(() => meterModule(bytes, { memoryPages: PAGES })).toThrow('has 1049979 locals');
  });

  test('what is no module', () => {
    for (const bytes of [new Uint8Array(0), new Uint8Array([0, 0x61, 0x73]), new Uint8Array(100)]) {
      expect(() => meterModule(bytes, { memoryPages: PAGES })).toThrow(RefusedError);
    }
  });
});

describe('keeps what it need not change', () => {
  test('indices, where functions and globals are imported', () => {
    const { call } = metered(
      `(import "env" "twice" (func $twice (param i32) (result i32)))
       (import "env" "base" (global $base i32))
       (global $own (mut i32) (i32.const 5))
       (func $add (param i32) (result i32)
         (global.set $own (i32.add (global.get $own) (local.get 0))) (global.get $own))
       (func (export "go") (result i32) (call $add (call $twice (global.get $base))))`,
      { env: { twice: (value: number) => 2 * value, base: 100 } },
    );
    expect([call(FUEL_MAX).result, call(FUEL_MAX).result]).toEqual([205, 405]);
  });

  test('values on the stack at a loop with parameters', () => {
    const { call } = metered(
      `(func (export "go") (param i32) (result i32)
         (i32.const 1)
         (loop $l (param i32) (result i32)
           (i32.mul (i32.const 2))
           (br_if $l (local.tee 0 (i32.sub (local.get 0) (i32.const 1))))))`,
    );
    expect(call(FUEL_MAX, 10).result).toBe(1024);
  });

  test('its names and our sections, and no other custom section', () => {
    const sections = ['name', 'spanwire.manifest', 'spanwire.cases', 'sourceMappingURL', 'spanwire', 'producers'];
    const bytes = sections.reduce(
      (all, name) => appendCustomSection(all, name, new Uint8Array([0])) as Uint8Array<ArrayBuffer>,
      assemble(''),
    );
    const module = new WebAssembly.Module(meterModule(bytes, { memoryPages: PAGES }));
    const kept = sections.filter((name) => WebAssembly.Module.customSections(module, name).length > 0);
    expect(kept).toEqual(['name', 'spanwire.manifest', 'spanwire.cases']);
  });
});
