/** Trace context in a comment, as sqlcommenter writes it: `traceparent='00-…-01'`. https://google.github.io/sqlcommenter/spec/ */
import { startsWith } from '../sdk/bytes';
import { findTraceparent, TRACEPARENT_LENGTH } from '../sdk/traceparent';

export { TRACEPARENT_LENGTH } from '../sdk/traceparent';

const LABEL = "traceparent='";

/** Address of the value, 0 when there is none with its label. */
export function findComment(from: usize, end: usize): usize {
  const value = findTraceparent(from, end);
  if (value == 0 || value - from < <usize>LABEL.length) return 0;
  return startsWith(value - LABEL.length, value + TRACEPARENT_LENGTH, LABEL) ? value : 0;
}
