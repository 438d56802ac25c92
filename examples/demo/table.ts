/** Spans in numbers: one row for each service, kind and protocol. */
import type { Span } from './agent.ts';
import { durationMs, milliseconds, type ServiceOf } from './traces.ts';

const HEAD = ['service', 'kind', 'protocol', 'spans', 'errors', 'p50', 'p95'];
/** Columns from here on are numbers, and stand to the right. */
const FIRST_NUMBER = 3;

export function spanTable(spans: readonly Span[], serviceOf: ServiceOf): string[] {
  const groups = Map.groupBy(spans, (span) => [serviceOf(span), span.kind, span.protocol].join('\t'));
  const rows = [...groups].sort().map(([key, group]) => [...key.split('\t'), ...numbersOf(group)]);
  return aligned([HEAD, ...rows]);
}

function numbersOf(spans: readonly Span[]): string[] {
  const durations = spans.map(durationMs).sort((a, b) => a - b);
  const errors = spans.filter(({ status }) => status === 'error').length;
  return [
    String(spans.length),
    String(errors),
    milliseconds(quantile(durations, 0.5)),
    milliseconds(quantile(durations, 0.95)),
  ];
}

/** The smallest value that at least this share of the sorted values does not exceed. */
function quantile(sorted: readonly number[], share: number): number {
  return sorted[Math.max(Math.ceil(sorted.length * share) - 1, 0)] ?? 0;
}

function aligned(rows: readonly string[][]): string[] {
  const widths = HEAD.map((_, column) => Math.max(...rows.map((row) => row[column]!.length)));
  return rows.map((row) =>
    row
      .map((cell, i) => (i < FIRST_NUMBER ? cell.padEnd(widths[i]!) : cell.padStart(widths[i]!)))
      .join('  ')
      .trimEnd(),
  );
}
