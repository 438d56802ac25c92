/**
 * Records on their way out: written one by one while packets are taken in, copied out whole by drain().
 * struct spanwire_record in bpf/wire.h.
 *
 * The rule: the queue is filled only when it is empty, so it holds what one packet set free, and no more.
 */
import {
  FLAG_ORIGIN_KNOWN,
  FLAG_ROLE_SERVER,
  FLAG_TRUNCATED,
  KIND_CLOSE,
  KIND_DATA,
  KIND_EOF,
  PAYLOAD_MAX,
  RECORD,
  RECORD_SIZE,
} from '../kernel/layout.ts';
import type { Connection } from './connection.ts';
import type { Stream } from './reassembly.ts';
import type { Run } from './run.ts';

const INITIAL_BYTES = 64 * 1024;
const SOCK_STREAM = 1;

export class RecordQueue {
  /** Records written since the start. */
  written = 0;
  #bytes = new Uint8Array(INITIAL_BYTES);
  #view = new DataView(this.#bytes.buffer);
  #head = 0;
  #tail = 0;

  get length(): number {
    return this.#tail - this.#head;
  }

  /** A run of bytes as one record, or as several when more of it was captured than one carries. */
  data(connection: Connection, stream: Stream, run: Run): void {
    while (run.captured > PAYLOAD_MAX) {
      this.#payload(connection, stream, run, PAYLOAD_MAX, PAYLOAD_MAX);
      run.dropFront(PAYLOAD_MAX);
    }
    this.#payload(connection, stream, run, run.captured, run.length);
  }

  /** The direction's end. */
  end(connection: Connection, stream: Stream, position: number): void {
    const { low, high } = connection.time;
    this.#header(KIND_EOF, connection, stream, position, 0, 0, low, high);
  }

  /** The connection's end, with the ends of both directions. */
  close(connection: Connection): void {
    const { inbound, outbound, time } = connection;
    const at = this.#header(KIND_CLOSE, connection, outbound, outbound.reach, 0, 0, time.low, time.high);
    this.#view.setUint32(at + RECORD.endIn, inbound.reach, true);
  }

  /** Copies whole records to `target` from `at` on, each to a multiple of 8. Returns the bytes copied. */
  drain(target: Uint8Array, at: number): number {
    const room = target.length - at;
    let end = this.#head;
    while (end < this.#tail) {
      const size = aligned(this.#view.getUint32(end + RECORD.length, true));
      if (end + size - this.#head > room) break;
      end += size;
    }
    const copied = end - this.#head;
    target.set(this.#bytes.subarray(this.#head, end), at);
    this.#head = end;
    if (this.#head === this.#tail) this.#head = this.#tail = 0;
    return copied;
  }

  #payload(connection: Connection, stream: Stream, run: Run, captured: number, moved: number): void {
    const { position, bytes, at, timeLow, timeHigh } = run;
    const start = this.#header(KIND_DATA, connection, stream, position, captured, moved, timeLow, timeHigh);
    this.#bytes.set(bytes.subarray(at, at + captured), start + RECORD_SIZE);
  }

  /** Writes all but the payload. Returns where the record starts. */
  #header(
    kind: number,
    connection: Connection,
    stream: Stream,
    position: number,
    captured: number,
    moved: number,
    timeLow: number,
    timeHigh: number,
  ): number {
    const at = this.#reserve(aligned(RECORD_SIZE + captured));
    const view = this.#view;
    view.setUint32(at + RECORD.connection, connection.id % 2 ** 32, true);
    view.setUint32(at + RECORD.connection + 4, Math.floor(connection.id / 2 ** 32), true);
    view.setUint32(at + RECORD.timestampNs, timeLow, true);
    view.setUint32(at + RECORD.timestampNs + 4, timeHigh, true);
    view.setUint32(at + RECORD.sequence, this.written % 2 ** 32, true);
    view.setUint32(at + RECORD.sequence + 4, Math.floor(this.written / 2 ** 32), true);
    view.setUint32(at + RECORD.length, RECORD_SIZE + captured, true);
    view.setUint32(at + RECORD.captured, captured, true);
    view.setUint32(at + RECORD.moved, moved, true);
    view.setUint32(at + RECORD.position, position, true);
    view.setUint32(at + RECORD.origin, stream.origin, true);
    view.setUint32(at + RECORD.slot, connection.slot, true);
    view.setUint16(at + RECORD.flags, flagsOf(connection, stream, captured < moved), true);
    view.setUint16(at + RECORD.localPort, connection.serverPort, true);
    view.setUint16(at + RECORD.remotePort, connection.clientPort, true);
    view.setUint8(at + RECORD.kind, kind);
    view.setUint8(at + RECORD.direction, stream.direction);
    view.setUint8(at + RECORD.family, connection.family);
    view.setUint8(at + RECORD.type, SOCK_STREAM);
    this.#bytes.set(connection.server, at + RECORD.local);
    this.#bytes.set(connection.client, at + RECORD.remote);
    this.written++;
    return at;
  }

  /** A zeroed place for a record. */
  #reserve(size: number): number {
    const at = this.#tail;
    if (at + size > this.#bytes.length) this.#grow(at + size);
    this.#bytes.fill(0, at, at + size);
    this.#tail += size;
    return at;
  }

  #grow(needed: number): void {
    const larger = new Uint8Array(Math.max(needed, this.#bytes.length * 2));
    larger.set(this.#bytes.subarray(0, this.#tail));
    this.#bytes = larger;
    this.#view = new DataView(larger.buffer);
  }
}

function aligned(length: number): number {
  return (length + 7) & ~7;
}

function flagsOf(connection: Connection, stream: Stream, isTruncated: boolean): number {
  let flags = isTruncated ? FLAG_TRUNCATED : 0;
  if (connection.isHandshakeSeen) flags |= FLAG_ROLE_SERVER;
  if (stream.isOriginKnown) flags |= FLAG_ORIGIN_KNOWN;
  return flags;
}
