/**
 * Chunks to parsers, parser output to pairing: the stage that knows what each connection speaks.
 *
 * The rule: chunks only gather until `flush`, which runs each module once over everything gathered. So connections
 * end, upgrade and are given up in two steps: noted when the chunk or record is seen, done after the flush. Modules come
 * and go between flushes (`load`, `unload`).
 */
import * as abi from '../../parsers/sdk/abi.ts';
import { DIRECTION_IN, DIRECTION_OUT } from '../kernel/layout.ts';
import { C, type Counters } from '../self/counters.ts';
import type { Log } from '../self/log.ts';
import type { Pairing } from '../spans/pairing.ts';
import type { ParserModule } from '../wasm/admit.ts';
import type { HeldChunk } from '../wasm/arena.ts';
import type { Failure, OutputConsumer } from '../wasm/consumer.ts';
import { type Consequence, RECOVER, RETIRE } from '../wasm/failures.ts';
import type { ParserInstance } from '../wasm/instance.ts';
import type { LoadedModule, LoadReport, ShardModules } from '../wasm/modules.ts';
import { CLOSING, type Connections, IDENTIFYING, PARSED, secondOf } from './connections.ts';
import {
  type BufferedChunk,
  Identifier,
  type OfferedChunk,
  PlacedChunk,
  type Prober,
  UNDECIDED,
  UNKNOWN,
  type Verdict,
} from './identify.ts';
import { IDENTIFY_AGAIN_MAX, Lifecycle, type VerdictSink } from './lifecycle.ts';
import type { ChunkSink } from './stream-order.ts';

/** Names in the manifest of what UPGRADE announces. */
const UPGRADES = { 1: 'tunnel', 2: 'websocket', 3: 'http2', 4: 'tls' } as const;

export interface RouterOptions {
  readonly log: Log;
  readonly verdict: VerdictSink;
  /** Told when a module failed too often to go on. */
  readonly retired: (parser: ParserModule, reason: string) => void;
}

export class Router implements ChunkSink, OutputConsumer {
  readonly #connections: Connections;
  readonly #modules: ShardModules;
  readonly #identifier: Identifier;
  readonly #lifecycle: Lifecycle;
  readonly #pairing: Pairing;
  readonly #counters: Counters;
  readonly #options: RouterOptions;
  /** By the caller's clock, as of the batch. */
  #second = 0;
  /** Those that may claim a connection; undefined when that may have changed. */
  #probers: readonly Prober[] | undefined;
  /** The chunk of the batch that is being identified. */
  readonly #placed = new PlacedChunk();
  /** Connections whose parser gave up; modules that failed; connections that speak something else from here on. */
  #lost: number[] = [];
  #failing: LoadedModule[] = [];
  #upgraded: { connection: number; protocol: number; from: ParserInstance; rest: readonly HeldChunk[] }[] = [];
  #closing: number[] = [];

  constructor(
    connections: Connections,
    modules: ShardModules,
    pairing: Pairing,
    counters: Counters,
    options: RouterOptions,
  ) {
    this.#connections = connections;
    this.#modules = modules;
    this.#identifier = new Identifier(
      () => (this.#probers ??= modules.claimants(performance.now()).map(({ prober }) => prober)),
      ({ instance }, failure) => this.#count(this.#modules.at(instance.index), failure, 'identify'),
    );
    this.#lifecycle = new Lifecycle(connections, modules, pairing, counters, options.verdict);
    this.#pairing = pairing;
    this.#counters = counters;
    this.#options = options;
  }

  /** What the next data() calls refer to is all flushed before the next batch. */
  beginBatch(second: number): void {
    this.#second = second;
    this.#probers = undefined;
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
    this.#counters[C.chunks]! += 1;
    this.#counters[C.bytes_gap_truncated]! += wireLength - length;
    const c = this.#connections;
    if (c.state[connection] === IDENTIFYING && length > 0) {
      const bytes = c.engine.u8.subarray(source, source + length);
      const chunk = this.#placed.set(direction, bytes, wireLength, timeLow, timeHigh, offset);
      if (!this.#identify(connection, chunk)) return;
    }
    if (c.state[connection] === PARSED) {
      const { instance } = this.#modules.at(c.parser[connection]!);
      if (!instance.hasRoom(length)) this.#flushOne(instance);
    }
    if (c.state[connection] === PARSED) {
      const { instance } = this.#modules.at(c.parser[connection]!);
      const slot = instance.slotOf(connection);
      if (slot === 0) return;
      const from = direction === c.clientDirection[connection] ? abi.FROM_CLIENT : abi.FROM_SERVER;
      const needed = offset + wireLength <= c.skip[connection * 2 + direction]! ? 0 : length;
      instance.push(slot, abi.DATA, from, source, needed, wireLength, timeLow, timeHigh, offset);
      this.#counters[C.bytes_skipped]! += length - needed;
    } else if (c.state[connection] === IDENTIFYING) {
      // Its module has failed since.
      const bytes = c.engine.u8.slice(source, source + length);
      this.#offer(connection, { direction, bytes, wireLength, timeLow, timeHigh, offset });
    } else this.#pass(connection, wireLength);
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

  gap(connection: number, direction: number, length: number, offset: number): void {
    const c = this.#connections;
    if (c.state[connection] === IDENTIFYING) {
      this.#identifier.forget(connection);
      c.midStream[connection] = 1;
    } else this.#mark(connection, abi.GAP, direction, length, 0, 0, offset);
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
    // An end in order that came before anybody knew the connection has not been told yet.
    const isLate = c.state[connection] === IDENTIFYING && this.#conclude(connection);
    if (isLate || !inEnded) this.#markEnd(connection, DIRECTION_IN, inEnded, timeLow, timeHigh);
    if (isLate || !outEnded) this.#markEnd(connection, DIRECTION_OUT, outEnded, timeLow, timeHigh);
    this.#identifier.forget(connection);
    c.state[connection] = CLOSING;
    this.#closing.push(connection);
  }

  /** Runs every module over what was gathered; then ends what is to end. Returns the connections now free. */
  flush(): readonly number[] {
    while (this.#flushAll());
    const closed = this.#closing;
    this.#closing = [];
    for (const connection of closed) this.#lifecycle.release(connection, this);
    this.#settle();
    return closed;
  }

  // ── modules come and go ──

  /**
   * Adds a module or puts it in the place of the one of its name. Throws when it cannot start. Only between flushes;
   * `second` is the caller's clock.
   */
  load(parser: ParserModule, second: number): LoadReport {
    this.#probers = undefined;
    const { loaded, moved, draining } = this.#modules.load(parser);
    for (const connection of moved) this.#connections.parser[connection] = loaded.instance.index;
    for (const surplus of this.#modules.surplus()) this.#dismiss(surplus);
    return { moved: moved.length, draining, revived: this.#lifecycle.revive(second) };
  }

  /** Takes a module away: its connections are identified anew. */
  unload(digest: string): void {
    this.#probers = undefined;
    for (const one of this.#modules.all()) {
      if (one.parser.digest !== digest) continue;
      one.current = false;
      this.#dismiss(one);
    }
  }

  /** What time alone brings about: a module whose pause is over is tried on what nobody knew meanwhile. */
  tick(nowMs: number): void {
    this.#probers = undefined;
    for (const { failures } of this.#modules.all()) {
      if (failures.resumes(nowMs)) this.#lifecycle.revive(secondOf(nowMs));
    }
  }

  // ── what a module says ──

  gaveUp(connection: number): void {
    this.#lost.push(connection);
  }

  moved(type: number): void {
    this.#counters[type === abi.GROW ? C.slots_grown : C.slots_shrunk]! += 1;
  }

  refused(connection: number): void {
    this.#counters[C.connections_refused]! += 1;
    this.#lifecycle.abandon(connection, this);
  }

  upgraded(from: ParserInstance, connection: number, protocol: number, rest: readonly HeldChunk[]): void {
    this.#upgraded.push({ connection, protocol, from, rest });
  }

  failed(instance: ParserInstance, failure: Failure): boolean {
    for (const connection of failure.connections) this.#lifecycle.loseParser(connection);
    const module = this.#modules.at(instance.index);
    return this.#count(module, failure, 'run') === RECOVER;
  }

  // ── inside ──

  /** False when there was nothing to run. What an upgraded connection left behind comes back for another round. */
  #flushAll(): boolean {
    let ran = false;
    for (const { instance } of this.#modules.all()) ran = this.#flushOne(instance) || ran;
    return ran;
  }

  #flushOne(instance: ParserInstance): boolean {
    if (instance.waiting === 0) return false;
    this.#counters[C.parser_runs]! += 1;
    const refused = instance.attributesRefused;
    instance.flush(this);
    this.#counters[C.attributes_refused]! += instance.attributesRefused - refused;
    this.#settle();
    return true;
  }

  /** What was noted while modules ran. */
  #settle(): void {
    while (this.#lost.length > 0) this.#lifecycle.giveBack(this.#lost.pop()!, this);
    while (this.#upgraded.length > 0) this.#handOver(this.#upgraded.pop()!);
    while (this.#failing.length > 0) this.#dismiss(this.#failing.pop()!);
  }

  /** Counts and logs a failure, and notes what follows from it. */
  #count(module: LoadedModule, { kind, reason, connections }: Failure, during: string): Consequence {
    const { parser, failures } = module;
    const now = performance.now();
    const action = failures.next(now);
    this.#probers = undefined;
    const counter = kind === 'trap' ? C.parser_traps : kind === 'fuel' ? C.parser_fuel : C.parser_bad_output;
    this.#counters[counter]! += 1;
    const { name, version } = parser.manifest;
    const fields = { module: name, version, during, reason, connections: connections.length, action };
    this.#options.log.error({ ...fields, ...failures.pauseAt(now) }, 'parser failed');
    if (action !== RECOVER) this.#failing.push(module);
    if (action === RETIRE) this.#options.retired(parser, reason);
    return action;
  }

  /** Takes all connections away from a module. */
  #dismiss({ instance }: LoadedModule): void {
    if (instance.waiting > 0) instance.flush(this);
    for (const connection of instance.connections()) this.#lifecycle.loseParser(connection);
    if (instance.slots > 0) instance.clear();
  }

  #offer(connection: number, chunk: BufferedChunk): void {
    const c = this.#connections;
    if (c.state[connection] === PARSED) this.#parse(connection, chunk);
    else if (c.state[connection] !== IDENTIFYING || chunk.bytes.length === 0) this.#pass(connection, chunk.wireLength);
    else this.#identify(connection, chunk);
  }

  /** A chunk that is only counted. In front of an unknown connection's next one, that is a hole. */
  #pass(connection: number, wireLength: number): void {
    const c = this.#connections;
    this.#counters[C.bytes_unknown]! += wireLength;
    if (c.state[connection] !== IDENTIFYING) return;
    this.#identifier.forget(connection);
    c.midStream[connection] = 1;
  }

  /** True when a module has the connection from here on; what was kept of it has gone there. */
  #identify(connection: number, chunk: OfferedChunk): boolean {
    const c = this.#connections;
    const midStream = c.midStream[connection] === 1;
    const client = c.clientDirection[connection]!;
    const verdict = this.#identifier.offer(connection, chunk, client, midStream, this.#connections.portsOf(connection));
    if (verdict === UNDECIDED) return false;
    if (verdict === UNKNOWN) {
      this.#counters[C.bytes_unknown]! += chunk.wireLength;
      this.#lifecycle.unknown(connection, this.#second);
      return false;
    }
    this.#begin(connection, verdict);
    return true;
  }

  /** The connection ends undecided: false when nobody claims it. */
  #conclude(connection: number): boolean {
    const client = this.#connections.clientDirection[connection]!;
    const verdict = this.#identifier.conclude(connection, client, this.#connections.portsOf(connection));
    if (verdict !== UNKNOWN) this.#begin(connection, verdict);
    return verdict !== UNKNOWN;
  }

  #begin(connection: number, { parser, swapped, chunks }: Verdict): void {
    if (swapped) this.#lifecycle.swapSides(connection);
    if (!this.#lifecycle.start(connection, parser, 0, this)) return;
    // Offered, not parsed: a failure in between sends the rest back to identification.
    for (const early of chunks) this.#offer(connection, early);
  }

  #parse(connection: number, chunk: BufferedChunk): void {
    const c = this.#connections;
    const { instance } = this.#modules.at(c.parser[connection]!);
    if (!instance.hasRoom(chunk.bytes.length)) this.#flushOne(instance);
    const slot = instance.slotOf(connection);
    if (slot === 0) return;
    const direction = chunk.direction === c.clientDirection[connection] ? abi.FROM_CLIENT : abi.FROM_SERVER;
    instance.pushHeld(slot, { ...chunk, kind: abi.DATA, direction });
  }

  #markEnd(connection: number, direction: number, ended: boolean, timeLow: number, timeHigh: number): void {
    const kind = ended ? abi.EOF : abi.RESET;
    const offset = this.#connections.next[connection * 2 + direction]!;
    this.#mark(connection, kind, direction, 0, timeLow, timeHigh, offset);
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
    const { instance } = this.#modules.at(c.parser[connection]!);
    if (!instance.hasRoom(0)) this.#flushOne(instance);
    const slot = instance.slotOf(connection);
    if (slot === 0) return;
    const from = direction === c.clientDirection[connection] ? abi.FROM_CLIENT : abi.FROM_SERVER;
    instance.push(slot, kind, from, 0, 0, wireLength, timeLow, timeHigh, offset);
  }

  /** The connection goes on in another protocol, whose first byte is that of `rest` or the next one to come. */
  #handOver(upgrade: { connection: number; protocol: number; from: ParserInstance; rest: readonly HeldChunk[] }): void {
    const { connection, protocol, from, rest } = upgrade;
    const c = this.#connections;
    const name = UPGRADES[protocol as keyof typeof UPGRADES] ?? 'tunnel';
    this.#counters[C.connections_upgraded]! += 1;
    this.#options.log.debug({ module: from.manifest.name, upgrade: name }, 'connection upgraded');
    this.#pairing.close(connection);
    c.parser[connection] = -1;
    const state = c.state[connection]!;
    c.state[connection] = IDENTIFYING;
    c.midStream[connection] = 0;
    c.skip.fill(0, connection * 2, connection * 2 + 2);
    const acceptor = this.#modules.acceptorOf(name, performance.now());
    // Modules could hand a connection to and fro for ever.
    if (c.givenUp[connection]! >= IDENTIFY_AGAIN_MAX) this.#lifecycle.ignore(connection);
    else if (acceptor !== undefined) {
      this.#lifecycle.start(connection, acceptor.instance.index, abi.OPEN_UPGRADED, this);
    } else if (name === 'websocket' || name === 'tls') this.#lifecycle.ignore(connection);
    c.givenUp[connection]! += 1;
    for (const chunk of rest) this.#offerHeld(connection, chunk);
    if (state === CLOSING) c.state[connection] = CLOSING;
  }

  #offerHeld(connection: number, chunk: HeldChunk): void {
    const client = this.#connections.clientDirection[connection]!;
    const direction = chunk.direction === abi.FROM_CLIENT ? client : 1 - client;
    const { kind, bytes, wireLength, timeLow, timeHigh, offset } = chunk;
    if (kind === abi.DATA) this.#offer(connection, { direction, bytes, wireLength, timeLow, timeHigh, offset });
    else if (kind === abi.GAP) this.gap(connection, direction, wireLength, offset);
    else this.#mark(connection, kind, direction, wireLength, timeLow, timeHigh, offset);
  }
}
