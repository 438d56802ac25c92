/**
 * A worker thread: one shard from its ring to its exporters. The main thread gives it what it needs as workerData and
 * tells it to stop; counters are shared memory.
 */
import { parentPort, workerData } from 'node:worker_threads';
import type { Config } from './config.ts';
import { Processes } from './discovery/processes.ts';
import { createConfiguredSinks } from './export/configured.ts';
import { largestBatch } from './export/queue.ts';
import { addon } from './kernel/addon.ts';
import { metricsExporter } from './metrics/settings.ts';
import type { Taken } from './metrics/table.ts';
import { Pipeline, type PipelineOptions } from './pipeline.ts';
import { C, type Counters } from './self/counters.ts';
import { createLog, type Log } from './self/log.ts';
import { releaseStartUp } from './self/memory.ts';
import { resourceAttributes } from './self/resource.ts';
import { Shard } from './shard.ts';
import { samplerOf } from './spans/sampler.ts';
import type { ParserModule } from './wasm/admit.ts';
import type { ModuleStatus } from './wasm/modules.ts';
import { settingsOf } from './wasm/settings.ts';

export interface WorkerInput {
  readonly shard: number;
  readonly ringFd: number;
  readonly config: Config;
  readonly modules: readonly ParserModule[];
  readonly counters: Counters;
}

/** Main to worker. */
export type WorkerCommand =
  | { readonly type: 'stop' }
  | { readonly type: 'hold'; readonly held: boolean }
  | { readonly type: 'exec'; readonly tgid: number; readonly path: string }
  | { readonly type: 'exit'; readonly tgid: number }
  | { readonly type: 'load'; readonly request: number; readonly parser: ParserModule }
  | { readonly type: 'unload'; readonly request: number; readonly digest: string }
  | { readonly type: 'modules'; readonly request: number }
  | { readonly type: 'measured'; readonly request: number };

/** The kernel may stop copying a connection, or is to take it up again. */
export interface Verdict {
  readonly cookieLow: number;
  readonly cookieHigh: number;
  readonly ignored: boolean;
}

/** Worker to main. */
export type WorkerReport =
  | { readonly type: 'ready' }
  | { readonly type: 'verdicts'; readonly verdicts: readonly Verdict[] }
  | { readonly type: 'retired'; readonly digest: string; readonly name: string; readonly reason: string }
  | { readonly type: 'answer'; readonly request: number; readonly modules: readonly ModuleStatus[] }
  | { readonly type: 'measured'; readonly request: number; readonly taken: Taken | undefined }
  | { readonly type: 'refused'; readonly request: number; readonly reason: string }
  /** What was measured until the end. */
  | { readonly type: 'rest'; readonly taken: Taken | undefined }
  | { readonly type: 'drained' };

/** From this share of the export queue on, the ring is left to fill. */
const QUEUE_FULL = 0.75;
/** Two threads on one socket report within microseconds of each other, unless one loses its CPU in between. */
const REORDER_MS = 5;

async function main(port: NonNullable<typeof parentPort>, input: WorkerInput): Promise<void> {
  const { config, counters } = input;
  const log = createLog(config.logLevel, config.logFormat);
  const report = (message: WorkerReport) => port.postMessage(message);
  const sinks = createConfiguredSinks(config, counters, log);
  const processes = new Processes({
    serviceName: config.serviceName,
    attributes: resourceAttributes(process.env),
  });
  const ring = new addon.Ring(input.ringFd);
  const pipeline = new Pipeline(ring, {
    modules: input.modules,
    counters,
    log,
    processes,
    optIn: new Set(config.attributes),
    settings: settingsOf(config),
    sampler: samplerOf(config),
    batchSpans: largestBatch(config),
    batchMs: config.batchTimeout,
    reorderMs: REORDER_MS,
    emit: (batch) => sinks.push(batch),
    metrics: metricsExporter(config) === 'none' ? undefined : { seriesMax: config.metricsSeries },
    verdict: gather((verdicts) => report({ type: 'verdicts', verdicts })),
    retired: ({ digest, manifest }, reason) => report({ type: 'retired', digest, name: manifest.name, reason }),
  });
  pipeline.setClockOffset(...addon.realtimeOffset());
  const shard = new Shard({
    pipeline,
    ringBytes: ring.size,
    pending: () => ring.pending(),
    mayPoll: () => counters[C.spans_queued]! < config.queue * QUEUE_FULL,
    clockOffset: () => addon.realtimeOffset(),
  });
  port.on('message', (command: WorkerCommand) => {
    if (command.type === 'stop') shard.stop();
    else if (command.type === 'hold') shard.hold(command.held);
    else if (command.type === 'exec') processes.started(command.tgid, command.path);
    else if (command.type === 'exit') {
      processes.ended(command.tgid);
      pipeline.processEnded(command.tgid);
    } else report(serve(command, pipeline, log));
  });
  releaseStartUp();
  report({ type: 'ready' });
  await shard.run();
  ring.close();
  report({ type: 'rest', taken: pipeline.takeMetrics(Date.now()) });
  await sinks.shutdown(config.shutdownTimeout);
  report({ type: 'drained' });
  port.close();
}

/** Verdicts of a turn go together: a message of its own would cost more than all that became of the connection. */
function gather(send: (verdicts: readonly Verdict[]) => void): PipelineOptions['verdict'] {
  let waiting: Verdict[] = [];
  return (cookieLow, cookieHigh, ignored) => {
    if (waiting.push({ cookieLow, cookieHigh, ignored }) > 1) return;
    queueMicrotask(() => {
      send(waiting);
      waiting = [];
    });
  };
}

type Request = Extract<WorkerCommand, { readonly request: number }>;

/** Modules come and go here, between two turns of the shard. */
function serve(command: Request, pipeline: Pipeline, log: Log): WorkerReport {
  const { request } = command;
  const start = performance.now();
  if (command.type === 'measured') return { type: 'measured', request, taken: pipeline.takeMetrics(Date.now()) };
  try {
    if (command.type === 'load') {
      const report = pipeline.load(command.parser, start);
      const { name, version } = command.parser.manifest;
      log.debug({ module: name, version, ...report, ms: performance.now() - start }, 'module loaded by a shard');
    } else if (command.type === 'unload') pipeline.unload(command.digest);
    return { type: 'answer', request, modules: pipeline.modules(performance.now()) };
  } catch (error) {
    return { type: 'refused', request, reason: (error as Error).message };
  }
}

if (parentPort !== null) await main(parentPort, workerData as WorkerInput);
