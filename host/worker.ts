/**
 * A worker thread: one shard from its ring to its exporters. The main thread gives it what it needs as workerData and
 * tells it to stop; counters are shared memory.
 */
import { parentPort, workerData } from 'node:worker_threads';
import type { Config } from './config.ts';
import { Processes } from './discovery/processes.ts';
import { createConfiguredSinks } from './export/configured.ts';
import { addon } from './kernel/addon.ts';
import { Pipeline } from './pipeline.ts';
import { C, type Counters } from './self/counters.ts';
import { createLog } from './self/log.ts';
import { resourceAttributes } from './self/resource.ts';
import { Shard } from './shard.ts';
import type { ParserModule } from './wasm/admit.ts';

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
  | { readonly type: 'exit'; readonly tgid: number };

/** Worker to main. */
export type WorkerReport =
  | { readonly type: 'ready' }
  | { readonly type: 'ignore'; readonly cookieLow: number; readonly cookieHigh: number }
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
    batchSpans: config.batch,
    batchMs: config.batchTimeout,
    reorderMs: REORDER_MS,
    emit: (batch) => sinks.push(batch),
    ignore: (cookieLow, cookieHigh) => report({ type: 'ignore', cookieLow, cookieHigh }),
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
    else processes.ended(command.tgid);
  });
  report({ type: 'ready' });
  await shard.run();
  ring.close();
  await sinks.shutdown(config.shutdownTimeout);
  report({ type: 'drained' });
  port.close();
}

if (parentPort !== null) await main(parentPort, workerData as WorkerInput);
