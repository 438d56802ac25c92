/** `spanwire replay`: captures through the pipeline, in this thread, as fast as they can be read. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Config } from '../config.ts';
import { Processes } from '../discovery/processes.ts';
import { createConfiguredSinks } from '../export/configured.ts';
import { largestBatch } from '../export/queue.ts';
import { Pipeline } from '../pipeline.ts';
import { openReplay } from '../replay/source.ts';
import { C, type Counters, createCounters, sumCounters } from '../self/counters.ts';
import { createLog, type Log } from '../self/log.ts';
import { resourceAttributes } from '../self/resource.ts';
import { samplerOf } from '../spans/sampler.ts';
import { loadModules, shippedModuleFolder } from '../wasm/load.ts';
import { settingsOf } from '../wasm/settings.ts';

/** Spans that may wait for a slow printer before reading goes on. */
const QUEUED_MAX = 8192;

export async function replayFiles(files: readonly string[], config: Config): Promise<number> {
  const log = createLog(config.logLevel, config.logFormat);
  const modules = loadModules(shippedModuleFolder());
  const counters = createCounters();
  const sinks = createConfiguredSinks(config, counters, log);
  const processes = new Processes({ serviceName: config.serviceName, attributes: resourceAttributes(process.env) });
  let failures = 0;
  process.stdout.on('error', () => process.exit(0));
  for (const file of files) {
    try {
      await replayOne(
        file,
        log,
        (source) => {
          return new Pipeline(source, {
            modules,
            counters,
            log,
            processes,
            optIn: new Set(config.attributes),
            settings: settingsOf(config),
            sampler: samplerOf(config),
            batchSpans: largestBatch(config),
            batchMs: config.batchTimeout,
            reorderMs: 0,
            emit: (batch) => sinks.push(batch),
            verdict: () => {},
            retired: () => {},
          });
        },
        () => roomIn(counters),
      );
    } catch (error) {
      failures++;
      log.error({ file, error: (error as Error).message }, 'replay failed');
    }
  }
  await sinks.shutdown(config.shutdownTimeout);
  const host = sumCounters([counters]);
  log.info(
    {
      files: files.length - failures,
      records: host.records_in,
      connections: host.connections_opened,
      unknown: host.connections_unknown,
      gaps: host.gaps,
      spans: host.spans_made,
      exported: host.spans_exported,
    },
    'replayed',
  );
  log.debug(host, 'counters');
  return failures === 0 ? 0 : 1;
}

async function replayOne(
  file: string,
  log: Log,
  createPipeline: (source: ReturnType<typeof openReplay>) => Pipeline,
  room: () => Promise<void>,
): Promise<void> {
  const source = openReplay(file);
  try {
    const pipeline = createPipeline(source);
    while (!source.finished || source.pending() > 0) {
      pipeline.poll(performance.now());
      await room();
    }
    pipeline.finish();
    log.info({ file, ...source.counters }, 'read');
    if (source.error) throw source.error;
  } finally {
    source.close();
  }
}

async function roomIn(counters: Counters): Promise<void> {
  while (counters[C.spans_queued]! > QUEUED_MAX) await sleep(1);
}
