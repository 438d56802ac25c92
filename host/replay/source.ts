/**
 * A capture as a source of records: what the rest of Spanwire gets from a kernel ring, made from a pcap or pcapng file.
 *
 * The rule: whatever happens to the file, every connection that had a record gets its CLOSE. A file that is no capture
 * is refused at once; one that turns out damaged in the middle gives what it had, and the reason stands in `error`.
 */
import type { RecordSource } from '../kernel/source.ts';
import { CaptureError } from './byte-window.ts';
import { CaptureFile } from './capture-file.ts';
import type { Shared } from './connection.ts';
import { ConnectionTable } from './connection-table.ts';
import { createReplayCounters, type ReplayCounters } from './counters.ts';
import { Packet } from './packet.ts';
import { HoldBudget } from './reassembly.ts';
import { RecordQueue } from './record-queue.ts';
import { Decoder } from './segment.ts';
import { SlotNumbers } from './slot-numbers.ts';

/** Packets one drain() looks at when nothing comes of them: it returns 0 in between, so that the caller can stop. */
const PACKETS_PER_DRAIN = 16384;

export interface ReplayLimits {
  /** Connections open at a time. */
  readonly connections: number;
  /** Connections whose slot number the host has not given back. */
  readonly slots: number;
  /** Bytes held in wait for earlier ones: of one direction, and of all. */
  readonly heldPerStream: number;
  readonly held: number;
}

export const REPLAY_LIMITS: ReplayLimits = {
  connections: 65536,
  slots: 2 ** 20,
  heldPerStream: 4 * 1024 * 1024,
  held: 64 * 1024 * 1024,
};

/** Opens a capture; throws CaptureError when the file is none. */
export function openReplay(path: string, limits: Partial<ReplayLimits> = {}): ReplaySource {
  return new ReplaySource(new CaptureFile(path), limits);
}

export class ReplaySource implements RecordSource {
  readonly counters: ReplayCounters = createReplayCounters();
  /** What was found where the file is damaged. */
  error: CaptureError | undefined;
  readonly #file: CaptureFile;
  readonly #queue = new RecordQueue();
  readonly #slots: SlotNumbers;
  readonly #table: ConnectionTable;
  readonly #decoder = new Decoder();
  readonly #packet = new Packet();
  #isRead = false;
  #isClosed = false;

  constructor(file: CaptureFile, limits: Partial<ReplayLimits> = {}) {
    const { connections, slots, heldPerStream, held } = { ...REPLAY_LIMITS, ...limits };
    this.#file = file;
    this.#slots = new SlotNumbers(slots);
    const budget = new HoldBudget(heldPerStream, held);
    const shared: Shared = { queue: this.#queue, slots: this.#slots, budget, counters: this.counters };
    this.#table = new ConnectionTable(shared, connections);
  }

  drain(buffer: ArrayBuffer, offset: number, capacity: number): number {
    const target = targetOf(buffer, offset, capacity);
    let written = 0;
    for (let packets = 0; packets < PACKETS_PER_DRAIN; packets++) {
      if (this.#queue.length > 0) written += this.#queue.drain(target, written);
      if (this.#queue.length > 0 || !this.#step()) break;
    }
    this.counters.records = this.#queue.written;
    return written;
  }

  release(slots: Uint32Array, count: number): void {
    for (const slot of slots.subarray(0, count)) this.#slots.release(slot);
  }

  /** Bytes of records that wait, and at least 1 until the capture is at its end. */
  pending(): number {
    return Math.max(this.#queue.length, this.finished ? 0 : 1);
  }

  /** Connections that have a slot number now. */
  get connections(): number {
    return this.#slots.taken;
  }

  /** The capture is at its end and every record was drained. */
  get finished(): boolean {
    return this.#isClosed && this.#queue.length === 0;
  }

  /** Closes the file. What was not read yet never comes. */
  close(): void {
    this.#file.close();
    this.#isRead = true;
  }

  /** Takes in one packet or, at the end, closes one connection. False when all is done. */
  #step(): boolean {
    if (!this.#isRead) {
      if (this.#readPacket()) this.#take(this.#packet);
      else this.close();
      return true;
    }
    this.#isClosed = !this.#table.closeOldest();
    return !this.#isClosed;
  }

  #readPacket(): boolean {
    try {
      if (this.#file.next(this.#packet)) return true;
      if (this.#file.cut) this.counters.last_packet_cut++;
    } catch (error) {
      if (!(error instanceof CaptureError)) throw error;
      this.error = error;
    }
    return false;
  }

  #take(packet: Packet): void {
    this.counters.packets++;
    const verdict = this.#decoder.decode(packet);
    if (verdict !== 'segment') {
      this.counters[`packets_${verdict}`]++;
      return;
    }
    this.counters.segments++;
    this.#table.accept(this.#decoder.segment, packet.time);
  }
}

function targetOf(buffer: ArrayBuffer, offset: number, capacity: number): Uint8Array {
  if (offset % 8 !== 0) throw new RangeError(`drain: offset ${offset} is not a multiple of 8`);
  if (offset < 0 || capacity < 0 || offset + capacity > buffer.byteLength) {
    throw new RangeError(`drain: ${offset} + ${capacity} is outside of a buffer of ${buffer.byteLength} bytes`);
  }
  return new Uint8Array(buffer, offset, capacity);
}
