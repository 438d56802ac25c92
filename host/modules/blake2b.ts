/**
 * BLAKE2b with 32 bytes of output, for input of one block: the checksum inside minisign's secret keys. node:crypto has
 * the 64-byte variant only, and that is not a prefix of it.
 * https://www.rfc-editor.org/rfc/rfc7693#section-3
 */

export const BLOCK_BYTES = 128;
const OUTPUT_BYTES = 32;
const ROUNDS = 12;
const MASK = 0xffff_ffff_ffff_ffffn;

const IV: readonly bigint[] = [
  0x6a09e667f3bcc908n,
  0xbb67ae8584caa73bn,
  0x3c6ef372fe94f82bn,
  0xa54ff53a5f1d36f1n,
  0x510e527fade682d1n,
  0x9b05688c2b3e6c1fn,
  0x1f83d9abfb41bd6bn,
  0x5be0cd19137e2179n,
];

/** Message word schedule, one hexadecimal digit for each word; rounds 10 and 11 begin anew. */
const SCHEDULE = [
  '0123456789abcdef',
  'ea489fd61c02b753',
  'b8c052fdae367194',
  '7931dcbe265a40f8',
  '905724afe1bc683d',
  '2c6a0b834d75fe19',
  'c51fed4a0763928b',
  'db7ec13950f4862a',
  '6fe9b308c2d714a5',
  'a2847615fb9e3cd0',
];

/** Columns, then diagonals of the 4 × 4 state. */
const MIXES: readonly (readonly [number, number, number, number])[] = [
  [0, 4, 8, 12],
  [1, 5, 9, 13],
  [2, 6, 10, 14],
  [3, 7, 11, 15],
  [0, 5, 10, 15],
  [1, 6, 11, 12],
  [2, 7, 8, 13],
  [3, 4, 9, 14],
];

export function blake2b256(input: Uint8Array): Buffer {
  if (input.length > BLOCK_BYTES) throw new RangeError(`${input.length} bytes are more than one block`);
  const block = Buffer.alloc(BLOCK_BYTES);
  block.set(input);
  const message = Array.from({ length: 16 }, (_, word) => block.readBigUInt64LE(word * 8));
  const hash = compress(parameterized(), message, BigInt(input.length));
  const output = Buffer.alloc(OUTPUT_BYTES);
  for (let word = 0; word < OUTPUT_BYTES / 8; word++) output.writeBigUInt64LE(hash[word]!, word * 8);
  return output;
}

/** The parameter block: no key, fan-out and depth 1. */
function parameterized(): bigint[] {
  return [IV[0]! ^ 0x0101_0000n ^ BigInt(OUTPUT_BYTES), ...IV.slice(1)];
}

/** The compression function F for the last block, which here is the only one. */
function compress(hash: readonly bigint[], message: readonly bigint[], length: bigint): bigint[] {
  const state = [...hash, ...IV];
  state[12]! ^= length;
  state[14]! ^= MASK;
  for (let round = 0; round < ROUNDS; round++) {
    const schedule = SCHEDULE[round % SCHEDULE.length]!;
    MIXES.forEach((places, at) => {
      const word = (offset: number) => message[Number.parseInt(schedule.charAt(2 * at + offset), 16)]!;
      mix(state, places, word(0), word(1));
    });
  }
  return hash.map((word, at) => word ^ state[at]! ^ state[at + 8]!);
}

/** The mixing function G. */
function mix(state: bigint[], [a, b, c, d]: (typeof MIXES)[number], x: bigint, y: bigint): void {
  state[a] = (state[a]! + state[b]! + x) & MASK;
  state[d] = rotate(state[d]! ^ state[a]!, 32n);
  state[c] = (state[c]! + state[d]!) & MASK;
  state[b] = rotate(state[b]! ^ state[c]!, 24n);
  state[a] = (state[a]! + state[b]! + y) & MASK;
  state[d] = rotate(state[d]! ^ state[a]!, 16n);
  state[c] = (state[c]! + state[d]!) & MASK;
  state[b] = rotate(state[b]! ^ state[c]!, 63n);
}

function rotate(word: bigint, bits: bigint): bigint {
  return ((word >> bits) | (word << (64n - bits))) & MASK;
}
