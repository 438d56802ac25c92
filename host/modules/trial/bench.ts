/**
 * How fast a module is on its own golden cases, and what metering costs it. Metered and plain take turns round by round,
 * so that whatever else the machine does disturbs both alike; medians tell. Only the time inside of `run` counts.
 */
import { openFlags } from './cases.ts';
import { costOfCases, unlimited } from './cost.ts';
import type { Subject } from './guest.ts';
import { Harness } from './harness.ts';
import type { Parser } from './parser.ts';
import { capturedLength } from './steps.ts';

export interface ModuleBench {
  readonly name: string;
  readonly cases: number;
  readonly rounds: number;
  readonly messagesPerSecond: number;
  readonly bytesPerSecond: number;
  readonly nsPerMessage: number;
  /** Time of the metered module for each unit of the plain one's; 1 is free. */
  readonly meteredRatio: number;
  /** For each KiB that a call is paid for (docs/abi.md): over all cases, by the costliest, and what the manifest asks. */
  readonly fuelPerKib: { readonly typical: number; readonly most: number; readonly asked: number };
}

export interface BenchOptions {
  readonly durationMs?: number;
}

/** Arenas as large as the agent's, and a round that about fills them. */
const ARENA_BYTES = 512 * 1024;
const ROUND_BYTES = 256 * 1024;
const COPIES_MAX = 200;
/** Rounds before anything is measured: until V8 has compiled what is hot a second time. */
const WARM_UP = 0.25;
const ROUNDS_MIN = 5;

export function benchModule(parser: Parser, { durationMs = 1500 }: BenchOptions = {}): ModuleBench {
  const plain = { manifest: parser.manifest, module: new WebAssembly.Module(parser.bytes) };
  const copies = copiesOf(parser);
  const metered = new Bench(unlimited(parser), parser, copies);
  const unmetered = new Bench(plain, parser, copies);
  takeTurns(durationMs * WARM_UP, [metered, unmetered]);
  takeTurns(durationMs, [metered, unmetered]);
  const seconds = median(metered.times) / 1000;
  return {
    name: parser.name,
    cases: parser.cases.length,
    rounds: metered.times.length,
    messagesPerSecond: metered.messages / seconds,
    bytesPerSecond: metered.bytes / seconds,
    nsPerMessage: (seconds * 1e9) / metered.messages,
    meteredRatio: median(metered.times) / median(unmetered.times),
    fuelPerKib: {
      typical: metered.fuelPerKib,
      most: costOfCases(parser)[0]?.fuelPerKib ?? 0,
      asked: parser.manifest.limits.fuelPerKiB,
    },
  };
}

/** One module and its rounds: all cases, each on so many connections of its own. */
class Bench {
  times: number[] = [];
  messages = 0;
  bytes = 0;
  fuelPerKib = 0;
  readonly #harness: Harness;
  readonly #parser: Parser;
  readonly #copies: number;

  constructor(subject: Subject, parser: Parser, copies: number) {
    this.#harness = new Harness(subject, { inputBytes: ARENA_BYTES, outputBytes: ARENA_BYTES });
    this.#parser = parser;
    this.#copies = copies;
    this.bytes = copies * capturedLength(parser.cases.flatMap(({ steps }) => steps));
  }

  round(): void {
    const { guest } = this.#harness;
    const arrivals = this.#parser.cases.flatMap((one) =>
      Array.from({ length: this.#copies }, () => this.#harness.open(openFlags(one))).flatMap((connection) =>
        one.steps.map((step) => ({ connection, step })),
      ),
    );
    const [before, messages] = [guest.runMs, this.#harness.records];
    guest.fuelPerKib.clear();
    this.#harness.feedAll(arrivals);
    this.times.push(guest.runMs - before);
    this.messages = this.#harness.records - messages;
    this.fuelPerKib = guest.fuelPerKib.get('run') ?? 0;
    for (const connection of new Set(arrivals.map((one) => one.connection))) this.#harness.close(connection);
  }
}

function copiesOf({ cases }: Parser): number {
  const bytes = capturedLength(cases.flatMap(({ steps }) => steps));
  return Math.max(1, Math.min(COPIES_MAX, Math.floor(ROUND_BYTES / Math.max(1, bytes))));
}

/** Fresh times of both, the first alternating. */
function takeTurns(durationMs: number, benches: [Bench, Bench]): void {
  for (const bench of benches) bench.times = [];
  const end = performance.now() + durationMs;
  for (let round = 0; round < ROUNDS_MIN || performance.now() < end; round++) {
    for (const bench of round % 2 === 0 ? benches : benches.toReversed()) bench.round();
  }
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1]!;
}
