/** Random ids, from a pool of random words; an id of all zeros is invalid, so a word 0 is never handed out first. */
import { ID_POOL, ID_POOL_BYTES } from '../layout/protocols';
import { randomize } from './host';

const POOL_END: i32 = ID_POOL + ID_POOL_BYTES;
let next: i32 = POOL_END;

/** Writes `count` random words. */
export function fillId(to: i32, count: i32): void {
  if (next + (count << 2) > POOL_END) {
    randomize(ID_POOL, ID_POOL_BYTES);
    next = ID_POOL;
  }
  for (let i = 0; i < count; i++) store<u32>(to + (i << 2), load<u32>(next + (i << 2)));
  next += count << 2;
  if (load<u32>(to) == 0) store<u32>(to, 1);
}
