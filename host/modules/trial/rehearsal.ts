/**
 * A capture through the ordinary pipeline with one more module: what the agent would make of that traffic if the module
 * were there. In this thread, as fast as it goes; spans come as lines of text.
 */
import { Processes } from '../../discovery/processes.ts';
import { jsonLine, textLine } from '../../export/span-text.ts';
import { Pipeline } from '../../pipeline.ts';
import { openReplay } from '../../replay/source.ts';
import { createCounters, sumCounters } from '../../self/counters.ts';
import type { Log } from '../../self/log.ts';
import type { SealedBatch } from '../../spans/batch.ts';
import type { ParserModule } from '../../wasm/admit.ts';
import { loadModules, shippedModuleFolder } from '../../wasm/load.ts';

export type SpanFormat = 'text' | 'json';

export interface Rehearsal {
  readonly spans: number;
  /** Spans of the module's own protocols. */
  readonly own: number;
  readonly connections: number;
  readonly unknown: number;
  /** Failures of the module, by reason. */
  readonly failures: ReadonlyMap<string, number>;
  /** What is wrong with the capture, if anything. */
  readonly damage: string | undefined;
}

const BATCH_SPANS = 2048;

/** The modules that ship, with this one in the place of the one of its name, or beside them. */
export function withShipped(module: ParserModule): ParserModule[] {
  const others = loadModules(shippedModuleFolder()).filter(({ manifest }) => manifest.name !== module.manifest.name);
  return [...others, module];
}

/** `print` gets the text of some spans at a time, and may make reading wait. */
export async function rehearse(
  module: ParserModule,
  capture: string,
  format: SpanFormat,
  print: (text: string) => Promise<void>,
): Promise<Rehearsal> {
  const batches: SealedBatch[] = [];
  const counters = createCounters();
  const { log, failures } = failureLog(module.manifest.name);
  const own = new Set(module.manifest.protocols.map(({ name }) => name));
  const source = openReplay(capture);
  try {
    const pipeline = new Pipeline(source, {
      modules: withShipped(module),
      counters,
      log,
      processes: new Processes({ serviceName: undefined, attributes: {} }),
      optIn: new Set(module.manifest.attributes.filter(({ optIn }) => optIn).map(({ name }) => name)),
      batchSpans: BATCH_SPANS,
      batchMs: 0,
      reorderMs: 0,
      emit: (batch) => batches.push(batch.seal()),
      verdict: () => {},
      retired: () => {},
    });
    let count = 0;
    const printAll = async () => {
      for (const batch of batches.splice(0)) count += await printBatch(batch, own, format, print);
    };
    while (!source.finished || source.pending() > 0) {
      pipeline.poll(performance.now());
      await printAll();
    }
    pipeline.finish();
    await printAll();
    const sums = sumCounters([counters]);
    return {
      spans: sums.spans_made,
      own: count,
      connections: sums.connections_opened,
      unknown: sums.connections_unknown,
      failures,
      damage: source.error?.message,
    };
  } finally {
    source.close();
  }
}

/** Prints the spans of a batch; returns how many are of the protocols named. */
async function printBatch(
  batch: SealedBatch,
  own: ReadonlySet<string>,
  format: SpanFormat,
  print: (text: string) => Promise<void>,
): Promise<number> {
  const lines: string[] = [];
  let count = 0;
  for (let index = 0; index < batch.length; index++) {
    const span = batch.read(index);
    if (own.has(span.protocol)) count++;
    lines.push(format === 'json' ? jsonLine(span) : textLine(span));
  }
  if (lines.length > 0) await print(`${lines.join('\n')}\n`);
  return count;
}

/** A log that keeps what is said of one module, and nothing else. */
function failureLog(name: string): { log: Log; failures: Map<string, number> } {
  const failures = new Map<string, number>();
  const note = (fields: { module?: string; during?: string; reason?: string }) => {
    if (fields.module !== name || fields.reason === undefined) return;
    const what = fields.during === undefined ? fields.reason : `${fields.during}: ${fields.reason}`;
    failures.set(what, (failures.get(what) ?? 0) + 1);
  };
  return { log: { debug: () => {}, info: () => {}, warn: note, error: note }, failures };
}
