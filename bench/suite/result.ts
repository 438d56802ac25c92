/** What a run of the suite leaves: figures, the few that stand for all, and what one must know to read them. */
import { cpus } from 'node:os';
import type { Changes } from './compare.ts';
import type { Figure } from './figures.ts';
import type { RingKind } from './rig.ts';

/** Grows when a reader of results must change. */
export const FORMAT = 1;

export interface Result {
  readonly format: typeof FORMAT;
  readonly quick: boolean;
  readonly rounds: number;
  /** `memory`: BPF was refused, and no kernel's ring stood between. */
  readonly ring: RingKind;
  readonly machine: { readonly cpu: string; readonly cpus: number; readonly node: string };
  /** Names of figures are as in `figures`; a value that was not measured is missing. */
  readonly headline: Headline;
  readonly figures: readonly Figure[];
  /** What was left out, and why; what was not as it should be. */
  readonly notes: readonly string[];
  readonly seconds: number;
  /** With --compare. */
  readonly compared?: Changes;
}

export interface Headline {
  /** Everyday conversations on 1,000 connections, from the ring to OTLP, by protocol. */
  pairsPerSecond?: Record<string, number>;
  nsPerPair?: Record<string, number>;
  /** Time for each unit of drain and memcpy of the same records, by protocol. */
  floorRatio?: Record<string, number>;
  /** Time of OpenTelemetry's ReadableSpan and serializer for each unit of our encoder's. */
  otelRatio?: number;
  /** Random bytes, to the floor: connections that are known to be nobody's, and connections that are new. */
  rejectRatio?: number;
  rejectNewRatio?: number;
  /** HTTP/1, user space, at 100,000 connections: silent after a first byte, after an exchange, waiting for an answer. */
  bytesPerConnection?: Record<string, number>;
}

export function machine(): Result['machine'] {
  const all = cpus();
  return { cpu: all[0]?.model.trim() ?? 'unknown', cpus: all.length, node: process.version };
}
