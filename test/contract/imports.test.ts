/**
 * Who may know whom (docs/architecture.md): data flows one way, and each border has one contract.
 * A rule here is a sentence of the design; a file that breaks it is named with the import.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { builtinModules } from 'node:module';
import { dirname, join, normalize, relative } from 'node:path';
import { describe, expect, test } from 'vitest';

const ROOT = join(import.meta.dirname, '..', '..');
const DEPENDENCIES = Object.keys(
  (JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as { dependencies: object }).dependencies,
);

interface Import {
  readonly file: string;
  /** Path from the root, without its ending, or the name of a package. */
  readonly target: string;
}

function files(folder: string, ending: RegExp): string[] {
  return readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' })
    .filter((file) => ending.test(file))
    .map((file) => join(folder, file))
    .sort();
}

/** Static, dynamic and type imports of TypeScript and AssemblyScript. */
function importsOf(file: string): Import[] {
  const source = readFileSync(join(ROOT, file), 'utf8').replace(/\/\*[\s\S]*?\*\/|^\s*\/\/.*$/gm, '');
  const found = source.matchAll(/(?<!\.)\b(?:from|import)\s*\(?\s*'([^'\s]+)'/g);
  return [...found].map(([, name]) => ({ file, target: resolve(file, name!) }));
}

function resolve(file: string, name: string): string {
  if (!name.startsWith('.')) return name;
  return relative(ROOT, normalize(join(ROOT, dirname(file), name))).replace(/(\.d)?\.[jt]s$/, '');
}

function includesOf(file: string): { file: string; name: string; isSystem: boolean }[] {
  const found = readFileSync(join(ROOT, file), 'utf8').matchAll(/^\s*#\s*include\s+([<"])([^>"]+)[>"]/gm);
  return [...found].map(([, quote, name]) => ({ file, name: name!, isSystem: quote === '<' }));
}

function allImports(folder: string): Import[] {
  return files(folder, /\.ts$/).flatMap(importsOf);
}

const isLocal = ({ target }: Import) => /^(bench|bpf|fuzz|host|native|parsers|test|examples)\//.test(target);

test('the reader of imports sees what there is', () => {
  const found = importsOf('host/wasm/instance.ts').map(({ target }) => target);
  expect(found).toContain('parsers/sdk/abi');
  expect(found).toContain('host/wasm/slots');
  expect(importsOf('host/cli.ts').map(({ target }) => target)).toContain('host/commands/run');
  expect(allImports('parsers').length).toBeGreaterThan(10);
});

describe('parsers', () => {
  const names = readdirSync(join(ROOT, 'parsers'), { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map(({ name }) => name);

  test.each(names)('%s imports its own folder, parsers/sdk and libraries', (name) => {
    const wrong = allImports(`parsers/${name}`).filter(({ target }) => {
      if (target.startsWith(`parsers/${name}/`) || target.startsWith('parsers/sdk/')) return false;
      // A folder without a manifest is a library.
      const library = /^parsers\/([^/]+)\//.exec(target)?.[1];
      return library === undefined || existsSync(join(ROOT, 'parsers', library, 'manifest.json'));
    });
    expect(wrong).toEqual([]);
  });

  test('the SDK knows no parser', () => {
    expect(allImports('parsers/sdk').filter(({ target }) => !target.startsWith('parsers/sdk/'))).toEqual([]);
  });
});

describe('the host', () => {
  test('knows of parsers only the ABI, of native only its types', () => {
    const wrong = allImports('host')
      .filter(isLocal)
      .filter(({ target }) => !target.startsWith('host/') && !['parsers/sdk/abi', 'native/index'].includes(target));
    expect(wrong).toEqual([]);
  });

  test.each(['conn', 'spans', 'wasm'])('host/%s does not know where spans go or who calls it', (folder) => {
    const wrong = allImports(`host/${folder}`).filter(({ target }) => /^host\/(export|commands)\//.test(target));
    expect(wrong).toEqual([]);
  });

  test('host/kernel knows only itself, the addon and where the build puts it', () => {
    const wrong = allImports('host/kernel')
      .filter(isLocal)
      .filter(({ target }) => !/^(host\/kernel\/|native\/index$|host\/self\/build-product$)/.test(target));
    expect(wrong).toEqual([]);
  });

  test('exporters take spans as they are, whatever made them', () => {
    const wrong = allImports('host/export').filter(({ target }) =>
      /^host\/(conn|wasm|kernel|replay|discovery|commands)\//.test(target),
    );
    expect(wrong).toEqual([]);
  });

  test('only commands and the command line know the commands', () => {
    const wrong = allImports('host')
      .filter(({ target }) => target.startsWith('host/commands/'))
      .filter(({ file }) => !file.startsWith('host/commands/') && file !== 'host/cli.ts');
    expect(wrong).toEqual([]);
  });

  test('every package it runs on is a dependency of package.json', () => {
    const packages = allImports('host')
      .filter((one) => !isLocal(one) && one.target !== 'package.json')
      .map(({ file, target }) => ({ file, name: target.split('/', target.startsWith('@') ? 2 : 1).join('/') }))
      .filter(({ name }) => !name.startsWith('node:') && !builtinModules.includes(name));
    expect(packages.filter(({ name }) => !DEPENDENCIES.includes(name))).toEqual([]);
  });
});

describe('C and C++', () => {
  test('native includes its own headers, bpf/wire.h and the system’s', () => {
    const own = new Set(files('native', /\.h$/).map((file) => file.slice(file.lastIndexOf('/') + 1)));
    const wrong = files('native/src', /\.(cc|h)$/)
      .flatMap(includesOf)
      .filter(({ name, isSystem }) => !isSystem && !own.has(name) && name !== '../../bpf/wire.h');
    expect(wrong).toEqual([]);
  });

  test('bpf includes its own headers, <bpf/…>, <linux/…> and <stdbool.h>', () => {
    const own = new Set(files('bpf', /\.h$/).map((file) => file.slice('bpf/'.length)));
    const wrong = files('bpf', /\.[ch]$/)
      .flatMap(includesOf)
      .filter(({ name, isSystem }) => (isSystem ? !/^(bpf\/|linux\/|stdbool\.h$)/.test(name) : !own.has(name)));
    expect(wrong).toEqual([]);
  });

  test('wire.h stands alone: it is compiled by both sides', () => {
    expect(includesOf('bpf/wire.h')).toEqual([]);
  });
});
