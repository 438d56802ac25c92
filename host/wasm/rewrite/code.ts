/**
 * The walk over one function's instructions that puts the probe's bytes between them.
 * https://webassembly.github.io/spec/core/binary/modules.html#code-section
 */
import { RefusedError } from '../refusal.ts';
import type { ByteWriter } from './encode.ts';
import { readInstruction, readValueType } from './instructions.ts';
import { BLOCK, END, IF, LOOP } from './opcodes.ts';
import type { ByteReader } from './reader.ts';

/** What goes between the instructions. It may write anything that leaves the stack as it finds it. */
export interface CodeProbe {
  /** At the start of a function; `locals` are those beside its parameters. */
  enter(out: ByteWriter, functionIndex: number, locals: number): void;
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

/** Writes the function that `reader` holds, locals and instructions, with its new size. */
export function rewriteBody(reader: ByteReader, out: ByteWriter, probe: CodeProbe, functionIndex: number): void {
  const size = out.sized(() => {
    const from = reader.at;
    const locals = readLocals(reader);
    out.copy(reader.bytes, from, reader.at);
    probe.enter(out, functionIndex, locals);
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
