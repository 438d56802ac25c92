/** What happens on a connection, step by step, and the ways the properties cut it up. Nothing here changes a step. */
import { DATA, GAP } from '../../../parsers/sdk/abi.ts';

export interface Step {
  readonly kind: number;
  readonly direction: number;
  readonly bytes: Uint8Array;
  /** What exceeds the bytes is a gap that follows them. */
  readonly wireLength: number;
  readonly timestamp: number;
}

/** Bytes of the steps that were captured. */
export function capturedLength(steps: readonly Step[]): number {
  return steps.reduce((total, { bytes }) => total + bytes.length, 0);
}

/** Every data step in pieces of at most `length` bytes; each piece keeps the step's timestamp. */
export function splitEvery(steps: readonly Step[], length: number): Step[] {
  return steps.flatMap((step) => cut(step, range(length, step.bytes.length, length)));
}

/** Data steps cut where `cuts` says, each a fraction of the step's length. */
export function splitAt(steps: readonly Step[], cuts: readonly number[]): Step[] {
  return steps.flatMap((step) => {
    const places = cuts.map((fraction) => Math.floor(fraction * step.bytes.length));
    const inside = [...new Set(places)].filter((place) => place > 0 && place < step.bytes.length);
    return cut(
      step,
      inside.sort((a, b) => a - b),
    );
  });
}

/** One step per captured byte, and its position in the capture as timestamp: so a message tells where it was found. */
export function stampBytes(steps: readonly Step[]): Step[] {
  const stamped: Step[] = [];
  for (const step of splitEvery(steps, 1)) stamped.push({ ...step, timestamp: stamped.length + 1 });
  return stamped;
}

/** The same with steps [from, to) lost: a GAP for what each direction misses, where it would have come. */
export function loseSteps(steps: readonly Step[], from: number, to: number): Step[] {
  return steps.map((step, index) => {
    if (index < from || index >= to || step.kind !== DATA) return step;
    return { ...step, kind: GAP, bytes: new Uint8Array(0), timestamp: 0 };
  });
}

/** The same with the first `count` bytes of a data step lost: a GAP, and what is left. */
export function loseFront(step: Step, count: number): Step[] {
  if (step.kind !== DATA || count <= 0) return [step];
  const gap = { ...step, kind: GAP, bytes: step.bytes.subarray(0, 0), wireLength: Math.min(count, step.wireLength) };
  const wireLength = step.wireLength - gap.wireLength;
  return wireLength === 0 ? [gap] : [gap, { ...step, bytes: step.bytes.subarray(count), wireLength }];
}

/** The same with each run of GAPs of one direction as one, as the host delivers it. */
export function mergeGaps(steps: readonly Step[]): Step[] {
  const merged: Step[] = [];
  for (const step of steps) {
    const last = merged.at(-1);
    if (last?.kind === GAP && step.kind === GAP && last.direction === step.direction) {
      merged[merged.length - 1] = { ...step, wireLength: last.wireLength + step.wireLength };
    } else merged.push(step);
  }
  return merged;
}

function cut(step: Step, places: readonly number[]): Step[] {
  if (step.kind !== DATA || places.length === 0) return [step];
  const edges = [0, ...places.filter((place) => place < step.bytes.length), step.bytes.length];
  return edges.slice(1).map((end, index) => {
    const bytes = step.bytes.subarray(edges[index], end);
    const missing = end === step.bytes.length ? step.wireLength - step.bytes.length : 0;
    return { ...step, bytes, wireLength: bytes.length + missing };
  });
}

function range(from: number, end: number, by: number): number[] {
  const values: number[] = [];
  for (let value = from; value < end; value += by) values.push(value);
  return values;
}
