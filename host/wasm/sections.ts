/**
 * The outermost structure of a WebAssembly binary: a preamble and sections of (id, size, content). Finds the sections
 * and appends custom ones; never reads past the bytes it is given.
 * https://webassembly.github.io/spec/core/binary/modules.html
 */
import { encodeName, leb128 } from './rewrite/encode.ts';
import { CUSTOM, START } from './rewrite/opcodes.ts';
import { ByteReader, WasmFormatError } from './rewrite/reader.ts';

export { WasmFormatError };

export const PREAMBLE = 8;

export interface Section {
  readonly id: number;
  /** Offset of the id, then [start, end) of the content. */
  readonly head: number;
  readonly start: number;
  readonly end: number;
}

/** True when instantiating the module would run code of it. */
export function hasStartSection(bytes: Uint8Array): boolean {
  return readSections(bytes).some(({ id }) => id === START);
}

/** The module with a custom section appended. */
export function appendCustomSection(bytes: Uint8Array, name: string, content: Uint8Array): Uint8Array<ArrayBuffer> {
  const label = encodeName(name);
  const head = [CUSTOM, ...leb128(label.length + content.length), ...label];
  const whole = new Uint8Array(bytes.length + head.length + content.length);
  whole.set(bytes);
  whole.set(head, bytes.length);
  whole.set(content, bytes.length + head.length);
  return whole;
}

/** All sections in the order of the file. */
export function readSections(bytes: Uint8Array): Section[] {
  const sections: Section[] = [];
  const reader = new ByteReader(bytes, Math.min(PREAMBLE, bytes.length));
  while (!reader.done) {
    const head = reader.at;
    const id = reader.byte();
    const { at, end } = reader.take(reader.u32());
    sections.push({ id, head, start: at, end });
  }
  return sections;
}
