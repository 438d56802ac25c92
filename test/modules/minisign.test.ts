/** Keys and signatures of host/modules: what holds, and that every change of a byte is found. */
import { describe, expect, test } from 'vitest';
import { parsePublicKey, SignatureError, verifySignature } from '../../host/modules/minisign.ts';
import {
  createSecretKey,
  formatPublicKey,
  formatSecretKey,
  openSecretKey,
  signBytes,
} from '../../host/modules/minisign-key.ts';

/** Milliseconds instead of seconds: what a password costs is in the file. */
const INTERACTIVE = { operations: 524_288, bytes: 16_777_216 };

const secret = createSecretKey();
const key = parsePublicKey(formatPublicKey(secret));
const file = Buffer.from('the bytes of a module');
const signature = signBytes(file, secret, 'name=demo version=1.0.0');
const check = (text: string, bytes: Uint8Array = file, keys = [key]) => verifySignature(bytes, Buffer.from(text), keys);
const nobody = () => Promise.reject(new Error('no password is needed'));

/** The text with one character of a line replaced by another of base64. */
function withLine(line: number, change: (text: string) => string): string {
  return signature
    .split('\n')
    .map((text, at) => (at === line ? change(text) : text))
    .join('\n');
}

function flip(text: string, at: number): string {
  return text.slice(0, at) + (text[at] === 'A' ? 'B' : 'A') + text.slice(at + 1);
}

describe('a signature', () => {
  test('holds for the bytes it was made for, and tells who signed what', () => {
    expect(check(signature)).toEqual({ keyId: secret.id, comment: 'name=demo version=1.0.0' });
    expect(check(signature.replaceAll('\n', '\r\n'))).toEqual({ keyId: secret.id, comment: 'name=demo version=1.0.0' });
  });

  test('does not hold for other bytes', () => {
    for (let at = 0; at < file.length; at++) {
      const changed = Buffer.from(file);
      changed[at]! ^= 1;
      expect(() => check(signature, changed)).toThrow('was made for other bytes');
    }
    expect(() => check(signature, Buffer.concat([file, Buffer.of(0)]))).toThrow('was made for other bytes');
  });

  test('does not hold when any character of it is changed', () => {
    for (const line of [1, 3]) {
      const length = signature.split('\n')[line]!.length;
      for (let at = 0; at < length; at++) {
        expect(() => check(withLine(line, (text) => flip(text, at))), `line ${line}, ${at}`).toThrow(SignatureError);
      }
    }
  });

  test('does not hold when the trusted comment is changed', () => {
    const changed = withLine(2, (text) => text.replace('1.0.0', '9.9.9'));
    expect(() => check(changed)).toThrow(`the trusted comment of its signature was changed after key ${secret.id}`);
  });

  test('may have any untrusted comment', () => {
    expect(check(withLine(0, () => 'untrusted comment: anything')).keyId).toBe(secret.id);
  });

  test('of another key is refused by its id, and so is another key of the same id', () => {
    const other = createSecretKey();
    const otherKey = parsePublicKey(formatPublicKey(other));
    expect(() => check(signature, file, [otherKey])).toThrow(`is of key ${secret.id}, which is not among the keys`);
    expect(() => check(signature, file, [{ ...otherKey, id: key.id }])).toThrow('another key of that id');
    expect(check(signature, file, [otherKey, { ...otherKey, id: key.id }, key]).keyId).toBe(secret.id);
  });

  test('that is cut anywhere is refused', () => {
    const whole = signature.trimEnd();
    for (let length = 0; length < whole.length; length++) {
      expect(() => check(whole.slice(0, length)), `${length} characters`).toThrow(SignatureError);
    }
  });

  test('that is something else is refused with what is wrong about it', () => {
    expect(() => check('')).toThrow('1 lines instead of 4');
    expect(() => check(`${signature}more\n`)).toThrow('5 lines instead of 4');
    expect(() => check(withLine(0, () => 'comment'))).toThrow('line 1 does not begin with "untrusted comment: "');
    expect(() => check(withLine(1, (text) => text.slice(4)))).toThrow('line 2 is not base64 of 74 bytes');
    expect(() => check(withLine(1, (text) => `AA${text.slice(2)}`))).toThrow('an algorithm other than Ed25519');
    expect(() => check(withLine(2, () => 'comment'))).toThrow('line 3 does not begin with "trusted comment: "');
    expect(() => check(withLine(3, () => '!'))).toThrow('line 4 is not base64 of 64 bytes');
    expect(() => check('x'.repeat(20_000))).toThrow('longer than 16384 bytes');
  });

  test('takes a comment of one line only', () => {
    expect(() => signBytes(file, secret, 'a\nb')).toThrow('one line');
    expect(check(signBytes(file, secret, 'Grüße')).comment).toBe('Grüße');
  });
});

describe('a public key', () => {
  const text = formatPublicKey(secret);

  test('is read from a file or from the base64 in it', () => {
    const bare = text.split('\n')[1]!;
    expect(parsePublicKey(bare).id).toBe(key.id);
    expect(parsePublicKey(bare).key.equals(key.key)).toBe(true);
  });

  test('that is something else is refused', () => {
    for (const wrong of ['', 'RW', text.slice(0, -3), `${text}${text}`, formatSecretKey(secret), signature]) {
      expect(() => parsePublicKey(wrong)).toThrow('is not a minisign public key');
    }
  });
});

describe('a secret key', () => {
  test('without a password is read back', async () => {
    expect(await openSecretKey(formatSecretKey(secret), nobody)).toEqual(secret);
  });

  test('with a password is read back with that one only', async () => {
    const text = formatSecretKey(secret, 'right', INTERACTIVE);
    expect(text).not.toContain(formatSecretKey(secret).slice(-60));
    expect(await openSecretKey(text, async () => 'right')).toEqual(secret);
    await expect(openSecretKey(text, async () => 'wrong')).rejects.toThrow('wrong password');
  });

  test('whose halves do not belong together is refused', async () => {
    const [comment, encoded] = formatSecretKey(secret).split('\n') as [string, string];
    const bytes = Buffer.from(encoded, 'base64');
    bytes[100]! ^= 1;
    const text = `${comment}\n${bytes.toString('base64')}\n`;
    await expect(openSecretKey(text, nobody)).rejects.toThrow('two halves do not belong together');
  });

  test('that asks for more memory than minisign ever does is refused before it gets it', async () => {
    const bytes = Buffer.from(formatSecretKey(secret).split('\n')[1]!, 'base64');
    bytes.write('Sc', 2);
    bytes.writeBigUInt64LE(2n ** 40n, 46);
    const text = `untrusted comment: x\n${bytes.toString('base64')}\n`;
    await expect(openSecretKey(text, async () => 'any')).rejects.toThrow('more than the 1 GiB');
  });

  test('that is something else is refused', async () => {
    for (const wrong of ['', formatPublicKey(secret), signature, formatSecretKey(secret).slice(0, -8)]) {
      await expect(openSecretKey(wrong, nobody)).rejects.toThrow('is not a minisign secret key');
    }
  });
});
