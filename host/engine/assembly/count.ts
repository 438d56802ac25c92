/** Adds to a counter of layout/counters.ts. */
export function count(counter: i32, n: f64): void {
  store<f64>(counter, load<f64>(counter) + n);
}
