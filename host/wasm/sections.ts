/**
 * The outermost structure of a WebAssembly binary: a preamble and sections of (id, size, content). Enough to see
 * whether a section is there and to append a custom one; never reads past the bytes it is given.
 * https://webassembly.github.io/spec/core/binary/modules.html
 */

const PREAMBLE = 8;
const CUSTOM = 0;
const START = 8;

/** The bytes are not the section sequence the specification demands. */
export class WasmFormatError extends Error {
  override readonly name = 'WasmFormatError';
}

/** True when instantiating the module would run code of it. */
export function hasStartSection(bytes: Uint8Array): boolean {
  return sectionIds(bytes).includes(START);
}

/** The module with a custom section appended. */
export function appendCustomSection(bytes: Uint8Array, name: string, content: Uint8Array): Uint8Array<ArrayBuffer> {
  const label = new TextEncoder().encode(name);
  const body = [...leb128(label.length), ...label];
  const head = [CUSTOM, ...leb128(body.length + content.length), ...body];
  const whole = new Uint8Array(bytes.length + head.length + content.length);
  whole.set(bytes);
  whole.set(head, bytes.length);
  whole.set(content, bytes.length + head.length);
  return whole;
}

function sectionIds(bytes: Uint8Array): number[] {
  const ids: number[] = [];
  let at = PREAMBLE;
  while (at < bytes.length) {
    ids.push(bytes[at]!);
    const [size, next] = readLeb128(bytes, at + 1);
    at = next + size;
  }
  if (at > bytes.length) throw new WasmFormatError('truncated: a section is longer than the file');
  return ids;
}

function readLeb128(bytes: Uint8Array, from: number): [value: number, next: number] {
  let value = 0;
  for (let index = 0; index < 5; index++) {
    const byte = bytes[from + index];
    if (byte === undefined) break;
    value += (byte & 0x7f) * 2 ** (7 * index);
    if (byte < 0x80) return [value, from + index + 1];
  }
  throw new WasmFormatError('truncated: a section has no valid size');
}

function leb128(value: number): number[] {
  const bytes: number[] = [];
  for (let rest = value; ; rest >>>= 7) {
    if (rest < 0x80) return [...bytes, rest];
    bytes.push((rest & 0x7f) | 0x80);
  }
}
