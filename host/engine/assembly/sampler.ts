/**
 * Which spans are kept. A sampler is a bound: a trace is kept when its id, folded to 32 bits, is below it (0: none,
 * 2^32: all); and whether a parent that was seen decides instead.
 * https://opentelemetry.io/docs/specs/otel/trace/sdk/#built-in-samplers
 */
/** Bit of the trace flags. */
const SAMPLED: i32 = 1;

let followsParent: bool = true;
let bound: u64 = 0x1_0000_0000;

export function setSampler(parentDecides: bool, below: f64): void {
  followsParent = parentDecides;
  bound = <u64>below;
}

/** `traceId`: address of its four words. */
export function isSampled(traceId: i32, hasParent: bool, traceFlags: i32): bool {
  if (followsParent && hasParent) return (traceFlags & SAMPLED) != 0;
  const folded = load<u64>(traceId) ^ load<u64>(traceId, 8);
  return <u64>(<u32>folded ^ <u32>(folded >> 32)) < bound;
}
