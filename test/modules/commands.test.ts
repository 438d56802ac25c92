/** `spanwire module keygen`, `sign` and `verify` as a user calls them: files, words and exit codes. */
import { spawnSync } from 'node:child_process';
import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { beforeEach, describe, expect, test } from 'vitest';
import { makeModule, temporaryFolder } from './fixtures.ts';

const MAIN = fileURLToPath(new URL('../../host/main.ts', import.meta.url));

let folder: string;
beforeEach(() => {
  folder = temporaryFolder();
  writeFileSync(at('demo.wasm'), makeModule('demo', '1.2.3'));
});

const at = (name: string) => join(folder, name);

function spanwire(...parameters: string[]): { status: number | null; stdout: string; stderr: string } {
  const { SPANWIRE_KEY_PASSWORD, ...env } = process.env;
  return spawnSync(process.execPath, [MAIN, 'module', ...parameters], {
    cwd: folder,
    env,
    encoding: 'utf8',
    input: '',
  });
}

function makeKey(name: string): string {
  const { status, stdout } = spanwire('keygen', '--no-password', '--out', `${name}.key`);
  expect(status).toBe(0);
  return /key id\s+([0-9A-F]{16})/.exec(stdout)![1]!;
}

describe('keygen, sign and verify', () => {
  test('make a signature that holds, and one that does not for other bytes', () => {
    const id = makeKey('k');
    expect(statSync(at('k.key')).mode & 0o777).toBe(0o600);
    const signed = spanwire('sign', 'demo.wasm', '--key', 'k.key', '--comment', 'build 812');
    expect(signed).toMatchObject({ status: 0, stdout: `demo.wasm.minisig: demo 1.2.3, signed by ${id}\n` });
    const comment = readFileSync(at('demo.wasm.minisig'), 'utf8').split('\n')[2];
    expect(comment).toMatch(/^trusted comment: name=demo version=1\.2\.3 time=\d{4}-\d\d-\d\dT[\d:.]+Z build 812$/);

    const verified = spanwire('verify', 'demo.wasm', '--key', 'k.pub');
    expect(verified.status).toBe(0);
    expect(verified.stdout).toContain(`demo.wasm: demo 1.2.3, signed by ${id}\n`);

    writeFileSync(at('demo.wasm'), makeModule('demo', '1.2.4'));
    const changed = spanwire('verify', 'demo.wasm', '--key', 'k.pub');
    expect(changed).toMatchObject({ status: 1, stdout: '' });
    expect(changed.stderr).toContain('spanwire: demo.wasm: its signature of key');
  });

  test('take several public keys, as files and as base64, and refuse a signature of none of them', () => {
    makeKey('a');
    makeKey('b');
    const bare = readFileSync(at('b.pub'), 'utf8').split('\n')[1]!;
    expect(spanwire('sign', 'demo.wasm', '--key', 'b.key').status).toBe(0);
    expect(spanwire('verify', '--key', 'a.pub', '--key', bare, 'demo.wasm').status).toBe(0);
    const other = spanwire('verify', 'demo.wasm', '--key', 'a.pub');
    expect(other.status).toBe(1);
    expect(other.stderr).toContain('is not among the keys given');
  });
});

describe('keygen', () => {
  test('writes into a folder, and overwrites nothing', () => {
    expect(spanwire('keygen', '--no-password', '--out', folder).status).toBe(0);
    const before = readFileSync(at('spanwire.key'), 'utf8');
    expect(readFileSync(at('spanwire.pub'), 'utf8')).toContain('minisign public key');
    const again = spanwire('keygen', '--no-password');
    expect(again.status).toBe(1);
    expect(again.stderr).toContain('spanwire.key exists and is not overwritten');
    expect(readFileSync(at('spanwire.key'), 'utf8')).toBe(before);
    writeFileSync(at('other.pub'), 'precious');
    expect(spanwire('keygen', '--no-password', '--out', 'other.key').status).toBe(1);
    expect(readFileSync(at('other.pub'), 'utf8')).toBe('precious');
    expect(statSync(at('other.key'), { throwIfNoEntry: false })).toBeUndefined();
  });

  test('without a terminal asks for a password in words, and makes nothing', () => {
    const { status, stderr } = spanwire('keygen');
    expect(status).toBe(2);
    expect(stderr).toContain('--password-file');
    expect(statSync(at('spanwire.key'), { throwIfNoEntry: false })).toBeUndefined();
  });

  test('refuses an empty password', () => {
    writeFileSync(at('password'), '\n');
    const { status, stderr } = spanwire('keygen', '--password-file', 'password');
    expect(status).toBe(2);
    expect(stderr).toContain('the password is empty');
  });

  test('encrypts the key with the password of a file, and sign wants it back', () => {
    writeFileSync(at('password'), 'secret\n');
    expect(spanwire('keygen', '--password-file', 'password', '--out', 'e.key').status).toBe(0);
    const without = spanwire('sign', 'demo.wasm', '--key', 'e.key');
    expect(without.status).toBe(2);
    expect(without.stderr).toContain('e.key: the key has a password');
    expect(spanwire('sign', 'demo.wasm', '--key', 'e.key', '--password-file', 'password').status).toBe(0);
    expect(spanwire('verify', 'demo.wasm', '--key', 'e.pub').status).toBe(0);
  });
});

describe('what is refused', () => {
  test('a file that is no module is neither signed nor verified', () => {
    makeKey('k');
    writeFileSync(at('bad.wasm'), 'no module');
    const signed = spanwire('sign', 'bad.wasm', '--key', 'k.key');
    expect(signed.status).toBe(1);
    expect(signed.stderr).toMatch(/^spanwire: bad\.wasm: .+\n$/);
    expect(statSync(at('bad.wasm.minisig'), { throwIfNoEntry: false })).toBeUndefined();
  });

  test('a key that is none, a file that is not there, a missing option', () => {
    makeKey('k');
    const wrongKey = spanwire('sign', 'demo.wasm', '--key', 'k.pub');
    expect(wrongKey.status).toBe(1);
    expect(wrongKey.stderr).toContain('k.pub: is not a minisign secret key');
    expect(spanwire('verify', 'demo.wasm', '--key', 'k.key')).toMatchObject({ status: 2 });
    const unsigned = spanwire('verify', 'demo.wasm', '--key', 'k.pub');
    expect(unsigned.status).toBe(1);
    expect(unsigned.stderr).toContain('demo.wasm.minisig');
    expect(spanwire('sign', 'demo.wasm')).toMatchObject({ status: 2, stderr: expect.stringContaining('--key <file>') });
  });

  test('a comment of two lines', () => {
    makeKey('k');
    const { status, stderr } = spanwire('sign', 'demo.wasm', '--key', 'k.key', '--comment', 'a\nb');
    expect(status).toBe(1);
    expect(stderr).toContain('one line');
  });
});
