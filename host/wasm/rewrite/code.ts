/**
 * The walk over one function's instructions that puts the probe's bytes between them.
 * https://webassembly.github.io/spec/core/binary/modules.html#code-section
 */
import { RefusedError } from '../refusal.ts';
import type { ByteWriter } from './encode.ts';
import { readInstruction, readValueType } from './instructions.ts';
import { BLOCK, END, I32, IF, LOOP } from './opcodes.ts';
import { ByteReader } from './reader.ts';

/** What goes between the instructions. It may write anything that leaves the stack as it finds it. */
export interface CodeProbe {
  /** At the start of a function; `locals` are those beside its parameters, `local` is the i32 it gets in addition. */
  enter(out: ByteWriter, frame: { readonly locals: number; readonly local: number }): void;
  before(out: ByteWriter, opcode: number): void;
  /** Not behind the last `end` of a function. */
  after(out: ByteWriter, opcode: number): void;
  /** When the `end` of a loop or of the function has been written. */
  leave(out: ByteWriter): void;
}

/** No opcode. */
const FUNCTION_BLOCK = -1;
/** The engine compiles no larger function. */
const FUNCTION_MAX_BYTES = 7_654_321;
/** Nor one of more locals, parameters among them. */
const LOCALS_MAX = 50_000;

/** Writes the function that `reader` holds, locals and one more of them and instructions, with its new size. */
export function rewriteBody(reader: ByteReader, out: ByteWriter, probe: CodeProbe, parameters: number): void {
  const size = out.sized(() => {
    const groups = new ByteReader(reader.bytes, reader.at, reader.bytes.length);
    const count = groups.u32();
    const locals = readLocals(reader);
    if (parameters + locals >= LOCALS_MAX) throw new RefusedError(`has ${LOCALS_MAX} locals or more`);
    out.u32(count + 1);
    out.copy(reader.bytes, groups.at, reader.at);
    out.put([1, I32]);
    probe.enter(out, { locals, local: parameters + locals });
    copyInstructions(reader, out, probe);
  });
  if (size > FUNCTION_MAX_BYTES) throw new RefusedError('is too large once it is metered; split it');
}

/** Passes over the declarations of a function's locals; returns how many there are. */
export function readLocals(reader: ByteReader): number {
  let locals = 0;
  reader.vector((one) => {
    locals += one.u32();
    readValueType(one);
  });
  return locals;
}

function copyInstructions(reader: ByteReader, out: ByteWriter, probe: CodeProbe): void {
  /** Opcodes of the blocks around the instruction; the function itself is the outermost. */
  const open: number[] = [FUNCTION_BLOCK];
  while (open.length > 0) {
    const from = reader.at;
    const opcode = readInstruction(reader);
    probe.before(out, opcode);
    out.copy(reader.bytes, from, reader.at);
    if (opcode >= BLOCK && opcode <= IF) open.push(opcode);
    const closed = opcode === END ? open.pop() : undefined;
    if (closed === LOOP || closed === FUNCTION_BLOCK) probe.leave(out);
    if (closed !== FUNCTION_BLOCK) probe.after(out, opcode);
  }
  reader.expectDone('a function');
}
