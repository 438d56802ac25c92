/**
 * Signatures and public keys in minisign's format, checked with node:crypto alone.
 *
 *   untrusted comment: …                                      not signed, never shown
 *   base64(algorithm 2 · key id 8 · signature 64)             over the file ('Ed') or its BLAKE2b-512 ('ED')
 *   trusted comment: …
 *   base64(signature 64)                                      over the signature above and the trusted comment
 *
 * The rule: nothing of a signature file is believed before both signatures hold.
 * https://jedisct1.github.io/minisign/#signature-format
 */
import { createHash, createPublicKey, type KeyObject, verify } from 'node:crypto';

export const UNTRUSTED = 'untrusted comment: ';
export const TRUSTED = 'trusted comment: ';
export const LEGACY = 'Ed';
export const PREHASHED = 'ED';
export const SIGNATURE_EXTENSION = '.minisig';
/** minisign writes comments of at most 8192 bytes. */
export const SIGNATURE_FILE_MAX_BYTES = 16 * 1024;

const ID_BYTES = 8;
const KEY_BYTES = 32;
const SIGNATURE_BYTES = 64;
const HEAD_BYTES = LEGACY.length + ID_BYTES;
/** DER of an Ed25519 SubjectPublicKeyInfo up to the key: https://www.rfc-editor.org/rfc/rfc8410#section-4 */
const SPKI_HEAD = Buffer.from('302a300506032b6570032100', 'hex');

/** A signature that does not hold, or a file that is none, and why. */
export class SignatureError extends Error {
  override readonly name = 'SignatureError';
}

export interface PublicKey {
  /** As minisign prints it: the id as a number, in hexadecimal. */
  readonly id: string;
  readonly key: KeyObject;
}

export interface Signed {
  readonly keyId: string;
  /** The trusted comment. */
  readonly comment: string;
}

interface Signature {
  readonly algorithm: string;
  readonly keyId: string;
  readonly signature: Buffer;
  /** The bytes that were signed. */
  readonly comment: Buffer;
  readonly globalSignature: Buffer;
}

/** Who signed `file`, and the comment that was signed with it. Throws SignatureError. */
export function verifySignature(file: Uint8Array, signatureFile: Uint8Array, keys: readonly PublicKey[]): Signed {
  const { algorithm, keyId, signature, comment, globalSignature } = parseSignature(signatureFile);
  const candidates = keys.filter(({ id }) => id === keyId);
  if (candidates.length === 0)
    throw new SignatureError(`its signature is of key ${keyId}, which is not among the keys given`);
  const message = algorithm === PREHASHED ? createHash('blake2b512').update(file).digest() : file;
  const signer = candidates.find(({ key }) => verify(null, message, key, signature));
  if (signer === undefined) {
    throw new SignatureError(`its signature of key ${keyId} was made for other bytes, or by another key of that id`);
  }
  if (!verify(null, Buffer.concat([signature, comment]), signer.key, globalSignature)) {
    throw new SignatureError(`the trusted comment of its signature was changed after key ${keyId} signed it`);
  }
  return { keyId, comment: comment.toString('utf8').replace(/\p{Cc}/gu, ' ') };
}

/** A public key as a file's text or as the bare base64 in it. Throws SignatureError. */
export function parsePublicKey(text: string): PublicKey {
  const lines = text.trim().split(/\r?\n/);
  const encoded = lines.find((line) => !line.startsWith(UNTRUSTED)) ?? '';
  const bytes = decodeBase64(encoded, HEAD_BYTES + KEY_BYTES);
  if (lines.length > 2 || bytes === undefined || bytes.toString('latin1', 0, 2) !== LEGACY) {
    throw new SignatureError('is not a minisign public key: 56 characters of base64 that begin with RW');
  }
  return { id: keyIdOf(bytes, LEGACY.length), key: publicKeyOf(bytes.subarray(HEAD_BYTES)) };
}

export function publicKeyOf(raw: Uint8Array): KeyObject {
  return createPublicKey({ format: 'der', type: 'spki', key: Buffer.concat([SPKI_HEAD, raw]) });
}

export function keyIdOf(bytes: Buffer, at: number): string {
  return bytes.readBigUInt64LE(at).toString(16).toUpperCase().padStart(16, '0');
}

/** The bytes, when the text is base64 of exactly so many; Buffer.from alone reads over what it does not know. */
export function decodeBase64(text: string, length: number): Buffer | undefined {
  const bytes = Buffer.from(text, 'base64');
  return bytes.length === length && bytes.toString('base64') === text ? bytes : undefined;
}

function parseSignature(file: Uint8Array): Signature {
  if (file.length > SIGNATURE_FILE_MAX_BYTES) throw malformed(`longer than ${SIGNATURE_FILE_MAX_BYTES} bytes`);
  // Latin-1 keeps every byte: the comment must be verified as it was signed.
  const lines = Buffer.from(file).toString('latin1').trimEnd().split(/\r?\n/);
  const [untrusted = '', first = '', trusted = '', second = ''] = lines;
  if (lines.length !== 4) throw malformed(`${lines.length} lines instead of 4`);
  if (!untrusted.startsWith(UNTRUSTED)) throw malformed(`line 1 does not begin with "${UNTRUSTED}"`);
  if (!trusted.startsWith(TRUSTED)) throw malformed(`line 3 does not begin with "${TRUSTED}"`);
  const head = decodeBase64(first, HEAD_BYTES + SIGNATURE_BYTES);
  const globalSignature = decodeBase64(second, SIGNATURE_BYTES);
  if (head === undefined) throw malformed(`line 2 is not base64 of ${HEAD_BYTES + SIGNATURE_BYTES} bytes`);
  if (globalSignature === undefined) throw malformed(`line 4 is not base64 of ${SIGNATURE_BYTES} bytes`);
  const algorithm = head.toString('latin1', 0, LEGACY.length);
  if (algorithm !== LEGACY && algorithm !== PREHASHED) throw malformed('an algorithm other than Ed25519');
  const comment = Buffer.from(trusted.slice(TRUSTED.length), 'latin1');
  const keyId = keyIdOf(head, LEGACY.length);
  return { algorithm, keyId, signature: head.subarray(HEAD_BYTES), comment, globalSignature };
}

function malformed(what: string): SignatureError {
  return new SignatureError(`its signature file is not minisign's: ${what}`);
}
