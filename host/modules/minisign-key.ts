/**
 * Secret keys in minisign's format: making, opening and signing, so that either program takes what the other wrote.
 *
 *   'Ed' · derivation 2 ('Sc' scrypt, or zeros) · 'B2' · salt 32 · opslimit u64 · memlimit u64
 *   · key id 8 · seed 32 · public key 32 · checksum 32     these last 104 bytes XORed with scrypt(password)
 *
 * The checksum is BLAKE2b-256 over 'Ed' · key id · seed · public key. minisign leaves it zero in a key without password.
 * https://jedisct1.github.io/minisign/#secret-key-format
 */
import { createHash, createPrivateKey, createPublicKey, randomBytes, scryptSync, sign } from 'node:crypto';
import { blake2b } from '@noble/hashes/blake2.js';
import { decodeBase64, keyIdOf, LEGACY, PREHASHED, SIGNATURE_FILE_MAX_BYTES, TRUSTED, UNTRUSTED } from './minisign.ts';

const SCRYPT = 'Sc';
const CHECKSUM = 'B2';
const PLAIN = '\0\0';
const SALT_AT = 6;
const OPSLIMIT_AT = 38;
const MEMLIMIT_AT = 46;
const SECRET_AT = 54;
const SECRET_BYTES = 104;
const KEY_AT = 8;
const PUBLIC_AT = 40;
const CHECKSUM_AT = 72;
const FILE_BYTES = SECRET_AT + SECRET_BYTES;
/** What a password costs. libsodium's "sensitive" limits, a gibibyte of memory: a file that asks for more is refused. */
export interface PasswordLimits {
  readonly operations: number;
  readonly bytes: number;
}
const SENSITIVE: PasswordLimits = { operations: 33_554_432, bytes: 1_073_741_824 };
/** DER of an Ed25519 PKCS #8 key up to the seed: https://www.rfc-editor.org/rfc/rfc8410#section-7 */
const PKCS8_HEAD = Buffer.from('302e020100300506032b657004220420', 'hex');

export interface SecretKey {
  readonly id: string;
  /** Key id, seed, public key: as they stand in the file. */
  readonly bytes: Buffer;
}

export function createSecretKey(): SecretKey {
  const seed = randomBytes(32);
  return secretKeyOf(Buffer.concat([randomBytes(8), seed, publicOf(seed)]));
}

export function formatPublicKey({ id, bytes }: SecretKey): string {
  const encoded = Buffer.concat([Buffer.from(LEGACY), bytes.subarray(0, KEY_AT), bytes.subarray(PUBLIC_AT)]);
  return `${UNTRUSTED}minisign public key ${id}\n${encoded.toString('base64')}\n`;
}

/** Without a password the file is as good as the key. */
export function formatSecretKey({ bytes }: SecretKey, password?: string, limits = SENSITIVE): string {
  const file = Buffer.alloc(FILE_BYTES);
  file.write(`${LEGACY}${password === undefined ? PLAIN : SCRYPT}${CHECKSUM}`, 'latin1');
  file.set(bytes, SECRET_AT);
  if (password !== undefined) {
    file.set(randomBytes(32), SALT_AT);
    file.writeBigUInt64LE(BigInt(limits.operations), OPSLIMIT_AT);
    file.writeBigUInt64LE(BigInt(limits.bytes), MEMLIMIT_AT);
    file.set(checksumOf(bytes), SECRET_AT + CHECKSUM_AT);
    applyPassword(file, password);
  }
  return `${UNTRUSTED}minisign ${password === undefined ? '' : 'encrypted '}secret key\n${file.toString('base64')}\n`;
}

/** The key in a file's text; asks for the password when the file has one. Throws an Error for the user. */
export async function openSecretKey(text: string, askPassword: () => Promise<string>): Promise<SecretKey> {
  const file = decodeBase64(text.trim().split(/\r?\n/)[1] ?? '', FILE_BYTES);
  const kind = file?.toString('latin1', 0, SALT_AT);
  if (file === undefined || (kind !== `${LEGACY}${SCRYPT}${CHECKSUM}` && kind !== `${LEGACY}${PLAIN}${CHECKSUM}`)) {
    throw new Error('is not a minisign secret key: `spanwire module keygen` and `minisign -G` make one');
  }
  const encrypted = kind.includes(SCRYPT);
  if (encrypted) applyPassword(file, await askPassword());
  const bytes = file.subarray(SECRET_AT, SECRET_AT + CHECKSUM_AT);
  const checksum = file.subarray(SECRET_AT + CHECKSUM_AT);
  if (encrypted && !checksum.equals(checksumOf(bytes))) throw new Error('wrong password, or a damaged key file');
  if (!publicOf(bytes.subarray(KEY_AT, PUBLIC_AT)).equals(bytes.subarray(PUBLIC_AT))) {
    throw new Error('is damaged: its two halves do not belong together');
  }
  return secretKeyOf(bytes);
}

/** The text of a `.minisig` for these bytes. Comments are one line each. */
export function signBytes(bytes: Uint8Array, key: SecretKey, trustedComment: string): string {
  const comment = Buffer.from(trustedComment);
  if (/\p{Cc}/u.test(trustedComment)) throw new Error('a comment must be one line without control characters');
  if (comment.length > SIGNATURE_FILE_MAX_BYTES / 2) throw new Error('a comment has at most 8192 bytes');
  const signer = privateKeyOf(key.bytes.subarray(KEY_AT, PUBLIC_AT));
  const signature = sign(null, createHash('blake2b512').update(bytes).digest(), signer);
  const head = Buffer.concat([Buffer.from(PREHASHED), key.bytes.subarray(0, KEY_AT), signature]);
  const globalSignature = sign(null, Buffer.concat([signature, comment]), signer);
  return [
    `${UNTRUSTED}signature from spanwire, key ${key.id}`,
    head.toString('base64'),
    `${TRUSTED}${trustedComment}`,
    `${globalSignature.toString('base64')}\n`,
  ].join('\n');
}

function secretKeyOf(bytes: Buffer): SecretKey {
  return { id: keyIdOf(bytes, 0), bytes };
}

function privateKeyOf(seed: Uint8Array) {
  return createPrivateKey({ format: 'der', type: 'pkcs8', key: Buffer.concat([PKCS8_HEAD, seed]) });
}

function publicOf(seed: Uint8Array): Buffer {
  return createPublicKey(privateKeyOf(seed)).export({ format: 'der', type: 'spki' }).subarray(-32);
}

function checksumOf(bytes: Uint8Array): Buffer {
  return Buffer.from(blake2b(Buffer.concat([Buffer.from(LEGACY), bytes]), { dkLen: 32 }));
}

/** Encrypts or decrypts in place. */
function applyPassword(file: Buffer, password: string): void {
  const { cost, blockSize, parallelization } = scryptCost(file);
  const maxmem = 128 * blockSize * (cost + parallelization + 2) + 1024 * 1024;
  const salt = file.subarray(SALT_AT, OPSLIMIT_AT);
  const stream = scryptSync(password, salt, SECRET_BYTES, { cost, blockSize, parallelization, maxmem });
  for (let at = 0; at < SECRET_BYTES; at++) file[SECRET_AT + at]! ^= stream[at]!;
}

/** N, r and p as libsodium's crypto_pwhash_scryptsalsa208sha256 derives them from the two limits. */
function scryptCost(file: Buffer): { cost: number; blockSize: number; parallelization: number } {
  const opslimit = Math.max(32_768, Number(file.readBigUInt64LE(OPSLIMIT_AT)));
  const memlimit = Number(file.readBigUInt64LE(MEMLIMIT_AT));
  if (opslimit > SENSITIVE.operations || memlimit > SENSITIVE.bytes) {
    throw new Error('asks for more than the 1 GiB of memory that minisign uses for a password');
  }
  const blockSize = 8;
  const memoryBound = opslimit >= Math.floor(memlimit / 32);
  const most = Math.floor(memoryBound ? memlimit / (blockSize * 128) : opslimit / (blockSize * 4));
  let cost = 2;
  while (cost <= most / 2) cost *= 2;
  const parallelization = memoryBound ? Math.max(1, Math.floor(opslimit / 4 / cost / blockSize)) : 1;
  return { cost, blockSize, parallelization };
}
