/**
 * The first bytes of a direction, put together from as many chunks as it takes: what identify() looks at.
 *
 *   const bytes = sample(count, FROM_CLIENT, scratch, 64);
 *   if (!agrees(scratch, scratch + bytes, 'HELLO')) return IDENTIFY_NO;
 */

import { DATA } from './abi';
import { copy } from './bytes';
import { Chunk } from './chunk';

/** Copies up to `capacity` bytes of chunks [0, count) to `to`, up to the direction's first gap or end; returns how many. */
export function sample(count: u32, direction: u32, to: usize, capacity: u32): u32 {
  let length: u32 = 0;
  for (let index: u32 = 0; index < count && length < capacity; index++) {
    const chunk = Chunk.at(index);
    if (chunk.direction != direction) continue;
    if (chunk.kind != DATA) break;
    const bytes = min(chunk.length, capacity - length);
    copy(to + length, chunk.data, bytes);
    length += bytes;
    if (chunk.missing > 0) break;
  }
  return length;
}
