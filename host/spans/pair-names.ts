/**
 * Attributes whose names end with a key from the configuration: `http.request.header.<key>`. A module gives key and value
 * (a pair, docs/abi.md); which keys there are says the configuration alone, so that nothing on the wire makes a name.
 */
import { PAIR_KEY, STRING_MAX } from '../../parsers/sdk/abi.ts';
import type { Settings } from '../wasm/settings.ts';
import { isSecretHeader } from './secret-headers.ts';

/** An attribute that pairs of one key become. */
export interface PairName {
  readonly attribute: string;
  /** Its values are never shown. */
  readonly isSecret: boolean;
}

export class PairNames {
  readonly #byKey = new Map<string, PairName>();
  #longest = 0;

  /** `setting` holds the keys of the attribute called `name`. */
  constructor(name: string, setting: string, settings: Settings) {
    for (const value of settings.get(setting) ?? []) {
      const key = value.toLowerCase();
      this.#byKey.set(key, { attribute: `${name}.${key}`, isSecret: isSecretHeader(key) });
      this.#longest = Math.max(this.#longest, Buffer.byteLength(key));
    }
  }

  /** The attribute of the pair of `length` bytes at byte `at`; undefined when it is none, or of a key nobody asked for. */
  find(bytes: Uint8Array, at: number, length: number): PairName | undefined {
    const keyLength = keyLengthOf(bytes, at, length);
    if (keyLength > this.#longest || keyLength + PAIR_KEY > length) return undefined;
    const key = Buffer.from(bytes.buffer, bytes.byteOffset + at + PAIR_KEY, keyLength);
    return this.#byKey.get(key.toString('latin1').toLowerCase());
  }
}

/** Where the value of a sound pair lies: what is longer than a string may be is cut. */
export function pairValue(bytes: Uint8Array, at: number, length: number): Uint8Array {
  const from = PAIR_KEY + keyLengthOf(bytes, at, length);
  return bytes.subarray(at + from, at + Math.min(length, from + STRING_MAX));
}

function keyLengthOf(bytes: Uint8Array, at: number, length: number): number {
  return length < PAIR_KEY ? PAIR_KEY : bytes[at]! | (bytes[at + 1]! << 8);
}
