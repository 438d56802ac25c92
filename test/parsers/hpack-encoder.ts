/**
 * An HPACK encoder that does as encoders do, and as they might: what it adds, how it refers to names and how large its
 * table is differ with the seed. https://www.rfc-editor.org/rfc/rfc7541#section-6
 */

export type Header = readonly [name: string, value: string];

/** Numbers from 0 to 1, the same for the same seed. */
export function randomOf(seed: number): () => number {
  let state = (Math.imul(seed, 0x9e3779b1) ^ 0x5bd1e995) >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** What encoders know without a table; a few are enough. */
const STATIC: readonly Header[] = [
  [':authority', ''],
  [':method', 'GET'],
  [':method', 'POST'],
  [':path', '/'],
  [':path', '/index.html'],
  [':scheme', 'http'],
  [':scheme', 'https'],
  [':status', '200'],
  [':status', '204'],
];
const STATIC_NAMES = new Map([
  [':authority', 1],
  [':method', 2],
  [':path', 4],
  [':scheme', 6],
  [':status', 8],
  ['content-type', 31],
  ['cookie', 32],
  ['date', 33],
  ['user-agent', 58],
]);
const STATIC_LENGTH = 61;

type Adds = 'always' | 'never' | 'at times';

export class Encoder {
  readonly #random: () => number;
  readonly #limit: number;
  /** Newest first. */
  #entries: Header[] = [];
  readonly #policies = new Map<string, Adds>();
  readonly #takesNewest: boolean;
  readonly #prefersStatic: boolean;
  readonly #forgetful: number;

  /** `random` decides on the policies, and then on what is left to chance. */
  constructor(random: () => number) {
    this.#random = random;
    this.#limit = [4096, 4096, 1024, 512, 256][Math.floor(random() * 5)]!;
    this.#takesNewest = random() < 0.5;
    this.#prefersStatic = random() < 0.7;
    // Some do not find what they have, and add it once more.
    this.#forgetful = random() < 0.15 ? 0.05 : 0;
  }

  /** A size update that goes before the first block. */
  begin(): Buffer {
    return this.#limit === 4096 ? Buffer.alloc(0) : integer(this.#limit, 5, 0x20);
  }

  encode(headers: readonly Header[]): Buffer {
    return Buffer.concat(headers.map((header) => this.#field(header)));
  }

  #field([name, value]: Header): Buffer {
    const known = STATIC.findIndex((one) => one[0] === name && one[1] === value);
    if (known >= 0) return integer(known + 1, 7, 0x80);
    const isForgotten = this.#random() < this.#forgetful;
    const at = isForgotten ? -1 : this.#find((one) => one[0] === name && one[1] === value);
    if (at >= 0) return integer(at + 1 + STATIC_LENGTH, 7, 0x80);
    const adds = this.#adds(name);
    const index = this.#nameOf(name);
    const parts = [adds ? integer(index, 6, 0x40) : integer(index, 4, 0)];
    if (index === 0) parts.push(text(name));
    if (adds) this.#add([name, value]);
    return Buffer.concat([...parts, text(value)]);
  }

  #nameOf(name: string): number {
    const fixed = STATIC_NAMES.get(name) ?? 0;
    const at = this.#find((one) => one[0] === name);
    const dynamic = at < 0 ? 0 : at + 1 + STATIC_LENGTH;
    return this.#prefersStatic ? fixed || dynamic : dynamic || fixed;
  }

  #find(is: (one: Header) => boolean): number {
    return this.#takesNewest ? this.#entries.findIndex(is) : this.#entries.findLastIndex(is);
  }

  #adds(name: string): boolean {
    let policy = this.#policies.get(name);
    if (policy === undefined) {
      const chance = this.#random();
      policy = chance < 0.75 ? 'always' : chance < 0.9 ? 'never' : 'at times';
      this.#policies.set(name, policy);
    }
    return policy === 'always' || (policy === 'at times' && this.#random() < 0.5);
  }

  #add(header: Header): void {
    this.#entries.unshift(header);
    while (sizeOf(this.#entries) > this.#limit) this.#entries.pop();
  }
}

function sizeOf(entries: readonly Header[]): number {
  return entries.reduce((sum, [name, value]) => sum + name.length + value.length + 32, 0);
}

function text(value: string): Buffer {
  return Buffer.concat([integer(value.length, 7, 0), Buffer.from(value, 'latin1')]);
}

function integer(value: number, prefix: number, pattern: number): Buffer {
  const mask = 2 ** prefix - 1;
  if (value < mask) return Buffer.of(pattern | value);
  const bytes = [pattern | mask];
  let left = value - mask;
  for (; left >= 128; left >>= 7) bytes.push((left & 127) | 128);
  return Buffer.from([...bytes, left]);
}
