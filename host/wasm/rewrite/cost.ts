/**
 * What must hold before the engine may look at a file: it validates and compiles in linear time, but not linear in the
 * bytes of the file. A MiB of blocks with a thousand parameters takes it a minute, one of functions with fifty thousand
 * locals two seconds. Rule: whatever passes here is validated in tenths of a second.
 */
import { RefusedError } from '../refusal.ts';
import { readSections } from '../sections.ts';
import { readLocals } from './code.ts';
import { readFunctionType } from './declarations.ts';
import { CODE, TYPE } from './opcodes.ts';
import { ByteReader, refusing } from './reader.ts';

const MODULE_MAX_BYTES = 1024 * 1024;
/** Parameters and results of a type, each: compilers pass larger things in memory. */
const ARITY_MAX = 32;
/** Of all functions together; the engine has a limit of 50,000 for each. */
const LOCALS_MAX = 1_000_000;

/** "\0asm", with which every binary begins. */
const MAGIC = [0x00, 0x61, 0x73, 0x6d];

/** Throws RefusedError. */
export function checkCost(bytes: Uint8Array): void {
  if (MAGIC.some((byte, at) => bytes[at] !== byte)) throw new RefusedError('is not a WebAssembly binary');
  if (bytes.length > MODULE_MAX_BYTES) {
    throw new RefusedError(`is ${bytes.length} bytes long, at most ${MODULE_MAX_BYTES} are allowed`);
  }
  refusing(() => checkSections(bytes));
}

function checkSections(bytes: Uint8Array): void {
  for (const { id, start, end } of readSections(bytes)) {
    if (id === TYPE) new ByteReader(bytes, start, end).vector(checkType);
    if (id === CODE) checkLocals(new ByteReader(bytes, start, end));
  }
}

function checkType(reader: ByteReader, index: number): void {
  const { parameters, results } = readFunctionType(reader);
  if (parameters.length > ARITY_MAX || results.length > ARITY_MAX) {
    throw new RefusedError(`type ${index} has more than ${ARITY_MAX} parameters or results; pass them in memory`);
  }
}

function checkLocals(reader: ByteReader): void {
  let locals = 0;
  reader.vector((one) => {
    locals += readLocals(one.take(one.u32()));
  });
  if (locals > LOCALS_MAX) throw new RefusedError(`has ${locals} locals, at most ${LOCALS_MAX} are allowed`);
}
