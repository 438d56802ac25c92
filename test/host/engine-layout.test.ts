/** The engine's memory: every region and every column has its bytes for itself. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { Connections } from '../../host/conn/connections.ts';
import { Engine } from '../../host/engine/engine.ts';
import * as connections from '../../host/engine/layout/connections.ts';
import * as counters from '../../host/engine/layout/counters.ts';
import * as front from '../../host/engine/layout/front.ts';
import * as messages from '../../host/engine/layout/messages.ts';
import * as metrics from '../../host/engine/layout/metrics.ts';
import * as otlp from '../../host/engine/layout/otlp.ts';
import * as pairing from '../../host/engine/layout/pairing.ts';
import * as protocols from '../../host/engine/layout/protocols.ts';
import * as regions from '../../host/engine/layout/regions.ts';
import * as spans from '../../host/engine/layout/spans.ts';

const LAYOUT = join(import.meta.dirname, '../../host/engine/layout');
/** `export const NAME = …; // 4 × u32, by direction`: what a row of the column takes. */
const COLUMN = /^export const (\w+) = [^;]+;\s*\/\/ (?:(\d+) × )?[uif](8|16|32|64)\b(?:, (by direction))?/;
/** `export const NEXT = NAME + 4 * ROWS_MAX;`: what is between the column and the next. */
const BEHIND = /^export const (\w+) = (\w+) \+ (?:(\d+) \* )?\w+_MAX;/;

/** First byte, first byte behind, and where the next begins; in the order of the addresses. */
const REGIONS: [name: string, from: number, end: number, next: number][] = [
  ['counters', regions.FRONT_REGION, counters.COUNTERS + counters.COUNTERS_BYTES, front.BATCH],
  ['batch', front.BATCH, front.BATCH + front.BATCH_BYTES, front.TRIED],
  ['output', front.OUTPUT, front.OUTPUT + front.OUTPUT_BYTES, front.AREA_OF_MODULE],
  ['areas', front.AREAS, front.AREAS_END, regions.CONNECTIONS_REGION],
  ['connections', regions.CONNECTIONS_REGION, connections.MODULES_END, front.OWNERS],
  ['owners', front.OWNERS, front.OWNERS_END, regions.PAIRING_REGION],
  ['messages', regions.PAIRING_REGION, messages.MESSAGES_END, messages.SLAB],
  ['slab', messages.SLAB, messages.SLAB_END, pairing.SLAB_PAGES],
  ['pairing', pairing.SLAB_PAGES, pairing.PAIRING_END, regions.SPANS_REGION],
  ['rows', regions.SPANS_REGION, spans.ROWS_FREE, protocols.PROTOCOL_TABLE],
  ['protocols', protocols.PROTOCOL_TABLE, protocols.SPANS_FREE, otlp.OTLP_REGION],
  ['otlp', otlp.OTLP_REGION, otlp.OUTPUT + otlp.OUTPUT_BYTES, regions.METRICS_REGION],
  ['metrics', regions.METRICS_REGION, metrics.METRICS_END, regions.ENGINE_BYTES],
];

interface Step {
  readonly column: string;
  readonly next: string;
  readonly declared: number;
  readonly taken: number;
}

/** Of columns whose type stands behind them: what a row takes by its type, and by the address of the next column. */
function stepsOf(file: string): Step[] {
  const bytes = new Map<string, number>();
  const steps: Step[] = [];
  for (const line of readFileSync(join(LAYOUT, file), 'utf8').split('\n')) {
    const [, next, column, each = '1'] = BEHIND.exec(line) ?? [];
    const declared = bytes.get(column ?? '');
    if (declared !== undefined) steps.push({ column: column!, next: next!, declared, taken: Number(each) });
    const [, name, times = '1', bits, both] = COLUMN.exec(line) ?? [];
    if (name !== undefined) bytes.set(name, (Number(times) * Number(bits) * (both ? 2 : 1)) / 8);
  }
  return steps;
}

describe('regions', () => {
  test.each(REGIONS)('%s ends before what follows', (_, from, end, next) => {
    expect(end).toBeGreaterThan(from);
    expect(end).toBeLessThanOrEqual(next);
  });

  test('follow each other', () => {
    const starts = REGIONS.map(([, from]) => from);
    expect(starts).toEqual(starts.toSorted((a, b) => a - b));
  });

  test('fill the memory that there is, and the compiler’s data is below', () => {
    const { u8 } = new Engine();
    expect(u8.length).toBe(regions.ENGINE_BYTES);
    expect(u8.subarray(regions.FRONT_REGION, regions.FRONT_REGION + (1 << 16)).every((byte) => byte === 0)).toBe(true);
  });

  test('no sum of them is beyond what AssemblyScript’s i32 addresses', () => {
    expect(regions.ENGINE_BYTES).toBeLessThan(2 ** 31);
  });
});

describe('columns', () => {
  const steps = readdirSync(LAYOUT).flatMap(stepsOf);

  test.each(steps)('$column has the bytes up to $next that its type takes', ({ declared, taken }) => {
    expect(taken).toBe(declared);
  });

  test('are found in the files', () => {
    const seen = new Set(steps.map(({ column }) => column));
    for (const column of ['STREAM', 'BASE', 'NEXT', 'MESSAGE_NEXT', 'WAITING_KEY', 'ROW_TRACE_ID', 'SERIES_HASH']) {
      expect(seen).toContain(column);
    }
  });

  test('of connections overlap nowhere, as TypeScript sees them', () => {
    const views = Object.values(new Connections({ resourceOf: () => ({ attributes: {} }) })).filter(ArrayBuffer.isView);
    const ranges = views.map(({ byteOffset, byteLength }) => [byteOffset, byteOffset + byteLength] as const);
    const inOrder = ranges.toSorted(([a], [b]) => a - b);
    expect(inOrder.length).toBeGreaterThan(15);
    for (const [index, [from, end]] of inOrder.entries()) {
      expect(from).toBeGreaterThanOrEqual(regions.CONNECTIONS_REGION);
      expect(end).toBeLessThanOrEqual(inOrder[index + 1]?.[0] ?? connections.CONNECTIONS_END);
    }
  });

  test('of areas are where 8 bytes begin', () => {
    expect(front.AREAS % 8).toBe(0);
    expect(front.AREA_SIZE % 8).toBe(0);
    for (const field of [front.AREA_MESSAGES, front.AREA_REFUSED, front.AREA_CHUNKS]) expect(field % 8).toBe(0);
  });
});
