/**
 * What becomes of a connection: it is identified, parsed, loses its parser, is given up, is wanted again, ends.
 *
 *   IDENTIFYING ─ start ─→ PARSED ─ loseParser, giveBack ─→ IDENTIFYING
 *        └─ unknown ─→ IGNORED ←─ abandon ─┘       IGNORED ─ revive ─→ IDENTIFYING       any ─ release ─→ FREE
 *
 * Each step keeps table, parser instance, pairing, counters and the kernel's verdict in line; nobody else changes states
 * but for CLOSING, which the router sets.
 */
import * as abi from '../../parsers/sdk/abi.ts';
import { C, type Counters } from '../self/counters.ts';
import { PAIRING_MODES, type Pairing } from '../spans/pairing.ts';
import type { OutputConsumer } from '../wasm/consumer.ts';
import type { Manifest } from '../wasm/manifest.ts';
import type { ShardModules } from '../wasm/modules.ts';
import { type Connections, IDENTIFYING, IGNORED, PARSED, ROLE_UNKNOWN } from './connections.ts';

/** Times a connection is identified anew after its parser gave up, or handed it on. */
export const IDENTIFY_AGAIN_MAX = 2;
/** A module that comes is tried on connections that nobody has known for less than this. */
const REMEMBERED_SECONDS = 60;

const TWO_32 = 2 ** 32;

/** Told when a connection's bytes are of no more use, so that the kernel stops copying them, or of use again. */
export type VerdictSink = (cookieLow: number, cookieHigh: number, ignored: boolean) => void;

export class Lifecycle {
  readonly #connections: Connections;
  readonly #modules: ShardModules;
  readonly #pairing: Pairing;
  readonly #counters: Counters;
  readonly #verdict: VerdictSink;
  /** By manifest, as each load of a module has its own: attributes of two versions are not the same. */
  readonly #serials = new WeakMap<Manifest, number>();
  #loads = 0;

  constructor(
    connections: Connections,
    modules: ShardModules,
    pairing: Pairing,
    counters: Counters,
    verdict: VerdictSink,
  ) {
    this.#connections = connections;
    this.#modules = modules;
    this.#pairing = pairing;
    this.#counters = counters;
    this.#verdict = verdict;
  }

  /** The module at this index takes the connection. False when it cannot: the connection is ignored. */
  start(connection: number, module: number, flags: number, consumer: OutputConsumer): boolean {
    const c = this.#connections;
    const midStream = c.midStream[connection] === 1;
    const { instance } = this.#modules.at(module);
    const mode = PAIRING_MODES[instance.manifest.protocols[0]!.pairing];
    this.#pairing.open(connection, !midStream, mode, this.#scopeOf(c.tgid[connection]!, instance.manifest));
    c.parser[connection] = module;
    c.state[connection] = PARSED;
    if (instance.open(connection, flags | (midStream ? abi.OPEN_MID_STREAM : 0), consumer) === 0) {
      this.#counters[C.connections_refused]! += 1;
      c.parser[connection] = -1;
      this.ignore(connection);
      return false;
    }
    this.#counters[C.connections_identified]! += 1;
    return true;
  }

  /** Connections of one process in one module share definitions. */
  #scopeOf(tgid: number, manifest: Manifest): number {
    const serial = this.#serials.get(manifest) ?? ++this.#loads;
    this.#serials.set(manifest, serial);
    return serial * TWO_32 + tgid;
  }

  /**
   * Who opened the connection is a fact only when the handshake was seen; a protocol that says otherwise then means
   * that the conversation runs against it (a tunnel reversed), which spans must show as the protocol does.
   */
  swapSides(connection: number): void {
    const c = this.#connections;
    c.clientDirection[connection] = 1 - c.clientDirection[connection]!;
    c.role[connection] = ROLE_UNKNOWN;
  }

  /** The connection has lost its parser, or the parser its state: whoever claims what comes next may have it. */
  loseParser(connection: number): void {
    const c = this.#connections;
    this.#pairing.desync(connection);
    c.skip.fill(0, connection * 2, connection * 2 + 2);
    c.parser[connection] = -1;
    if (c.state[connection] !== PARSED) return;
    c.state[connection] = IDENTIFYING;
    c.midStream[connection] = 1;
    this.#counters[C.connections_reidentified]! += 1;
  }

  /** A parser that gave up may have been the wrong one, or the right one the wrong way round: ask anew, not for ever. */
  giveBack(connection: number, consumer: OutputConsumer): void {
    const c = this.#connections;
    if (c.state[connection] !== PARSED) return;
    // Pairs still on trial were read by a parser that has lost its way: this end confirms none of them.
    this.#pairing.desync(connection);
    if (c.givenUp[connection]! >= IDENTIFY_AGAIN_MAX) {
      this.abandon(connection, consumer);
      return;
    }
    c.givenUp[connection]! += 1;
    this.detach(connection, consumer);
    this.loseParser(connection);
  }

  /** Nothing more will be made of it. */
  abandon(connection: number, consumer: OutputConsumer): void {
    if (this.#connections.state[connection] !== PARSED) return;
    this.#counters[C.connections_given_up]! += 1;
    this.detach(connection, consumer);
    this.ignore(connection);
  }

  /** Nobody claimed it; remembered for modules that come. */
  unknown(connection: number, second: number): void {
    this.#counters[C.connections_unknown]! += 1;
    this.ignore(connection);
    this.#connections.unknownSince[connection] = second + 1;
  }

  ignore(connection: number): void {
    const c = this.#connections;
    c.state[connection] = IGNORED;
    this.#verdict(c.cookieLow[connection]!, c.cookieHigh[connection]!, true);
  }

  /** Connections that nobody knew, and not for long, are looked at again. Their bytes of the time between are not lost. */
  revive(second: number): number {
    const c = this.#connections;
    let revived = 0;
    for (let connection = 0; connection < c.capacity; connection++) {
      const since = c.unknownSince[connection]!;
      if (c.state[connection] !== IGNORED || since === 0 || since < second - REMEMBERED_SECONDS) continue;
      c.resume(connection);
      this.#verdict(c.cookieLow[connection]!, c.cookieHigh[connection]!, false);
      revived++;
    }
    this.#counters[C.connections_revived]! += revived;
    return revived;
  }

  /** Ends the conversation of connection and parser, if there is one. */
  detach(connection: number, consumer: OutputConsumer): void {
    const c = this.#connections;
    const parser = c.parser[connection]!;
    if (parser < 0) return;
    this.#pairing.close(connection);
    this.#modules.at(parser).instance.close(connection, consumer);
    c.parser[connection] = -1;
  }

  /** The connection is gone; its number is free. */
  release(connection: number, consumer: OutputConsumer): void {
    this.detach(connection, consumer);
    this.#connections.free(connection);
    this.#counters[C.connections_closed]! += 1;
  }
}
