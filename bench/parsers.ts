/**
 * Our parsers against the reference parsers of their protocols, on the same bytes: the shipped modules, metered, each
 * driven as the host drives it. The two sides take turns round by round; what counts is the CPU time of the thread. Both
 * must come to the same number of messages, or there is no figure.
 */

import { comparisons } from './comparisons.ts';
import { loadReference } from './reference.ts';
import { median, progress, quantile, renderTable } from './table.ts';

export interface ParsersOptions {
  readonly rounds: number;
  readonly only?: string;
  readonly json?: boolean;
}

/** One side of a comparison. */
export interface Side {
  /** Conversations of a lap; 1 when left out. */
  readonly conversations?: number;
  /** What counts; the CPU time of the thread when left out. */
  readonly clock?: () => number;
  /** Returns how many messages came out. */
  run(laps: number): number | Promise<number>;
}

export interface Comparison {
  readonly name: string;
  readonly reference: string;
  /** Of our time to the reference's; undefined for a comparison that promises nothing. */
  readonly limit?: number;
  readonly ours: Side;
  readonly theirs: Side;
}

interface Result {
  readonly name: string;
  readonly reference: string;
  readonly limit?: number;
  readonly messages: number;
  readonly oursNs: number;
  readonly theirsNs: number;
  readonly ratio: number;
  readonly ratioLow: number;
  readonly ratioHigh: number;
}

const ROUND_NS = 20e6;
/** Until V8 has compiled what is hot a second time. */
const WARM_UP_NS = 700e6;

export async function benchParsers({ rounds, only = '', json }: ParsersOptions): Promise<void> {
  const reference = loadReference();
  const all = (await comparisons(reference)).filter(({ name }) => name.includes(only));
  if (all.length === 0) throw new Error(`no comparison with "${only}" in its name: leave --only away to see all`);
  const results: Result[] = [];
  for (const one of all) {
    progress(`${one.name} against ${one.reference}`);
    results.push(await compare(one, rounds, reference.threadCpuNs));
  }
  process.stdout.write(json ? `${JSON.stringify({ rounds, parsers: results })}\n` : render(results, rounds));
}

async function compare(comparison: Comparison, rounds: number, now: () => number): Promise<Result> {
  const { name, reference, limit, ours, theirs } = comparison;
  const [messages, expected] = [await messagesOf(ours), await messagesOf(theirs)];
  if (messages !== expected || messages === 0) {
    throw new Error(`${name}: ${messages} messages by ours, ${expected} by ${reference}`);
  }
  const sides = [ours, theirs].map((side) => new Turn(side, messages, now));
  for (const side of sides) await side.warmUp();
  for (let round = 0; round < rounds; round++) {
    for (const side of round % 2 === 0 ? sides : sides.toReversed()) await side.measure();
  }
  const [own, other] = sides as [Turn, Turn];
  const ratios = own.times.map((time, round) => time / other.times[round]!);
  return {
    name,
    reference,
    ...(limit === undefined ? {} : { limit }),
    messages,
    oursNs: median(own.times),
    theirsNs: median(other.times),
    ratio: median(ratios),
    ratioLow: quantile(ratios, 0.25),
    ratioHigh: quantile(ratios, 0.75),
  };
}

/** Of one conversation. */
async function messagesOf({ run, conversations = 1 }: Side): Promise<number> {
  return (await run(1)) / conversations;
}

/** One side and its rounds, each of so many laps that it is about as long as the other's. */
class Turn {
  /** By round: for each message. */
  readonly times: number[] = [];
  readonly #side: Side;
  readonly #messages: number;
  readonly #now: () => number;
  #laps = 1;

  constructor(side: Side, messages: number, now: () => number) {
    this.#side = side;
    this.#messages = messages * (side.conversations ?? 1);
    this.#now = side.clock ?? now;
  }

  async warmUp(): Promise<void> {
    for (let spent = 0; spent < WARM_UP_NS; ) {
      const perLap = (await this.#time()) * this.#messages;
      spent += perLap * this.#laps;
      this.#laps = Math.max(1, Math.min(this.#laps * 2, Math.round(ROUND_NS / perLap)));
    }
  }

  async measure(): Promise<void> {
    this.times.push(await this.#time());
  }

  async #time(): Promise<number> {
    const before = this.#now();
    const messages = await this.#side.run(this.#laps);
    const spent = this.#now() - before;
    if (messages !== this.#messages * this.#laps) throw new Error(`${messages} messages in ${this.#laps} laps`);
    return spent / messages;
  }
}

function render(results: readonly Result[], rounds: number): string {
  const head = ['', 'against', 'messages', 'ns ours', 'ns theirs', 'ours : theirs', 'limit', ''];
  const rows = results.map(({ name, reference, messages, oursNs, theirsNs, ratio, ratioLow, ratioHigh, limit }) => [
    name,
    reference,
    String(messages),
    oursNs.toFixed(0),
    theirsNs.toFixed(0),
    `${ratio.toFixed(2)} (${ratioLow.toFixed(2)}–${ratioHigh.toFixed(2)})`,
    limit === undefined ? '' : limit.toFixed(1),
    limit === undefined ? '' : ratio <= limit ? 'holds' : 'FAILS',
  ]);
  return `CPU time for each message, medians of ${rounds} rounds; in brackets from quarter to quarter
${renderTable([head, ...rows])}
`;
}
