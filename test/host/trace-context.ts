/** Trace context as the engine reads and makes it, on bytes of the test's. */
import { randomFillSync } from 'node:crypto';
import { Engine } from '../../host/engine/engine.ts';
import { SLAB } from '../../host/engine/layout/messages.ts';
import { ROW_PARENT_SPAN_ID, ROW_TRACE_ID } from '../../host/engine/layout/spans.ts';

const engine = new Engine({
  randomize: (at: number, length: number) => void randomFillSync(engine.u8, at, length),
});
/** What is not the traceparent's must not be taken for a part of it. */
const OTHER_BYTES = 64;

/** A parsed traceparent: words in the order they are printed. */
export interface TraceParent {
  readonly traceId: Uint32Array;
  readonly parentId: Uint32Array;
  flags: number;
}

export function emptyTraceParent(): TraceParent {
  return { traceId: new Uint32Array(4), parentId: new Uint32Array(2), flags: 0 };
}

/** Parses `length` bytes from byte `at` of `bytes` into `into`; false when they are no valid traceparent. */
export function parseTraceParent(bytes: Uint8Array, at: number, length: number, into: TraceParent): boolean {
  engine.u8.set(bytes, SLAB);
  engine.u8.fill(0xff, SLAB + bytes.length, SLAB + bytes.length + OTHER_BYTES);
  if (engine.exports.takeTraceParent!(SLAB + at, length) === 0) return false;
  engine.exports.storeTraceParent!(ROW_TRACE_ID, ROW_PARENT_SPAN_ID);
  into.traceId.set(engine.column(Uint32Array, ROW_TRACE_ID, 4));
  into.parentId.set(engine.column(Uint32Array, ROW_PARENT_SPAN_ID, 2));
  into.flags = engine.exports.traceParentFlags!()!;
  return true;
}

export class IdSource {
  /** Writes `count` random words at `at`. */
  fill(target: Uint32Array, at: number, count: number): void {
    engine.exports.fillId!(ROW_TRACE_ID, count);
    target.set(engine.column(Uint32Array, ROW_TRACE_ID, count), at);
  }
}
