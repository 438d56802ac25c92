/**
 * Query strings, and URLs that have one: the values of parameters whose names say that they are secret.
 * https://opentelemetry.io/docs/specs/semconv/registry/attributes/url/#url-query names the first four.
 *
 * A name begins behind any separator, a secret value ends only at `&`: whether `;` separates is the server's to say.
 * Names are compared without case, percent-encoding and punctuation, part by part where they are nested
 * (`user[password]`, `auth.token`): by a hash, where a collision redacts too much.
 */
import { writeRedacted } from './redacted.ts';

const AMPERSAND = 0x26;
const EQUALS = 0x3d;
const PERCENT = 0x25;

const SECRET_NAMES = [
  ...['awsaccesskeyid', 'signature', 'sig', 'xgoogsignature'],
  ...['xamzsignature', 'xamzsecuritytoken', 'xamzcredential', 'xgoogcredential', 'hmac'],
  ...['token', 'accesstoken', 'refreshtoken', 'idtoken', 'authtoken', 'apitoken', 'sessiontoken', 'securitytoken'],
  ...['bearertoken', 'usertoken', 'csrftoken', 'xsrftoken', 'resettoken', 'idtokenhint', 'jwt', 'bearer', 'assertion'],
  ...['clientassertion', 'samlrequest', 'samlresponse', 'ticket', 'code', 'codeverifier', 'otp', 'pin'],
  ...['password', 'passwd', 'pwd', 'pass', 'passphrase', 'passcode', 'newpassword', 'oldpassword'],
  ...['secret', 'clientsecret', 'secretkey', 'sharedsecret', 'secretaccesskey', 'credential', 'credentials'],
  ...['key', 'apikey', 'xapikey', 'appkey', 'accesskey', 'accesskeyid', 'privatekey', 'subscriptionkey', 'authkey'],
  ...['auth', 'authorization', 'xauthorization', 'proxyauthorization', 'cookie', 'sid', 'session', 'sessionid'],
  ...['phpsessid', 'jsessionid', 'aspsessionid', 'sessionkey'],
];

const HASH_START = 0x811c9dc5 | 0;
const SECRETS = new Set(
  SECRET_NAMES.map((name) => Array.from(name, (letter) => letter.charCodeAt(0)).reduce(hashByte, HASH_START)),
);

export function redactQuery(bytes: Uint8Array, from: number, end: number, out: Uint8Array): number {
  let to = 0;
  let at = from;
  while (at < end) {
    const nameEnd = endOfName(bytes, at, end);
    const isSecret = nameEnd < end && bytes[nameEnd] === EQUALS && isSecretName(bytes, at, nameEnd);
    const stop = Math.min(nameEnd + 1, end);
    while (at < stop) out[to++] = bytes[at++]!;
    if (!isSecret) continue;
    to = writeRedacted(out, to);
    while (at < end && bytes[at] !== AMPERSAND) at++;
  }
  return to;
}

/** A name ends at `=` or at a separator: `&`, `;`, `?`, `#`. What stands between two separators passes as a name, too. */
function endOfName(bytes: Uint8Array, from: number, end: number): number {
  let at = from;
  while (at < end && bytes[at] !== EQUALS && !isSeparator(bytes[at]!)) at++;
  return at;
}

function isSeparator(byte: number): boolean {
  return byte === AMPERSAND || byte === 0x3b || byte === 0x3f || byte === 0x23;
}

function isSecretName(bytes: Uint8Array, from: number, end: number): boolean {
  let hash = HASH_START;
  for (let at = from; at < end; at++) {
    let byte = bytes[at]!;
    const escaped = byte === PERCENT && at + 2 < end ? hexDigit(bytes[at + 1]!) * 16 + hexDigit(bytes[at + 2]!) : -1;
    if (escaped >= 0) {
      byte = escaped;
      at += 2;
    }
    if (byte === 0x5b || byte === 0x5d || byte === 0x2e) {
      if (SECRETS.has(hash)) return true;
      hash = HASH_START;
    } else if (isLetterOrDigit(byte)) hash = hashByte(hash, byte | 0x20);
  }
  return SECRETS.has(hash);
}

/** FNV-1a. */
function hashByte(hash: number, byte: number): number {
  return Math.imul(hash ^ byte, 0x01000193);
}

/** Digits have bit 0x20 set, as small letters have. */
function isLetterOrDigit(byte: number): boolean {
  const small = byte | 0x20;
  return (byte >= 0x30 && byte <= 0x39) || (small >= 0x61 && small <= 0x7a);
}

/** Far below zero where it is none, so that no sum with another digit is a byte. */
function hexDigit(byte: number): number {
  if (byte >= 0x30 && byte <= 0x39) return byte - 0x30;
  const small = byte | 0x20;
  return small >= 0x61 && small <= 0x66 ? small - 0x57 : -1000;
}
