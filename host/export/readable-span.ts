/**
 * Spans in the shape OpenTelemetry's exporters take. The serializers group spans by the identity of their resource and
 * scope objects, so both are made once and kept.
 */
import { type HrTime, type Attributes as OtelAttributes, SpanKind, SpanStatusCode } from '@opentelemetry/api';
import { type InstrumentationScope, TraceState } from '@opentelemetry/core';
import { type Resource as OtelResource, resourceFromAttributes } from '@opentelemetry/resources';
import type { ReadableSpan } from '@opentelemetry/sdk-trace';
import type { Attributes, Resource, Span, Spans } from '../spans/span.ts';

const KINDS = {
  internal: SpanKind.INTERNAL,
  server: SpanKind.SERVER,
  client: SpanKind.CLIENT,
  producer: SpanKind.PRODUCER,
  consumer: SpanKind.CONSUMER,
} as const;

const STATUSES = {
  unset: { code: SpanStatusCode.UNSET },
  ok: { code: SpanStatusCode.OK },
  error: { code: SpanStatusCode.ERROR },
} as const;

const resources = new WeakMap<Resource, OtelResource>();

export function toReadableSpans(spans: Spans, scope: InstrumentationScope): ReadableSpan[] {
  const readable = new Array<ReadableSpan>(spans.length);
  for (let i = 0; i < spans.length; i++) readable[i] = toReadableSpan(spans.read(i), scope);
  return readable;
}

function toReadableSpan(span: Span, scope: InstrumentationScope): ReadableSpan {
  const context = {
    traceId: span.traceId,
    spanId: span.spanId,
    traceFlags: span.traceFlags,
    ...(span.traceState !== undefined && { traceState: new TraceState(span.traceState) }),
  };
  return {
    name: span.name,
    kind: KINDS[span.kind],
    spanContext: () => context,
    ...(span.parentSpanId !== undefined && { parentSpanContext: parentContext(span, span.parentSpanId) }),
    startTime: hrTime(span.startTimeUnixNano),
    endTime: hrTime(span.endTimeUnixNano),
    duration: hrTime(span.endTimeUnixNano - span.startTimeUnixNano),
    ended: true,
    status: STATUSES[span.status],
    attributes: encodable(span.attributes),
    resource: otelResource(span.resource),
    instrumentationScope: scope,
    links: [],
    events: [],
    droppedAttributesCount: 0,
    droppedEventsCount: 0,
    droppedLinksCount: 0,
  };
}

/** What a server or consumer took over came from another process; a client's parent is a span of its own process. */
function parentContext({ traceId, traceFlags, kind }: Span, spanId: string) {
  return { traceId, spanId, traceFlags, isRemote: kind === 'server' || kind === 'consumer' };
}

function otelResource(resource: Resource): OtelResource {
  let made = resources.get(resource);
  if (made === undefined) {
    made = resourceFromAttributes(encodable(resource.attributes));
    resources.set(resource, made);
  }
  return made;
}

const NANOS_PER_SECOND = 1_000_000_000n;

function hrTime(nanos: bigint): HrTime {
  return [Number(nanos / NANOS_PER_SECOND), Number(nanos % NANOS_PER_SECOND)];
}

/** A whole number of 2⁶³ and more is written as an int64 that overflows: one such value would cost the whole batch. */
const INT64_END = 2 ** 63;

function encodable(attributes: Readonly<Attributes>): OtelAttributes {
  let copy: Attributes | undefined;
  for (const name in attributes) {
    const value = attributes[name];
    if (typeof value !== 'number' || Math.abs(value) < INT64_END) continue;
    copy ??= { ...attributes };
    copy[name] = String(value);
  }
  return copy ?? attributes;
}
