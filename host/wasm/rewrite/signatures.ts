/**
 * The exports a module must have are functions of i32 and nothing else, with the number of parameters and results that
 * docs/abi.md demands: read from the file, so that a call cannot be of another type than the host means.
 */
import { RefusedError } from '../refusal.ts';
import { readSections } from '../sections.ts';
import { type FunctionType, readExport, readFunctionType, readImport } from './declarations.ts';
import { EXPORT, FUNCTION, I32, IMPORT, KIND_FUNCTION, TYPE } from './opcodes.ts';
import { ByteReader, refusing } from './reader.ts';

type Signature = readonly [parameters: number, results: number];

/** `migrate` may be missing, and `configure` where no settings are named; readManifest has looked for the others. */
const SIGNATURES: Readonly<Record<string, Signature>> = {
  abi_version: [0, 1],
  layout: [2, 1],
  open: [2, 0],
  identify: [1, 1],
  run: [2, 1],
  close: [1, 0],
  migrate: [2, 1],
  configure: [1, 1],
};

/**
 * Throws RefusedError when an export of the ABI has another signature. Without settings an export by the name of
 * `configure` is none of ours: modules of version 1.0 may have one.
 */
export function checkSignatures(bytes: Uint8Array, hasSettings = true): void {
  const exported = refusing(() => readExportedFunctions(bytes));
  for (const [name, signature] of Object.entries(SIGNATURES)) {
    const type = name === 'configure' && !hasSettings ? undefined : exported.get(name);
    if (type && !matches(type, signature)) {
      throw new RefusedError(`export "${name}" is ${describe(type)}, must be ${describe(typeOf(signature))}`);
    }
  }
}

/** Types of the functions a module exports, by name. */
export function readExportedFunctions(bytes: Uint8Array): Map<string, FunctionType> {
  const sections = new Map(readSections(bytes).map(({ id, start, end }) => [id, new ByteReader(bytes, start, end)]));
  const types: FunctionType[] = [];
  const functions: number[] = [];
  const exported = new Map<string, FunctionType>();
  sections.get(TYPE)?.vector((reader) => types.push(readFunctionType(reader)));
  sections.get(IMPORT)?.vector((reader) => readImport(reader, (type) => functions.push(type)));
  sections.get(FUNCTION)?.vector((reader) => functions.push(reader.u32()));
  sections.get(EXPORT)?.vector((reader) =>
    readExport(reader, (name, kind, index) => {
      const type = types[functions[index] ?? -1];
      if (kind === KIND_FUNCTION && type) exported.set(name, type);
    }),
  );
  return exported;
}

function matches({ parameters, results }: FunctionType, [takes, returns]: Signature): boolean {
  const all = [...parameters, ...results];
  return parameters.length === takes && results.length === returns && all.every((type) => type === I32);
}

function typeOf([parameters, results]: Signature): FunctionType {
  return { parameters: Array(parameters).fill(I32), results: Array(results).fill(I32) };
}

function describe({ parameters, results }: FunctionType): string {
  return `(${parameters.map(nameOf).join(', ')}) → (${results.map(nameOf).join(', ')})`;
}

function nameOf(type: number): string {
  return ['i32', 'i64', 'f32', 'f64', 'v128'][I32 - type] ?? 'a reference';
}
