/**
 * One span as an object: what printers show and exporters convert. The data path never builds these; it fills
 * struct-of-arrays batches (batch.ts), and each sink takes of a batch what it sends: bytes, or a copy to read span by
 * span through `Spans`.
 */
import type { Rows } from '../engine/rows.ts';
import type { SealedBatch } from './batch.ts';

export type SpanKind = 'server' | 'client' | 'producer' | 'consumer' | 'internal';
export type SpanStatus = 'unset' | 'ok' | 'error';
export type SingleValue = string | number | boolean;
export type AttributeValue = SingleValue | string[];
export type Attributes = Record<string, AttributeValue>;

/** What all spans of one process share; the same object for every span of the process. May gain attributes later. */
export interface Resource {
  readonly attributes: Attributes;
}

export interface Span {
  readonly name: string;
  readonly kind: SpanKind;
  /** Protocol name from the module's manifest, such as "http" or "redis". */
  readonly protocol: string;
  /** 32 lower-case hex digits. */
  readonly traceId: string;
  /** 16 lower-case hex digits. */
  readonly spanId: string;
  readonly parentSpanId?: string;
  /** W3C tracestate header as it was on the wire. */
  readonly traceState?: string;
  /** W3C trace flags: bit 0 is "sampled". */
  readonly traceFlags: number;
  /** Nanoseconds since the Unix epoch. */
  readonly startTimeUnixNano: bigint;
  readonly endTimeUnixNano: bigint;
  readonly status: SpanStatus;
  readonly attributes: Attributes;
  readonly resource: Resource;
}

/** What waits in a sink's queue: how many spans, and how many bytes a request of them has, at least about. */
export interface Taken {
  readonly length: number;
  readonly bytes: number;
  /** Nobody reads it any more: its memory may be used for something else. */
  release?(): void;
}

/** Spans that are read one by one: reading builds the object, nothing is cached. */
export interface Spans extends Taken {
  read(index: number): Span;
}

/** A batch as an ExportTraceServiceRequest of OTLP. */
export interface EncodedSpans extends Taken {
  readonly body: Uint8Array<ArrayBuffer>;
}

/** A part of a batch: rows that stand until every sink has taken of them what it keeps. The last one may have none. */
export interface FilledBatch extends Rows {
  /** The batch ends with it. */
  readonly isLast: boolean;
  /** A copy that stays. */
  seal(): SealedBatch;
}

/** What a sink may take of a part of a batch. */
export interface Offer {
  readonly length: number;
  readonly isLast: boolean;
  readonly sealed: SealedBatch;
  readonly encoded: EncodedSpans;
}

/** Where batches go, in the form that it asks for. Never modifies, does not batch. */
export interface SpanSink<T extends Taken = Taken> {
  readonly name: string;
  /** What it keeps of a batch, at once: the batch is filled anew afterwards. */
  take(offer: Offer): T;
  /** Several of them as one. */
  join(parts: readonly T[]): T;
  /**
   * Never throws. The promise settles when the spans are out of the sink's hands: how many were delivered, and whether
   * what failed is worth another try.
   */
  export(taken: T, signal: AbortSignal): Promise<ExportOutcome>;
  shutdown(): Promise<void>;
}

export type ExportOutcome =
  | { readonly ok: true }
  | {
      readonly ok: false;
      readonly retry: boolean;
      readonly reason: string;
      readonly retryAfterMs?: number;
      /** Spans that went out all the same (partial success); only where `retry` is false. */
      readonly delivered?: number;
    };
