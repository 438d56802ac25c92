/**
 * The main thread of `spanwire run`: loads and attaches the kernel side, chooses processes, starts a worker for each
 * shard, and ends everything in the order that loses nothing: detach, let the workers drain and flush, exit.
 */
import { availableParallelism } from 'node:os';
import type { Capture, CounterName, Ring } from '../native/index.d.ts';
import type { Config } from './config.ts';
import { Selection, selectsEverything } from './discovery/selection.ts';
import { addon, readBpfObject } from './kernel/addon.ts';
import { ControlReader } from './kernel/control.ts';
import { createMetrics, type Metrics } from './metrics/configured.ts';
import { createAcceptance } from './modules/accept.ts';
import { ModuleService } from './modules/service.ts';
import { type ControlSocket, openControlSocket } from './self/control-socket.ts';
import { type CounterId, createCounters, sumCounters } from './self/counters.ts';
import type { Log } from './self/log.ts';
import { keepHeapLean, releaseStartUp, trimHeap } from './self/memory.ts';
import { explainRefusal } from './self/privileges.ts';
import type { ParserModule } from './wasm/admit.ts';
import { loadModules, shippedModuleFolder } from './wasm/load.ts';
import type { WorkerReport } from './worker.ts';
import { Workers } from './workers.ts';

const CONTROL_BYTES = 256 * 1024;
const CONTROL_POLL_MS = 20;
const STATUS_MS = 60_000;
/** From `ready` on: the first traffic is taken before. */
const RELEASE_MS = 1000;
const TRIM_MS = 2_000;
/** The last metrics get at least so long, however long the last spans took. */
const LAST_METRICS_MS = 1000;
/** One worker for every four cores, at least one. */
const CORES_PER_SHARD = 4;
export interface AgentSummary {
  readonly kernel: Readonly<Record<CounterName, number>>;
  readonly host: Readonly<Record<CounterId, number>>;
}

export class Agent {
  readonly #config: Config;
  readonly #log: Log;
  readonly #capture: Capture;
  readonly #control: Ring;
  readonly #workers: Workers;
  readonly #timers: NodeJS.Timeout[] = [];
  readonly #counters = createCounters();
  readonly #metrics: Metrics | undefined;
  #modules: ModuleService | undefined;
  #socket: ControlSocket | undefined;
  #kernel: Record<CounterName, number> | undefined;

  /** Loads the kernel side; throws an Error that says what is missing and what to do. */
  constructor(config: Config, log: Log) {
    this.#config = config;
    this.#log = log;
    keepHeapLean();
    this.#capture = this.#load();
    this.#control = new addon.Ring(this.#capture.controlFd());
    this.#workers = new Workers(config, log, (report) => this.#hear(report));
    this.#metrics = createMetrics(config, this.#counters, log, () => this.#workers.measured());
  }

  /** Starts workers and capture; resolves when capture has begun. */
  async start(): Promise<void> {
    const modules = loadModules(shippedModuleFolder());
    const shards = this.#shards();
    const rings = Array.from({ length: shards }, (_, shard) => this.#capture.ringFd(shard));
    await this.#workers.start(rings, modules);
    await this.#manageModules(modules);
    const rules = this.#rules();
    const selection = new Selection(rules, this.#capture, process.pid, this.#log);
    selection.announcePorts();
    try {
      this.#capture.attach();
    } catch (error) {
      throw explainRefusal(error);
    }
    this.#watchProcesses(selection);
    this.#metrics?.reader.start();
    const selected = selection.scan();
    this.#timers.push(setInterval(() => this.#status(), STATUS_MS).unref());
    this.#log.info(
      {
        shards,
        parsers: modules.map(({ manifest }) => manifest.name).join(','),
        processes: selectsEverything(rules) ? 'all' : selected,
      },
      'ready',
    );
    this.#timers.push(setTimeout(releaseStartUp, RELEASE_MS).unref(), setInterval(trimHeap, TRIM_MS).unref());
  }

  /** Rejects when a worker died; otherwise never settles. */
  get failure(): Promise<never> {
    return this.#workers.failure;
  }

  /** Stops capture, lets the workers finish, and tells what happened. */
  async stop(): Promise<AgentSummary> {
    for (const timer of this.#timers) clearInterval(timer);
    this.#socket?.close();
    await this.#modules?.close();
    this.#log.debug({ ...this.#modules?.counts }, 'module counters');
    this.#capture.detach();
    this.#kernel = this.#capture.counters();
    this.#control.close();
    const stopped = performance.now();
    await this.#workers.stop();
    const leftMs = this.#config.shutdownTimeout - (performance.now() - stopped);
    await this.#metrics?.reader.stop(Math.max(leftMs, LAST_METRICS_MS));
    this.#capture.close();
    return this.summary();
  }

  summary(): AgentSummary {
    return {
      kernel: this.#kernel ?? this.#capture.counters(),
      host: sumCounters([...this.#workers.counters, this.#counters]),
    };
  }

  /** Stops or resumes the reading of all rings, as a stuck consumer would. For tests of loss. */
  hold(held: boolean): void {
    this.#workers.tell({ type: 'hold', held });
  }

  #load(): Capture {
    const { payload, ring } = this.#config;
    try {
      return new addon.Capture(readBpfObject(), {
        shards: this.#shards(),
        ringBytes: ring,
        controlBytes: CONTROL_BYTES,
        payloadBytes: payload,
        everyProcess: selectsEverything(this.#rules()),
        ownTgid: process.pid,
      });
    } catch (error) {
      throw explainRefusal(error);
    }
  }

  #shards(): number {
    return this.#config.shards ?? Math.max(1, Math.floor(availableParallelism() / CORES_PER_SHARD));
  }

  #rules() {
    const { openPort = [], pid = [], exe = [] } = this.#config;
    return { ports: openPort, pids: pid, executables: exe };
  }

  async #manageModules(shipped: readonly ParserModule[]): Promise<void> {
    const [config, workers, log] = [this.#config, this.#workers, this.#log];
    const modules = new ModuleService({ config, shipped, workers, accept: createAcceptance(shipped), log });
    this.#modules = modules;
    modules.start();
    this.#socket = await openControlSocket({ '/modules': () => modules.report() }, log);
  }

  #hear(report: WorkerReport): void {
    if (report.type === 'verdicts') {
      for (const { cookieLow, cookieHigh, ignored } of report.verdicts) {
        this.#capture.ignoreConnection(cookieLow, cookieHigh, ignored);
      }
    } else if (report.type === 'rest') {
      if (report.taken !== undefined) this.#metrics?.reader.add(report.taken);
    } else if (report.type === 'retired') this.#modules?.retired(report.digest, report.reason);
  }

  #watchProcesses(selection: Selection): void {
    const reader = new ControlReader(this.#control, {
      exec: (tgid, path) => {
        selection.executed(tgid, path);
        this.#workers.tell({ type: 'exec', tgid, path });
      },
      exit: (tgid) => {
        this.#workers.tell({ type: 'exit', tgid });
        this.#metrics?.store.ended(tgid, Date.now());
      },
      listen: (tgid, port) => this.#log.debug({ pid: tgid, port }, 'process listens'),
    });
    this.#timers.push(setInterval(() => reader.poll(), CONTROL_POLL_MS).unref());
  }

  #status(): void {
    const { kernel, host } = this.summary();
    const fields = {
      records: host.records_in,
      lost: kernel.records_lost,
      connections: host.connections_opened - host.connections_closed,
      spans: host.spans_made,
      exported: host.spans_exported,
      queued: host.spans_queued,
      dropped: host.spans_dropped_queue_full + host.spans_dropped_export_failed,
    };
    this.#log.info(fields, 'status');
  }
}
