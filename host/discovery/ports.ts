/** Port lists such as `80,443,8000-9000`, as OBI and Beyla take them. */

export type PortRange = readonly [first: number, last: number];

/** Throws with words for the user when the text is no list of ports; an empty list would select every process. */
export function parsePorts(text: string): PortRange[] {
  const parts = text
    .split(',')
    .map((part) => part.trim())
    .filter((part) => part !== '');
  if (parts.length === 0) throw new Error(`"${text}" names no port`);
  return parts.map(parseRange);
}

function parseRange(part: string): PortRange {
  const match = /^(\d{1,5})(?:\s*-\s*(\d{1,5}))?$/.exec(part);
  const first = Number(match?.[1]);
  const last = Number(match?.[2] ?? match?.[1]);
  if (match === null || first < 1 || last > 65_535) throw new Error(`"${part}" is not a port or a range of ports`);
  if (first > last) throw new Error(`the range "${part}" ends before it begins`);
  return [first, last];
}

export function includesPort(ranges: readonly PortRange[], port: number): boolean {
  return ranges.some(([first, last]) => port >= first && port <= last);
}
