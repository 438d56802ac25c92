/**
 * Modules of any name and version, made of a parser that the build made: the same code with another manifest. And what
 * the tests of host/modules share: folders that go away, a log that remembers.
 */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished, vi } from 'vitest';
import type { Log } from '../../host/self/log.ts';
import { shippedModuleFolder } from '../../host/wasm/load.ts';
import { MANIFEST_SECTION } from '../../host/wasm/manifest.ts';
import { appendCustomSection, PREAMBLE, readSections } from '../../host/wasm/sections.ts';

export type Bytes = Uint8Array<ArrayBuffer>;

const redis: Bytes = new Uint8Array(readFileSync(join(shippedModuleFolder(), 'redis.wasm')));
const manifest = JSON.parse(
  new TextDecoder().decode(WebAssembly.Module.customSections(new WebAssembly.Module(redis), MANIFEST_SECTION)[0]),
);
const bare = withoutManifest(redis);

/** Equal arguments make equal bytes; `note` makes other bytes of the same version. */
export function makeModule(name: string, version: string, note = ''): Bytes {
  const text = JSON.stringify({ ...manifest, name, version });
  const described = appendCustomSection(bare, MANIFEST_SECTION, new TextEncoder().encode(text));
  return appendCustomSection(described, 'note', new TextEncoder().encode(note));
}

function withoutManifest(bytes: Bytes): Bytes {
  const label = Buffer.concat([Buffer.of(MANIFEST_SECTION.length), Buffer.from(MANIFEST_SECTION)]);
  const kept = readSections(bytes).filter(({ start }) => label.compare(bytes, start, start + label.length) !== 0);
  return new Uint8Array(
    Buffer.concat([bytes.subarray(0, PREAMBLE), ...kept.map(({ head, end }) => bytes.subarray(head, end))]),
  );
}

/** Removed when the test is over. */
export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'spanwire-modules-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

export interface Line {
  readonly level: string;
  readonly message: string;
  readonly fields: Record<string, unknown>;
}

export function rememberingLog(): { log: Log; lines: Line[] } {
  const lines: Line[] = [];
  const at = (level: string) => (fields: object, message: string) => {
    lines.push({ level, message, fields: fields as Record<string, unknown> });
  };
  return { log: { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') }, lines };
}

/** Waits until the check holds; on a busy machine that may take its time. */
export function until(check: () => void): Promise<void> {
  return vi.waitFor(check, { timeout: 20_000 });
}
