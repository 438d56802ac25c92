/** What spans are measured by, sampled or not. */

/** Takes the span of a row that is filled. */
export function measure(_row: i32): void {}
