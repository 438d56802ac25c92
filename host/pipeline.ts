/**
 * One shard, from records to span batches. The stages, in the order of the data:
 *
 *   RecordSource   kernel ring or replay            kernel/source.ts
 *   decode         what is plain goes straight on   engine/assembly/decode.ts; the rest: this file
 *   Connections    whose bytes are these            conn/connections.ts
 *   StreamOrder    in order, gaps exact             conn/stream-order.ts
 *   Router         which protocol, run its parser   conn/router.ts, conn/identify.ts, wasm/modules.ts, wasm/instance.ts
 *   Pairing        requests meet responses          spans/pairing.ts
 *   Assembler      a row of the span batch          spans/assemble.ts
 *   emit           parts of batches, to exporters   export/
 *
 * Everything runs on one thread, pulled by `poll`; nothing waits and nothing is called back later.
 */
import { Connections, FREE, IGNORED, type ProcessFacts, secondOf } from './conn/connections.ts';
import { Router } from './conn/router.ts';
import { StreamOrder } from './conn/stream-order.ts';
import { takeCounters } from './engine/counters.ts';
import { Engine } from './engine/engine.ts';
import { CONNECTIONS_MAX, REMIND_SHIFT } from './engine/layout/connections.ts';
import { BATCH, BATCH_BYTES, RECORDS, TRIED } from './engine/layout/front.ts';
import { FLAG_ORIGIN_KNOWN, KIND_CLOSE, KIND_DATA, KIND_EOF, RECORD, RECORD_SIZE } from './kernel/layout.ts';
import type { RecordSource } from './kernel/source.ts';
import { SpanMetrics, type SpanMetricsOptions } from './metrics/span-metrics.ts';
import type { Taken } from './metrics/table.ts';
import { C, type Counters } from './self/counters.ts';
import type { Log } from './self/log.ts';
import { Assembler } from './spans/assemble.ts';
import { beginPairing, Pairing } from './spans/pairing.ts';
import { ProtocolTable } from './spans/protocols.ts';
import type { Sampler } from './spans/sampler.ts';
import type { FilledBatch } from './spans/span.ts';
import type { ParserModule } from './wasm/admit.ts';
import { type LoadedModule, type LoadReport, type ModuleStatus, ShardModules } from './wasm/modules.ts';
import { NO_SETTINGS, type Settings } from './wasm/settings.ts';
import { Staging } from './wasm/staging.ts';

export interface PipelineOptions {
  readonly modules: readonly ParserModule[];
  readonly counters: Counters;
  readonly log: Log;
  readonly processes: ProcessFacts;
  /** Names of opt-in attributes to report. */
  readonly optIn: ReadonlySet<string>;
  /** What modules are told of the configuration. */
  readonly settings?: Settings;
  /** Which spans are kept; OpenTelemetry's default otherwise. */
  readonly sampler?: Sampler;
  readonly batchSpans: number;
  /** How long a batch may wait to fill. */
  readonly batchMs: number;
  /** How long a hole in a stream may wait for bytes reported out of order; 0 when the source never reorders. */
  readonly reorderMs: number;
  /** Takes the rows of a batch, part by part, at once: they are filled anew afterwards. */
  readonly emit: (batch: FilledBatch) => void;
  /** The kernel may stop copying a connection, or is to take it up again. */
  readonly verdict: (cookieLow: number, cookieHigh: number, ignored: boolean) => void;
  /** RED metrics of all spans, where they are wanted. */
  readonly metrics?: SpanMetricsOptions | undefined;
  /** A module failed too often and gets no more connections. */
  readonly retired: (parser: ParserModule, reason: string) => void;
}

const TWO_32 = 0x1_0000_0000;

type Decode = (from: number, end: number, second: number) => number;

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
  readonly #engine: Engine;
  readonly #decodePlain: Decode;
  #released = new Uint32Array(256);
  /** The batch showed that records were lost. */
  #hasLost = false;
  /** Second in which the last loss was noticed. */
  #lossSecond = Number.NEGATIVE_INFINITY;

  constructor(source: RecordSource, options: PipelineOptions) {
    const { counters, modules } = options;
    this.#source = source;
    this.#options = options;
    this.#counters = counters;
    const engine = new Engine();
    this.#engine = engine;
    this.#decodePlain = engine.exports.decode as unknown as Decode;
    this.connections = new Connections(options.processes, engine);
    const { connections } = this;
    const protocols = new ProtocolTable();
    this.#assembler = new Assembler(engine, protocols, connections.resources, counters, options);
    this.#metrics = options.metrics && new SpanMetrics(engine, protocols, connections.resources, options.metrics);
    const staging = new Staging(engine);
    this.#modules = new ShardModules(protocols, options.optIn, options.settings ?? NO_SETTINGS, staging);
    for (const module of modules) this.#modules.load(module);
    beginPairing(engine);
    this.#pairing = new Pairing(engine);
    this.#router = new Router(connections, this.#modules, this.#pairing, counters, options);
    this.#order = new StreamOrder(connections, this.#router, counters, options.reorderMs);
  }

  /** CLOCK_REALTIME minus the records' clock. */
  setClockOffset(low: number, high: number): void {
    this.#assembler.setClockOffset(low, high);
  }

  /** Takes one batch from the source through all stages. Returns its bytes; 0 when there was nothing. */
  poll(nowMs: number): number {
    this.#setTime(nowMs);
    const length = this.#source.drain(this.#engine.u8.buffer, BATCH, BATCH_BYTES);
    if (length > 0) {
      const second = secondOf(nowMs);
      this.#router.beginBatch(second);
      this.#decode(BATCH + length, second);
    }
    if (this.#order.holes > 0) this.#order.expire(nowMs);
    this.#free(this.#router.flush());
    if (this.#hasLost) this.#pairing.distrustSilence();
    this.#hasLost = false;
    takeCounters(this.#engine, this.#counters);
    return length;
  }

  /**
   * Adds a module, or puts it in the place of the one of its name without losing what that one has begun. Throws when
   * it cannot start; nothing has changed then.
   */
  load(module: ParserModule, nowMs: number): LoadReport {
    return this.#router.load(module, secondOf(nowMs));
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
    this.#setTime(nowMs);
    this.#pairing.settle(nowMs);
    this.#router.tick(nowMs);
    takeCounters(this.#engine, this.#counters);
    this.#assembler.flushOlderThan(this.#options.batchMs);
    return this.#modules.reap();
  }

  /**
   * Ends connections that are silent for `idleSeconds` and whose CLOSE record may have been lost. Where nothing was
   * lost, a silent connection is a living one and stays. Call about once a minute.
   */
  sweep(nowMs: number, idleSeconds: number): void {
    const c = this.connections;
    const before = secondOf(nowMs) - idleSeconds;
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

  /** After `finish`, where more pipelines come: nothing of this one, nor of its connections, may be used any more. */
  release(): void {
    this.#engine.release();
  }

  /** Bytes of memory that grow with traffic. */
  get parserMemoryBytes(): number {
    let bytes = 0;
    for (const { instance } of this.#modules.all()) bytes += instance.memoryBytes;
    return bytes;
  }

  /** Records up to address `end`: the engine takes what is plain and stops in front of what is not. */
  #decode(end: number, second: number): void {
    const { u32, f64 } = this.#engine;
    const before = f64[RECORDS >>> 3]!;
    for (let at = this.#decodePlain(BATCH, end, second); at + RECORD_SIZE <= end; ) {
      const size = u32[(at + RECORD.length) >>> 2]!;
      const captured = u32[(at + RECORD.captured) >>> 2]!;
      if (size < RECORD_SIZE || at + size > end || RECORD_SIZE + captured > size) {
        this.#counters[C.records_malformed]! += 1;
        break;
      }
      this.#record(at, second);
      f64[RECORDS >>> 3]! += 1;
      at = this.#decodePlain((at + size + 7) & ~7, end, second);
    }
    this.#counters[C.records_in]! += f64[RECORDS >>> 3]! - before;
    const tried = f64[TRIED >>> 3]!;
    if (tried <= f64[RECORDS >>> 3]!) return;
    this.#hasLost = true;
    this.#lossSecond = second;
    f64[RECORDS >>> 3] = tried;
  }

  /** One that is not plain. */
  #record(at: number, second: number): void {
    const c = this.connections;
    const { u32, u16, u8, f64 } = this.#engine;
    const sequence = u32[(at + RECORD.sequence) >>> 2]! + u32[(at + RECORD.sequence + 4) >>> 2]! * TWO_32;
    if (sequence >= f64[TRIED >>> 3]!) f64[TRIED >>> 3] = sequence + 1;
    const connection = u32[(at + RECORD.slot) >>> 2]!;
    const kind = u8[at + RECORD.kind]!;
    if (connection >= CONNECTIONS_MAX || kind > KIND_CLOSE) {
      this.#counters[C.records_malformed]! += 1;
      return;
    }
    if (c.state[connection] === FREE) {
      c.begin(connection, u32, u16, u8, at);
      this.#counters[C.connections_opened]! += 1;
    }
    if (kind === KIND_DATA && c.state[connection] === IGNORED) this.#remind(connection, second);
    c.lastSecond[connection] = second;
    const direction = u8[at + RECORD.direction]! & 1;
    const originKnown = (u16[(at + RECORD.flags) >>> 1]! & FLAG_ORIGIN_KNOWN) !== 0;
    if (kind === KIND_DATA) {
      this.#counters[C.records_data]! += 1;
      this.#counters[C.bytes_moved]! += u32[(at + RECORD.moved) >>> 2]!;
      this.#counters[C.bytes_captured]! += u32[(at + RECORD.captured) >>> 2]!;
      this.#order.data(connection, direction, u32, u8, at, originKnown);
    } else if (kind === KIND_EOF) {
      this.#counters[C.records_eof]! += 1;
      this.#order.end(connection, direction, u32, at, originKnown);
    } else {
      this.#counters[C.records_close]! += 1;
      const word = (at + RECORD.timestampNs) >>> 2;
      // Of an ignored connection the kernel tells nothing more: what is missing there is not lost.
      if (c.state[connection] !== IGNORED) this.#order.close(connection, u32, at, originKnown);
      this.#end(connection, u32[word]!, u32[word + 1]!);
    }
  }

  /**
   * Bytes of an ignored connection came: a verdict may have got lost, as the kernel keeps no more than so many for
   * connections that are silent. Now and then it is told again.
   */
  #remind(connection: number, second: number): void {
    const { lastSecond, cookieLow, cookieHigh } = this.connections;
    if ((lastSecond[connection]! ^ second) >>> REMIND_SHIFT === 0) return;
    this.#options.verdict(cookieLow[connection]!, cookieHigh[connection]!, true);
  }

  #setTime(nowMs: number): void {
    this.#assembler.setTime(nowMs);
    this.#pairing.setNow(nowMs);
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
