/**
 * A process with one pipeline, encoder and export queue, through which a million pairs of a protocol go: it says how often
 * V8 collected garbage meanwhile. What is exported is thrown away at once.
 */
import { constants, PerformanceObserver } from 'node:perf_hooks';
import { setImmediate as turn } from 'node:timers/promises';
import { tablesOf } from '../../bench/suite/conversations/conversation.ts';
import { conversationOf, type Protocol } from '../../bench/suite/conversations/index.ts';
import { createPipeline, feed, PAYLOAD_BYTES } from '../../bench/suite/rig.ts';
import { shippedParsers } from '../../bench/traffic.ts';
import { BatchEncoder } from '../../host/export/encoder/batch-encoder.ts';
import { sendEncoded } from '../../host/export/encoder/request.ts';
import { BatchOffer } from '../../host/export/offer.ts';
import { ExportQueue } from '../../host/export/queue.ts';
import { C, createCounters } from '../../host/self/counters.ts';

export interface Garbage {
  readonly pairs: number;
  readonly exported: number;
  /** Collections of all of the heap, its marking included, and of the young generation. */
  readonly major: number;
  readonly minor: number;
}

const WARM_UP = 400_000;
const PAIRS = 1_000_000;
const RING_BYTES = 1024 * 1024;
const TICK_MS = 100;
const SILENT = { info() {}, warn() {} };

const modules = shippedParsers();
const conversation = await conversationOf(process.argv[2] as Protocol, modules);
const { feeder, source } = feed('memory', {
  ringBytes: RING_BYTES,
  payloadBytes: PAYLOAD_BYTES,
  connections: 1000,
  lastRound: 0,
  conversations: [tablesOf(conversation)],
});
const counters = createCounters();
const sink = {
  name: 'nowhere',
  ...sendEncoded(),
  export: async () => ({ ok: true }) as const,
  shutdown: async () => {},
};
const queue = new ExportQueue(sink, counters, SILENT);
const encoder = new BatchEncoder({ name: 'spanwire', version: '0' });
const emit = (batch: ConstructorParameters<typeof BatchOffer>[0]) => queue.push(new BatchOffer(batch, encoder));
const pipeline = createPipeline(source, { modules, counters, emit, verdict() {} });

const kinds: number[] = [];
new PerformanceObserver((list) => {
  for (const entry of list.getEntries()) kinds.push((entry as unknown as { detail: { kind: number } }).detail.kind);
}).observe({ entryTypes: ['gc'] });

await run(WARM_UP);
await turn();
kinds.length = 0;
const [pairs, exported] = [counters[C.pairs]!, counters[C.spans_exported]!];
await run(PAIRS);
await turn();
const minor = kinds.filter((kind) => kind === constants.NODE_PERFORMANCE_GC_MINOR).length;
const report: Garbage = {
  pairs: counters[C.pairs]! - pairs,
  exported: counters[C.spans_exported]! - exported,
  major: kinds.length - minor,
  minor,
};
process.send!(report, () => process.disconnect());

async function run(more: number): Promise<void> {
  const end = counters[C.pairs]! + more;
  let tickAt = 0;
  while (counters[C.pairs]! < end) {
    feeder.generate();
    feeder.feed();
    while (pipeline.poll(performance.now()) > 0);
    if (performance.now() >= tickAt) {
      pipeline.tick(performance.now());
      tickAt = performance.now() + TICK_MS;
    }
    await turn();
  }
}
