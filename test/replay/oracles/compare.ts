/** What only one of two lists of exchanges has. */
import type { Exchange } from './exchange.ts';

/** "+" the spans, "-" tshark. By connection, in order, the rest aligned; in the order of the lines where order is none. */
export function compare(ours: readonly Exchange[], theirs: readonly Exchange[], isKeyed: boolean): string[] {
  const clients = new Set([...ours, ...theirs].map(({ client }) => client));
  return [...clients].flatMap((client) => {
    const lines = (exchanges: readonly Exchange[]) => {
      const own = exchanges.filter((one) => one.client === client);
      const found = own.map(({ request, response }) => `${request} → ${response}`);
      return isKeyed ? found.sort() : found;
    };
    return align(lines(ours), lines(theirs)).map((line) => `${client} ${line}`);
  });
}

/** The longest common subsequence left out. https://en.wikipedia.org/wiki/Longest_common_subsequence */
function align(ours: readonly string[], theirs: readonly string[]): string[] {
  const common = Array.from({ length: ours.length + 1 }, () => new Array<number>(theirs.length + 1).fill(0));
  for (let i = ours.length - 1; i >= 0; i--) {
    for (let j = theirs.length - 1; j >= 0; j--) {
      const isSame = ours[i] === theirs[j];
      common[i]![j] = isSame ? common[i + 1]![j + 1]! + 1 : Math.max(common[i + 1]![j]!, common[i]![j + 1]!);
    }
  }
  const lines: string[] = [];
  let [i, j] = [0, 0];
  while (i < ours.length || j < theirs.length) {
    if (i < ours.length && ours[i] === theirs[j]) [i, j] = [i + 1, j + 1];
    else if (j < theirs.length && (i === ours.length || common[i]![j + 1]! >= common[i + 1]![j]!))
      lines.push(`- ${theirs[j++]}`);
    else lines.push(`+ ${ours[i++]}`);
  }
  return lines;
}
