/**
 * The worker threads as the main thread sees them: started together, told together, ended together. What a worker reports
 * goes to one listener; requests (modules that come and go) are answered by every worker.
 */
import { Worker } from 'node:worker_threads';
import type { Config } from './config.ts';
import type { Taken } from './metrics/table.ts';
import { type Counters, createCounters } from './self/counters.ts';
import type { Log } from './self/log.ts';
import type { ParserModule } from './wasm/admit.ts';
import type { ModuleStatus } from './wasm/modules.ts';
import type { WorkerCommand, WorkerInput, WorkerReport } from './worker.ts';

/**
 * As each worker is bounded. Garbage of exporting may pile up to a third of this before it is collected: the data path makes none, and what fits into
 * the cache is collected as cheaply as what V8 would let pile up by default, which is a multiple of the agent's memory.
 */
export const WORKER_LIMITS = { maxYoungGenerationSizeMb: 6 };
/** Beyond the exporters' own deadline, before a worker is ended by force. */
const STOP_GRACE_MS = 5_000;

type Answer = Extract<WorkerReport, { readonly type: 'answer' | 'measured' }>;

interface Pending {
  readonly answer: (answer: Answer) => void;
  readonly refuse: (error: Error) => void;
}

export class Workers {
  readonly counters: Counters[] = [];
  readonly #workers: Worker[] = [];
  readonly #config: Config;
  readonly #log: Log;
  readonly #listen: (report: WorkerReport) => void;
  readonly #failure = Promise.withResolvers<never>();
  /** By worker and request. */
  readonly #pending = new Map<string, Pending>();
  #requests = 0;
  #failed = false;

  constructor(config: Config, log: Log, listen: (report: WorkerReport) => void) {
    this.#config = config;
    this.#log = log;
    this.#listen = listen;
    this.#failure.promise.catch(() => {});
  }

  /** Rejects when a worker died; otherwise never settles. */
  get failure(): Promise<never> {
    return this.#failure.promise;
  }

  /** Starts a worker for each ring; resolves when all are ready. */
  async start(ringFds: readonly number[], modules: readonly ParserModule[]): Promise<void> {
    await Promise.all(ringFds.map((ringFd, shard) => this.#start(shard, ringFd, modules)));
  }

  tell(command: WorkerCommand): void {
    for (const worker of this.#workers) worker.postMessage(command);
  }

  /** Every shard takes the module; rejects when one cannot. */
  async load(parser: ParserModule): Promise<void> {
    await this.#ask((request) => ({ type: 'load', request, parser }));
  }

  async unload(digest: string): Promise<void> {
    await this.#ask((request) => ({ type: 'unload', request, digest }));
  }

  /** What each shard has loaded. */
  async modules(): Promise<(readonly ModuleStatus[])[]> {
    const answers = await this.#ask((request) => ({ type: 'modules', request }));
    return answers.map((answer) => (answer.type === 'answer' ? answer.modules : []));
  }

  /** What each shard has measured since it was asked last. */
  async measured(): Promise<Taken[]> {
    const answers = await this.#ask((request) => ({ type: 'measured', request }));
    return answers.flatMap((answer) =>
      answer.type === 'measured' && answer.taken !== undefined ? [answer.taken] : [],
    );
  }

  /** Lets the workers drain and export; ends those that do not come to an end. */
  async stop(): Promise<void> {
    await Promise.all(this.#workers.map((worker) => this.#stop(worker)));
  }

  #start(shard: number, ringFd: number, modules: readonly ParserModule[]): Promise<void> {
    const counters = createCounters();
    this.counters.push(counters);
    const input: WorkerInput = { shard, ringFd, config: this.#config, modules, counters };
    const extension = import.meta.url.endsWith('.ts') ? 'ts' : 'js';
    const worker = new Worker(new URL(`./worker.${extension}`, import.meta.url), {
      workerData: input,
      resourceLimits: WORKER_LIMITS,
    });
    this.#workers.push(worker);
    return new Promise((resolve, reject) => {
      worker.on('message', (report: WorkerReport) => {
        if (report.type === 'ready') resolve();
        else if ('request' in report) this.#settle(shard, report);
        else this.#listen(report);
      });
      worker.on('error', (error) => {
        this.#fail(error as Error);
        reject(error);
      });
    });
  }

  #ask(command: (request: number) => WorkerCommand): Promise<Answer[]> {
    const request = this.#requests++;
    const answers = this.#workers.map(
      (_, shard) =>
        new Promise<Answer>((answer, refuse) => {
          this.#pending.set(`${shard} ${request}`, { answer, refuse });
        }),
    );
    this.tell(command(request));
    return Promise.all(answers);
  }

  #settle(shard: number, report: Extract<WorkerReport, { readonly request: number }>): void {
    const key = `${shard} ${report.request}`;
    const pending = this.#pending.get(key);
    this.#pending.delete(key);
    if (report.type === 'refused') pending?.refuse(new Error(report.reason));
    else pending?.answer(report);
  }

  #fail(error: Error): void {
    this.#failed = true;
    for (const { refuse } of this.#pending.values()) refuse(error);
    this.#pending.clear();
    this.#failure.reject(error);
  }

  async #stop(worker: Worker): Promise<void> {
    if (this.#failed) {
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
}
