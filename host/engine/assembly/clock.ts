/** Milliseconds by TypeScript's clock: it sets them once for each poll. */
export let now: f64 = 0;

export function setNow(ms: f64): void {
  now = ms;
}
