/**
 * Chunks to parsers, parser output to pairing: the stage that knows what each connection speaks.
 *
 * The rule: chunks only gather until `flush`, which runs each module once over everything gathered. So connections
 * end, upgrade and are given up in two steps: noted when the chunk or hint is seen, done after the flush.
 */
import * as abi from '../../parsers/sdk/abi.ts';
import { C, type Counters } from '../self/counters.ts';
import type { Log } from '../self/log.ts';
import type { Pairing } from '../spans/pairing.ts';
import { type OutputConsumer, type ParserInstance, REFUSED } from '../wasm/instance.ts';
import { CLOSING, type Connections, IDENTIFYING, IGNORED, PARSED, ROLE_UNKNOWN } from './connections.ts';
import { type BufferedChunk, createProber, Identifier, UNDECIDED, UNKNOWN } from './identify.ts';
import type { ChunkSink } from './stream-order.ts';

/** Times a connection is identified anew after its parser gave up. */
const IDENTIFY_AGAIN_MAX = 2;

export interface RouterOptions {
  readonly log: Log;
  /** Told when a connection's bytes are of no more use: the kernel may stop copying them. */
  readonly ignore: (cookieLow: number, cookieHigh: number) => void;
}

export class Router implements ChunkSink, OutputConsumer {
  readonly #connections: Connections;
  readonly #instances: readonly ParserInstance[];
  readonly #identifier: Identifier;
  readonly #pairing: Pairing;
  readonly #counters: Counters;
  readonly #options: RouterOptions;
  /** The buffer that pushed chunks refer to. */
  #batch: ArrayBuffer = new ArrayBuffer(0);
  /** Connections whose parser gave up, and those that speak something else from here on. */
  #lost: number[] = [];
  #abandoned: number[] = [];
  #closing: number[] = [];

  constructor(
    connections: Connections,
    instances: readonly ParserInstance[],
    probers: readonly ParserInstance[],
    pairing: Pairing,
    counters: Counters,
    options: RouterOptions,
  ) {
    this.#connections = connections;
    this.#instances = instances;
    this.#identifier = new Identifier(probers.map(createProber));
    this.#pairing = pairing;
    this.#counters = counters;
    this.#options = options;
  }

  /** Names the buffer that the next data() calls refer to; all of it is flushed before the next batch. */
  beginBatch(batch: ArrayBuffer): void {
    this.#batch = batch;
  }

  data(
    connection: number,
    direction: number,
    source: number,
    length: number,
    wireLength: number,
    timeLow: number,
    timeHigh: number,
    offset: number,
  ): void {
    const c = this.#connections;
    if (c.state[connection] === PARSED) {
      const instance = this.#instances[c.parser[connection]!]!;
      if (!instance.hasRoom(length)) this.#flushOne(instance);
      const slot = instance.slotOf(connection);
      const from = direction === c.clientDirection[connection] ? abi.FROM_CLIENT : abi.FROM_SERVER;
      if (slot !== 0) {
        instance.push(slot, abi.DATA, from, source, length, wireLength, timeLow, timeHigh, offset);
        this.#counters[C.chunks]! += 1;
        this.#counters[C.bytes_gap_truncated]! += wireLength - length;
        return;
      }
    }
    this.held(
      connection,
      direction,
      new Uint8Array(this.#batch, source, length).slice(),
      wireLength,
      timeLow,
      timeHigh,
      offset,
    );
  }

  held(
    connection: number,
    direction: number,
    bytes: Uint8Array,
    wireLength: number,
    timeLow: number,
    timeHigh: number,
    offset: number,
  ): void {
    this.#counters[C.chunks]! += 1;
    this.#counters[C.bytes_gap_truncated]! += wireLength - bytes.length;
    this.#offer(connection, { direction, bytes, wireLength, timeLow, timeHigh, offset });
  }

  gap(connection: number, direction: number, length: number, timeLow: number, timeHigh: number, offset: number): void {
    const c = this.#connections;
    if (c.state[connection] === IDENTIFYING) {
      this.#identifier.forget(connection);
      c.midStream[connection] = 1;
    } else this.#mark(connection, abi.GAP, direction, length, timeLow, timeHigh, offset);
  }

  end(connection: number, direction: number, timeLow: number, timeHigh: number, offset: number): void {
    this.#mark(connection, abi.EOF, direction, 0, timeLow, timeHigh, offset);
  }

  /**
   * The connection is gone. Directions that did not end in order are reset. Its number stays in use until the next
   * flush; `closed()` then lists it.
   */
  close(connection: number, inEnded: boolean, outEnded: boolean, timeLow: number, timeHigh: number): void {
    const c = this.#connections;
    if (c.state[connection] === CLOSING) return;
    if (c.state[connection] === PARSED) {
      if (!inEnded) this.#mark(connection, abi.RESET, 0, 0, timeLow, timeHigh, c.next[connection * 2]!);
      if (!outEnded) this.#mark(connection, abi.RESET, 1, 0, timeLow, timeHigh, c.next[connection * 2 + 1]!);
    }
    this.#identifier.forget(connection);
    c.state[connection] = CLOSING;
    this.#closing.push(connection);
  }

  /** Runs every module over what was gathered; then ends what is to end. Returns the connections now free. */
  flush(): readonly number[] {
    for (const instance of this.#instances) this.#flushOne(instance);
    const closed = this.#closing;
    this.#closing = [];
    for (const connection of closed) this.#release(connection);
    return closed;
  }

  // ── what a module says ──

  message(instance: ParserInstance, connection: number, at: number): void {
    const head = instance.u32[(at + abi.OUT_TYPE) >>> 2]!;
    this.#pairing.message(connection, head & 0xffff, head >>> 16, instance.u32, at);
  }

  hint(instance: ParserInstance, connection: number, type: number, value: number): void {
    if (type === abi.DESYNC) this.#pairing.desync(connection);
    else if (type === abi.GIVE_UP) this.#lost.push(connection);
    else if (type === abi.UPGRADE) {
      this.#options.log.debug({ protocol: instance.manifest.name, upgrade: value }, 'connection upgraded');
      this.#abandoned.push(connection);
    } else if (type === abi.GROW && value === REFUSED) {
      this.#counters[C.connections_refused]! += 1;
      this.#abandoned.push(connection);
    } else if (type === abi.GROW) this.#counters[C.slots_grown]! += 1;
    else if (type === abi.SHRINK) this.#counters[C.slots_shrunk]! += 1;
  }

  failed(instance: ParserInstance, reason: string, connections: number[]): void {
    this.#counters[reason.startsWith('trap') ? C.parser_traps : C.parser_bad_output]! += 1;
    this.#options.log.error(
      { module: instance.manifest.name, reason, connections: connections.length },
      'parser failed',
    );
    for (const connection of connections) {
      this.#pairing.desync(connection);
      if (this.#connections.state[connection] !== PARSED) continue;
      this.#connections.state[connection] = IDENTIFYING;
      this.#connections.parser[connection] = -1;
      this.#connections.midStream[connection] = 1;
    }
  }

  // ── inside ──

  #flushOne(instance: ParserInstance): void {
    if (instance.waiting === 0) return;
    this.#counters[C.parser_runs]! += 1;
    instance.flush(this.#batch, this);
    while (this.#abandoned.length > 0) this.#abandon(this.#abandoned.pop()!);
    while (this.#lost.length > 0) this.#identifyAgain(this.#lost.pop()!);
  }

  #offer(connection: number, chunk: BufferedChunk): void {
    const c = this.#connections;
    if (c.state[connection] === PARSED) this.#parse(connection, chunk);
    else if (c.state[connection] !== IDENTIFYING) this.#counters[C.bytes_unknown]! += chunk.wireLength;
    else if (chunk.bytes.length === 0) {
      this.#counters[C.bytes_unknown]! += chunk.wireLength;
      this.#identifier.forget(connection);
      c.midStream[connection] = 1;
    } else this.#identify(connection, chunk);
  }

  #identify(connection: number, chunk: BufferedChunk): void {
    const c = this.#connections;
    const verdict = this.#identifier.offer(
      connection,
      chunk,
      c.clientDirection[connection]!,
      c.midStream[connection] === 1,
      [c.localPort[connection]!, c.remotePort[connection]!],
    );
    if (verdict === UNDECIDED) return;
    if (verdict === UNKNOWN) {
      this.#counters[C.connections_unknown]! += 1;
      this.#counters[C.bytes_unknown]! += chunk.wireLength;
      this.#ignore(connection);
      return;
    }
    if (verdict.swapped) this.#swap(connection);
    if (!this.#start(connection, verdict.parser)) return;
    // Offered, not parsed: a failure in between sends the rest back to identification.
    for (const early of verdict.chunks) this.#offer(connection, early);
  }

  /**
   * Who opened the connection is a fact only when the handshake was seen; a protocol that says otherwise then means
   * that the conversation runs against it (a tunnel reversed), which spans must show as the protocol does.
   */
  #swap(connection: number): void {
    const c = this.#connections;
    c.clientDirection[connection] = 1 - c.clientDirection[connection]!;
    c.role[connection] = ROLE_UNKNOWN;
  }

  #start(connection: number, parser: number): boolean {
    const c = this.#connections;
    const midStream = c.midStream[connection] === 1;
    this.#pairing.open(connection, !midStream);
    const slot = this.#instances[parser]!.open(connection, midStream ? abi.OPEN_MID_STREAM : 0, this);
    if (slot === 0) {
      this.#counters[C.connections_refused]! += 1;
      this.#ignore(connection);
      return false;
    }
    c.parser[connection] = parser;
    c.state[connection] = PARSED;
    this.#counters[C.connections_identified]! += 1;
    return true;
  }

  #parse(connection: number, { direction, bytes, wireLength, timeLow, timeHigh, offset }: BufferedChunk): void {
    const c = this.#connections;
    const instance = this.#instances[c.parser[connection]!]!;
    if (!instance.hasRoom(bytes.length)) this.#flushOne(instance);
    const slot = instance.slotOf(connection);
    if (slot === 0) return;
    const from = direction === c.clientDirection[connection] ? abi.FROM_CLIENT : abi.FROM_SERVER;
    instance.pushBytes(slot, from, bytes, wireLength, timeLow, timeHigh, offset);
  }

  /** A chunk without bytes. */
  #mark(
    connection: number,
    kind: number,
    direction: number,
    wireLength: number,
    timeLow: number,
    timeHigh: number,
    offset: number,
  ): void {
    const c = this.#connections;
    if (c.state[connection] !== PARSED) return;
    const instance = this.#instances[c.parser[connection]!]!;
    if (!instance.hasRoom(0)) this.#flushOne(instance);
    const slot = instance.slotOf(connection);
    if (slot === 0) return;
    const from = direction === c.clientDirection[connection] ? abi.FROM_CLIENT : abi.FROM_SERVER;
    instance.push(slot, kind, from, 0, 0, wireLength, timeLow, timeHigh, offset);
  }

  /** A parser that gave up may have been the wrong one, or the right one the wrong way round: ask anew, not for ever. */
  #identifyAgain(connection: number): void {
    const c = this.#connections;
    if (c.state[connection] !== PARSED) return;
    // Pairs still on trial were read by a parser that has lost its way: this end confirms none of them.
    this.#pairing.desync(connection);
    if (c.givenUp[connection]! >= IDENTIFY_AGAIN_MAX) {
      this.#abandon(connection);
      return;
    }
    c.givenUp[connection]! += 1;
    this.#detach(connection);
    c.state[connection] = IDENTIFYING;
    c.midStream[connection] = 1;
    this.#counters[C.connections_reidentified]! += 1;
  }

  #abandon(connection: number): void {
    if (this.#connections.state[connection] !== PARSED) return;
    this.#counters[C.connections_given_up]! += 1;
    this.#detach(connection);
    this.#ignore(connection);
  }

  #ignore(connection: number): void {
    const c = this.#connections;
    c.state[connection] = IGNORED;
    this.#options.ignore(c.cookieLow[connection]!, c.cookieHigh[connection]!);
  }

  #release(connection: number): void {
    this.#detach(connection);
    this.#connections.free(connection);
    this.#counters[C.connections_closed]! += 1;
  }

  #detach(connection: number): void {
    const c = this.#connections;
    const parser = c.parser[connection]!;
    if (parser < 0) return;
    const instance = this.#instances[parser]!;
    const slot = instance.slotOf(connection);
    this.#pairing.close(connection);
    if (slot !== 0) instance.close(slot, this);
    c.parser[connection] = -1;
  }
}
