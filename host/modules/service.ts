/**
 * Modules of a running agent: joins the registry, which decides, with the shards, which run them. What it tells of them
 * is what the registry knows of each file and what the shards count.
 */
import type { Config } from '../config.ts';
import type { Log } from '../self/log.ts';
import type { ParserModule } from '../wasm/admit.ts';
import { RETIRE } from '../wasm/failures.ts';
import type { ModuleStatus } from '../wasm/modules.ts';
import type { Workers } from '../workers.ts';
import type { Accept } from './candidates.ts';
import type { ModuleRow } from './listing.ts';
import { ModuleRegistry } from './registry.ts';

/** A row of `spanwire module ls`: of all shards together. */
export interface ModuleLine extends ModuleRow {
  /** Some shard has paused it after failures. */
  readonly paused: boolean;
  readonly connections: number;
  readonly messages: number;
  readonly failures: number;
  readonly attributesRefused: number;
  readonly memoryBytes: number;
}

export type ModuleCounts = Readonly<ModuleRegistry['counts']>;

/** What the agent answers to `spanwire module ls`. */
export interface ModuleReport {
  readonly modules: readonly ModuleLine[];
  readonly counts: ModuleCounts;
}

export interface ModuleServiceOptions {
  readonly config: Config;
  readonly shipped: readonly ParserModule[];
  readonly workers: Workers;
  readonly accept: Accept;
  readonly log: Log;
}

export class ModuleService {
  readonly #registry: ModuleRegistry;
  readonly #workers: Workers;

  constructor({ config, shipped, workers, accept, log }: ModuleServiceOptions) {
    this.#workers = workers;
    this.#registry = new ModuleRegistry({
      shipped,
      folders: config.modules,
      rules: {
        policy: config.moduleTrust,
        keys: config.moduleKeys,
        digests: config.moduleDigests,
        minimum: config.moduleMinimum,
      },
      shards: { load: (module) => workers.load(module), unload: (digest) => workers.unload(digest) },
      accept,
      log,
      intervalMs: config.moduleInterval,
    });
  }

  start(): void {
    this.#registry.start();
  }

  /** Resolves when no module is being changed any more. */
  close(): Promise<void> {
    return this.#registry.close();
  }

  /** A shard will not go on with a module. */
  retired(digest: string, reason: string): void {
    void this.#registry.failed(digest, RETIRE, reason);
  }

  /** What has happened to modules so far. */
  get counts(): ModuleCounts {
    return this.#registry.counts;
  }

  async report(): Promise<ModuleReport> {
    return { modules: await this.#list(), counts: this.counts };
  }

  async #list(): Promise<ModuleLine[]> {
    const byDigest = Map.groupBy((await this.#workers.modules()).flat(), ({ digest }) => digest);
    for (const [digest, all] of byDigest) this.#registry.draining(digest, connectionsOf(all, 'draining'));
    return this.#registry.list().map((row) => lineOf(row, byDigest.get(row.digest) ?? []));
  }
}

function connectionsOf(all: readonly ModuleStatus[], state: ModuleStatus['state']): number {
  return all.filter((one) => one.state === state).reduce((sum, { connections }) => sum + connections, 0);
}

/** The same digest may run and drain at once: after a rollback. */
function lineOf(row: ModuleRow, all: readonly ModuleStatus[]): ModuleLine {
  const isDraining = row.state === 'draining';
  const mine =
    row.state === 'running' || isDraining ? all.filter((one) => (one.state === 'draining') === isDraining) : [];
  const sum = (field: 'connections' | 'messages' | 'failures' | 'attributesRefused' | 'memoryBytes') =>
    mine.reduce((total, one) => total + one[field], 0);
  return {
    ...row,
    paused: mine.some(({ state }) => state === 'paused'),
    connections: sum('connections'),
    messages: sum('messages'),
    failures: sum('failures'),
    attributesRefused: sum('attributesRefused'),
    memoryBytes: sum('memoryBytes'),
  };
}
