/** What stands in the place of a secret. */

export const REDACTED = new TextEncoder().encode('REDACTED');

/** Writes REDACTED at `to`; returns where it ends. */
export function writeRedacted(out: Uint8Array, to: number): number {
  for (let i = 0; i < REDACTED.length; i++) out[to + i] = REDACTED[i]!;
  return to + REDACTED.length;
}
