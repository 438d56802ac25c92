/** What the engine counted, added to the shared counters. */
import { C, type CounterId, type Counters } from '../self/counters.ts';
import type { Engine } from './engine.ts';
import { COUNT_PAIRS_UNTIMED, COUNT_SPANS_MADE, COUNT_SPANS_UNSAMPLED } from './layout/counters.ts';

const NAMES: readonly (readonly [address: number, name: CounterId])[] = [
  [COUNT_SPANS_MADE, 'spans_made'],
  [COUNT_SPANS_UNSAMPLED, 'spans_unsampled'],
  [COUNT_PAIRS_UNTIMED, 'pairs_dropped_untimed'],
];
/** Index in each of the two arrays. */
const PLACES = NAMES.map(([address, name]) => [address >>> 3, C[name]] as const);

/** Call after whatever ran the engine: what it counted is zero afterwards. */
export function takeCounters({ f64 }: Engine, counters: Counters): void {
  for (const [from, to] of PLACES) {
    counters[to]! += f64[from]!;
    f64[from] = 0;
  }
}
