/**
 * Messages become pairs, each connection in the way its module's manifest names:
 *
 *   fifo   the k-th request with the k-th response   fifo.ts
 *   key    those of equal correlation key            keyed.ts
 *   none   every message is a span of its own        here, as are one-way messages of the others
 *
 * References of messages are resolved on the way in, from the definitions of their connection (definitions.ts).
 */
import { MESSAGE_KEY, MESSAGE_NO_RESPONSE, MESSAGE_PUSH, ONEWAY, REQUEST, RESPONSE } from '../../parsers/sdk/abi.ts';
import { C, type Counters } from '../self/counters.ts';
import type { Protocol } from '../wasm/manifest.ts';
import { Definitions } from './definitions.ts';
import { FifoPairing } from './fifo.ts';
import { KeyedPairing } from './keyed.ts';
import { grown, type Messages } from './messages.ts';
import type { PairSink } from './pairing-limits.ts';

/** How the messages of a connection pair. */
export const FIFO = 0;
export const KEY = 1;
export const NONE = 2;

/** The mode behind a manifest's `protocols[…].pairing`, which all protocols of a module share. */
export const PAIRING_MODES: Readonly<Record<Protocol['pairing'], number>> = { fifo: FIFO, key: KEY, none: NONE };

export class Pairing {
  readonly #messages: Messages;
  readonly #counters: Counters;
  readonly #sink: PairSink;
  readonly #definitions: Definitions;
  readonly #fifo: FifoPairing;
  readonly #keyed: KeyedPairing;
  #mode = new Uint8Array(0);

  constructor(messages: Messages, counters: Counters, sink: PairSink) {
    this.#messages = messages;
    this.#counters = counters;
    this.#sink = sink;
    this.#definitions = new Definitions(counters);
    this.#fifo = new FifoPairing(messages, counters, sink);
    this.#keyed = new KeyedPairing(messages, counters, sink);
  }

  /**
   * Starts a connection; `inSync` when its first byte was seen. One that was open must be desynchronised or closed.
   * Connections of equal `scope` share definitions.
   */
  open(connection: number, inSync: boolean, mode = FIFO, scope = 0): void {
    if (connection >= this.#mode.length) {
      this.#mode = grown(this.#mode, Math.max(connection + 1, this.#mode.length * 2, 256));
    }
    this.#mode[connection] = mode;
    this.#definitions.open(connection, scope);
    if (mode === KEY) this.#keyed.open(connection, inSync);
    else this.#fifo.open(connection, inSync);
  }

  /** Takes the message at byte `at` of a parser's memory. */
  message(connection: number, type: number, flags: number, memory: Uint32Array, at: number): void {
    this.#counters[C.messages_in]! += 1;
    if (type !== REQUEST && type !== ONEWAY && (flags & MESSAGE_PUSH) !== 0) {
      this.#counters[C.messages_push]! += 1;
      return;
    }
    const mode = this.#mode[connection]!;
    const hasRoom = mode !== FIFO || this.#hasRoom(connection, type);
    const m = hasRoom ? this.#messages.take(memory, at, connection, this.#definitions) : -1;
    if (m < 0) this.#lose(connection, memory, at);
    else if (type === ONEWAY || mode === NONE || (flags & MESSAGE_NO_RESPONSE) !== 0) this.#oneWay(connection, m);
    else if (mode === KEY) this.#byKey(connection, type, m, memory, (at + MESSAGE_KEY) >>> 2);
    else if (type === REQUEST) this.#fifo.request(connection, m);
    else this.#fifo.response(connection, m);
  }

  /** Takes the DEFINE record at byte `at` of a parser's memory. */
  define(connection: number, memory: Uint32Array, at: number): void {
    this.#definitions.define(connection, memory, at);
  }

  /** Takes the UNDEFINE record at byte `at` of a parser's memory. */
  undefine(connection: number, memory: Uint32Array, at: number): void {
    this.#definitions.undefine(connection, memory, at);
  }

  /** Nothing seen before pairs with anything after. Definitions stay: they say nothing of time. */
  desync(connection: number): void {
    if (this.#mode[connection] === KEY) this.#keyed.desync(connection);
    else this.#fifo.desync(connection);
  }

  /** Ends a connection. */
  close(connection: number): void {
    if (this.#mode[connection] === KEY) this.#keyed.close(connection);
    else this.#fifo.close(connection);
    this.#definitions.forget(connection);
  }

  /** What time alone brings about. Call now and then. */
  settle(nowMs: number): void {
    this.#fifo.settle(nowMs);
    this.#keyed.settle(nowMs);
  }

  /** Records were lost, of whatever connection: a response too many may be among them, and its absence proves nothing. */
  distrustSilence(): void {
    this.#fifo.distrustSilence();
  }

  /** A fifo may not lose its oldest message as the keyed do: what cannot wait is not taken. */
  #hasRoom(connection: number, type: number): boolean {
    return !this.#fifo.isFull(connection) || (type === RESPONSE && this.#fifo.isAwaited(connection));
  }

  #byKey(connection: number, type: number, m: number, memory: Uint32Array, key: number): void {
    if (type === REQUEST) this.#keyed.request(connection, m, memory[key]!, memory[key + 1]!);
    else this.#keyed.response(connection, m, memory[key]!, memory[key + 1]!);
  }

  #oneWay(connection: number, m: number): void {
    this.#counters[C.messages_oneway]! += 1;
    this.#sink(connection, m, -1);
    this.#messages.give(m);
  }

  /** There is no room for the message. In a fifo, one less breaks the count: what waits can no longer be told apart. */
  #lose(connection: number, memory: Uint32Array, at: number): void {
    this.#counters[C.messages_dropped_overflow]! += 1;
    const key = (at + MESSAGE_KEY) >>> 2;
    if (this.#mode[connection] === KEY) this.#keyed.lose(connection, memory[key]!, memory[key + 1]!);
    else this.#fifo.desync(connection);
  }
}
