/**
 * The main thread of `spanwire run`: loads and attaches the kernel side, chooses processes, starts a worker for each
 * shard, and ends everything in the order that loses nothing: detach, let the workers drain and flush, exit.
 */
import { availableParallelism } from 'node:os';
import { Worker } from 'node:worker_threads';
import type { Capture, CounterName, Ring } from '../native/index.d.ts';
import type { Config } from './config.ts';
import { Selection, selectsEverything } from './discovery/selection.ts';
import { addon, readBpfObject } from './kernel/addon.ts';
import { ControlReader } from './kernel/control.ts';
import { type CounterId, type Counters, createCounters, sumCounters } from './self/counters.ts';
import type { Log } from './self/log.ts';
import { explainRefusal } from './self/privileges.ts';
import { loadModules, shippedModuleFolder } from './wasm/load.ts';
import type { WorkerCommand, WorkerInput, WorkerReport } from './worker.ts';

const CONTROL_BYTES = 256 * 1024;
const CONTROL_POLL_MS = 20;
const STATUS_MS = 60_000;
/** One worker for every four cores, at least one. */
const CORES_PER_SHARD = 4;
/** Garbage of exporting may pile up to this before it is collected: V8's default doubles the agent's memory. */
const YOUNG_GENERATION_MB = 24;
/** Beyond the exporters' own deadline, before a worker is ended by force. */
const STOP_GRACE_MS = 5_000;

export interface AgentSummary {
  readonly kernel: Readonly<Record<CounterName, number>>;
  readonly host: Readonly<Record<CounterId, number>>;
}

export class Agent {
  readonly #config: Config;
  readonly #log: Log;
  readonly #capture: Capture;
  readonly #control: Ring;
  readonly #workers: Worker[] = [];
  readonly #counters: Counters[] = [];
  readonly #timers: NodeJS.Timeout[] = [];
  readonly #failure = Promise.withResolvers<never>();
  #kernel: Record<CounterName, number> | undefined;
  #failed: Error | undefined;

  /** Loads the kernel side; throws an Error that says what is missing and what to do. */
  constructor(config: Config, log: Log) {
    this.#config = config;
    this.#log = log;
    this.#failure.promise.catch(() => {});
    this.#capture = this.#load();
    this.#control = new addon.Ring(this.#capture.controlFd());
  }

  /** Starts workers and capture; resolves when capture has begun. */
  async start(): Promise<void> {
    const modules = loadModules(shippedModuleFolder());
    const shards = this.#shards();
    await Promise.all(Array.from({ length: shards }, (_, shard) => this.#startWorker(shard, modules)));
    const rules = this.#rules();
    const selection = new Selection(rules, this.#capture, process.pid, this.#log);
    selection.announcePorts();
    try {
      this.#capture.attach();
    } catch (error) {
      throw explainRefusal(error);
    }
    this.#watchProcesses(selection);
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
  }

  /** Rejects when a worker died; otherwise never settles. */
  get failure(): Promise<never> {
    return this.#failure.promise;
  }

  /** Stops capture, lets the workers finish, and tells what happened. */
  async stop(): Promise<AgentSummary> {
    for (const timer of this.#timers) clearInterval(timer);
    this.#capture.detach();
    this.#kernel = this.#capture.counters();
    this.#control.close();
    await Promise.all(this.#workers.map((worker) => this.#stopWorker(worker)));
    this.#capture.close();
    return this.summary();
  }

  summary(): AgentSummary {
    return { kernel: this.#kernel ?? this.#capture.counters(), host: sumCounters(this.#counters) };
  }

  /** Stops or resumes the reading of all rings, as a stuck consumer would. For tests of loss. */
  hold(held: boolean): void {
    this.#tell({ type: 'hold', held });
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

  #startWorker(shard: number, modules: WorkerInput['modules']): Promise<void> {
    const counters = createCounters();
    this.#counters.push(counters);
    const input: WorkerInput = { shard, ringFd: this.#capture.ringFd(shard), config: this.#config, modules, counters };
    const extension = import.meta.url.endsWith('.ts') ? 'ts' : 'js';
    const worker = new Worker(new URL(`./worker.${extension}`, import.meta.url), {
      workerData: input,
      resourceLimits: { maxYoungGenerationSizeMb: YOUNG_GENERATION_MB },
    });
    this.#workers.push(worker);
    return new Promise((resolve, reject) => {
      worker.on('message', (report: WorkerReport) => {
        if (report.type === 'ready') resolve();
        if (report.type === 'ignore') this.#capture.ignoreConnection(report.cookieLow, report.cookieHigh);
      });
      worker.on('error', (error) => {
        this.#failed = error as Error;
        reject(error);
        this.#failure.reject(error as Error);
      });
    });
  }

  #watchProcesses(selection: Selection): void {
    const reader = new ControlReader(this.#control, {
      exec: (tgid, path) => {
        selection.executed(tgid, path);
        this.#tell({ type: 'exec', tgid, path });
      },
      exit: (tgid) => this.#tell({ type: 'exit', tgid }),
      listen: (tgid, port) => this.#log.debug({ pid: tgid, port }, 'process listens'),
    });
    this.#timers.push(setInterval(() => reader.poll(), CONTROL_POLL_MS).unref());
  }

  #tell(command: WorkerCommand): void {
    for (const worker of this.#workers) worker.postMessage(command);
  }

  async #stopWorker(worker: Worker): Promise<void> {
    if (this.#failed !== undefined) {
      await worker.terminate();
      return;
    }
    const ended = new Promise<void>((resolve) => worker.once('exit', () => resolve()));
    worker.postMessage({ type: 'stop' } satisfies WorkerCommand);
    const force = setTimeout(() => {
      this.#log.error({}, 'a worker did not stop in time and was ended: spans it held are lost');
      worker.terminate();
    }, this.#config.shutdownTimeout + STOP_GRACE_MS);
    await ended;
    clearTimeout(force);
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
