/**
 * Which protocol does a connection speak? Its first chunks are buffered and shown to every module whose magic fits;
 * the highest score wins, a port hint breaks ties. Bounded in bytes, chunks and attempts: then the answer is no.
 * A connection that was joined in mid-stream may start anywhere, so each later chunk is another attempt, together
 * with what came before it and on its own.
 */
import * as abi from '../../parsers/sdk/abi.ts';
import type { ParserInstance } from '../wasm/instance.ts';

const BUFFERED_BYTES_MAX = 32 * 1024;
const BUFFERED_CHUNKS_MAX = 32;
/** Attempts for a connection joined in mid-stream: enough to outlast the rest of a large body's buffers. */
const ATTEMPTS_MAX = 64;

export interface BufferedChunk {
  /** 0 or 1 as the record has it. */
  readonly direction: number;
  readonly bytes: Uint8Array;
  readonly wireLength: number;
  readonly timeLow: number;
  readonly timeHigh: number;
  readonly offset: number;
}

export interface Verdict {
  /** Position of the module in the list. */
  readonly parser: number;
  /** The client's bytes travel in the other direction than believed. */
  readonly swapped: boolean;
  readonly chunks: readonly BufferedChunk[];
}

export const UNDECIDED = 'undecided';
export const UNKNOWN = 'unknown';

interface Candidate {
  chunks: BufferedChunk[];
  bytes: number;
  attempts: number;
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
  readonly #probers: readonly Prober[];
  readonly #candidates = new Map<number, Candidate>();

  constructor(probers: readonly Prober[]) {
    this.#probers = probers;
  }

  /** Adds a chunk of an unidentified connection. `clientDirection` is the believed one; `ports` are both ports. */
  offer(
    connection: number,
    chunk: BufferedChunk,
    clientDirection: number,
    midStream: boolean,
    ports: readonly [number, number],
  ): Verdict | typeof UNDECIDED | typeof UNKNOWN {
    const candidate = this.#candidates.get(connection) ?? this.#begin(connection);
    candidate.chunks.push(chunk);
    candidate.bytes += chunk.bytes.length;
    let best = this.#ask(candidate.chunks, clientDirection, ports);
    if (midStream && best.parser < 0 && !best.more && candidate.chunks.length > 1) {
      candidate.chunks = [chunk];
      candidate.bytes = chunk.bytes.length;
      candidate.attempts++;
      best = this.#ask(candidate.chunks, clientDirection, ports);
    }
    const full = candidate.bytes >= BUFFERED_BYTES_MAX || candidate.chunks.length >= BUFFERED_CHUNKS_MAX;
    if (best.parser >= 0 && (!best.more || full)) {
      this.#candidates.delete(connection);
      return { parser: best.parser, swapped: best.swapped, chunks: candidate.chunks };
    }
    if (best.more && !full) return UNDECIDED;
    candidate.attempts++;
    if (!midStream || candidate.attempts >= ATTEMPTS_MAX) {
      this.#candidates.delete(connection);
      return UNKNOWN;
    }
    candidate.chunks = [];
    candidate.bytes = 0;
    return UNDECIDED;
  }

  /** Throws away what is buffered: the connection ended, or bytes are missing. */
  forget(connection: number): void {
    this.#candidates.delete(connection);
  }

  #begin(connection: number): Candidate {
    const candidate = { chunks: [], bytes: 0, attempts: 0 };
    this.#candidates.set(connection, candidate);
    return candidate;
  }

  #ask(chunks: readonly BufferedChunk[], clientDirection: number, ports: readonly [number, number]) {
    const best = { parser: -1, score: 0, swapped: false, more: false };
    for (const [parser, prober] of this.#probers.entries()) {
      if (!magicFits(prober, chunks)) continue;
      const verdict = askOne(prober.instance, chunks, clientDirection);
      if (verdict === abi.IDENTIFY_MORE) best.more = true;
      const score = verdict & 0xff;
      if (score < abi.IDENTIFY_SCORE_MIN || score > abi.IDENTIFY_SCORE_MAX) continue;
      const hinted = prober.instance.manifest.ports.some((port) => ports.includes(port));
      if (score + (hinted ? 0.5 : 0) <= best.score) continue;
      best.score = score + (hinted ? 0.5 : 0);
      best.parser = parser;
      best.swapped = (verdict & abi.IDENTIFY_SWAPPED) !== 0;
    }
    // A certain answer needs no second opinion from a module that would like to see more.
    if (best.score >= abi.IDENTIFY_SCORE_MAX / 2) best.more = false;
    return best;
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

function askOne(instance: ParserInstance, chunks: readonly BufferedChunk[], clientDirection: number): number {
  for (const { direction, bytes, wireLength, timeLow, timeHigh, offset } of chunks) {
    const from = direction === clientDirection ? abi.FROM_CLIENT : abi.FROM_SERVER;
    instance.pushBytes(0, from, bytes, wireLength, timeLow, timeHigh, offset);
  }
  try {
    return instance.identify();
  } catch {
    instance.restart();
    return abi.IDENTIFY_NO;
  }
}
