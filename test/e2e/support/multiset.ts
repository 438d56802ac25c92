/** Compares what should be with what is, as multisets; the difference is short enough to read. */

const SHOWN = 10;

/** Lines such as `missing 2×: GET /a` and `unexpected 1×: GET /b`; none when both are equal. */
export function differences(expected: Iterable<string>, actual: Iterable<string>): string[] {
  return countDifferences(counted(expected), counted(actual));
}

export function countDifferences(expected: ReadonlyMap<string, number>, actual: ReadonlyMap<string, number>): string[] {
  const lines: string[] = [];
  for (const key of new Set([...expected.keys(), ...actual.keys()])) {
    const surplus = (actual.get(key) ?? 0) - (expected.get(key) ?? 0);
    if (surplus < 0) lines.push(`missing ${-surplus}×: ${key}`);
    if (surplus > 0) lines.push(`unexpected ${surplus}×: ${key}`);
  }
  const more = lines.length - SHOWN;
  return more > 0 ? [...lines.slice(0, SHOWN), `and ${more} more differences`] : lines;
}

export function counted(keys: Iterable<string>): Map<string, number> {
  const counts = new Map<string, number>();
  for (const key of keys) counts.set(key, (counts.get(key) ?? 0) + 1);
  return counts;
}
