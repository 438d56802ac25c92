/**
 * What every module exports the same way: the ABI version, and the layout of its memory.
 *
 *   0 … data of the module … | layout record | chunks → … ← payload | output arena | slots …
 *                            __heap_base     input                  output         slots: the host's from here up
 *
 * A module has no heap: everything below `slots` is fixed when `layout` returns, everything above is the host's.
 * Re-export both functions from the parser's index.ts. Contract: docs/abi.md.
 */

import {
  ABI_MAJOR,
  ABI_MINOR,
  LAYOUT_CURRENT,
  LAYOUT_INPUT,
  LAYOUT_OUTPUT,
  LAYOUT_OUTPUT_LENGTH,
  LAYOUT_SIZE,
  LAYOUT_SLOTS,
  NO_CHUNK,
  SLOT_ALIGN,
} from './abi';

const PAGE_BITS = 16;

/** Behind the output arena, for the last block of a string (`copyPadded`). */
const BEHIND_OUTPUT = 16;

const record: usize = memory.data(LAYOUT_SIZE, 8);

/** Address of the chunk table. */
export let inputArena: usize = 0;
export let outputArena: usize = 0;
/** First address behind the output arena. */
export let outputLimit: usize = 0;

export function abi_version(): i32 {
  return (ABI_MAJOR << 16) | ABI_MINOR;
}

/** Places the arenas; returns the address of the layout record, or 0 when memory cannot grow that far. */
export function layout(inputBytes: u32, outputBytes: u32): u32 {
  const input = alignUp(<u64>__heap_base);
  const output = alignUp(input + inputBytes);
  const slots = alignUp(output + outputBytes + BEHIND_OUTPUT);
  if (!reserve(slots)) return 0;
  inputArena = <usize>input;
  outputArena = <usize>output;
  outputLimit = <usize>output + outputBytes;
  store<u32>(record, <u32>input, LAYOUT_INPUT);
  store<u32>(record, <u32>output, LAYOUT_OUTPUT);
  store<u32>(record, 0, LAYOUT_OUTPUT_LENGTH);
  store<u32>(record, <u32>slots, LAYOUT_SLOTS);
  store<u32>(record, NO_CHUNK, LAYOUT_CURRENT);
  return <u32>record;
}

/** Tells the host how much of the output arena is written. */
export function setOutputLength(bytes: u32): void {
  store<u32>(record, bytes, LAYOUT_OUTPUT_LENGTH);
}

/** Tells the host which chunk is at work: should it trap, everything up to here counts, and only its connection is lost. */
export function setCurrent(index: u32, outputBytes: u32): void {
  store<u32>(record, outputBytes, LAYOUT_OUTPUT_LENGTH);
  store<u32>(record, index, LAYOUT_CURRENT);
}

function alignUp(address: u64): u64 {
  return (address + (SLOT_ALIGN - 1)) & ~(<u64>SLOT_ALIGN - 1);
}

function reserve(bytes: u64): bool {
  const pages = (bytes + (1 << PAGE_BITS) - 1) >> PAGE_BITS;
  if (pages > 0xffff) return false;
  const missing = <i32>pages - memory.size();
  return missing <= 0 || memory.grow(missing) >= 0;
}
