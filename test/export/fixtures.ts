/** Spans, batches and a log for the export tests. */
import { C, type CounterId, type Counters, createCounters } from '../../host/self/counters.ts';
import type { Resource, Span, Spans } from '../../host/spans/span.ts';

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

export function batch(...spans: Span[]): Spans {
  return { length: spans.length, read: (index) => spans[index]! };
}

/** `count` spans with the ids first, first + 1, … */
export function numbered(count: number, first = 0): Spans {
  return { length: count, read: (index) => span(first + index) };
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
export function producer(target: { push(spans: Spans): void }, counters: Counters = createCounters()) {
  const push = (spans: Spans): void => {
    counters[C.spans_made]! += spans.length;
    target.push(spans);
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
