/**
 * Random ids, by xoshiro256++ (Blackman and Vigna, https://prng.di.unimi.it), seeded by the system: ids must differ from
 * all others, they are no secret. An id of all zeros is invalid, so a word 0 is never its first.
 */
import { ID_SEED, ID_SEED_BYTES } from '../layout/protocols';
import { randomize } from './host';

let a: u64 = 0;
let b: u64 = 0;
let c: u64 = 0;
let d: u64 = 0;

/** Writes `count` random words, an even number. */
export function fillId(to: i32, count: i32): void {
  if ((a | b | c | d) == 0) seed();
  const end = to + (count << 2);
  for (let at = to; at < end; at += 8) store<u64>(at, next());
  if (load<u32>(to) == 0) store<u32>(to, 1);
}

function seed(): void {
  randomize(ID_SEED, ID_SEED_BYTES);
  a = load<u64>(ID_SEED);
  b = load<u64>(ID_SEED, 8);
  c = load<u64>(ID_SEED, 16);
  d = load<u64>(ID_SEED, 24) | 1;
}

function next(): u64 {
  const result = rotl<u64>(a + d, 23) + a;
  const shifted = b << 17;
  c ^= a;
  d ^= b;
  b ^= c;
  a ^= d;
  c ^= shifted;
  d = rotl<u64>(d, 45);
  return result;
}
