/** Spans, batches and a log for the export tests. */
import { Engine } from '../../host/engine/engine.ts';
import { BatchEncoder } from '../../host/export/encoder/batch-encoder.ts';
import { BatchOffer } from '../../host/export/offer.ts';
import { C, type CounterId, type Counters, createCounters } from '../../host/self/counters.ts';
import { SealedBatch, SPAN_ERROR, SPAN_HAS_PARENT, SPAN_SERVER, SpanColumns } from '../../host/spans/batch.ts';
import { OPERATION_TYPE, type SpanProtocol } from '../../host/spans/protocols.ts';
import type { Attributes, FilledBatch, Offer, Resource, Span } from '../../host/spans/span.ts';
import { putRows } from './row-writer.ts';

export const NGINX: Resource = { attributes: { 'service.name': 'nginx', 'process.pid': 4711, 'host.name': 'node-1' } };
export const REDIS: Resource = { attributes: { 'service.name': 'redis-server', 'process.pid': 4712 } };

export const START = 1_700_000_000_123_456_789n;

export function span(index: number, change: Partial<Span> = {}): Span {
  return {
    name: 'GET',
    kind: 'server',
    protocol: 'http',
    traceId: '0af7651916cd43dd8448eb211c80319c',
    spanId: (index + 1).toString(16).padStart(16, '0'),
    traceFlags: 1,
    startTimeUnixNano: START,
    endTimeUnixNano: START + 1_234_567n,
    status: 'unset',
    attributes: { 'http.request.method': 'GET', 'url.path': `/item/${index}`, 'http.response.status_code': 200 },
    resource: NGINX,
    ...change,
  };
}

/** A batch of just these spans: each has a protocol of its own, whose constants are the span's attributes. */
export function batch(...spans: Span[]): SealedBatch {
  const records = spans.map(recordsOf);
  const columns = new SpanColumns(spans.length, records.flat(2).length);
  columns.words.set(records.flat(2));
  spans.forEach((one, i) => {
    columns.protocol[i] = i;
    columns.flags[i] =
      (one.kind === 'server' ? SPAN_SERVER : 0) |
      (one.status === 'error' ? SPAN_ERROR : 0) |
      (one.parentSpanId === undefined ? 0 : SPAN_HAS_PARENT);
    columns.traceFlags[i] = one.traceFlags;
    columns.traceId.set(idWords(one.traceId), i * 4);
    columns.spanId.set(idWords(one.spanId), i * 2);
    columns.parentSpanId.set(idWords(one.parentSpanId ?? '0'.repeat(16)), i * 2);
    columns.start.set(halves(one.startTimeUnixNano), i * 2);
    columns.end.set(halves(one.endTimeUnixNano), i * 2);
    columns.attributesAt[i] = records.slice(0, i).flat(2).length;
    columns.requestAttributes[i] = records[i]!.length;
  });
  const resources = spans.map(({ resource }) => resource);
  return new SealedBatch(columns, spans.length, spans.map(protocolOf), resources);
}

const TRACE_STATE = 1;

/** What cannot be a constant: the trace state, and lists. */
function recordsOf({ traceState, attributes }: Span): number[][] {
  const lists = listsOf(attributes).flatMap(([, values], index) =>
    values.map((value) => textRecord(TRACE_STATE + 1 + index, value)),
  );
  return traceState === undefined ? lists : [textRecord(TRACE_STATE, traceState), ...lists];
}

function listsOf(attributes: Readonly<Attributes>): [string, string[]][] {
  return Object.entries(attributes).flatMap(([name, value]) => (Array.isArray(value) ? [[name, value]] : []));
}

function protocolOf({ name, kind, protocol, attributes }: Span): SpanProtocol {
  const single = Object.entries(attributes).flatMap(([key, value]) => (Array.isArray(value) ? [] : [[key, value]]));
  const isMessaging = kind === 'producer' || kind === 'consumer';
  const operation = isMessaging ? { [OPERATION_TYPE]: kind === 'producer' ? 'send' : 'receive' } : {};
  const field = (type: 'string' | 'strings', called: string, reported: boolean) => {
    return { name: called, type, reported, redaction: undefined, pairs: undefined };
  };
  return {
    name: protocol,
    kind: isMessaging ? 'messaging' : 'other',
    constants: { ...Object.fromEntries(single), ...operation },
    attributes: [
      undefined,
      field('string', 'tracestate', false),
      ...listsOf(attributes).map(([called]) => field('strings', called, true)),
    ],
    traceparentId: 0,
    tracestateId: TRACE_STATE,
    statusAttribute: undefined,
    serverErrors: undefined,
    clientErrors: undefined,
    requestBodyAttribute: undefined,
    responseBodyAttribute: undefined,
    nameParts: [{ literal: name }],
    fallbackParts: [],
    nameFallback: name,
  };
}

function idWords(hex: string): number[] {
  return hex.match(/.{8}/g)!.map((word) => Number.parseInt(word, 16));
}

function halves(nanos: bigint): [number, number] {
  return [Number(nanos & 0xffff_ffffn), Number(nanos >> 32n)];
}

/** An attribute record of the ABI, in words. */
export function textRecord(id: number, text: string | Uint8Array): number[] {
  const content = Buffer.from(text);
  const bytes = new Uint8Array(4 + ((content.length + 3) & ~3));
  new DataView(bytes.buffer).setUint32(0, id | (content.length << 16), true);
  bytes.set(content, 4);
  return [...new Uint32Array(bytes.buffer)];
}

/** `count` spans with the ids first, first + 1, … */
export function numbered(count: number, first = 0): SealedBatch {
  return batch(...Array.from({ length: count }, (_, index) => span(first + index)));
}

export const SCOPE = { name: 'spanwire', version: '1.2.3' };
const encoder = new BatchEncoder(SCOPE);
const engine = new Engine();

/** A batch as the assembler hands it on. It stands until the next one does. */
export function filled(spans: SealedBatch): FilledBatch {
  return putRows(engine, spans);
}

/** A batch as sinks are offered it. */
export function offerOf(spans: SealedBatch): Offer {
  return new BatchOffer(filled(spans), encoder);
}

export class TestLog {
  readonly lines: string[] = [];
  info = (_fields: object, message: string): void => void this.lines.push(`info ${message}`);
  warn = (_fields: object, message: string): void => void this.lines.push(`warn ${message}`);
}

export type Tally = Partial<Record<CounterId, number>>;

/** The counters that are not zero. */
export function tally(counters: Counters): Tally {
  return Object.fromEntries(Object.entries(C).flatMap(([name, at]) => (counters[at] ? [[name, counters[at]]] : [])));
}

/** spans_made − exported − dropped − queued: zero at any time. */
export function imbalance(counters: Counters): number {
  const of = (name: CounterId) => counters[C[name]]!;
  const dropped = of('spans_dropped_queue_full') + of('spans_dropped_export_failed') + of('spans_dropped_shutdown');
  return of('spans_made') - of('spans_exported') - dropped - of('spans_queued');
}

/** Counters as the assembler leaves them, and a way to hand a batch over as it does. */
export function producer(target: { push(spans: FilledBatch): void }, counters: Counters = createCounters()) {
  const push = (spans: SealedBatch): void => {
    counters[C.spans_made]! += spans.length;
    target.push(filled(spans));
  };
  return { counters, push };
}

export async function until(condition: () => boolean, what: string, withinMs = 10_000): Promise<void> {
  const end = performance.now() + withinMs;
  while (!condition()) {
    if (performance.now() > end) throw new Error(`waited ${withinMs} ms for ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
