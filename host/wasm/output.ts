/**
 * What a run put out, checked: every length, slot, count and protocol before anyone reads a field. Whoever walks the
 * attributes of a record that passed here need not check their lengths again. Attributes that the manifest has not, or
 * whose length misfits their type, stay where they are and are left out when they are read; here they are counted.
 */
import * as abi from '../../parsers/sdk/abi.ts';
import { PairNames } from '../spans/pair-names.ts';
import type { Manifest } from './manifest.ts';
import { NO_SETTINGS, type Settings } from './settings.ts';

/** What the length of an attribute's value must be, by id. */
const UNKNOWN = 0;
const STRING = 1;
const EIGHT_BYTES = 2;
const ONE_BYTE = 3;
/** Whatever its key is: which ones there may be is the configuration's to say. */
const PAIR = 4;
const KINDS = { string: STRING, int: EIGHT_BYTES, double: EIGHT_BYTES, boolean: ONE_BYTE, pair: PAIR } as const;

export class OutputCheck {
  /** Attributes that have to be left out. */
  refused = 0;
  readonly #kinds: Uint8Array;
  /** By attribute id. */
  readonly #pairs = new Map<number, PairNames>();
  readonly #protocols: number;

  constructor({ attributes, protocols }: Manifest, settings: Settings = NO_SETTINGS) {
    this.#kinds = new Uint8Array(attributes.reduce((max, { id }) => Math.max(max, id), 0) + 1);
    for (const { id, type, keys } of attributes) {
      this.#kinds[id] = KINDS[type];
      if (keys !== undefined) this.#pairs.set(id, new PairNames(settings.get(keys) ?? []));
    }
    this.#kinds[abi.REFERENCE] = EIGHT_BYTES;
    this.#protocols = protocols.length;
  }

  /** Whether the record of `size` bytes at `at` is what its type says. */
  isSound(u32: Uint32Array, at: number, size: number): boolean {
    const type = u32[(at + abi.OUT_TYPE) >>> 2]! & 0xffff;
    if (type <= abi.ONEWAY) return this.#isMessage(u32, at, size, type);
    if (type === abi.DEFINE) {
      return size >= abi.OUT_LONG && this.#fits(u32, at + abi.OUT_LONG, at + size, u32[(at + abi.OUT_VALUE) >>> 2]!);
    }
    return size >= (type === abi.SKIP || type === abi.UNDEFINE ? abi.OUT_LONG : abi.OUT_SHORT);
  }

  #isMessage(u32: Uint32Array, at: number, size: number, type: number): boolean {
    if (size < abi.MESSAGE_SIZE || type === 0) return false;
    const counts = u32[(at + abi.MESSAGE_ATTRIBUTES) >>> 2]!;
    if (((counts >>> 16) & 0xff) >= this.#protocols) return false;
    return this.#fits(u32, at + abi.MESSAGE_SIZE, at + size, counts & 0xffff);
  }

  /** `count` attributes lie in from … end. */
  #fits(u32: Uint32Array, from: number, end: number, count: number): boolean {
    if (count > abi.ATTRIBUTES_MAX || end - from > abi.MESSAGE_MAX) return false;
    const kinds = this.#kinds;
    let cursor = from;
    let pairs = 0;
    for (let left = count; left > 0; left--) {
      if (cursor + abi.ATTRIBUTE_VALUE > end) return false;
      const head = u32[cursor >>> 2]!;
      const length = head >>> 16;
      const id = head & 0xffff;
      const kind = id < kinds.length ? kinds[id]! : UNKNOWN;
      cursor += (abi.ATTRIBUTE_VALUE + length + 3) & ~3;
      if (kind === STRING) continue;
      if (kind === PAIR) {
        if (++pairs > abi.PAIRS_MAX || cursor > end) return false;
        this.#checkPair(id, u32, cursor - ((length + 3) & ~3), length);
      } else if (length !== (kind === EIGHT_BYTES ? 8 : kind === ONE_BYTE ? 1 : -1)) this.refused++;
    }
    return cursor <= end;
  }

  #checkPair(id: number, u32: Uint32Array, at: number, length: number): void {
    const bytes = new Uint8Array(u32.buffer, u32.byteOffset);
    if (this.#pairs.get(id)!.find(bytes, at, length) < 0) this.refused++;
  }
}
