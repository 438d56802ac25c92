/** Adds to a counter of layout/counters.ts. */
import { COUNTERS } from '../layout/counters';

export function count(place: i32, n: f64 = 1): void {
  const at = COUNTERS + (place << 3);
  store<f64>(at, load<f64>(at) + n);
}
