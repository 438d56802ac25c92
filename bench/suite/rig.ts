/** A pipeline as the agent has it, over a ring that a feeder fills; the suite makes pipelines nowhere else. */
import { addon } from '../../host/kernel/addon.ts';
import type { RecordSource } from '../../host/kernel/source.ts';
import { Pipeline, type PipelineOptions } from '../../host/pipeline.ts';
import { explainRefusal } from '../../host/self/privileges.ts';
import { createSampler } from '../../host/spans/sampler.ts';
import { type FeederOptions, loadReference, type NativeFeeder, readFeederObject } from '../reference.ts';

/** As the agent's defaults. */
export const RING_BYTES = 16 * 1024 * 1024;
export const PAYLOAD_BYTES = 4096;
const BATCH_SPANS = 8192;
const METRIC_SERIES = 2000;
const BATCH_MS = 1000;
const REORDER_MS = 5;
/** One for all: whoever answers for processes keeps what it says. */

/** Where records are: the kernel's ring, or ordinary memory. */
export type RingKind = 'kernel' | 'memory';

export interface Fed {
  readonly feeder: NativeFeeder;
  readonly source: RecordSource;
}

export function feed(kind: RingKind, options: Omit<FeederOptions, 'object'>): Fed {
  const { Feeder } = loadReference();
  if (kind === 'memory') {
    const feeder = new Feeder(options);
    return { feeder, source: feeder };
  }
  const feeder = new Feeder({ ...options, object: readFeederObject() });
  return { feeder, source: new addon.Ring(feeder.ringFd) };
}

/** Which ring there can be here; where BPF is refused, why and what to do. */
export function ringKind(): { readonly kind: RingKind; readonly refusal?: string } {
  const { Feeder } = loadReference();
  try {
    const call = { port: 1, bytes: Uint8Array.of(1), calls: Uint32Array.of(0, 0, 1, 0), streamIds: new Uint32Array() };
    const conversation = { ...call, stride: 0, pairs: Uint32Array.of(0), firstRepeated: 0, closes: false };
    const options = { ringBytes: 1 << 16, payloadBytes: 1, connections: 1, lastRound: 1 };
    const feeder = new Feeder({ ...options, object: readFeederObject(), conversations: [conversation] });
    feeder.generate();
    feeder.feed();
    feeder.close();
    return { kind: 'kernel' };
  } catch (error) {
    return { kind: 'memory', refusal: explainRefusal(error).message };
  }
}

/** All connections are of one process, whose resource the agent makes once. */
const RESOURCE = { attributes: { 'service.name': 'bench' } };

type Given = Pick<PipelineOptions, 'modules' | 'counters' | 'emit' | 'verdict'>;

export function createPipeline(source: RecordSource, given: Given, sampled = 1): Pipeline {
  const pipeline = new Pipeline(source, {
    log: { debug() {}, info() {}, warn() {}, error: fail },
    processes: { resourceOf: () => RESOURCE },
    optIn: new Set(),
    batchSpans: BATCH_SPANS,
    batchMs: BATCH_MS,
    reorderMs: REORDER_MS,
    retired: ({ manifest }, reason) => fail({ module: manifest.name }, reason),
    ...given,
    sampler: createSampler('traceidratio', String(sampled)),
    metrics: { seriesMax: METRIC_SERIES },
  });
  pipeline.setClockOffset(...addon.realtimeOffset());
  return pipeline;
}

/** Parsers do not fail on what the suite sends: figures of one that does are worth nothing. */
function fail(fields: object, text: string): never {
  throw new Error(`${text}: ${JSON.stringify(fields)}`);
}
