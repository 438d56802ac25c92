/**
 * Records prepared in memory, delivered lap by lap: all sessions side by side from their first byte to their close. The
 * next lap is the same bytes again, and so a lap ends with a batch of its own: its connections are free by then.
 * Delivering is one copy, in place of the ring's drain.
 */

import {
  DIRECTION_IN,
  DIRECTION_OUT,
  FLAG_ORIGIN_KNOWN,
  FLAG_ROLE_SERVER,
  KIND_CLOSE,
  KIND_DATA,
  KIND_EOF,
  RECORD,
  RECORD_SIZE,
} from '../host/kernel/layout.ts';
import type { RecordSource } from '../host/kernel/source.ts';
import type { Step } from '../host/modules/trial/steps.ts';
import { DATA, EOF, FROM_CLIENT } from '../parsers/sdk/abi.ts';
import type { Traffic } from './traffic.ts';

/** One lap. */
export interface Lap {
  readonly bytes: Uint8Array;
  /** Where each record begins, and where the last one ends. */
  readonly edges: readonly number[];
}

const AF_INET = 2;
const SOCK_STREAM = 1;
const TIME_STEP_NS = 1000;

/** `connections` connections, each with one of the sessions. */
export function prepareLap({ sessions, port }: Traffic, connections: number): Lap {
  const records: Uint8Array[] = [];
  const writers = Array.from({ length: connections }, (_, slot) => new ConnectionWriter(records, slot, port));
  const turns = sessions.map(turnsOf);
  const most = Math.max(...turns.map(({ length }) => length));
  for (let turn = 0; turn <= most; turn++) {
    for (const [slot, writer] of writers.entries()) {
      const own = turns[slot % turns.length]!;
      for (const step of own[turn] ?? []) writer.write(step);
      if (turn === own.length) writer.close();
    }
  }
  const edges = [0];
  for (const { length } of records) edges.push(edges.at(-1)! + length);
  return { bytes: new Uint8Array(Buffer.concat(records)), edges };
}

/** What happens at once on a connection: what the client says, and the answer to it. */
export function turnsOf(steps: readonly Step[]): Step[][] {
  const turns: Step[][] = [[]];
  for (const step of steps) {
    const last = turns.at(-1)!;
    const isAnswered = last.some(({ direction }) => direction !== FROM_CLIENT);
    if (isAnswered && step.direction === FROM_CLIENT) turns.push([step]);
    else last.push(step);
  }
  return turns;
}

/** Writes the records of one connection as a server's kernel would. */
class ConnectionWriter {
  readonly #records: Uint8Array[];
  readonly #slot: number;
  readonly #port: number;
  /** Next stream position of IN and OUT. */
  readonly #position: [number, number] = [1000, 1000];

  constructor(records: Uint8Array[], slot: number, port: number) {
    this.#records = records;
    this.#slot = slot;
    this.#port = port;
  }

  /** A reset is no record: it shows in a close without an end. */
  write({ kind, direction, bytes }: Step): void {
    const way = direction === FROM_CLIENT ? DIRECTION_IN : DIRECTION_OUT;
    if (kind === DATA) this.#record(KIND_DATA, way, bytes);
    else if (kind === EOF) this.#record(KIND_EOF, way);
    this.#position[way] += bytes.length;
  }

  close(): void {
    this.#record(KIND_CLOSE, DIRECTION_OUT);
  }

  #record(kind: number, direction: number, payload: Uint8Array = new Uint8Array(0)): void {
    const bytes = new Uint8Array((RECORD_SIZE + payload.length + 7) & ~7);
    const view = new DataView(bytes.buffer);
    const sequence = this.#records.push(bytes) - 1;
    view.setUint32(RECORD.connection, this.#slot + 1, true);
    view.setBigUint64(RECORD.timestampNs, BigInt(1e12 + sequence * TIME_STEP_NS), true);
    view.setUint32(RECORD.sequence, sequence, true);
    view.setUint32(RECORD.length, RECORD_SIZE + payload.length, true);
    view.setUint32(RECORD.captured, payload.length, true);
    view.setUint32(RECORD.moved, payload.length, true);
    view.setUint32(RECORD.position, this.#position[direction]!, true);
    view.setUint32(RECORD.origin, 1000, true);
    view.setUint32(RECORD.slot, this.#slot, true);
    view.setUint32(RECORD.tgid, 1000, true);
    view.setUint16(RECORD.flags, FLAG_ROLE_SERVER | FLAG_ORIGIN_KNOWN, true);
    view.setUint16(RECORD.localPort, this.#port, true);
    view.setUint16(RECORD.remotePort, 20_000 + this.#slot, true);
    view.setUint8(RECORD.kind, kind);
    view.setUint8(RECORD.direction, direction);
    view.setUint8(RECORD.family, AF_INET);
    view.setUint8(RECORD.type, SOCK_STREAM);
    bytes.set([10, 0, 0, 1], RECORD.local);
    bytes.set([10, 0, 0, 2], RECORD.remote);
    if (kind === KIND_CLOSE) view.setUint32(RECORD.endIn, this.#position[DIRECTION_IN]!, true);
    bytes.set(payload, RECORD_SIZE);
  }
}

export class PreparedSource implements RecordSource {
  readonly #lap: Lap;
  #next = 0;

  constructor(lap: Lap) {
    this.#lap = lap;
  }

  /** Returns 0 once at the end of each lap. */
  drain(buffer: ArrayBuffer, offset: number, capacity: number): number {
    const { bytes, edges } = this.#lap;
    const from = edges[this.#next]!;
    while (this.#next < edges.length - 1 && edges[this.#next + 1]! - from <= capacity) this.#next++;
    const length = edges[this.#next]! - from;
    new Uint8Array(buffer, offset, capacity).set(bytes.subarray(from, from + length));
    if (length === 0) this.#next = 0;
    return length;
  }

  release(): void {}

  pending(): number {
    return 0;
  }
}
