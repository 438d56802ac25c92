/**
 * Which protocol does a connection speak? Its first chunks are buffered and shown to every module whose magic fits;
 * the highest score wins, a port hint breaks ties. Bounded in bytes, chunks and attempts: then the answer is no.
 * A connection that was joined in mid-stream may start anywhere, so each later chunk is another attempt, together
 * with what came before it and on its own.
 */
import * as abi from '../../parsers/sdk/abi.ts';
import type { HeldChunk } from '../wasm/arena.ts';
import type { Failure } from '../wasm/consumer.ts';
import type { ParserInstance } from '../wasm/instance.ts';

const BUFFERED_BYTES_MAX = 32 * 1024;
const BUFFERED_CHUNKS_MAX = 32;
/** Of all connections together: beyond it the one that wants to buffer more is let go. */
const BUFFERED_TOTAL_MAX = 64 * 1024 * 1024;
/** Attempts for a connection joined in mid-stream: enough to outlast the rest of a large body's buffers. */
const ATTEMPTS_MAX = 64;

/** A chunk of DATA that is kept; `direction` is 0 or 1 as the record has it. */
export type BufferedChunk = Omit<HeldChunk, 'kind'>;

export interface Verdict {
  /** Index of the module. */
  readonly parser: number;
  /** The client's bytes travel in the other direction than believed. */
  readonly swapped: boolean;
  readonly chunks: readonly BufferedChunk[];
}

export const UNDECIDED = 'undecided';
export const UNKNOWN = 'unknown';

const NOBODY_ASKED: Candidate = { chunks: [], bytes: 0, attempts: 0 };

/** What is known of a connection that nobody has claimed so far. */
interface Candidate {
  /** Packed: objects and typed arrays take hundreds of bytes for each, and any number of connections may wait. */
  readonly chunks: readonly string[];
  readonly bytes: number;
  readonly attempts: number;
}

/** A module as the identifier sees it: an instance of its own, so that no chunk of the data path is in the way. */
export interface Prober {
  readonly instance: ParserInstance;
  readonly magic: readonly Uint8Array[];
}

export function createProber(instance: ParserInstance): Prober {
  return { instance, magic: instance.manifest.magic.map((text) => Buffer.from(text, 'latin1')) };
}

export class Identifier {
  readonly #probers: () => Iterable<Prober>;
  readonly #failed: (prober: Prober, failure: Failure) => void;
  readonly #candidates = new Map<number, Candidate>();
  #buffered = 0;

  /**
   * @param probers those that may claim a connection now; of two with the same claim the first one wins
   * @param failed told when identify() of a module failed; that counts as a no
   */
  constructor(probers: () => Iterable<Prober>, failed: (prober: Prober, failure: Failure) => void) {
    this.#probers = probers;
    this.#failed = failed;
  }

  /** Adds a chunk of an unidentified connection. `clientDirection` is the believed one; `ports` are both ports. */
  offer(
    connection: number,
    chunk: BufferedChunk,
    clientDirection: number,
    midStream: boolean,
    ports: readonly [number, number],
  ): Verdict | typeof UNDECIDED | typeof UNKNOWN {
    const candidate = this.#candidates.get(connection) ?? NOBODY_ASKED;
    let { attempts } = candidate;
    let chunks = [...candidate.chunks.map(unpack), chunk];
    let best = this.#ask(chunks, clientDirection, ports);
    if (midStream && best.parser < 0 && !best.more && chunks.length > 1) {
      chunks = [chunk];
      attempts++;
      best = this.#ask(chunks, clientDirection, ports);
    }
    const bytes = bytesOf(chunks);
    const full =
      bytes >= BUFFERED_BYTES_MAX ||
      chunks.length >= BUFFERED_CHUNKS_MAX ||
      this.#buffered - candidate.bytes + bytes >= BUFFERED_TOTAL_MAX;
    if (best.parser >= 0 && (!best.more || full)) {
      this.forget(connection);
      return { parser: best.parser, swapped: best.swapped, chunks };
    }
    if (best.more && !full) {
      this.#keep(connection, chunks, attempts);
      return UNDECIDED;
    }
    attempts++;
    if (!midStream || attempts >= ATTEMPTS_MAX) {
      this.forget(connection);
      return UNKNOWN;
    }
    this.#keep(connection, [], attempts);
    return UNDECIDED;
  }

  /** Nothing more will come: the best claim wins, whoever would like to see more. */
  conclude(connection: number, clientDirection: number, ports: readonly [number, number]): Verdict | typeof UNKNOWN {
    const candidate = this.#candidates.get(connection);
    if (candidate === undefined || candidate.chunks.length === 0) return UNKNOWN;
    const chunks = candidate.chunks.map(unpack);
    const { parser, swapped } = this.#ask(chunks, clientDirection, ports);
    this.forget(connection);
    return parser < 0 ? UNKNOWN : { parser, swapped, chunks };
  }

  /** Throws away what is buffered: the connection ended, or bytes are missing. */
  forget(connection: number): void {
    const candidate = this.#candidates.get(connection);
    if (candidate === undefined) return;
    this.#buffered -= candidate.bytes;
    this.#candidates.delete(connection);
  }

  #keep(connection: number, chunks: readonly BufferedChunk[], attempts: number): void {
    this.forget(connection);
    const bytes = bytesOf(chunks);
    this.#buffered += bytes;
    this.#candidates.set(connection, { chunks: chunks.map(pack), bytes, attempts });
  }

  #ask(chunks: readonly BufferedChunk[], clientDirection: number, ports: readonly [number, number]) {
    const bytes = bytesOf(chunks);
    const best = { parser: -1, score: 0, swapped: false, more: false };
    for (const prober of this.#probers()) {
      if (!magicFits(prober, chunks)) continue;
      const isShort = bytes < prober.instance.manifest.minBytes;
      const verdict = isShort ? abi.IDENTIFY_MORE : this.#askOne(prober, chunks, clientDirection);
      if (verdict === abi.IDENTIFY_MORE) best.more = true;
      const score = verdict & ~abi.IDENTIFY_SWAPPED;
      if (score < abi.IDENTIFY_SCORE_MIN || score > abi.IDENTIFY_SCORE_MAX) continue;
      const hinted = prober.instance.manifest.ports.some((port) => ports.includes(port));
      if (score + (hinted ? 0.5 : 0) <= best.score) continue;
      best.score = score + (hinted ? 0.5 : 0);
      best.parser = prober.instance.index;
      best.swapped = (verdict & abi.IDENTIFY_SWAPPED) !== 0;
    }
    // A certain answer needs no second opinion from a module that would like to see more.
    if (best.score >= abi.IDENTIFY_SCORE_MAX / 2) best.more = false;
    return best;
  }

  #askOne(prober: Prober, chunks: readonly BufferedChunk[], clientDirection: number): number {
    const { instance } = prober;
    for (const chunk of chunks) {
      if (!instance.hasRoom(chunk.bytes.length)) break;
      const direction = chunk.direction === clientDirection ? abi.FROM_CLIENT : abi.FROM_SERVER;
      instance.pushHeld(0, { ...chunk, kind: abi.DATA, direction });
    }
    const verdict = instance.identify();
    if (typeof verdict === 'number') return verdict;
    this.#failed(prober, verdict);
    return abi.IDENTIFY_NO;
  }
}

function magicFits({ magic }: Prober, chunks: readonly BufferedChunk[]): boolean {
  return magic.length === 0 || chunks.some(({ bytes }) => magic.some((prefix) => beginsAlike(bytes, prefix)));
}

/** One is a prefix of the other: a chunk may be shorter than the magic. */
function beginsAlike(bytes: Uint8Array, prefix: Uint8Array): boolean {
  const length = Math.min(bytes.length, prefix.length);
  for (let i = 0; i < length; i++) if (bytes[i] !== prefix[i]) return false;
  return length > 0;
}

function bytesOf(chunks: readonly BufferedChunk[]): number {
  return chunks.reduce((sum, { bytes }) => sum + bytes.length, 0);
}

// A packed chunk: its numbers, then its bytes, a character each. What is kept never has more than BUFFERED_BYTES_MAX.
const DIRECTION = 0;
const WIRE_LENGTH = 4;
const TIME_LOW = 8;
const TIME_HIGH = 12;
const OFFSET = 16;
const BYTES = 24;
const scratch = Buffer.alloc(BYTES + BUFFERED_BYTES_MAX);

function pack({ direction, bytes, wireLength, timeLow, timeHigh, offset }: BufferedChunk): string {
  scratch.writeUInt32LE(direction, DIRECTION);
  scratch.writeUInt32LE(wireLength, WIRE_LENGTH);
  scratch.writeUInt32LE(timeLow, TIME_LOW);
  scratch.writeUInt32LE(timeHigh, TIME_HIGH);
  scratch.writeDoubleLE(offset, OFFSET);
  scratch.set(bytes, BYTES);
  return scratch.toString('latin1', 0, BYTES + bytes.length);
}

function unpack(text: string): BufferedChunk {
  const packed = Buffer.from(text, 'latin1');
  return {
    direction: packed.readUInt32LE(DIRECTION),
    bytes: packed.subarray(BYTES),
    wireLength: packed.readUInt32LE(WIRE_LENGTH),
    timeLow: packed.readUInt32LE(TIME_LOW),
    timeHigh: packed.readUInt32LE(TIME_HIGH),
    offset: packed.readDoubleLE(OFFSET),
  };
}
