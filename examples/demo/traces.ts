/**
 * Spans as text: example traces as trees with a time line, single spans grouped by service.
 * Parents are what the spans say, nothing is guessed here: a span whose parent was not captured hangs below its id.
 */
import { styleText } from 'node:util';
import type { Span } from './agent.ts';

const TRACES_SHOWN = 6;
const SINGLES_SHOWN = 4;
const TIMELINE = 20;
const NANOS_OF_MS = 1e6;

export type ServiceOf = (span: Span) => string;

/** A handful of traces of more than one span, each of another kind of request. */
export function exampleTraces(spans: readonly Span[], serviceOf: ServiceOf): string[] {
  const traces = [...Map.groupBy(spans, ({ traceId }) => traceId).values()].filter(({ length }) => length > 1);
  const shapes = new Map(traces.map((trace) => [shapeOf(trace, serviceOf), trace]));
  const largestFirst = [...shapes.values()].sort((a, b) => b.length - a.length).slice(0, TRACES_SHOWN);
  return largestFirst.flatMap((trace) => [...traceTree(trace, serviceOf), '']);
}

/** Spans that are alone in their trace: some of each service and kind, the different ones first. */
export function singleSpans(spans: readonly Span[], serviceOf: ServiceOf): string[] {
  const sizes = Map.groupBy(spans, ({ traceId }) => traceId);
  const singles = spans.filter(({ traceId }) => sizes.get(traceId)!.length === 1);
  const groups = Map.groupBy(singles, (span) => `${serviceOf(span)}, ${span.kind} spans of ${span.protocol}`);
  return [...groups].sort().flatMap(([title, group]) => {
    const different = [...new Map(group.map((span) => [`${span.name} ${outcome(span)}`, span])).values()];
    const shown = different.slice(0, SINGLES_SHOWN);
    const rest = group.length - shown.length;
    const lines = shown.map((span, i) => `${i < shown.length - 1 || rest > 0 ? '├─' : '└─'} ${describe(span)}`);
    return [bold(title), ...lines, ...(rest > 0 ? [dim(`└─ and ${rest} more`)] : []), ''];
  });
}

function traceTree(trace: readonly Span[], serviceOf: ServiceOf): string[] {
  const spans = trace.toSorted((a, b) => Number(BigInt(a.startTimeUnixNano) - BigInt(b.startTimeUnixNano)));
  const known = new Set(spans.map(({ spanId }) => spanId));
  const roots = Map.groupBy(spans, ({ parentSpanId }) => (known.has(parentSpanId ?? '') ? 'inner' : parentSpanId));
  const lines = [bold(`trace ${spans[0]!.traceId}`)];
  for (const [parent, children] of roots) {
    if (parent === 'inner') continue;
    if (parent !== undefined) lines.push(dim(`caller's span ${parent}, not captured`));
    lines.push(...branches(children, '', { spans, serviceOf, ...boundsOf(spans) }));
  }
  return lines;
}

interface Scene {
  readonly spans: readonly Span[];
  readonly serviceOf: ServiceOf;
  readonly fromNs: bigint;
  readonly lengthNs: number;
}

function branches(siblings: readonly Span[], indent: string, scene: Scene): string[] {
  return siblings.flatMap((span, i) => {
    const isLast = i === siblings.length - 1;
    const children = scene.spans.filter(({ parentSpanId }) => parentSpanId === span.spanId);
    const service = `${indent}${isLast ? '└─' : '├─'} ${scene.serviceOf(span)}`;
    const line = `${service.padEnd(16)} ${span.kind.padEnd(6)} ${timeline(span, scene)} ${describe(span)}`;
    return [line, ...branches(children, `${indent}${isLast ? '   ' : '│  '}`, scene)];
  });
}

/** `spans` in the order of their start. */
function boundsOf(spans: readonly Span[]): { fromNs: bigint; lengthNs: number } {
  const fromNs = BigInt(spans[0]!.startTimeUnixNano);
  const ends = spans.map(({ endTimeUnixNano }) => Number(BigInt(endTimeUnixNano) - fromNs));
  return { fromNs, lengthNs: Math.max(...ends, 1) };
}

/** When in its trace the span ran: `  ━━━━━   `. */
function timeline(span: Span, { fromNs, lengthNs }: Scene): string {
  const place = (nanos: string) => (Number(BigInt(nanos) - fromNs) / lengthNs) * TIMELINE;
  const from = Math.min(Math.floor(place(span.startTimeUnixNano)), TIMELINE - 1);
  const to = Math.max(Math.ceil(place(span.endTimeUnixNano)), from + 1);
  return `${' '.repeat(from)}${'━'.repeat(to - from)}`.padEnd(TIMELINE);
}

/** Duration, outcome, name and what it was about. */
function describe(span: Span): string {
  const text = `${milliseconds(durationMs(span)).padStart(10)}  ${outcome(span).padEnd(5)} ${titleOf(span)}`;
  return span.status === 'error' ? red(text) : text;
}

function titleOf({ name, attributes }: Span): string {
  const query = attributes['url.query'];
  const about = attributes['db.query.text'] ?? attributes['url.path'];
  if (about === undefined) return name;
  const text = `${about}${query === undefined ? '' : `?${query}`}`;
  const short = text.length > 60 ? `${text.slice(0, 59)}…` : text;
  return printable(short.startsWith(name) ? short : `${name} ${short}`);
}

function outcome({ attributes, status }: Span): string {
  const code = attributes['http.response.status_code'] ?? attributes['db.response.status_code'];
  return printable(String(code ?? (status === 'error' ? 'error' : 'ok')));
}

function shapeOf(trace: readonly Span[], serviceOf: ServiceOf): string {
  return trace.map((span) => `${serviceOf(span)} ${span.kind} ${titleOf(span)} ${outcome(span)}`).sort()[0]!;
}

export function durationMs({ startTimeUnixNano, endTimeUnixNano }: Span): number {
  return Number(BigInt(endTimeUnixNano) - BigInt(startTimeUnixNano)) / NANOS_OF_MS;
}

export function milliseconds(ms: number): string {
  return `${ms.toFixed(2)} ms`;
}

/** What came over the wire must not command the terminal. */
function printable(text: string): string {
  return text.replace(/[\p{Cc}\p{Cf}]/gu, '·');
}

// Without colour where standard output is no terminal, or NO_COLOR says so.
const bold = (text: string) => styleText('bold', text, { stream: process.stdout });
const dim = (text: string) => styleText('dim', text, { stream: process.stdout });
const red = (text: string) => styleText('red', text, { stream: process.stdout });
