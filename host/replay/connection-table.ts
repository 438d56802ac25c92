/**
 * Which connection a segment belongs to, and when one starts: at a SYN, or, for what is older than the capture, at the
 * first payload.
 *
 * The rule: a connection that is over stays known for a while, so that its late packets do not start another; a new
 * SYN always does. Both kinds are bounded: the longest idle gives way.
 */
import { Connection, type Shared } from './connection.ts';
import type { PacketTime } from './packet-time.ts';
import { ACK, RST, type Segment, SYN } from './segment.ts';
import { sendsToServer } from './server-side.ts';

const CLOSED_MAX = 16384;
/** How long a closed connection takes in late packets: 28 × 2^32 ns, two minutes (RFC 9293: MSL). */
const LINGER_HIGH = 28;

export class ConnectionTable {
  readonly #shared: Shared;
  readonly #openMax: number;
  /** By hash of the two endpoints; equal hashes are chained. */
  readonly #chains = new Map<number, Connection>();
  /** In the order of their last packet. */
  readonly #open = new Set<Connection>();
  readonly #closed = new Set<Connection>();
  /** Keeps a capture from choosing endpoints that all fall into one chain. */
  readonly #seed = Math.floor(Math.random() * 2 ** 32);
  #lastId = 0;

  constructor(shared: Shared, openMax: number) {
    this.#shared = shared;
    this.#openMax = openMax;
  }

  get size(): number {
    return this.#open.size;
  }

  accept(segment: Segment, time: PacketTime): void {
    const { counters } = this.#shared;
    const connection = this.#find(segment, time);
    if (!connection) return;
    if (connection.isClosed) {
      counters.segments_after_close++;
      return;
    }
    counters.segments_accepted++;
    this.#open.delete(connection);
    this.#open.add(connection);
    connection.accept(segment, time);
    if (connection.isClosed) this.#retire(connection);
  }

  /** Ends the longest idle connection. False when there is none. */
  closeOldest(): boolean {
    const oldest = this.#open.values().next().value;
    if (!oldest) return false;
    oldest.close();
    this.#retire(oldest);
    return true;
  }

  /** The connection a segment belongs to, a new one if it starts one; undefined when it does neither. */
  #find(segment: Segment, time: PacketTime): Connection | undefined {
    const known = this.#lookup(segment);
    if (segment.flags & SYN && !(segment.flags & RST)) {
      return known?.admitsHandshake(segment) ? known : this.#start(segment, known, (segment.flags & ACK) === 0);
    }
    if (known && !(known.isClosed && time.high - known.time.high > LINGER_HIGH)) return known;
    if (segment.length > 0) return this.#start(segment, known, sendsToServer(segment));
    this.#shared.counters.segments_unattached++;
    return undefined;
  }

  #start(segment: Segment, previous: Connection | undefined, isFromClient: boolean): Connection {
    const { counters } = this.#shared;
    if (previous && !previous.isClosed) previous.close();
    if (previous) this.#forget(previous);
    if (this.#open.size >= this.#openMax && this.closeOldest()) counters.connections_evicted++;
    const connection = new Connection(++this.#lastId, segment, isFromClient, this.#shared);
    counters.connections++;
    if (!(segment.flags & SYN)) counters.connections_joined++;
    const hash = this.#hash(connection);
    connection.chained = this.#chains.get(hash);
    this.#chains.set(hash, connection);
    this.#open.add(connection);
    return connection;
  }

  #lookup(segment: Segment): Connection | undefined {
    const hash = this.#hashOf(segment.source, segment.sourcePort, segment.destination, segment.destinationPort);
    for (let found = this.#chains.get(hash); found; found = found.chained) {
      if (found.family === segment.family && (found.isFromClient(segment) || found.isFromServer(segment))) return found;
    }
    return undefined;
  }

  #retire(connection: Connection): void {
    this.#open.delete(connection);
    this.#closed.add(connection);
    if (this.#closed.size > CLOSED_MAX) this.#forget(this.#closed.values().next().value!);
  }

  #forget(connection: Connection): void {
    this.#open.delete(connection);
    this.#closed.delete(connection);
    const hash = this.#hash(connection);
    let chain = this.#chains.get(hash);
    if (chain === connection) {
      if (connection.chained) this.#chains.set(hash, connection.chained);
      else this.#chains.delete(hash);
      return;
    }
    while (chain && chain.chained !== connection) chain = chain.chained;
    if (chain) chain.chained = connection.chained;
  }

  #hash(connection: Connection): number {
    return this.#hashOf(connection.client, connection.clientPort, connection.server, connection.serverPort);
  }

  /** The same for both directions: each endpoint is hashed alone, then both are added. */
  #hashOf(one: Uint8Array, onePort: number, other: Uint8Array, otherPort: number): number {
    return (hashEndpoint(one, onePort, this.#seed) + hashEndpoint(other, otherPort, this.#seed)) | 0;
  }
}

/** FNV-1a. http://www.isthe.com/chongo/tech/comp/fnv/ */
function hashEndpoint(address: Uint8Array, port: number, seed: number): number {
  let hash = seed;
  for (let i = 0; i < 16; i++) hash = Math.imul(hash ^ address[i]!, 0x01000193);
  hash = Math.imul(hash ^ (port >>> 8), 0x01000193);
  return Math.imul(hash ^ (port & 0xff), 0x01000193);
}
