/** Counters that the engine keeps: their names in the order of layout/counters.ts, and how they get to the others. */
import { C, type CounterId, type Counters } from '../self/counters.ts';
import type { Engine } from './engine.ts';
import * as layout from './layout/counters.ts';

const NAMES: readonly (readonly [at: number, name: CounterId])[] = [
  [layout.RECORDS_DATA, 'records_data'],
  [layout.BYTES_MOVED, 'bytes_moved'],
  [layout.BYTES_CAPTURED, 'bytes_captured'],
  [layout.CHUNKS, 'chunks'],
  [layout.BYTES_GAP_TRUNCATED, 'bytes_gap_truncated'],
  [layout.BYTES_SKIPPED, 'bytes_skipped'],
];

/** Adds what the engine counted since the last time. */
export function takeCounters(engine: Engine, counters: Counters): void {
  const { f64 } = engine;
  for (const [at, name] of NAMES) {
    counters[C[name]]! += f64[at >>> 3]!;
    f64[at >>> 3] = 0;
  }
}
