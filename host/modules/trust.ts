/**
 * Which files may become modules. What ships with the agent is trusted; anything else must be on the list of digests or
 * carry a signature of a configured key, and must not be older than the minimum version of its name, which keeps somebody
 * from putting back an old signed file with a known fault. `warn` says what `enforce` would refuse, `off` says nothing.
 *
 * The rule: the digest and the signature are checked before anything else reads the bytes.
 */
import { readFileSync } from 'node:fs';
import { compare, valid } from 'semver';
import { digestOf } from '../wasm/admit.ts';
import { type PublicKey, parsePublicKey, SignatureError, verifySignature } from './minisign.ts';

export const TRUST_POLICIES = ['enforce', 'warn', 'off'] as const;
export type TrustPolicy = (typeof TRUST_POLICIES)[number];

export interface TrustRules {
  readonly policy: TrustPolicy;
  readonly keys: readonly PublicKey[];
  /** SHA-256 in hexadecimal, lower case. */
  readonly digests: ReadonlySet<string>;
  /** Lowest version by module name. */
  readonly minimum: ReadonlyMap<string, string>;
}

export type Trust = 'shipped' | 'allowed digest' | `signed by ${string}` | 'untrusted';

export interface TrustVerdict {
  readonly accepted: boolean;
  readonly trust: Trust;
  /** Why the file is not trusted and what to do about it; also given under `warn`, where it is accepted. */
  readonly reason?: string;
}

/** Whether these bytes come from somebody who is trusted. */
export function judgeOrigin(
  { policy, keys, digests }: TrustRules,
  bytes: Uint8Array,
  signature: Uint8Array | undefined,
): TrustVerdict {
  const digest = digestOf(bytes);
  if (digests.has(digest)) return { accepted: true, trust: 'allowed digest' };
  try {
    if (signature === undefined) throw new SignatureError('it has no signature beside it');
    return { accepted: true, trust: `signed by ${verifySignature(bytes, signature, keys).keyId}` };
  } catch (error) {
    if (!(error instanceof SignatureError)) throw error;
    if (policy === 'off') return { accepted: true, trust: 'untrusted' };
    const reason = `untrusted: ${error.message}. ${remedy(digest, keys.length)}`;
    return { accepted: policy === 'warn', trust: 'untrusted', reason };
  }
}

/** Why the version is too old, or undefined when it is not. */
export function judgeVersion({ policy, minimum }: TrustRules, name: string, version: string): string | undefined {
  const lowest = minimum.get(name);
  if (policy === 'off' || lowest === undefined || compare(version, lowest) >= 0) return undefined;
  return `version ${version} is older than ${lowest}, the lowest allowed: lower --module-minimum ${name}@${lowest}`;
}

function remedy(digest: string, keys: number): string {
  const sign = 'Sign it with `spanwire module sign FILE --key SECRET`';
  const give = keys === 0 ? ' and give the public key with --module-keys' : ' and one of the --module-keys';
  return `${sign}${give}, or allow it with --module-digests ${digest}`;
}

/** Public keys as base64 or as files that `spanwire module keygen` or `minisign -G` wrote. Throws with the remedy. */
export function readKeys(list: readonly string[]): PublicKey[] {
  return list.map((one) => {
    try {
      return parsePublicKey(/^RW[A-Za-z0-9+/]{54}$/.test(one) ? one : readFileSync(one, 'utf8'));
    } catch (error) {
      const { message } = error as Error;
      throw new Error(`"${one}" ${error instanceof SignatureError ? message : `cannot be read: ${message}`}`);
    }
  });
}

/** SHA-256 digests, as sha256sum prints them, with or without `sha256:`. */
export function readDigests(list: readonly string[]): Set<string> {
  return new Set(
    list.map((one) => {
      const digest = one.toLowerCase().replace(/^sha256:/, '');
      if (!/^[0-9a-f]{64}$/.test(digest)) throw new Error(`"${one}" is not a SHA-256 digest: 64 hexadecimal digits`);
      return digest;
    }),
  );
}

/** Minimum versions written `name@1.2.0`. */
export function readMinimums(list: readonly string[]): Map<string, string> {
  return new Map(
    list.map((one) => {
      const [, name, version] = /^([a-z][a-z0-9-]*)@(.+)$/.exec(one) ?? [];
      if (name === undefined || version === undefined || valid(version) === null) {
        throw new Error(`"${one}" is not a module name and its lowest version, such as redis@1.2.0`);
      }
      return [name, version];
    }),
  );
}
