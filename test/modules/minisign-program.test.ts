/**
 * Each program takes what the other wrote: keys, with and without password, and signatures, both algorithms. Against
 * minisign 0.11 or later (Debian: apt-get install minisign); skipped, with the reason, where it is not installed.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeEach, describe, expect, test } from 'vitest';
import { parsePublicKey, verifySignature } from '../../host/modules/minisign.ts';
import {
  createSecretKey,
  formatPublicKey,
  formatSecretKey,
  openSecretKey,
  type PasswordLimits,
  signBytes,
} from '../../host/modules/minisign-key.ts';
import { sayUnavailable } from '../support/unavailable.ts';
import { temporaryFolder } from './fixtures.ts';

const missing = spawnSync('minisign', ['-v']).error !== undefined;
if (missing) sayUnavailable('minisign against the real program', 'minisign is not installed');

/** Each way in which libsodium derives the cost of scrypt: bound by memory, by operations, and with p above 1. */
const LIMITS: Readonly<Record<string, PasswordLimits>> = {
  interactive: { operations: 524_288, bytes: 16_777_216 },
  'fewer operations': { operations: 100_000, bytes: 16_777_216 },
  'less memory': { operations: 1_000_000, bytes: 4_000_000 },
  'next to nothing': { operations: 0, bytes: 0 },
};

describe.skipIf(missing)('minisign', () => {
  let folder: string;
  const at = (name: string) => join(folder, name);
  const bytes = Buffer.from('the bytes of a module');

  beforeEach(() => {
    folder = temporaryFolder();
    writeFileSync(at('m.wasm'), bytes);
  });

  /** Throws when the program fails. Passwords are read from stdin where there is no terminal. */
  function minisign(parameters: readonly string[], input = ''): string {
    return execFileSync('minisign', parameters, { cwd: folder, input, encoding: 'utf8', stdio: 'pipe' });
  }

  const verifyHere = () =>
    verifySignature(bytes, readFileSync(at('m.wasm.minisig')), [parsePublicKey(readFileSync(at('m.pub'), 'utf8'))]);

  for (const [algorithm, option] of [
    ['legacy', '-l'],
    ['prehashed', '-H'],
  ] as const) {
    test(`what it signs (${algorithm}) holds here`, () => {
      minisign(['-G', '-W', '-p', 'm.pub', '-s', 'm.key']);
      minisign(['-S', option, '-s', 'm.key', '-m', 'm.wasm', '-t', 'name=demo']);
      const { keyId, comment } = verifyHere();
      expect(comment).toBe('name=demo');
      expect(readFileSync(at('m.pub'), 'utf8')).toContain(keyId.replace(/^0+/, ''));
    });
  }

  test('what is signed here holds there, and not for other bytes', () => {
    const key = createSecretKey();
    writeFileSync(at('m.pub'), formatPublicKey(key));
    writeFileSync(at('m.wasm.minisig'), signBytes(bytes, key, 'name=demo version=1.0.0'));
    expect(minisign(['-V', '-p', 'm.pub', '-m', 'm.wasm'])).toContain('Trusted comment: name=demo version=1.0.0');
    writeFileSync(at('m.wasm'), 'other bytes');
    expect(() => minisign(['-V', '-p', 'm.pub', '-m', 'm.wasm'])).toThrow('Signature verification failed');
  });

  test('a secret key it made signs here', async () => {
    minisign(['-G', '-W', '-p', 'm.pub', '-s', 'm.key']);
    const key = await openSecretKey(readFileSync(at('m.key'), 'utf8'), () => Promise.reject(new Error('no password')));
    expect(formatPublicKey(key).split('\n')[1]).toBe(readFileSync(at('m.pub'), 'utf8').split('\n')[1]);
    writeFileSync(at('m.wasm.minisig'), signBytes(bytes, key, 'here'));
    expect(minisign(['-V', '-p', 'm.pub', '-m', 'm.wasm'])).toContain('Trusted comment: here');
  });

  test('a secret key with a password it made opens here', async () => {
    minisign(['-G', '-p', 'm.pub', '-s', 'm.key'], 'secret\nsecret\n');
    const key = await openSecretKey(readFileSync(at('m.key'), 'utf8'), async () => 'secret');
    expect(formatPublicKey(key).split('\n')[1]).toBe(readFileSync(at('m.pub'), 'utf8').split('\n')[1]);
  });

  test('a secret key without a password made here signs there', () => {
    const key = createSecretKey();
    writeFileSync(at('m.key'), formatSecretKey(key));
    writeFileSync(at('m.pub'), formatPublicKey(key));
    minisign(['-S', '-s', 'm.key', '-m', 'm.wasm', '-t', 'there']);
    expect(verifyHere()).toEqual({ keyId: key.id, comment: 'there' });
  });

  for (const [what, limits] of Object.entries(LIMITS)) {
    test(`a secret key with a password made here signs there: ${what}`, () => {
      const key = createSecretKey();
      writeFileSync(at('m.key'), formatSecretKey(key, 'secret', limits));
      writeFileSync(at('m.pub'), formatPublicKey(key));
      expect(() => minisign(['-S', '-s', 'm.key', '-m', 'm.wasm'], 'wrong\n')).toThrow('Wrong password');
      minisign(['-S', '-s', 'm.key', '-m', 'm.wasm', '-t', 'there'], 'secret\n');
      expect(verifyHere()).toEqual({ keyId: key.id, comment: 'there' });
    });
  }
});
