/** Reads what a replay source delivers, as objects, and holds every record to the contract of bpf/wire.h. */
import { expect } from 'vitest';
import {
  DIRECTION_IN,
  FLAG_ORIGIN_KNOWN,
  FLAG_ROLE_CLIENT,
  FLAG_ROLE_SERVER,
  FLAG_TRUNCATED,
  KIND_CLOSE,
  KIND_DATA,
  KIND_EOF,
  RECORD,
  RECORD_SIZE,
} from '../../host/kernel/layout.ts';
import { openReplay, type ReplayLimits, type ReplaySource } from '../../host/replay/source.ts';
import { fileOf } from './captures.ts';

export interface ReplayRecord {
  connection: bigint;
  timestamp: bigint;
  sequence: bigint;
  moved: number;
  position: number;
  /** Of a close record. */
  endIn: number;
  origin: number | undefined;
  slot: number;
  role: 'server' | 'client' | undefined;
  truncated: boolean;
  localPort: number;
  remotePort: number;
  kind: 'data' | 'eof' | 'close';
  direction: 'in' | 'out';
  family: number;
  local: Uint8Array;
  remote: Uint8Array;
  payload: Uint8Array;
}

const KINDS = new Map([
  [KIND_DATA, 'data'],
  [KIND_EOF, 'eof'],
  [KIND_CLOSE, 'close'],
] as const);

export interface Replayed {
  records: ReplayRecord[];
  source: ReplaySource;
}

/** Replays a file's bytes to the end. */
export function replay(bytes: Uint8Array, limits: Partial<ReplayLimits> = {}): Replayed {
  return replayFile(fileOf(bytes), limits);
}

export function replayFile(path: string, limits: Partial<ReplayLimits> = {}, capacity = 64 * 1024): Replayed {
  const source = openReplay(path, limits);
  const records = drainAll(source, capacity);
  source.close();
  return { records, source };
}

export function drainAll(source: ReplaySource, capacity: number): ReplayRecord[] {
  const buffer = new ArrayBuffer(capacity);
  const records: ReplayRecord[] = [];
  while (!source.finished) {
    const length = source.drain(buffer, 0, capacity);
    for (let at = 0; at < length; ) {
      const record = readRecord(buffer, at);
      records.push(record);
      at += (RECORD_SIZE + record.payload.length + 7) & ~7;
      if (record.kind === 'close') source.release(Uint32Array.of(record.slot), 1);
    }
  }
  return records;
}

function readRecord(buffer: ArrayBuffer, at: number): ReplayRecord {
  const view = new DataView(buffer, at);
  const u32 = (offset: number) => view.getUint32(offset, true);
  const captured = u32(RECORD.captured);
  const moved = u32(RECORD.moved);
  const flags = view.getUint16(RECORD.flags, true);
  const kind = KINDS.get(view.getUint8(RECORD.kind) as 0 | 1 | 2);
  expect(u32(RECORD.length)).toBe(RECORD_SIZE + captured);
  expect(captured).toBeLessThanOrEqual(moved);
  expect((flags & FLAG_TRUNCATED) !== 0).toBe(captured < moved);
  expect(kind).toBeDefined();
  return {
    connection: view.getBigUint64(RECORD.connection, true),
    timestamp: view.getBigUint64(RECORD.timestampNs, true),
    sequence: view.getBigUint64(RECORD.sequence, true),
    moved,
    position: u32(RECORD.position),
    endIn: u32(RECORD.endIn),
    origin: flags & FLAG_ORIGIN_KNOWN ? u32(RECORD.origin) : undefined,
    slot: u32(RECORD.slot),
    role: flags & FLAG_ROLE_SERVER ? 'server' : flags & FLAG_ROLE_CLIENT ? 'client' : undefined,
    truncated: (flags & FLAG_TRUNCATED) !== 0,
    localPort: view.getUint16(RECORD.localPort, true),
    remotePort: view.getUint16(RECORD.remotePort, true),
    kind: kind!,
    direction: view.getUint8(RECORD.direction) === DIRECTION_IN ? 'in' : 'out',
    family: view.getUint8(RECORD.family),
    local: new Uint8Array(buffer.slice(at + RECORD.local, at + RECORD.local + 16)),
    remote: new Uint8Array(buffer.slice(at + RECORD.remote, at + RECORD.remote + 16)),
    payload: new Uint8Array(buffer.slice(at + RECORD_SIZE, at + RECORD_SIZE + captured)),
  };
}

/** A line for each record: kind, direction, payload as text; `~n` for n bytes that are not there. */
export function story(records: readonly ReplayRecord[]): string[] {
  const next = new Map<string, number>();
  return records.map((record) => {
    if (record.kind === 'close') return 'close';
    const key = `${record.connection} ${record.direction}`;
    const gap = (record.position - (next.get(key) ?? record.origin ?? record.position)) | 0;
    next.set(key, (record.position + record.moved) >>> 0);
    const text = new TextDecoder('latin1').decode(record.payload);
    const missing = record.moved - record.payload.length;
    const parts = [gap > 0 ? `~${gap}` : '', text, missing > 0 ? `~${missing}` : ''];
    return [record.kind, record.direction, parts.join('')].filter((part) => part !== '').join(' ');
  });
}

/** Payload of one direction of one connection put together; holes are left out. */
export function streamOf(records: readonly ReplayRecord[], connection: bigint, direction: 'in' | 'out'): Uint8Array {
  const parts = records.filter((record) => record.connection === connection && record.direction === direction);
  return new Uint8Array(Buffer.concat(parts.map((record) => record.payload)));
}
