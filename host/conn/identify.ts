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

/** Bytes that are lent are good only for as long as they are offered: nobody keeps them without a copy. */
export type OfferedChunk = BufferedChunk & { readonly isLent?: boolean };

/** One that lies in the batch: written anew for each. */
export class PlacedChunk implements OfferedChunk {
  readonly isLent = true;
  direction = 0;
  bytes: Uint8Array = new Uint8Array();
  wireLength = 0;
  timeLow = 0;
  timeHigh = 0;
  offset = 0;

  set(
    direction: number,
    bytes: Uint8Array,
    wireLength: number,
    timeLow: number,
    timeHigh: number,
    offset: number,
  ): this {
    this.direction = direction;
    this.bytes = bytes;
    this.wireLength = wireLength;
    this.timeLow = timeLow;
    this.timeHigh = timeHigh;
    this.offset = offset;
    return this;
  }
}

export interface Verdict {
  /** Index of the module. */
  readonly parser: number;
  /** The client's bytes travel in the other direction than believed. */
  readonly swapped: boolean;
  /** What was kept so far, and the chunk just offered, unless it was lent. */
  readonly chunks: readonly BufferedChunk[];
}

export const UNDECIDED = 'undecided';
export const UNKNOWN = 'unknown';

/** What is known of a connection that nobody has claimed so far. */
interface Candidate {
  /** Packed: objects and typed arrays take hundreds of bytes for each, and any number of connections may wait. */
  chunks: readonly string[];
  bytes: number;
  attempts: number;
}

const NOTHING: Readonly<Candidate> = { chunks: [], bytes: 0, attempts: 0 };
const NO_CHUNKS: readonly BufferedChunk[] = [];

/** A module as the identifier sees it: an instance of its own, so that no chunk of the data path is in the way. */
export interface Prober {
  readonly instance: ParserInstance;
  readonly magic: readonly Uint8Array[];
  /** By first byte of a chunk: whether a magic may fit. Most chunks of others are told apart by this. */
  readonly fits: Uint8Array;
}

/** Of a first byte: no magic begins with it; one does; one is no longer than it, or there is none at all. */
const NEVER = 0;
const PERHAPS = 1;
const SURELY = 2;

export function createProber(instance: ParserInstance): Prober {
  const magic = instance.manifest.magic.map((text) => Buffer.from(text, 'latin1'));
  const fits = new Uint8Array(256).fill(magic.length === 0 ? SURELY : NEVER);
  for (const prefix of magic) {
    const first = prefix[0]!;
    fits[first] = Math.max(fits[first]!, prefix.length === 1 ? SURELY : PERHAPS);
  }
  return { instance, magic, fits };
}

export class Identifier {
  readonly #probers: () => readonly Prober[];
  readonly #failed: (prober: Prober, failure: Failure) => void;
  readonly #candidates = new Map<number, Candidate>();
  #buffered = 0;
  /** What #ask found, good until it asks again. */
  readonly #best = { parser: -1, score: 0, swapped: false, more: false };

  /**
   * @param probers those that may claim a connection now; of two with the same claim the first one wins
   * @param failed told when identify() of a module failed; that counts as a no
   */
  constructor(probers: () => readonly Prober[], failed: (prober: Prober, failure: Failure) => void) {
    this.#probers = probers;
    this.#failed = failed;
  }

  /**
   * Adds a chunk of an unidentified connection. `clientDirection` is the believed one; `ports` are both ports. What
   * is lent is copied only when it has to wait for more: connections that nobody knows mostly show so in their first chunk.
   */
  offer(
    connection: number,
    chunk: OfferedChunk,
    clientDirection: number,
    midStream: boolean,
    ports: readonly [number, number],
  ): Verdict | typeof UNDECIDED | typeof UNKNOWN {
    const before = this.#candidates.get(connection);
    let { chunks: packed, bytes, attempts } = before ?? NOTHING;
    let chunks = unpackAll(packed);
    const best = this.#best;
    this.#ask(chunks, bytes, chunk, clientDirection, ports);
    if (midStream && best.parser < 0 && !best.more && chunks.length > 0) {
      [packed, chunks, bytes] = [NOTHING.chunks, NO_CHUNKS, 0];
      attempts++;
      this.#ask(chunks, bytes, chunk, clientDirection, ports);
    }
    bytes += chunk.bytes.length;
    const isFull =
      bytes >= BUFFERED_BYTES_MAX ||
      chunks.length + 1 >= BUFFERED_CHUNKS_MAX ||
      this.#buffered - (before?.bytes ?? 0) + bytes >= BUFFERED_TOTAL_MAX;
    if (best.parser >= 0 && (!best.more || isFull)) {
      if (before !== undefined) this.forget(connection);
      return { parser: best.parser, swapped: best.swapped, chunks: chunk.isLent ? chunks : [...chunks, chunk] };
    }
    const isOver = !best.more || isFull;
    if (isOver && (!midStream || ++attempts >= ATTEMPTS_MAX)) {
      if (before !== undefined) this.forget(connection);
      return UNKNOWN;
    }
    const candidate = before ?? this.#begin(connection);
    candidate.chunks = isOver ? NOTHING.chunks : packed.concat(pack(chunk));
    candidate.attempts = attempts;
    this.#hold(candidate, isOver ? 0 : bytes);
    return UNDECIDED;
  }

  /** Nothing more will come: the best claim wins, whoever would like to see more. */
  conclude(connection: number, clientDirection: number, ports: readonly [number, number]): Verdict | typeof UNKNOWN {
    const candidate = this.#candidates.get(connection);
    if (candidate === undefined || candidate.chunks.length === 0) return UNKNOWN;
    const { bytes } = candidate;
    const chunks = unpackAll(candidate.chunks);
    this.#ask(chunks, bytes, undefined, clientDirection, ports);
    this.forget(connection);
    const { parser, swapped } = this.#best;
    return parser < 0 ? UNKNOWN : { parser, swapped, chunks };
  }

  /** Throws away what is buffered: the connection ended, or bytes are missing. */
  forget(connection: number): void {
    const candidate = this.#candidates.get(connection);
    if (candidate === undefined) return;
    this.#hold(candidate, 0);
    this.#candidates.delete(connection);
  }

  #hold(candidate: Candidate, bytes: number): void {
    this.#buffered += bytes - candidate.bytes;
    candidate.bytes = bytes;
  }

  #begin(connection: number): Candidate {
    const candidate: Candidate = { chunks: NOTHING.chunks, bytes: 0, attempts: 0 };
    this.#candidates.set(connection, candidate);
    return candidate;
  }

  /** Asks about the chunks that are kept, `bytes` in all, and the one that has come. */
  #ask(
    chunks: readonly BufferedChunk[],
    bytes: number,
    fresh: OfferedChunk | undefined,
    clientDirection: number,
    ports: readonly [number, number],
  ): void {
    const best = this.#best;
    best.parser = -1;
    best.score = 0;
    best.swapped = false;
    best.more = false;
    const there = bytes + (fresh?.bytes.length ?? 0);
    for (const prober of this.#probers()) {
      if (!magicFits(prober, chunks, fresh)) continue;
      const isShort = there < prober.instance.manifest.minBytes;
      const verdict = isShort ? abi.IDENTIFY_MORE : this.#askOne(prober, chunks, fresh, clientDirection);
      if (verdict !== abi.IDENTIFY_NO) this.#weigh(prober.instance, verdict, ports);
    }
    // A certain answer needs no second opinion from a module that would like to see more.
    if (best.score >= abi.IDENTIFY_SCORE_MAX / 2) best.more = false;
  }

  #weigh({ manifest, index }: ParserInstance, verdict: number, ports: readonly [number, number]): void {
    const best = this.#best;
    if (verdict === abi.IDENTIFY_MORE) best.more = true;
    const score = verdict & ~abi.IDENTIFY_SWAPPED;
    if (score < abi.IDENTIFY_SCORE_MIN || score > abi.IDENTIFY_SCORE_MAX) return;
    const hinted = manifest.ports.some((port) => ports.includes(port));
    if (score + (hinted ? 0.5 : 0) <= best.score) return;
    best.score = score + (hinted ? 0.5 : 0);
    best.parser = index;
    best.swapped = (verdict & abi.IDENTIFY_SWAPPED) !== 0;
  }

  #askOne(
    prober: Prober,
    chunks: readonly BufferedChunk[],
    fresh: OfferedChunk | undefined,
    clientDirection: number,
  ): number {
    const { instance } = prober;
    // Behind one that does not fit nothing is shown.
    let fits = true;
    for (const chunk of chunks) fits &&= show(instance, chunk, clientDirection);
    if (fits && fresh !== undefined) show(instance, fresh, clientDirection);
    const verdict = instance.identify();
    if (typeof verdict === 'number') return verdict;
    this.#failed(prober, verdict);
    return abi.IDENTIFY_NO;
  }
}

// A packed chunk: its numbers, then its bytes, a character each. What is kept has less than BUFFERED_BYTES_MAX.
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

function unpackAll(texts: readonly string[]): readonly BufferedChunk[] {
  return texts.length === 0 ? NO_CHUNKS : texts.map(unpack);
}

function show(instance: ParserInstance, chunk: BufferedChunk, clientDirection: number): boolean {
  return instance.show(chunk, chunk.direction === clientDirection ? abi.FROM_CLIENT : abi.FROM_SERVER);
}

function magicFits(prober: Prober, chunks: readonly BufferedChunk[], fresh: BufferedChunk | undefined): boolean {
  if (fresh !== undefined && beginsAlike(prober, fresh.bytes)) return true;
  for (const { bytes } of chunks) if (beginsAlike(prober, bytes)) return true;
  return false;
}

/** Whether the bytes, of which there are some, begin with a magic; a chunk may be shorter than that. */
function beginsAlike({ magic, fits }: Prober, bytes: Uint8Array): boolean {
  const fit = fits[bytes[0]!];
  return fit === PERHAPS ? magic.some((prefix) => agree(bytes, prefix)) : fit === SURELY;
}

function agree(bytes: Uint8Array, prefix: Uint8Array): boolean {
  const length = Math.min(bytes.length, prefix.length);
  for (let i = 0; i < length; i++) if (bytes[i] !== prefix[i]) return false;
  return true;
}
