/**
 * A module in, the same module with additions out: entries appended to its sections, bytes put between the instructions
 * of its functions. One pass over the binary; what is added is the instrumentation's to say. Functions and globals are
 * added behind those the module has, so no index in it changes.
 *
 * Rule: of whatever bytes, either a rewritten module or RefusedError or WasmFormatError. Types are not looked at: give it
 * what WebAssembly.validate has passed. Custom sections are dropped but for names and the host's own.
 * https://webassembly.github.io/spec/core/binary/modules.html
 */
import { RefusedError } from '../refusal.ts';
import { PREAMBLE, readSections, type Section } from '../sections.ts';
import { type CodeProbe, rewriteBody } from './code.ts';
import * as declarations from './declarations.ts';
import { ByteWriter } from './encode.ts';
import { refuse } from './instructions.ts';
import * as op from './opcodes.ts';
import { ByteReader } from './reader.ts';

/** How many of each there are, imported ones included: the index that the first added one gets. */
export interface Shape {
  readonly types: number;
  readonly functions: number;
  readonly globals: number;
}

export interface Instrumentation {
  /** Encoded entries to append, by the id of the section. A function needs one in FUNCTION and one in CODE. */
  readonly added: ReadonlyMap<number, readonly (readonly number[])[]>;
  readonly probe: CodeProbe;
}

/** The most a module may have; larger maxima are lowered to it, larger initial sizes refused. */
export interface Bounds {
  readonly memoryPages: number;
  readonly tables: number;
  readonly tableElements: number;
}

interface Rewriting extends Instrumentation {
  readonly bounds: Bounds;
  readonly out: ByteWriter;
  readonly importedFunctions: number;
  /** Of each function that is not imported: how many parameters it has. */
  readonly parameters: readonly number[];
}

type Entry = (reader: ByteReader, rewriting: Rewriting, index: number) => void;

const NAMES = 'name';
const OURS = 'spanwire.';

/** Sections in the order the specification demands, and how an entry of each goes from the one module to the other. */
const ENTRIES: ReadonlyMap<number, Entry> = new Map([
  [op.TYPE, copied(declarations.readFunctionType)],
  [op.IMPORT, copied((reader) => declarations.readImport(reader))],
  [op.FUNCTION, copied((reader) => reader.u32())],
  [op.TABLE, boundTable],
  [op.MEMORY, boundMemory],
  [op.GLOBAL, copied(declarations.readGlobal)],
  [op.EXPORT, copied((reader) => declarations.readExport(reader, () => {}))],
  [op.ELEMENT, copied(declarations.readElements)],
  // Holds a number, which is no count of entries.
  [op.DATA_COUNT, () => {}],
  [op.CODE, rewriteFunction],
  [op.DATA, copied(declarations.readData)],
]);

export function rewriteModule(
  bytes: Uint8Array,
  bounds: Bounds,
  instrument: (shape: Shape) => Instrumentation,
): Uint8Array<ArrayBuffer> {
  const all = readSections(bytes);
  const sections = new Map(all.map((section) => [section.id, section]));
  refuseUnknown(bytes, sections, bounds);
  const imported = countImports(bytes, sections.get(op.IMPORT));
  const instrumentation = instrument({
    types: countEntries(bytes, sections.get(op.TYPE)),
    functions: imported[op.KIND_FUNCTION]! + countEntries(bytes, sections.get(op.FUNCTION)),
    globals: imported[op.KIND_GLOBAL]! + countEntries(bytes, sections.get(op.GLOBAL)),
  });
  const out = new ByteWriter();
  const parameters = countParameters(bytes, sections);
  const rewriting = { ...instrumentation, bounds, out, parameters, importedFunctions: imported[op.KIND_FUNCTION]! };
  out.copy(bytes, 0, Math.min(PREAMBLE, bytes.length));
  for (const [id, entry] of ENTRIES) writeSection(bytes, sections.get(id), id, entry, rewriting);
  for (const section of all) if (isKept(bytes, section)) out.copy(bytes, section.head, section.end);
  return out.take();
}

function refuseUnknown(bytes: Uint8Array, found: ReadonlyMap<number, Section>, { tables }: Bounds): void {
  if (found.has(op.START)) throw new RefusedError('has a start function; a module must not run code when loaded');
  if (found.has(op.TAG)) refuse('exceptions');
  for (const id of found.keys()) {
    if (id !== op.CUSTOM && !ENTRIES.has(id)) refuse(`an unknown section (${id})`);
  }
  if (countEntries(bytes, found.get(op.MEMORY)) > 1) refuse('multiple memories');
  const count = countEntries(bytes, found.get(op.TABLE));
  if (count > tables) throw new RefusedError(`has ${count} tables, at most ${tables} are allowed`);
}

function writeSection(
  bytes: Uint8Array,
  section: Section | undefined,
  id: number,
  entry: Entry,
  rewriting: Rewriting,
): void {
  const { out, added } = rewriting;
  const entries = added.get(id) ?? [];
  if (!section && entries.length === 0) return;
  out.byte(id);
  out.sized(() => {
    const reader = section && new ByteReader(bytes, section.start, section.end);
    const count = reader?.u32() ?? 0;
    out.u32(count + entries.length);
    if (reader && id !== op.DATA_COUNT) for (let index = 0; index < count; index++) entry(reader, rewriting, index);
    reader?.expectDone(`section ${id}`);
    for (const one of entries) out.put(one);
  });
}

/** An entry that stays as it is once `read` has passed over it. */
function copied(read: (reader: ByteReader) => void): Entry {
  return (reader, { out }) => {
    const from = reader.at;
    read(reader);
    out.copy(reader.bytes, from, reader.at);
  };
}

function boundTable(reader: ByteReader, { out, bounds }: Rewriting, index: number): void {
  const [elementType, limits] = declarations.readTable(reader);
  out.byte(elementType);
  writeBounded(out, limits, bounds.tableElements, `table ${index}`, 'elements');
}

function boundMemory(reader: ByteReader, { out, bounds }: Rewriting): void {
  writeBounded(out, declarations.readLimits(reader), bounds.memoryPages, 'its memory', 'pages');
}

function writeBounded(
  out: ByteWriter,
  { initial, maximum }: declarations.Limits,
  bound: number,
  what: string,
  unit: string,
): void {
  if (initial > bound) {
    throw new RefusedError(`${what} begins with ${initial} ${unit}, at most ${bound} are allowed`);
  }
  out.byte(declarations.HAS_MAXIMUM);
  out.u32(initial);
  out.u32(Math.min(maximum ?? bound, bound));
}

function rewriteFunction(
  reader: ByteReader,
  { out, probe, importedFunctions, parameters }: Rewriting,
  index: number,
): void {
  const functionIndex = importedFunctions + index;
  try {
    rewriteBody(reader.take(reader.u32()), out, probe, parameters[index] ?? 0);
  } catch (error) {
    if (error instanceof RefusedError) throw new RefusedError(`function ${functionIndex} ${error.message}`);
    throw error;
  }
}

function countEntries(bytes: Uint8Array, section: Section | undefined): number {
  return section ? new ByteReader(bytes, section.start, section.end).u32() : 0;
}

/** By function of the module: of its type. */
function countParameters(bytes: Uint8Array, sections: ReadonlyMap<number, Section>): number[] {
  const ofType: number[] = [];
  const all: number[] = [];
  const [types, functions] = [sections.get(op.TYPE), sections.get(op.FUNCTION)];
  if (types) {
    new ByteReader(bytes, types.start, types.end).vector((one) => {
      ofType.push(declarations.readFunctionType(one).parameters.length);
    });
  }
  if (functions) {
    new ByteReader(bytes, functions.start, functions.end).vector((one) => {
      all.push(ofType[one.u32()] ?? 0);
    });
  }
  return all;
}

/** How many imports there are of each kind. */
function countImports(bytes: Uint8Array, section: Section | undefined): number[] {
  const counts = [0, 0, 0, 0];
  if (!section) return counts;
  new ByteReader(bytes, section.start, section.end).vector((reader) => {
    counts[declarations.readImport(reader)]!++;
  });
  return counts;
}

function isKept(bytes: Uint8Array, { id, start, end }: Section): boolean {
  if (id !== op.CUSTOM) return false;
  const name = new ByteReader(bytes, start, end).name();
  return name === NAMES || name.startsWith(OURS);
}
