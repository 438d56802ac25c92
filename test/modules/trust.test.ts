/** host/modules/trust.ts: which files each policy takes, and that a refusal names its remedy. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { parsePublicKey } from '../../host/modules/minisign.ts';
import { createSecretKey, formatPublicKey, signBytes } from '../../host/modules/minisign-key.ts';
import {
  judgeOrigin,
  judgeVersion,
  readDigests,
  readKeys,
  readMinimums,
  type TrustRules,
} from '../../host/modules/trust.ts';
import { digestOf } from '../../host/wasm/admit.ts';
import { temporaryFolder } from './fixtures.ts';

const secret = createSecretKey();
const publicText = formatPublicKey(secret);
const bytes = Buffer.from('the bytes of a module');
const signature = Buffer.from(signBytes(bytes, secret, 'x'));
const strangers = Buffer.from(signBytes(bytes, createSecretKey(), 'x'));

const rules = (change: Partial<TrustRules> = {}): TrustRules => ({
  policy: 'enforce',
  keys: [parsePublicKey(publicText)],
  digests: new Set(),
  minimum: new Map([['redis', '1.2.0']]),
  ...change,
});

describe('under enforce', () => {
  test('a signature of a configured key is trusted', () => {
    expect(judgeOrigin(rules(), bytes, signature)).toEqual({ accepted: true, trust: `signed by ${secret.id}` });
  });

  test('a digest on the list is trusted, whatever lies beside it', () => {
    const digests = new Set([digestOf(bytes)]);
    for (const beside of [undefined, strangers, Buffer.from('?')]) {
      expect(judgeOrigin(rules({ digests, keys: [] }), bytes, beside)).toEqual({
        accepted: true,
        trust: 'allowed digest',
      });
    }
  });

  const refused: readonly (readonly [string, Uint8Array, Uint8Array | undefined, string])[] = [
    ['no signature', bytes, undefined, 'it has no signature beside it'],
    ["a stranger's signature", bytes, strangers, 'which is not among the keys'],
    ['a signature of other bytes', Buffer.from('other'), signature, 'was made for other bytes'],
    ['a file that is no signature', bytes, Buffer.from('?'), "is not minisign's"],
  ];
  for (const [what, file, beside, reason] of refused) {
    test(`${what} is refused, with the reason and both remedies`, () => {
      const verdict = judgeOrigin(rules(), file, beside);
      expect(verdict).toMatchObject({ accepted: false, trust: 'untrusted' });
      expect(verdict.reason).toContain(reason);
      expect(verdict.reason).toContain('spanwire module sign');
      expect(verdict.reason).toContain(`--module-digests ${digestOf(file)}`);
    });
  }

  test('without a key the remedy names where to give it', () => {
    expect(judgeOrigin(rules({ keys: [] }), bytes, signature).reason).toContain(
      'give the public key with --module-keys',
    );
  });

  test('a version below the lowest is refused, one at it or above is not', () => {
    expect(judgeVersion(rules(), 'redis', '1.1.9')).toContain('older than 1.2.0');
    expect(judgeVersion(rules(), 'redis', '1.2.0-rc.1')).toContain('older than 1.2.0');
    expect(judgeVersion(rules(), 'redis', '1.2.0')).toBeUndefined();
    expect(judgeVersion(rules(), 'redis', '1.10.0')).toBeUndefined();
    expect(judgeVersion(rules(), 'http1', '0.0.1')).toBeUndefined();
  });
});

test('under warn all is taken, and what enforce would refuse is said', () => {
  const verdict = judgeOrigin(rules({ policy: 'warn' }), bytes, undefined);
  expect(verdict).toMatchObject({ accepted: true, trust: 'untrusted' });
  expect(verdict.reason).toContain('no signature');
  expect(judgeVersion(rules({ policy: 'warn' }), 'redis', '1.0.0')).toContain('older than 1.2.0');
});

test('under off all is taken and nothing is said; what is signed is still known to be', () => {
  expect(judgeOrigin(rules({ policy: 'off' }), bytes, strangers)).toEqual({ accepted: true, trust: 'untrusted' });
  expect(judgeOrigin(rules({ policy: 'off' }), bytes, signature).trust).toBe(`signed by ${secret.id}`);
  expect(judgeVersion(rules({ policy: 'off' }), 'redis', '1.0.0')).toBeUndefined();
});

describe('configuration', () => {
  test('keys are read from base64 and from files', () => {
    const file = join(temporaryFolder(), 'modules.pub');
    writeFileSync(file, publicText);
    expect(readKeys([publicText.split('\n')[1]!, file]).map(({ id }) => id)).toEqual([secret.id, secret.id]);
  });

  test('a key that is none is named', () => {
    const file = join(temporaryFolder(), 'modules.pub');
    writeFileSync(file, 'not a key');
    expect(() => readKeys([file])).toThrow(`"${file}" is not a minisign public key`);
    expect(() => readKeys(['/nowhere/modules.pub'])).toThrow('"/nowhere/modules.pub" cannot be read: ENOENT');
    expect(() => readKeys([`RW${'A'.repeat(54)}`])).toThrow('is not a minisign public key');
  });

  test('digests are read as sha256sum and container tools write them', () => {
    const digest = digestOf(bytes);
    expect(readDigests([digest.toUpperCase(), `sha256:${digest}`])).toEqual(new Set([digest]));
    expect(() => readDigests([digest.slice(1)])).toThrow('is not a SHA-256 digest');
  });

  test('minimum versions are names and versions', () => {
    expect(readMinimums(['redis@1.2.0', 'my-rpc@0.1.0-rc.1'])).toEqual(
      new Map([
        ['redis', '1.2.0'],
        ['my-rpc', '0.1.0-rc.1'],
      ]),
    );
    for (const wrong of ['redis', 'redis@', 'redis@1', '@1.0.0', 'Redis@1.0.0']) {
      expect(() => readMinimums([wrong]), wrong).toThrow('such as redis@1.2.0');
    }
  });
});
