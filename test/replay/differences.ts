/**
 * Where spans and tshark differ, and why. "-" is an exchange only tshark has, "+" one that only the spans have.
 * What is not in this table is a failure of corpora-spans.test.ts, and so is an entry that no longer holds.
 */

interface Difference {
  readonly capture: string;
  readonly reason: string;
  readonly lines: readonly string[];
}

const DIFFERENCES: readonly Difference[] = [];

/** The differences that are known of a capture. */
export function differences(capture: string): string[] {
  return DIFFERENCES.filter((one) => one.capture === capture).flatMap(({ lines }) => lines);
}
