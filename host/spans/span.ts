/**
 * One span as an object: what printers show and exporters convert. The data path never builds these; it fills
 * struct-of-arrays batches (batch.ts) and a consumer reads a batch span by span through `Spans`.
 */
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

/** A batch of spans, read one by one (reading builds the object; nothing is cached) or column by column. */
export interface Spans {
  readonly length: number;
  /** The batches it consists of, in order. */
  readonly batches: readonly SealedBatch[];
  read(index: number): Span;
}

/** Where finished batches go. Never throws, never modifies, does not batch. */
export interface SpanSink {
  readonly name: string;
  /**
   * Takes a batch. The promise settles when the batch is out of the sink's hands: how many spans were delivered, and
   * whether what failed is worth another try.
   */
  export(spans: Spans, signal: AbortSignal): Promise<ExportOutcome>;
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
