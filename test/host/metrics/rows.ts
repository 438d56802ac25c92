/** Rows in the engine's span columns, as the assembler leaves them, and a table that measures them. */
import { Engine } from '../../../host/engine/engine.ts';
import * as l from '../../../host/engine/layout/spans.ts';
import { type Measured, type SeriesOptions, SeriesTable } from '../../../host/metrics/table.ts';
import { SPAN_ERROR, SPAN_SERVER } from '../../../host/spans/batch.ts';
import { ProtocolTable } from '../../../host/spans/protocols.ts';
import type { Resource } from '../../../host/spans/span.ts';
import type { Manifest } from '../../../host/wasm/manifest.ts';
import { textRecord } from '../../export/fixtures.ts';

export type Value = string | Uint8Array | number;

export interface Row {
  readonly protocol?: number;
  readonly resource?: number;
  readonly isServer?: boolean;
  readonly isError?: boolean;
  readonly status?: number;
  readonly ns?: number;
  /** In the order of the row; the last `ofResponse` of them are the response's. */
  readonly attributes?: readonly (readonly [id: number, value: Value])[];
  readonly ofResponse?: number;
  /** Four bytes or sixteen; none: unknown. */
  readonly remote?: readonly number[];
  readonly remotePort?: number;
  /** What stands behind values that are no whole words. */
  readonly padding?: number;
}

const START = 1_700_000_000_123_456_789n;

export function putRow(engine: Engine, at: number, row: Row): void {
  const view = new DataView(engine.u8.buffer);
  const { attributes = [], ofResponse = 0, remote = [] } = row;
  view.setUint16(l.ROW_PROTOCOL + at * 2, row.protocol ?? 0, true);
  view.setUint16(
    l.ROW_FLAGS + at * 2,
    ((row.isServer ?? true) ? SPAN_SERVER : 0) | (row.isError ? SPAN_ERROR : 0),
    true,
  );
  view.setUint32(l.ROW_STATUS + at * 4, row.status ?? 0, true);
  view.setUint32(l.ROW_RESOURCE + at * 4, row.resource ?? 1, true);
  view.setBigUint64(l.ROW_START + at * 8, START, true);
  view.setBigUint64(l.ROW_END + at * 8, START + BigInt(row.ns ?? 1_000_000), true);
  view.setUint16(l.ROW_REQUEST_ATTRIBUTES + at * 2, attributes.length - ofResponse, true);
  view.setUint16(l.ROW_RESPONSE_ATTRIBUTES + at * 2, ofResponse, true);
  engine.u8[l.ROW_FAMILY + at] = remote.length === 0 ? 0 : remote.length === 4 ? 2 : 10;
  engine.u8.set(remote, l.ROW_ADDRESSES + at * 32 + 16);
  view.setUint16(l.ROW_REMOTE_PORT + at * 2, row.remotePort ?? 0, true);
  const first = at * WORDS_PER_ROW;
  view.setUint32(l.ROW_ATTRIBUTES_AT + at * 4, first, true);
  engine.u32.set(
    attributes.flatMap(([id, value]) => record(id, value, row.padding ?? 0)),
    (l.ROW_WORDS >>> 2) + first,
  );
}

const WORDS_PER_ROW = 4096;

function record(id: number, value: Value, padding: number): number[] {
  if (typeof value === 'number') return [id | (8 << 16), value, value < 0 ? -1 : 0];
  const length = Buffer.byteLength(value);
  const words = textRecord(id, value);
  const bytes = new Uint8Array(Uint32Array.from(words).buffer);
  bytes.fill(padding, 4 + length);
  return [...new Uint32Array(bytes.buffer)];
}

export const RESOURCES: readonly Resource[] = ['none', 'nginx', 'redis'].map((name, pid) => ({
  attributes: { 'service.name': name, 'process.pid': pid },
}));

export interface Bench {
  readonly engine: Engine;
  readonly table: SeriesTable;
  measure(row: Row): void;
  /** Measures `at` once more. */
  again(at: number): void;
  take(nowMs?: number): readonly Measured[];
}

/** `manifests`: their protocols, one behind the other. */
export function bench(manifests: readonly Manifest[], options: Partial<SeriesOptions> = {}): Bench {
  const engine = new Engine({});
  const table = new SeriesTable(engine, {
    seriesMax: 2000,
    idleMs: 1000,
    resourceOf: (number) => RESOURCES[number],
    ...options,
  });
  const protocols = new ProtocolTable();
  for (const manifest of manifests) protocols.add(manifest, new Set());
  for (const [index, protocol] of protocols.list.entries()) table.add(index, protocol);
  const again = (at: number) => engine.exports.measure!(at);
  const measure = (row: Row) => {
    putRow(engine, 0, row);
    again(0);
  };
  return { engine, table, measure, again, take: (nowMs = 0) => table.take(nowMs).measured };
}

export function countOf({ buckets }: Pick<Measured, 'buckets'>): number {
  return buckets.reduce((sum, one) => sum + one, 0);
}
