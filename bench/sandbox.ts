/**
 * What fuel costs: the whole pipeline on prepared records, with parsers as they were compiled and with metered ones. The
 * variants take turns round by round, so that whatever else the machine does disturbs all alike; a ratio compares two of
 * the same round. What they put out is checked in either.
 */
import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { benchModule, type ModuleBench } from '../host/modules/trial/bench.ts';
import type { Parser } from '../host/modules/trial/parser.ts';
import { digestOf, type ParserModule } from '../host/wasm/admit.ts';
import { type Lap, prepareLap } from './prepared-source.ts';
import { median, progress, quantile, renderTable } from './table.ts';
import { shippedParsers, type Traffic, trafficOf } from './traffic.ts';
import type { Round, VariantInput } from './variant.ts';

export interface SandboxOptions {
  readonly rounds: number;
  readonly only?: string;
  readonly json?: boolean;
}

interface Variant {
  readonly name: string;
  readonly isMetered: boolean;
}

interface Figures {
  readonly spansPerSecond: number;
  readonly nsPerSpan: number;
  /** Time for each unit of the bare variant's: median, and the quarters around it. */
  readonly ratio: number;
  readonly ratioLow: number;
  readonly ratioHigh: number;
}

interface Comparison {
  readonly traffic: string;
  readonly variants: Readonly<Record<string, Figures>>;
}

/** The first is what the others are compared with, the last is what ships. */
const VARIANTS: readonly Variant[] = [
  { name: 'bare', isMetered: false },
  { name: 'fuel', isMetered: true },
];
const CONNECTIONS = 1000;
/** Short, so that a disturbance falls into few of many rounds; the clock of CPU time moves in steps of up to 1 ms. */
const ROUND_MS = 50;
/** Until V8 has compiled what is hot a second time. */
const WARM_UP_MS = 1000;
/** Threads anew: what V8 makes of the same code differs a little from one to the next. */
const STARTS = 3;
const MODULE_BENCH_MS = 1500;

export async function benchSandbox({ rounds, only = '', json }: SandboxOptions): Promise<void> {
  const parsers = shippedParsers();
  const traffic = parsers.flatMap(trafficOf).filter(({ name }) => name.includes(only));
  if (traffic.length === 0) throw new Error(`no traffic with "${only}" in its name: leave --only away to see all`);
  const pipeline: Comparison[] = [];
  for (const one of traffic) pipeline.push(await compare(one, parsers, rounds));
  const shown = parsers.filter(({ name }) => traffic.some((one) => one.parser === name));
  const modules = shown.map((parser) => {
    progress(`${parser.name}: module alone`);
    return benchModule(parser, { durationMs: MODULE_BENCH_MS });
  });
  process.stdout.write(json ? `${JSON.stringify({ rounds, pipeline, modules })}\n` : render(pipeline, modules, rounds));
}

async function compare(traffic: Traffic, parsers: readonly Parser[], rounds: number): Promise<Comparison> {
  const lap = prepareLap(traffic, CONNECTIONS);
  const taken = VARIANTS.map((): Round[] => []);
  for (let start = 1; start <= STARTS; start++) {
    progress(`${traffic.name}: start ${start} of ${STARTS}`);
    const workers = VARIANTS.map((variant) => startVariant(variant, parsers, lap));
    try {
      await takeTurns(workers, await warmUp(workers), Math.ceil(rounds / STARTS), taken);
    } finally {
      await Promise.all(workers.map((worker) => worker.terminate()));
    }
  }
  const [bare = []] = taken;
  if (!bare.every(({ spans }, round) => spans > 0 && taken.every((own) => own[round]!.spans === spans))) {
    throw new Error(`${traffic.name}: the variants made no spans, or not the same`);
  }
  const variants = VARIANTS.map(({ name }, index) => [name, figures(taken[index]!, bare)]);
  return { traffic: traffic.name, variants: Object.fromEntries(variants) };
}

function startVariant({ isMetered }: Variant, parsers: readonly Parser[], lap: Lap): Worker {
  const modules = parsers.map(
    ({ manifest, module, bytes }): ParserModule => ({
      manifest,
      module: isMetered ? module : new WebAssembly.Module(bytes),
      digest: digestOf(bytes),
    }),
  );
  const workerData: VariantInput = { modules, lap };
  return new Worker(new URL('./variant.ts', import.meta.url), { workerData });
}

/** Returns how many laps make a round. */
async function warmUp(workers: readonly Worker[]): Promise<number> {
  let laps = 1;
  for (const worker of workers) {
    const end = performance.now() + WARM_UP_MS;
    while (performance.now() < end) {
      const { ms } = await run(worker, laps);
      if (ms < ROUND_MS) laps++;
    }
  }
  return laps;
}

/** Each round in another order. */
async function takeTurns(workers: readonly Worker[], laps: number, rounds: number, taken: Round[][]): Promise<void> {
  for (let round = 0; round < rounds; round++) {
    const order = workers.map((_, turn) => (round + turn) % workers.length);
    for (const index of round % 2 === 0 ? order : order.toReversed()) {
      taken[index]!.push(await run(workers[index]!, laps));
    }
  }
}

async function run(worker: Worker, laps: number): Promise<Round> {
  worker.postMessage(laps);
  const [round] = (await once(worker, 'message')) as [Round];
  return round;
}

function figures(own: readonly Round[], bare: readonly Round[]): Figures {
  const nsPerSpan = median(own.map(({ ms, spans }) => (ms * 1e6) / spans));
  const ratios = own.map(({ ms }, round) => ms / bare[round]!.ms);
  const [ratioLow, ratio, ratioHigh] = [quantile(ratios, 0.25), median(ratios), quantile(ratios, 0.75)];
  return { spansPerSecond: 1e9 / nsPerSpan, nsPerSpan, ratio, ratioLow, ratioHigh };
}

function render(pipeline: readonly Comparison[], modules: readonly ModuleBench[], rounds: number): string {
  const head = ['ns per span', ...VARIANTS.map(({ name }) => name)];
  const rows = pipeline.map(({ traffic, variants }) => [
    traffic,
    ...VARIANTS.map(({ name }, index) => cell(variants[name]!, index === 0)),
  ]);
  const alone = modules.map(({ name, cases, nsPerMessage, bytesPerSecond, meteredRatio }) => [
    name,
    String(cases),
    nsPerMessage.toFixed(0),
    (bytesPerSecond / 1e6).toFixed(0),
    meteredRatio.toFixed(2),
  ]);
  return `The whole pipeline, medians of ${rounds} rounds; in brackets the time for each unit of bare, quarter to quarter
${renderTable([head, ...rows])}

The module alone, on its golden cases
${renderTable([['', 'cases', 'ns per message', 'MB/s', 'metered : plain'], ...alone])}
`;
}

function cell({ nsPerSpan, ratio, ratioLow, ratioHigh }: Figures, isBare: boolean): string {
  const time = nsPerSpan.toFixed(0);
  return isBare ? time : `${time} (${ratio.toFixed(2)}, ${ratioLow.toFixed(2)}–${ratioHigh.toFixed(2)})`;
}
