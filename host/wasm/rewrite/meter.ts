/**
 * Fuel: no call into a module runs longer than the host allows. Every function entry and every loop head subtracts from a
 * global what the instructions that follow weigh, inner loops left out; below zero the module traps. The weight is known
 * at the end of the loop or function, so its place is patched then.
 *
 * Rule: every way of running for long passes a charge. Code goes back only in loops and calls; an instruction that takes
 * time by its operand is charged for the operand. A charge is below 2^31 and comes when fuel is not negative, so it
 * cannot wrap. Prose: docs/abi.md, "How a call is bounded".
 */
import { RefusedError } from '../refusal.ts';
import type { CodeProbe } from './code.ts';
import { checkCost } from './cost.ts';
import { type ByteWriter, encodeBody, encodeName, leb128 } from './encode.ts';
import * as op from './opcodes.ts';
import { refusing } from './reader.ts';
import { type Instrumentation, rewriteModule, type Shape } from './rewrite.ts';

/** A mutable i32. The host sets it before each call, to anything not negative. */
export const FUEL_EXPORT = 'spanwire_fuel';

const TABLE_ELEMENTS_MAX = 65_536;
/** Compilers make one, or two with references of the host. */
const TABLES_MAX = 16;

/** memory.grow is charged 2^6 for each page; beyond 2^16 pages it fails at no cost. */
const PAGES_MAX = 65_536;
const PER_PAGE_SHIFT = 6;
/** Bulk instructions are charged 1 for each 2^4 bytes or elements. */
const BULK_SHIFT = 4;

/** An entry sets so many locals to zero in the time of one instruction. */
const LOCALS_PER_FUEL = 4;

/** Instructions that call into the engine weigh as much as the ordinary ones that run in that time. */
const WEIGHTS: ReadonlyMap<number, number> = new Map([
  [op.TABLE_SET, 64],
  [op.TABLE_INIT, 256],
  [op.TABLE_COPY, 256],
  [op.TABLE_FILL, 256],
  [op.TABLE_GROW, 256],
  [op.MEMORY_GROW, 1024],
]);

/** Their operand on top of the stack is a length. */
const BULK: ReadonlySet<number> = new Set([
  op.MEMORY_INIT,
  op.MEMORY_COPY,
  op.MEMORY_FILL,
  op.TABLE_INIT,
  op.TABLE_COPY,
  op.TABLE_FILL,
  op.TABLE_GROW,
]);

/** The same module with fuel metering and its memory clamped. Throws RefusedError. */
export function meterModule(bytes: Uint8Array<ArrayBuffer>, limits: { memoryPages: number }): Uint8Array<ArrayBuffer> {
  checkCost(bytes);
  if (!WebAssembly.validate(bytes)) throw new RefusedError('not a valid module');
  const bounds = { memoryPages: limits.memoryPages, tables: TABLES_MAX, tableElements: TABLE_ELEMENTS_MAX };
  return refusing(() => rewriteModule(bytes, bounds, fuelInstrumentation));
}

/** One global, its export, and two functions (i32) → (i32) that charge for their argument and return it. */
export function fuelInstrumentation({ types, functions, globals }: Shape): Instrumentation {
  const fuel = leb128(globals);
  return {
    added: new Map([
      [op.TYPE, [[op.FUNCTION_TYPE, 1, op.I32, 1, op.I32]]],
      [op.FUNCTION, [leb128(types), leb128(types)]],
      [op.GLOBAL, [[op.I32, op.MUTABLE, op.I32_CONST, 0, op.END]]],
      [op.EXPORT, [[...encodeName(FUEL_EXPORT), op.KIND_GLOBAL, ...fuel]]],
      [op.CODE, [chargeBulk(fuel), chargeGrowth(fuel)]],
    ]),
    probe: fuelProbe(fuel, functions, functions + 1),
  };
}

/** Weights of the function and of the loops around the instruction at hand, and where they are to be written. */
function fuelProbe(fuel: readonly number[], bulkCharge: number, growthCharge: number): CodeProbe {
  const weights: number[] = [];
  const places: number[] = [];
  const head = [op.GLOBAL_GET, ...fuel, op.I32_CONST];
  let rest: readonly number[] = [];
  const bulk = [op.CALL, ...leb128(bulkCharge)];
  const growth = [op.CALL, ...leb128(growthCharge)];

  function charge(out: ByteWriter, weight: number): void {
    out.put(head);
    places.push(out.reserveNumber());
    weights.push(weight);
    out.put(rest);
  }

  return {
    enter(out, { local, locals }) {
      rest = subtractBy(fuel, local);
      charge(out, Math.ceil(locals / LOCALS_PER_FUEL));
    },
    before(out, opcode) {
      weights[weights.length - 1]! += WEIGHTS.get(opcode) ?? 1;
      if (opcode === op.MEMORY_GROW) out.put(growth);
      else if (BULK.has(opcode)) out.put(bulk);
    },
    after(out, opcode) {
      if (opcode === op.LOOP) charge(out, 0);
    },
    leave: (out) => out.patch(places.pop()!, weights.pop()!),
  };
}

/** The same with what is left in a local, which saves reading it back. */
function subtractBy(fuel: readonly number[], local: number): number[] {
  const left = [op.I32_SUB, op.LOCAL_TEE, ...leb128(local), op.GLOBAL_SET, ...fuel, op.LOCAL_GET, ...leb128(local)];
  return [...left, op.I32_CONST, 0, op.I32_LT_S, op.IF, op.NO_RESULT, op.UNREACHABLE, op.END];
}

/** Behind fuel and an amount on the stack: takes the one from the other, or traps. */
function subtract(fuel: readonly number[]): number[] {
  const trapWhenNegative = [op.GLOBAL_GET, ...fuel, op.I32_CONST, 0, op.I32_LT_S, op.IF, op.NO_RESULT, op.UNREACHABLE];
  return [op.I32_SUB, op.GLOBAL_SET, ...fuel, ...trapWhenNegative, op.END];
}

function chargeBulk(fuel: readonly number[]): number[] {
  const amount = [op.LOCAL_GET, 0, op.I32_CONST, BULK_SHIFT, op.I32_SHR_U];
  return encodeBody([op.GLOBAL_GET, ...fuel, ...amount, ...subtract(fuel), op.LOCAL_GET, 0, op.END]);
}

/** What is more than there are pages fails at once, and would wrap when shifted: it costs nothing. */
function chargeGrowth(fuel: readonly number[]): number[] {
  const pages = [op.LOCAL_GET, 0, op.I32_CONST, 0, ...isGrowth(), op.SELECT];
  const amount = [...pages, op.I32_CONST, PER_PAGE_SHIFT, op.I32_SHL];
  return encodeBody([op.GLOBAL_GET, ...fuel, ...amount, ...subtract(fuel), op.LOCAL_GET, 0, op.END]);
}

function isGrowth(): number[] {
  return [op.LOCAL_GET, 0, op.I32_CONST, ...leb128(PAGES_MAX), op.I32_LE_U];
}
