/**
 * Modules of any name and version, made of a parser that the build made: the same code with another manifest. And what
 * the tests of host/modules share: folders that go away, a log that remembers.
 */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished, vi } from 'vitest';
import { packModule } from '../../host/commands/module/packing.ts';
import type { Log } from '../../host/self/log.ts';
import { admitModule } from '../../host/wasm/admit.ts';
import { shippedModuleFolder } from '../../host/wasm/load.ts';
import { appendCustomSection } from '../../host/wasm/sections.ts';

export type Bytes = Uint8Array<ArrayBuffer>;

const redis: Bytes = new Uint8Array(readFileSync(join(shippedModuleFolder(), 'redis.wasm')));
const { manifest } = admitModule(redis);

/** Equal arguments make equal bytes; `note` makes other bytes of the same version. */
export function makeModule(name: string, version: string, note = ''): Bytes {
  const described = packModule(redis, JSON.stringify({ ...manifest, name, version }), '');
  return appendCustomSection(described, 'note', new TextEncoder().encode(note));
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
