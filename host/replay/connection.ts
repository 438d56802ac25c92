/**
 * One TCP connection of a capture, seen from the server: what the client sends comes IN, what the server sends goes
 * OUT. It takes segments of both sides and writes records.
 * https://www.rfc-editor.org/rfc/rfc9293#section-3.5 (opening) and #section-3.6 (closing)
 */
import { DIRECTION_IN, DIRECTION_OUT } from '../kernel/layout.ts';
import type { ReplayCounters } from './counters.ts';
import { PacketTime } from './packet-time.ts';
import { distance, type HoldBudget, Stream, type StreamSink } from './reassembly.ts';
import type { RecordQueue } from './record-queue.ts';
import { Run } from './run.ts';
import { ACK, FIN, RST, type Segment, SYN } from './segment.ts';
import { NO_SLOT, type SlotNumbers } from './slot-numbers.ts';

/** A reset farther from the stream than any window is not of this connection, or forged. */
const RESET_WINDOW = 2 ** 24;

/** What the connections of one source share. */
export interface Shared {
  readonly queue: RecordQueue;
  readonly slots: SlotNumbers;
  readonly budget: HoldBudget;
  readonly counters: ReplayCounters;
}

/** Filled from each segment in turn. */
const run = new Run();

export class Connection implements StreamSink {
  /** Unique in the source, from 1: what a socket cookie is in the kernel. */
  readonly id: number;
  readonly family: number;
  readonly client: Uint8Array;
  readonly server: Uint8Array;
  readonly clientPort: number;
  readonly serverPort: number;
  readonly inbound: Stream;
  readonly outbound: Stream;
  /** Of the last packet. */
  readonly time = new PacketTime();
  slot = NO_SLOT;
  isHandshakeSeen = false;
  isClosed = false;
  /** The next connection with the same hash; the table's. */
  chained: Connection | undefined;
  readonly #shared: Shared;

  constructor(id: number, segment: Segment, isFromClient: boolean, shared: Shared) {
    const { source, destination, sourcePort, destinationPort } = segment;
    this.id = id;
    this.family = segment.family;
    this.client = (isFromClient ? source : destination).slice();
    this.server = (isFromClient ? destination : source).slice();
    this.clientPort = isFromClient ? sourcePort : destinationPort;
    this.serverPort = isFromClient ? destinationPort : sourcePort;
    this.inbound = new Stream(DIRECTION_IN, this, shared.budget, shared.counters);
    this.outbound = new Stream(DIRECTION_OUT, this, shared.budget, shared.counters);
    this.#shared = shared;
  }

  /** The segment is of this connection's client; the table has made sure that it is of one of the two sides. */
  isFromClient(segment: Segment): boolean {
    if (segment.sourcePort !== this.clientPort || segment.destinationPort !== this.serverPort) return false;
    return sameAddress(segment.source, this.client) && sameAddress(segment.destination, this.server);
  }

  isFromServer(segment: Segment): boolean {
    if (segment.sourcePort !== this.serverPort || segment.destinationPort !== this.clientPort) return false;
    return sameAddress(segment.source, this.server) && sameAddress(segment.destination, this.client);
  }

  /** A SYN that says nothing against being of this connection: repeated, or the part of the handshake not yet seen. */
  admitsHandshake(segment: Segment): boolean {
    const isFromClient = this.isFromClient(segment);
    const own = isFromClient ? this.inbound : this.outbound;
    if (own.isOriginKnown) return own.origin === (segment.sequence + 1) >>> 0;
    return this.isHandshakeSeen && !isFromClient && !own.isSynchronised;
  }

  accept(segment: Segment, time: PacketTime): void {
    this.time.low = time.low;
    this.time.high = time.high;
    const isFromClient = this.isFromClient(segment);
    const own = isFromClient ? this.inbound : this.outbound;
    const other = isFromClient ? this.outbound : this.inbound;
    if (segment.flags & SYN) this.#learnOrigins(segment, own, other);
    if (segment.flags & RST) {
      if (isInWindow(own, segment.sequence)) this.close();
      return;
    }
    if (segment.flags & ACK) other.acknowledge(segment.acknowledgement, segment.length > 0);
    this.#take(segment, own);
    if (own.isEnded && other.isEnded) this.close();
  }

  /** What is held leaves, then the connection is over. As in the kernel, one that carried no bytes has no record. */
  close(): void {
    this.inbound.flush();
    this.outbound.flush();
    this.isClosed = true;
    if (this.slot !== NO_SLOT) this.#shared.queue.close(this);
  }

  data(stream: Stream, part: Run): void {
    const { counters, queue, slots } = this.#shared;
    if (this.slot === NO_SLOT && slots.isFull) {
      counters.bytes_refused += part.length;
      return;
    }
    if (this.slot === NO_SLOT) this.slot = slots.take();
    counters.bytes_accepted += part.length;
    counters.bytes_not_captured += part.length - part.captured;
    queue.data(this, stream, part);
  }

  end(stream: Stream, position: number): void {
    if (this.slot !== NO_SLOT) this.#shared.queue.end(this, stream, position);
  }

  #learnOrigins(segment: Segment, own: Stream, other: Stream): void {
    this.isHandshakeSeen = true;
    if (!own.isOriginKnown) own.setOrigin((segment.sequence + 1) >>> 0);
    const isAnswer = (segment.flags & ACK) !== 0;
    if (isAnswer && !other.isOriginKnown && !other.isSynchronised) other.setOrigin(segment.acknowledgement);
  }

  #take(segment: Segment, own: Stream): void {
    // A SYN takes a sequence number of its own, before the payload (RFC 7413: TCP Fast Open).
    const position = (segment.sequence + (segment.flags & SYN ? 1 : 0)) >>> 0;
    if (segment.length > 0) {
      this.#shared.counters.bytes += segment.length;
      run.position = position;
      run.length = segment.length;
      run.bytes = segment.bytes;
      run.at = segment.payload;
      run.captured = segment.captured;
      run.timeLow = this.time.low;
      run.timeHigh = this.time.high;
      own.push(run);
    }
    if (segment.flags & FIN) own.finish((position + segment.length) >>> 0);
  }
}

function isInWindow(stream: Stream, sequence: number): boolean {
  return !stream.isSynchronised || Math.abs(distance(sequence, stream.next)) < RESET_WINDOW;
}

function sameAddress(one: Uint8Array, other: Uint8Array): boolean {
  for (let i = 0; i < 16; i++) if (one[i] !== other[i]) return false;
  return true;
}
