/** The build's products are what a host may load: self-describing, import-free, usable raw and through the loader. */
import { readFileSync } from 'node:fs';
import { instantiateSync } from '@assemblyscript/loader';
import { describe, expect, test } from 'vitest';
import { loadParsers } from '../../fuzz/parsers.ts';
import { MANIFEST_SECTION, readManifest } from '../../host/wasm/manifest.ts';
import { BuildError, buildParser, findParsers } from '../../parsers/build.ts';
import { ABI_MAJOR, ABI_MINOR, LAYOUT_OUTPUT, LAYOUT_SLOTS } from '../../parsers/sdk/abi.ts';

test('parsers are found by their folder; the SDK is none', () => {
  expect(findParsers()).toContain('redis');
  expect(findParsers()).not.toContain('sdk');
});

test('an unknown name is an error in words', async () => {
  await expect(buildParser('no-such-parser')).rejects.toThrow(BuildError);
  await expect(buildParser('no-such-parser')).rejects.toThrow('parsers/no-such-parser/index.ts is not there');
});

for (const { name, bytes, module, manifest } of await loadParsers()) {
  describe(name, () => {
    test('is not compiled again when nothing has changed', async () => {
      expect(await buildParser(name)).toMatchObject({ name, compiled: false });
    });

    test('imports nothing and carries its manifest once', () => {
      expect(WebAssembly.Module.imports(module)).toEqual([]);
      expect(WebAssembly.Module.customSections(module, MANIFEST_SECTION)).toHaveLength(1);
      expect(readManifest(bytes)).toEqual(readManifest(module));
    });

    test('its attribute constants are those of the manifest', () => {
      const constants = readFileSync(new URL(`../../parsers/${name}/attributes.ts`, import.meta.url), 'utf8');
      const ids = [...constants.matchAll(/^export const [A-Z0-9_]+: u16 = (\d+);$/gm)].map(([, id]) => Number(id));
      expect(ids).toEqual(manifest.attributes.map(({ id }) => id));
    });

    test('runs through the AssemblyScript loader', () => {
      const { exports } = instantiateSync<Record<string, (...args: number[]) => number>>(bytes);
      expect(exports.abi_version!()).toBe((ABI_MAJOR << 16) | ABI_MINOR);
      const view = new DataView((exports.memory as unknown as WebAssembly.Memory).buffer);
      const layout = exports.layout!(4096, 16384);
      const record = new DataView((exports.memory as unknown as WebAssembly.Memory).buffer, layout);
      expect(view.byteLength).toBeLessThanOrEqual(record.buffer.byteLength);
      expect(record.getUint32(LAYOUT_SLOTS, true)).toBeGreaterThanOrEqual(
        record.getUint32(LAYOUT_OUTPUT, true) + 16384,
      );
      expect(exports.run!(0, 0)).toBe(0);
    });

    test('layout() beyond the memory limit is refused, not trapped on', () => {
      const { exports } = new WebAssembly.Instance(module, {});
      const layout = exports.layout as (input: number, output: number) => number;
      expect(layout(0xffff_ffff, 0xffff_ffff)).toBe(0);
      expect(layout(manifest.limits.memoryPages * 65536, 65536)).toBe(0);
      expect(layout(65536, 65536)).toBeGreaterThan(0);
    });
  });
}
