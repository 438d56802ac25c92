/**
 * The budget of a call, as docs/abi.md has it under "How a call is bounded". The share of it that a module uses is the
 * measure of how linear it is: the allowance grows with the input, and so may the work.
 */

/** What a chunk counts for beside its bytes, and what a call counts for beside its chunks. */
const CHUNK_BYTES = 256;
const CALL_BYTES = 16_384;
/** KiB that stand for a call of open, close, layout or migrate. */
export const OTHER_CALL_KIB = 64;
/** Some 0.3 s. Only a full input arena grants as much; an endless loop on little input ends within milliseconds. */
const FUEL_MAX = 1_000_000_000;

/** The KiB that a call of run or identify is paid for. */
export function kibOf(capturedBytes: number, chunks: number): number {
  return (capturedBytes + CHUNK_BYTES * chunks + CALL_BYTES) / 1024;
}

export function allowance(fuelPerKib: number, kib: number): number {
  return Math.min(Math.ceil(fuelPerKib * kib), FUEL_MAX);
}
