/**
 * The keys that attributes of type `pair` may have (docs/abi.md): a module gives key and value, but which keys there are
 * says the configuration alone, so that nothing on the wire makes a name.
 */
import { PAIR_KEY, STRING_MAX } from '../../parsers/sdk/abi.ts';

export class PairNames {
  readonly #places = new Map<string, number>();
  #longest = 0;

  constructor(keys: readonly string[]) {
    keys.forEach((key, place) => {
      this.#places.set(key.toLowerCase(), place);
      this.#longest = Math.max(this.#longest, Buffer.byteLength(key));
    });
  }

  /** The place of the key of the pair of `length` bytes at byte `at`; -1 when it is none, or one nobody asked for. */
  find(bytes: Uint8Array, at: number, length: number): number {
    const keyLength = keyLengthOf(bytes, at, length);
    if (keyLength > this.#longest || keyLength + PAIR_KEY > length) return -1;
    const key = Buffer.from(bytes.buffer, bytes.byteOffset + at + PAIR_KEY, keyLength);
    return this.#places.get(key.toString('latin1').toLowerCase()) ?? -1;
  }
}

/** Bytes before the value of a sound pair. */
export function pairValueAt(bytes: Uint8Array, at: number, length: number): number {
  return PAIR_KEY + keyLengthOf(bytes, at, length);
}

/** Of its value: what is longer than a string may be is cut. */
export function pairValueLength(bytes: Uint8Array, at: number, length: number): number {
  return Math.min(length - pairValueAt(bytes, at, length), STRING_MAX);
}

function keyLengthOf(bytes: Uint8Array, at: number, length: number): number {
  return length < PAIR_KEY ? PAIR_KEY : bytes[at]! | (bytes[at + 1]! << 8);
}
