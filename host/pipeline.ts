/**
 * One shard, from records to span batches. The stages, in the order of the data:
 *
 *   RecordSource   kernel ring or replay            kernel/source.ts
 *   decode         this file: one record, one kind  kernel/layout.ts
 *   Connections    whose bytes are these            conn/connections.ts
 *   StreamOrder    in order, gaps exact             conn/stream-order.ts
 *   Router         which protocol, run its parser   conn/router.ts, conn/identify.ts, wasm/modules.ts, wasm/instance.ts
 *   Pairing        requests meet responses          spans/pairing.ts
 *   Assembler      a row of the span batch          spans/assemble.ts
 *   emit           sealed batches to the exporters  export/
 *
 * Everything runs on one thread, pulled by `poll`; nothing waits and nothing is called back later.
 */
import { Connections, FREE, IGNORED, type ProcessFacts } from './conn/connections.ts';
import { type LoadReport, Router } from './conn/router.ts';
import { StreamOrder } from './conn/stream-order.ts';
import { FLAG_ORIGIN_KNOWN, KIND_CLOSE, KIND_DATA, KIND_EOF, RECORD, RECORD_SIZE } from './kernel/layout.ts';
import type { RecordSource } from './kernel/source.ts';
import { SpanMetrics, type SpanMetricsOptions } from './metrics/span-metrics.ts';
import type { Taken } from './metrics/table.ts';
import { C, type Counters } from './self/counters.ts';
import type { Log } from './self/log.ts';
import { Assembler } from './spans/assemble.ts';
import type { SealedBatch } from './spans/batch.ts';
import { Messages } from './spans/messages.ts';
import { Pairing } from './spans/pairing.ts';
import { ProtocolTable } from './spans/protocols.ts';
import type { ParserModule } from './wasm/admit.ts';
import { type LoadedModule, type ModuleStatus, ShardModules } from './wasm/modules.ts';
import { NO_SETTINGS, type Settings } from './wasm/settings.ts';

export interface PipelineOptions {
  readonly modules: readonly ParserModule[];
  readonly counters: Counters;
  readonly log: Log;
  readonly processes: ProcessFacts;
  /** Names of opt-in attributes to report. */
  readonly optIn: ReadonlySet<string>;
  /** What modules are told of the configuration. */
  readonly settings?: Settings;
  readonly batchSpans: number;
  /** How long a batch may wait to fill. */
  readonly batchMs: number;
  /** How long a hole in a stream may wait for bytes reported out of order; 0 when the source never reorders. */
  readonly reorderMs: number;
  readonly emit: (batch: SealedBatch) => void;
  /** The kernel may stop copying a connection, or is to take it up again. */
  readonly verdict: (cookieLow: number, cookieHigh: number, ignored: boolean) => void;
  /** RED metrics of all spans, where they are wanted. */
  readonly metrics?: SpanMetricsOptions | undefined;
  /** A module failed too often and gets no more connections. */
  readonly retired: (parser: ParserModule, reason: string) => void;
}

/** One drain: large enough to amortise the call, small enough to stay in the L2 cache. */
const BATCH_BYTES = 256 * 1024;
const WAITING_MESSAGES_MAX = 1 << 20;
const WAITING_ATTRIBUTE_BYTES_MAX = 256 * 1024 * 1024;
const NO_SLOT = 0xffffffff;
const TWO_32 = 0x1_0000_0000;

export class Pipeline {
  readonly connections: Connections;
  readonly #source: RecordSource;
  readonly #options: PipelineOptions;
  readonly #counters: Counters;
  readonly #modules: ShardModules;
  readonly #order: StreamOrder;
  readonly #router: Router;
  readonly #pairing: Pairing;
  readonly #assembler: Assembler;
  readonly #metrics: SpanMetrics | undefined;
  readonly #batch = new ArrayBuffer(BATCH_BYTES);
  readonly #u32 = new Uint32Array(this.#batch);
  readonly #u16 = new Uint16Array(this.#batch);
  readonly #u8 = new Uint8Array(this.#batch);
  #released = new Uint32Array(256);
  /** Highest record sequence seen, plus one: what exceeds the records seen was lost in the ring. */
  #tried = 0;
  #records = 0;
  /** The batch showed that records were lost. */
  #hasLost = false;
  /** Second in which the last loss was noticed. */
  #lossSecond = Number.NEGATIVE_INFINITY;

  constructor(source: RecordSource, options: PipelineOptions) {
    const { counters, modules } = options;
    this.#source = source;
    this.#options = options;
    this.#counters = counters;
    this.connections = new Connections(options.processes);
    const protocols = new ProtocolTable();
    this.#modules = new ShardModules(protocols, options.optIn, options.settings ?? NO_SETTINGS);
    for (const module of modules) this.#modules.load(module);
    const messages = new Messages({ messages: WAITING_MESSAGES_MAX, attributeBytes: WAITING_ATTRIBUTE_BYTES_MAX });
    const metrics = options.metrics === undefined ? undefined : new SpanMetrics(protocols.list, options.metrics);
    this.#metrics = metrics;
    this.#assembler = new Assembler(messages, protocols, counters, {
      ...options,
      measure: metrics && ((columns, row) => metrics.measure(columns, row)),
    });
    const connections = this.connections;
    this.#pairing = new Pairing(messages, counters, (connection, request, response) => {
      this.#assembler.add(
        request,
        response,
        this.#modules.at(connections.parser[connection]!).firstProtocol,
        connections.endpoint(connection),
        connections.isServer(connection),
      );
    });
    this.#router = new Router(connections, this.#modules, this.#pairing, counters, options);
    this.#order = new StreamOrder(connections, this.#router, counters, options.reorderMs);
  }

  /** CLOCK_REALTIME minus the records' clock. */
  setClockOffset(low: number, high: number): void {
    this.#assembler.setClockOffset(low, high);
  }

  /** Takes one batch from the source through all stages. Returns its bytes; 0 when there was nothing. */
  poll(nowMs: number): number {
    const length = this.#source.drain(this.#batch, 0, BATCH_BYTES);
    if (length > 0) {
      const second = Math.floor(nowMs / 1000);
      this.#router.beginBatch(this.#batch, second);
      this.#decode(length, second);
    }
    if (this.#order.holes > 0) this.#order.expire(nowMs);
    this.#free(this.#router.flush());
    if (this.#hasLost) this.#pairing.distrustSilence();
    this.#hasLost = false;
    return length;
  }

  /**
   * Adds a module, or puts it in the place of the one of its name without losing what that one has begun. Throws when
   * it cannot start; nothing has changed then.
   */
  load(module: ParserModule, nowMs: number): LoadReport {
    return this.#router.load(module, Math.floor(nowMs / 1000));
  }

  /** Takes a module away; its connections are identified anew. */
  unload(digest: string): void {
    this.#router.unload(digest);
  }

  modules(nowMs: number): ModuleStatus[] {
    return this.#modules.status(nowMs);
  }

  /** What time alone brings about; call about once in 100 ms. Returns old versions of modules that are done. */
  tick(nowMs: number): readonly LoadedModule[] {
    this.#pairing.settle(nowMs);
    this.#router.tick(nowMs);
    this.#assembler.flushOlderThan(this.#options.batchMs);
    return this.#modules.reap();
  }

  /**
   * Ends connections that are silent for `idleSeconds` and whose CLOSE record may have been lost. Where nothing was
   * lost, a silent connection is a living one and stays. Call about once a minute.
   */
  sweep(nowMs: number, idleSeconds: number): void {
    const c = this.connections;
    const before = Math.floor(nowMs / 1000) - idleSeconds;
    for (let connection = 0; connection < c.capacity; connection++) {
      const last = c.lastSecond[connection]!;
      if (c.state[connection] === FREE || last >= before || last > this.#lossSecond) continue;
      this.#counters[C.connections_evicted]! += 1;
      // Nobody knows what came before the CLOSE that was lost.
      if (c.parser[connection]! >= 0) this.#pairing.desync(connection);
      this.#end(connection, 0, 0);
    }
    this.#free(this.#router.flush());
  }

  /** Ends every connection and hands on the last batch. The source should be empty. */
  finish(): void {
    const c = this.connections;
    for (let connection = 0; connection < c.capacity; connection++) {
      if (c.state[connection] !== FREE) this.#end(connection, 0, 0);
    }
    this.#free(this.#router.flush());
    this.#assembler.flush();
  }

  /** What spans were measured since the last time; undefined where metrics are not wanted. */
  takeMetrics(nowMs: number): Taken | undefined {
    const taken = this.#metrics?.take(nowMs);
    this.#counters[C.metrics_overflowed]! += taken?.overflowed ?? 0;
    this.#counters[C.metrics_unmeasured]! += taken?.unmeasured ?? 0;
    return taken;
  }

  processEnded(tgid: number): void {
    this.#metrics?.ended(tgid);
  }

  /** Bytes of memory that grow with traffic. */
  get parserMemoryBytes(): number {
    let bytes = 0;
    for (const { instance } of this.#modules.all()) bytes += instance.memoryBytes;
    return bytes;
  }

  #decode(length: number, second: number): void {
    const { u32, counters } = { u32: this.#u32, counters: this.#counters };
    let at = 0;
    let records = 0;
    while (at + RECORD_SIZE <= length) {
      const size = u32[(at + RECORD.length) >>> 2]!;
      const captured = u32[(at + RECORD.captured) >>> 2]!;
      if (size < RECORD_SIZE || at + size > length || RECORD_SIZE + captured > size) {
        counters[C.records_malformed]! += 1;
        break;
      }
      this.#record(at, second);
      records++;
      at = (at + size + 7) & ~7;
    }
    counters[C.records_in]! += records;
    this.#records += records;
    if (this.#tried > this.#records) {
      this.#hasLost = true;
      this.#lossSecond = second;
      this.#records = this.#tried;
    }
  }

  #record(at: number, second: number): void {
    const c = this.connections;
    const sequence = this.#u32[(at + RECORD.sequence) >>> 2]! + this.#u32[(at + RECORD.sequence + 4) >>> 2]! * TWO_32;
    if (sequence >= this.#tried) this.#tried = sequence + 1;
    const connection = this.#u32[(at + RECORD.slot) >>> 2]!;
    const kind = this.#u8[at + RECORD.kind]!;
    if (connection === NO_SLOT || kind > KIND_CLOSE) {
      this.#counters[C.records_malformed]! += 1;
      return;
    }
    if (connection >= c.capacity || c.state[connection] === FREE) {
      c.begin(connection, this.#u32, this.#u16, this.#u8, at);
      this.#counters[C.connections_opened]! += 1;
    }
    c.lastSecond[connection] = second;
    const direction = this.#u8[at + RECORD.direction]! & 1;
    const originKnown = (this.#u16[(at + RECORD.flags) >>> 1]! & FLAG_ORIGIN_KNOWN) !== 0;
    if (kind === KIND_DATA) {
      this.#counters[C.records_data]! += 1;
      this.#counters[C.bytes_moved]! += this.#u32[(at + RECORD.moved) >>> 2]!;
      this.#counters[C.bytes_captured]! += this.#u32[(at + RECORD.captured) >>> 2]!;
      this.#order.data(connection, direction, this.#u32, this.#u8, at, originKnown);
    } else if (kind === KIND_EOF) {
      this.#counters[C.records_eof]! += 1;
      this.#order.end(connection, direction, this.#u32, at, originKnown);
    } else {
      this.#counters[C.records_close]! += 1;
      const word = (at + RECORD.timestampNs) >>> 2;
      // Of an ignored connection the kernel tells nothing more: what is missing there is not lost.
      if (c.state[connection] !== IGNORED) this.#order.close(connection, this.#u32, at, originKnown);
      this.#end(connection, this.#u32[word]!, this.#u32[word + 1]!);
    }
  }

  #end(connection: number, timeLow: number, timeHigh: number): void {
    this.#order.abandon(connection);
    const [inEnded, outEnded] = [this.#order.ended(connection, 0), this.#order.ended(connection, 1)];
    this.#router.close(connection, inEnded, outEnded, timeLow, timeHigh);
  }

  #free(connections: readonly number[]): void {
    if (connections.length === 0) return;
    if (connections.length > this.#released.length) this.#released = new Uint32Array(connections.length * 2);
    this.#released.set(connections);
    this.#source.release(this.#released, connections.length);
  }
}
