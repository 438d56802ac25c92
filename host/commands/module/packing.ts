/**
 * Puts manifest and golden cases into a module, as the custom sections the host reads. Rule: what comes out has passed
 * the host's static checks, its cases can be read, and it carries each section once.
 */
import { parseCases } from '../../modules/trial/cases.ts';
import { CASES_SECTION, MANIFEST_SECTION, parseManifest, readManifest } from '../../wasm/manifest.ts';
import { RefusedError } from '../../wasm/refusal.ts';
import { encodeName } from '../../wasm/rewrite/encode.ts';
import { CUSTOM } from '../../wasm/rewrite/opcodes.ts';
import { appendCustomSection, PREAMBLE, readSections } from '../../wasm/sections.ts';

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
  const kept = readSections(wasm).filter(({ id, start, end }) => id !== CUSTOM || !isOurs(wasm.subarray(start, end)));
  return Buffer.concat([wasm.subarray(0, PREAMBLE), ...kept.map(({ head, end }) => wasm.subarray(head, end))]);
}

/** Whether the content of a custom section begins with one of our names. */
function isOurs(content: Uint8Array): boolean {
  return [MANIFEST_SECTION, CASES_SECTION].some((name) => {
    const label = encodeName(name);
    return label.every((byte, at) => content[at] === byte);
  });
}
