/**
 * What a run put out, checked and handed on: the engine does both (host/engine/assembly/consume.ts), on a copy of the
 * output. Here is what it has to know of the manifest, and how it says what is wrong.
 */
import * as abi from '../../parsers/sdk/abi.ts';
import * as layout from '../engine/layout/front.ts';
import { PairNames } from '../spans/pair-names.ts';
import type { Manifest } from './manifest.ts';
import { NO_SETTINGS, type Settings } from './settings.ts';
import { Staging } from './staging.ts';

const KINDS = {
  string: layout.KIND_STRING,
  int: layout.KIND_EIGHT_BYTES,
  double: layout.KIND_EIGHT_BYTES,
  boolean: layout.KIND_ONE_BYTE,
  pair: layout.KIND_PAIR,
} as const;

/** Takes what the engine cannot do itself: GROW, SHRINK, UPGRADE and GIVE_UP, each a record that was checked. */
export type OutputSink = (connection: number, type: number, value: number) => void;

type Consume = (area: number, at: number, length: number) => number;

export class OutputCheck {
  readonly #staging: Staging;
  readonly #area: number;
  /** By attribute id. */
  readonly #pairs = new Map<number, PairNames>();
  readonly #consume: Consume;

  constructor(
    { attributes, protocols }: Manifest,
    settings: Settings = NO_SETTINGS,
    staging = new Staging(),
    area = staging.takeArea(),
  ) {
    this.#staging = staging;
    this.#area = area;
    this.#consume = staging.engine.exports.consume as unknown as Consume;
    const ids = attributes.reduce((max, { id }) => Math.max(max, id), 0) + 1;
    const kinds = staging.engine.column(Uint8Array, area + layout.AREA_KINDS, ids).fill(layout.KIND_UNKNOWN);
    for (const { id, type, keys } of attributes) {
      kinds[id] = KINDS[type];
      if (keys !== undefined) this.#pairs.set(id, new PairNames(settings.get(keys) ?? []));
    }
    kinds[abi.REFERENCE] = layout.KIND_EIGHT_BYTES;
    this.#word(layout.AREA_KINDS_COUNT, ids);
    this.#word(layout.AREA_PROTOCOLS, protocols.length);
  }

  /** Messages that passed. */
  get messages(): number {
    return this.#staging.engine.f64[(this.#area + layout.AREA_MESSAGES) >>> 3]!;
  }

  /** Attributes that have to be left out. */
  get refused(): number {
    return this.#staging.engine.f64[(this.#area + layout.AREA_REFUSED) >>> 3]!;
  }

  /** Records that may still come. */
  allow(records: number): void {
    this.#word(layout.AREA_ALLOWANCE, records);
  }

  /** Takes what a run put out, record by record; says what is wrong with the first one that is. */
  take(output: Uint8Array, sink: OutputSink): string | undefined {
    this.#staging.read(this, sink);
    this.#staging.engine.u8.set(output, layout.OUTPUT);
    const wrong = this.#consume(this.#area, layout.OUTPUT, output.length);
    return wrong === 0 ? undefined : this.#say(wrong);
  }

  /** Whether the record of `size` bytes at `at` is what its type says. */
  isSound(u32: Uint32Array, at: number, size: number): boolean {
    const { u8, exports } = this.#staging.engine;
    this.#staging.read(this, undefined);
    u8.set(new Uint8Array(u32.buffer, u32.byteOffset + at, size), layout.OUTPUT);
    return exports.isSound!(this.#area, layout.OUTPUT, size) !== 0;
  }

  /** The place of a pair's key among those that the configuration has; -1 for none. */
  pairPlace(attribute: number, at: number, length: number): number {
    return this.#pairs.get(attribute)!.find(this.#staging.engine.u8, at, length);
  }

  #say(wrong: number): string {
    const value = this.#staging.engine.u32[(this.#area + layout.AREA_WRONG) >>> 2]!;
    if (wrong === layout.WRONG_CUT_OFF) return 'malformed output record: cut off';
    if (wrong === layout.WRONG_SIZE) return `malformed output record: ${value} bytes`;
    if (wrong === layout.WRONG_SLOT) return `malformed output record: of ${value}, which is no slot`;
    if (wrong === layout.WRONG_FIELDS) return 'malformed output record: its fields do not fit';
    return 'more output than its input accounts for';
  }

  #word(field: number, value: number): void {
    this.#staging.engine.u32[(this.#area + field) >>> 2] = value;
  }
}
