/**
 * Puts manifest and golden cases into a module, as the custom sections the host reads. Rule: what comes out has passed
 * the host's static checks, its cases can be read, and it carries each section once.
 */
import { parseCases } from '../../modules/trial/cases.ts';
import { CASES_SECTION, MANIFEST_SECTION, parseManifest, readManifest } from '../../wasm/manifest.ts';
import { RefusedError } from '../../wasm/refusal.ts';
import { appendCustomSection } from '../../wasm/sections.ts';

const PREAMBLE = 8;
const CUSTOM = 0;

/** The module with this manifest and these cases (none when empty) instead of what it had. Throws RefusedError. */
export function packModule(wasm: Uint8Array, manifestText: string, casesText: string): Uint8Array<ArrayBuffer> {
  const manifest = JSON.stringify(parseManifest(manifestText));
  const encode = (text: string) => new TextEncoder().encode(text);
  let packed = appendCustomSection(withoutOurSections(wasm), MANIFEST_SECTION, encode(manifest));
  if (casesText !== '') {
    checkCases(casesText);
    packed = appendCustomSection(packed, CASES_SECTION, encode(casesText));
  }
  readManifest(packed);
  return packed;
}

/** A host that cannot read the cases refuses the module. */
function checkCases(text: string): void {
  try {
    parseCases(text, 'golden cases');
  } catch (error) {
    throw new RefusedError((error as Error).message);
  }
}

function withoutOurSections(wasm: Uint8Array): Uint8Array {
  if (!WebAssembly.validate(new Uint8Array(wasm))) throw new RefusedError('not a valid module');
  const kept: Uint8Array[] = [wasm.subarray(0, PREAMBLE)];
  for (let at = PREAMBLE; at < wasm.length; ) {
    const [size, body] = readLeb128(wasm, at + 1);
    if (wasm[at] !== CUSTOM || !isOurs(nameAt(wasm, body))) kept.push(wasm.subarray(at, body + size));
    at = body + size;
  }
  return Buffer.concat(kept);
}

function isOurs(name: string): boolean {
  return name === MANIFEST_SECTION || name === CASES_SECTION;
}

function nameAt(wasm: Uint8Array, at: number): string {
  const [length, from] = readLeb128(wasm, at);
  return new TextDecoder().decode(wasm.subarray(from, from + length));
}

/** Of a valid module: it ends, and within five bytes. */
function readLeb128(bytes: Uint8Array, from: number): [value: number, next: number] {
  let value = 0;
  let at = from;
  for (let factor = 1; ; factor *= 128) {
    const byte = bytes[at++]!;
    value += (byte & 0x7f) * factor;
    if (byte < 0x80) return [value, at];
  }
}
