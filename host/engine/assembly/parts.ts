/** What TypeScript asks of the parts of pairing: the slab of the messages, and the table of those that wait for keys. */
import { table } from './keyed';
import { slab } from './messages';

export function slabTake(count: i32): i32 {
  return slab.take(count);
}

export function slabGive(at: i32): void {
  slab.give(at);
}

export function slabFree(): i32 {
  return slab.freeWords;
}

export function slabLimit(): i32 {
  return slab.limit;
}

export function keyGet(owner: i32, low: u32, high: u32): i32 {
  return table.get(owner, keyOf(low, high));
}

export function keyPut(owner: i32, low: u32, high: u32, number: i32): i32 {
  return table.put(owner, keyOf(low, high), number);
}

export function keyRemove(owner: i32, low: u32, high: u32): i32 {
  return table.remove(owner, keyOf(low, high));
}

export function keysKept(): i32 {
  return table.size;
}

function keyOf(low: u32, high: u32): u64 {
  return ((<u64>high) << 32) | <u64>low;
}
