/** The build's products are what a host may load: self-describing, import-free, usable raw and through the loader. */
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { instantiateSync } from '@assemblyscript/loader';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { loadParsers } from '../../fuzz/parsers.ts';
import { createModule } from '../../host/commands/module/new.ts';
import { pack } from '../../host/commands/module/pack.ts';
import { MANIFEST_SECTION, readManifest } from '../../host/wasm/manifest.ts';
import {
  BuildError,
  buildParser,
  CASES_SECTION,
  compileParser,
  findParsers,
  findTemplates,
  packModule,
} from '../../parsers/build.ts';
import { ABI_MAJOR, ABI_MINOR, LAYOUT_OUTPUT, LAYOUT_SLOTS } from '../../parsers/sdk/abi.ts';

const PARSERS = join(import.meta.dirname, '..', '..', 'parsers');
const REDIS = join(PARSERS, 'redis');
const LINE = join(PARSERS, 'template', 'line');

function sectionText(bytes: Uint8Array<ArrayBuffer>, name: string): string[] {
  return WebAssembly.Module.customSections(new WebAssembly.Module(bytes), name).map((section) =>
    Buffer.from(section).toString('utf8'),
  );
}

test('parsers are found by their folder; the SDK and the templates are none', () => {
  expect(findParsers()).toContain('redis');
  expect(findParsers()).not.toContain('sdk');
  expect(findParsers()).not.toContain('template');
  expect(findTemplates()).toEqual(['template/delimiter', 'template/length', 'template/line']);
});

test('an unknown name is an error in words', async () => {
  await expect(buildParser('no-such-parser')).rejects.toThrow(BuildError);
  await expect(buildParser('no-such-parser')).rejects.toThrow('parsers/no-such-parser/index.ts is not there');
});

describe('a folder outside the repository', () => {
  let folder: string;

  beforeEach(() => {
    folder = createModule('kv', 'line', mkdtempSync(join(tmpdir(), 'spanwire-build-')));
  });

  afterEach(() => rmSync(join(folder, '..'), { recursive: true }));

  test('builds with our SDK into a folder of its own, once', async () => {
    const built = await buildParser(folder);
    expect(built).toEqual({ name: 'kv', folder, file: join(folder, 'build', 'kv.wasm'), compiled: true });
    expect(readManifest(new Uint8Array(readFileSync(built.file))).name).toBe('kv');
    expect(await buildParser(folder)).toMatchObject({ compiled: false });
  });

  test('is built again when a golden case has changed', async () => {
    await buildParser(folder);
    const cases = join(folder, 'cases', 'exchanges.md');
    const text = readFileSync(cases, 'utf8').replace(/^# .*/, '# Another title');
    // Past the product's time, whatever the resolution of the clock.
    await expect.poll(() => writeAndBuild(cases, text)).toBe(true);
    const [embedded] = sectionText(new Uint8Array(readFileSync(join(folder, 'build', 'kv.wasm'))), CASES_SECTION);
    expect(embedded).toContain('# Another title');
  });

  async function writeAndBuild(file: string, text: string): Promise<boolean> {
    writeFileSync(file, text);
    return (await buildParser(folder)).compiled;
  }

  test('compileParser writes nothing, and gives what buildParser writes', async () => {
    const before = readdirSync(folder);
    const bytes = await compileParser(folder);
    expect(readdirSync(folder)).toEqual(before);
    expect(Buffer.from(bytes).equals(readFileSync((await buildParser(folder)).file))).toBe(true);
  });

  test('a folder of the repository gives the same module elsewhere', async () => {
    const copy = join(folder, '..', 'redis');
    cpSync(REDIS, copy, { recursive: true });
    expect(Buffer.from(await compileParser(copy)).equals(await compileParser('redis'))).toBe(true);
  });

  test('uses the library folder beside it', async () => {
    writeLibrary('export const NAME_LENGTH: u32 = 32;\n');
    await expect(compileParser(folder)).resolves.toBeInstanceOf(Uint8Array);
    writeLibrary('export const OTHER: u32 = 32;\n');
    await expect(compileParser(folder)).rejects.toThrow(/names\/length/);
  });

  function writeLibrary(text: string): void {
    const library = join(folder, '..', 'names');
    mkdirSync(library, { recursive: true });
    writeFileSync(join(library, 'length.ts'), text);
    const index = readFileSync(join(folder, 'index.ts'), 'utf8').replace(/^.*names.*\n.*NAME_LENGTH.*\n/, '');
    const use = "import { NAME_LENGTH } from '../names/length';\nexport const used: u32 = NAME_LENGTH;\n";
    writeFileSync(join(folder, 'index.ts'), use + index);
  }

  test('what does not compile is said in the words of the compiler, with file and line', async () => {
    writeFileSync(join(folder, 'detect.ts'), 'export function identify(_: u32): u32 { return nothing; }\n');
    await expect(compileParser(folder)).rejects.toThrow(BuildError);
    await expect(compileParser(folder)).rejects.toThrow(
      /kv: does not compile\n[\s\S]*'nothing'[\s\S]*kv\/detect\.ts\(1,/,
    );
  });

  test('a manifest that is none is refused by its name', async () => {
    writeFileSync(join(folder, 'manifest.json'), '{}');
    await expect(compileParser(folder)).rejects.toThrow(`${join(folder, 'manifest.json')}: manifest:`);
    rmSync(join(folder, 'manifest.json'));
    await expect(compileParser(folder)).rejects.toThrow('manifest.json is not there');
  });

  test('golden cases that nobody can read are refused', async () => {
    writeFileSync(join(folder, 'cases', 'broken.md'), '# Broken\n\n```client\nabc\n```\n');
    await expect(compileParser(folder)).rejects.toThrow('"Broken": has 0 blocks "messages"');
  });

  test('a parser without golden cases has no section for them', async () => {
    rmSync(join(folder, 'cases'), { recursive: true });
    expect(sectionText(await compileParser(folder), CASES_SECTION)).toEqual([]);
    expect(existsSync(join(folder, 'attributes.ts'))).toBe(false);
  });
});

describe('packModule', () => {
  const manifest = readFileSync(join(LINE, 'manifest.json'), 'utf8');
  const cases = '# One\n\n```client\nabc\n```\n```messages\n```\n';

  test('replaces manifest and cases; the code stays', async () => {
    const wasm = await compileParser(LINE);
    const packed = packModule(wasm, manifest.replace('"0.1.0"', '"7.0.0"'), cases);
    expect(readManifest(packed).version).toBe('7.0.0');
    expect(sectionText(packed, MANIFEST_SECTION)).toHaveLength(1);
    expect(sectionText(packed, CASES_SECTION)).toEqual([cases]);
    expect(packModule(packed, manifest, '').length).toBeLessThan(packed.length);
    const back = packModule(packed, manifest, sectionText(wasm, CASES_SECTION)[0]!);
    expect(Buffer.from(back).equals(wasm)).toBe(true);
  });

  test('refuses what no host would take', async () => {
    const wasm = await compileParser(LINE);
    expect(() => packModule(wasm.subarray(0, 100), manifest, cases)).toThrow('not a valid module');
    expect(() => packModule(Uint8Array.of(0, 0x61, 0x73, 0x6d, 1, 0, 0, 0), manifest, cases)).toThrow(
      'lacks the export',
    );
    expect(() => packModule(wasm, '{', cases)).toThrow('manifest is not JSON');
    expect(() => packModule(wasm, manifest, 'no title')).toThrow('golden cases: no "# title"');
  });

  test('as a command: from files to a file, which is not written when it is refused', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'spanwire-pack-'));
    const [raw, output] = [join(folder, 'raw.wasm'), join(folder, 'packed.wasm')];
    const files = { manifest: join(LINE, 'manifest.json'), cases: join(LINE, 'cases'), output };
    writeFileSync(raw, 'no module');
    expect(() => pack(raw, files)).toThrow(`${raw}: not a valid module`);
    expect(existsSync(output)).toBe(false);
    const wasm = await compileParser(LINE);
    writeFileSync(raw, wasm);
    pack(raw, files);
    expect(readFileSync(output).equals(wasm)).toBe(true);
    rmSync(folder, { recursive: true });
  });
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

    test('carries its golden cases, those of all files in the order of their names', () => {
      const folder = join(PARSERS, name, 'cases');
      const files = readdirSync(folder).filter((file) => file.endsWith('.md'));
      const titles = (text: string) => text.split('\n').filter((line) => line.startsWith('# '));
      const written = files.sort().flatMap((file) => titles(readFileSync(join(folder, file), 'utf8')));
      expect(sectionText(bytes, CASES_SECTION).flatMap(titles)).toEqual(written);
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
      const { exports } = new WebAssembly.Instance(new WebAssembly.Module(bytes), {});
      const layout = exports.layout as (input: number, output: number) => number;
      expect(layout(0xffff_ffff, 0xffff_ffff)).toBe(0);
      expect(layout(manifest.limits.memoryPages * 65536, 65536)).toBe(0);
      expect(layout(65536, 65536)).toBeGreaterThan(0);
    });
  });
}
