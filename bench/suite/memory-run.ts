/**
 * A process with one pipeline and so many connections, that says how much memory it takes. A process of its own: what the
 * kernel counts as its anonymous memory is heap, Wasm and native memory alike, and nothing else is in it. The heap is kept
 * as the agent keeps it (host/self/memory.ts); the bounds of V8 that a worker has come from the command line.
 */
import { readFileSync } from 'node:fs';
import { C, createCounters } from '../../host/self/counters.ts';
import { keepHeapLean, releaseStartUp } from '../../host/self/memory.ts';
import { createEncoder } from '../encode.ts';
import { shippedParsers } from '../traffic.ts';
import { type Conversation, tablesOf } from './conversations/conversation.ts';
import { createPipeline, feed, PAYLOAD_BYTES, type RingKind } from './rig.ts';

export interface MemoryInput {
  readonly ring: RingKind;
  readonly connections: number;
  readonly conversation: Conversation;
}

export interface MemoryReport {
  /** User space's own, in bytes. */
  readonly anonymous: number;
  readonly resident: number;
  readonly opened: number;
  readonly pairs: number;
}

/** Small: the ring is no connection's. */
const RING_BYTES = 1024 * 1024;

keepHeapLean();
process.once('message', ({ ring, connections, conversation }: MemoryInput) => {
  const { feeder, source } = feed(ring, {
    ringBytes: RING_BYTES,
    payloadBytes: PAYLOAD_BYTES,
    connections,
    lastRound: conversation.lap.length,
    conversations: [tablesOf(conversation)],
  });
  const counters = createCounters();
  const encode = createEncoder();
  const modules = shippedParsers();
  const pipeline = createPipeline(source, { modules, counters, emit: (batch) => encode(batch), verdict() {} });
  while (feeder.generate().records > 0) {
    feeder.feed();
    while (pipeline.poll(performance.now()) > 0);
    pipeline.tick(performance.now());
  }
  const report = { ...memory(), opened: counters[C.connections_opened]!, pairs: counters[C.pairs]! };
  // Also keeps it alive until here.
  if (pipeline.poll(performance.now()) > 0) throw new Error('records came from nowhere');
  process.send!(report satisfies MemoryReport, () => process.disconnect());
});

function memory() {
  // Garbage, and pages that V8 and malloc keep for later, are no connection's.
  releaseStartUp();
  const status = readFileSync('/proc/self/status', 'utf8');
  const bytes = (name: string) => Number(new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(status)?.[1]) * 1024;
  return { anonymous: bytes('RssAnon'), resident: bytes('VmRSS') };
}
