/**
 * Which version of each module runs. One place decides, on the main thread; the shards load and unload what it says.
 *
 *   file changes ─→ judge (candidates.ts) ─→ the best of each name ─→ load or unload, on all shards
 *   a shard retires a module ─→ quarantine of its digest ─→ the version before it, else the best that is left, else unload
 *
 * The rules:
 * - One change at a time, in the order they came; none of them can reject.
 * - What runs stays as long as its file is there and holds nothing better to run: a file overwritten by a broken one, or
 *   by a new one whose signature is still to come, takes nothing away. Removing the file does.
 * - A rollback leads to the version that ran before, even when its file is gone, and lasts until a file of that name
 *   changes: a version that has proved itself is not given up for one that nobody has tried.
 * - A digest in quarantine does not run again as long as the agent lives. Other bytes get their chance.
 */
import type { Log } from '../self/log.ts';
import type { ParserModule } from '../wasm/admit.ts';
import { type Consequence, RETIRE } from '../wasm/failures.ts';
import {
  type Accept,
  type Admitted,
  bestOf,
  type Candidate,
  compareCandidates,
  isAdmitted,
  judgeFile,
  shippedCandidate,
} from './candidates.ts';
import { drainingRow, isSameContent, type ModuleRow, rowOf } from './listing.ts';
import type { TrustRules } from './trust.ts';
import { type FileChange, watchFolders } from './watch.ts';

/** The oldest are forgotten. */
const QUARANTINE_MAX = 1024;
const REPLACED_MAX = 64;

export interface Shards {
  /** Adds a module or puts it in the place of the version that runs; also called again with one that runs. */
  load(module: ParserModule): Promise<void>;
  unload(digest: string, name: string): Promise<void>;
}

export interface RegistryOptions {
  /** What the shards began with. */
  readonly shipped: readonly ParserModule[];
  /** Watched folders; of equal versions the later folder's wins. */
  readonly folders: readonly string[];
  readonly rules: TrustRules;
  readonly shards: Shards;
  readonly log: Log;
  /** Default: every admitted module is accepted. */
  readonly accept?: Accept;
  readonly intervalMs?: number;
}

interface Replaced {
  /** Without its module: that need not be kept. */
  readonly candidate: Candidate;
  /** Still on it. */
  connections: number;
}

interface Running {
  readonly candidate: Admitted;
  readonly loadedAt: Date;
  /** What it took the place of: where a rollback leads. */
  readonly previous: Admitted | undefined;
}

export class ModuleRegistry {
  readonly counts = { loaded: 0, unloaded: 0, refused: 0, quarantined: 0, rolledBack: 0, loadFailures: 0 };
  readonly #options: RegistryOptions;
  readonly #shipped: readonly Admitted[];
  readonly #files = new Map<string, Candidate>();
  readonly #running = new Map<string, Running>();
  /** Why, by digest. */
  readonly #quarantine = new Map<string, string>();
  /** Versions that were replaced, by digest. */
  readonly #replaced = new Map<string, Replaced>();
  #queue: Promise<void> = Promise.resolve();
  #closed = false;
  #watch: { close(): Promise<void> } | undefined;

  constructor(options: RegistryOptions) {
    this.#options = options;
    this.#shipped = options.shipped.map(shippedCandidate);
    for (const one of this.#shipped) {
      this.#running.set(one.name, { candidate: one, loadedAt: new Date(), previous: undefined });
    }
  }

  start(): void {
    const { folders, log, intervalMs } = this.#options;
    const onChanges = (changes: readonly FileChange[]) => this.update(changes);
    this.#watch = watchFolders({ folders, log, onChanges, ...(intervalMs !== undefined && { intervalMs }) });
  }

  /** Resolves when nothing is being changed any more. */
  async close(): Promise<void> {
    this.#closed = true;
    await this.#watch?.close();
    await this.#queue;
  }

  /** What the watched folders have new. Resolves when it is done. */
  update(changes: readonly FileChange[]): Promise<void> {
    return this.#enqueue(() => this.#apply(changes));
  }

  /** A shard reports a failure of a module and what it made of it. Not to be awaited within `load` or `unload`. */
  failed(digest: string, consequence: Consequence, reason: string): Promise<void> {
    return consequence === RETIRE ? this.#enqueue(() => this.#retire(digest, reason)) : this.#queue;
  }

  /** How many connections, of all shards, are still on a version that was replaced. */
  draining(digest: string, connections: number): void {
    const replaced = this.#replaced.get(digest);
    if (replaced) replaced.connections = connections;
  }

  /** By name. A module that runs without a file of its own, and what a rollback would lead to, have rows, too. */
  list(): ModuleRow[] {
    const offered = [...this.#shipped, ...this.#files.values()];
    const kept = this.#kept().filter((one) => !offered.some((other) => isSameContent(one, other)));
    const replaced = [...this.#replaced.values()].filter(({ connections }) => connections > 0);
    return [
      ...[...offered, ...kept].map((one) => this.#row(one)),
      ...replaced.map(({ candidate, connections }) => drainingRow(candidate, connections)),
    ].sort((a, b) => Number(a.name > b.name) - Number(a.name < b.name));
  }

  #row(candidate: Candidate): ModuleRow {
    const running = this.#running.get(candidate.name);
    if (running && isSameContent(running.candidate, candidate)) {
      return rowOf(candidate, 'running', candidate.reason, running.loadedAt);
    }
    const quarantined = this.#quarantine.get(candidate.digest);
    if (quarantined !== undefined) return rowOf(candidate, 'quarantined', quarantined);
    return rowOf(candidate, isAdmitted(candidate) ? 'standby' : 'refused', candidate.reason);
  }

  #enqueue(job: () => Promise<void>): Promise<void> {
    const unlessClosed = async () => (this.#closed ? undefined : job());
    this.#queue = this.#queue.then(unlessClosed).catch((error: unknown) => {
      this.#options.log.error({ error: String(error) }, 'a change of modules failed');
    });
    return this.#queue;
  }

  async #apply(changes: readonly FileChange[]): Promise<void> {
    const touched = new Set<string>();
    for (const change of changes) {
      const before = this.#files.get(change.path);
      const after = change.kind === 'removed' ? undefined : await this.#judge(change);
      if (after) this.#files.set(change.path, after);
      else this.#files.delete(change.path);
      if (isSame(before, after)) continue;
      this.#report(change, after);
      const fromThere = this.#kept().filter(({ origin }) => origin === change.path);
      for (const one of [before, after, ...fromThere]) if (one) touched.add(one.name);
    }
    for (const name of touched) await this.#settle(name);
  }

  #judge(change: FileChange): Promise<Candidate> {
    const { rules, accept = async () => undefined } = this.#options;
    return judgeFile(change, { rules, accept, known: (digest) => this.#find(digest)?.module });
  }

  #report({ path }: FileChange, after: Candidate | undefined): void {
    const { log } = this.#options;
    if (after === undefined) {
      log.info({ path }, 'module file removed');
      return;
    }
    const { name, version, digest, trust, reason } = after;
    if (!isAdmitted(after)) {
      this.counts.refused++;
      log.warn({ path, digest, reason }, 'module refused');
    } else if (this.#quarantine.has(digest)) {
      log.warn({ path, digest, reason: this.#quarantine.get(digest) }, 'module file is in quarantine');
    } else if (reason !== undefined) {
      log.warn({ module: name, version, path, digest, reason }, 'module taken with a warning');
    } else {
      log.info({ module: name, version, path, digest, trust }, 'module file taken');
    }
  }

  /** Makes the best candidate of a name the one that runs. Ends: a version that cannot be loaded is out of the choice. */
  async #settle(name: string): Promise<void> {
    for (;;) {
      const best = this.#best(name);
      const running = this.#running.get(name);
      if (best === undefined) return running && this.#unload(running.candidate);
      if (best.digest === running?.candidate.digest) {
        this.#running.set(name, { ...running, candidate: best });
        return;
      }
      if (await this.#load(best)) return;
    }
  }

  #best(name: string): Admitted | undefined {
    const running = this.#running.get(name)?.candidate;
    const file = running && this.#files.get(running.origin);
    const standIn = file !== undefined && !this.#isUsable(file) ? [running!] : [];
    const all = [...this.#shipped, ...this.#files.values(), ...standIn];
    return bestOf(all.filter((one) => this.#isUsable(one)).filter((one) => one.name === name));
  }

  #isUsable(candidate: Candidate): candidate is Admitted {
    return isAdmitted(candidate) && !this.#quarantine.has(candidate.digest);
  }

  /** False when the shards did not take it; then they have what they had before. */
  async #load(next: Admitted): Promise<boolean> {
    const { shards, log } = this.#options;
    const { name, version, digest, origin, trust } = next;
    const before = this.#running.get(name)?.candidate;
    const usable = before && this.#isUsable(before);
    try {
      await shards.load(next.module);
    } catch (error) {
      this.counts.loadFailures++;
      this.#putInQuarantine(next, `could not be loaded: ${(error as Error).message}`);
      if (usable) await this.#putBack(before);
      return false;
    }
    this.counts.loaded++;
    const previous = usable && compareCandidates(next, before) >= 0 ? before : undefined;
    this.#running.set(name, { candidate: next, loadedAt: new Date(), previous });
    if (before) this.#replace(before, next);
    log.info({ module: name, version, digest, origin, trust, replaces: before?.version }, 'module loaded');
    return true;
  }

  #replace({ module, ...candidate }: Admitted, next: Admitted): void {
    remember(this.#replaced, candidate.digest, { candidate, connections: 0 }, REPLACED_MAX);
    this.#replaced.delete(next.digest);
  }

  /** Some shards may have taken the version that others refused. */
  async #putBack({ name, version, module }: Admitted): Promise<void> {
    try {
      await this.#options.shards.load(module);
    } catch (error) {
      const fields = { module: name, version, error: (error as Error).message };
      this.#options.log.error(fields, 'the version that ran before could not be put back on every shard');
    }
  }

  async #unload({ name, version, digest }: Candidate): Promise<void> {
    const { shards, log } = this.#options;
    this.#running.delete(name);
    this.counts.unloaded++;
    try {
      await shards.unload(digest, name);
      log.info({ module: name, version, digest }, 'module unloaded: no version of it is left to run');
    } catch (error) {
      log.error({ module: name, version, digest, error: (error as Error).message }, 'module could not be unloaded');
    }
  }

  /** Every shard may report it; the first one counts. */
  async #retire(digest: string, reason: string): Promise<void> {
    const failed = this.#find(digest);
    if (failed === undefined || this.#quarantine.has(digest)) return;
    this.#putInQuarantine(failed, reason);
    const running = this.#running.get(failed.name);
    if (running?.candidate.digest !== digest) return;
    const { previous } = running;
    if (previous && this.#isUsable(previous) && (await this.#load(previous))) {
      this.counts.rolledBack++;
      return;
    }
    await this.#settle(failed.name);
  }

  #putInQuarantine({ name, version, digest, origin }: Candidate, reason: string): void {
    this.counts.quarantined++;
    remember(this.#quarantine, digest, reason, QUARANTINE_MAX);
    this.#options.log.error({ module: name, version, digest, origin, reason }, 'module put in quarantine');
  }

  /** What runs, and what a rollback would lead to. */
  #kept(): Admitted[] {
    return [...this.#running.values()].flatMap(({ candidate, previous }) => [
      candidate,
      ...(previous ? [previous] : []),
    ]);
  }

  #find(digest: string): Candidate | undefined {
    const replaced = [...this.#replaced.values()].map(({ candidate }) => candidate);
    const all: Candidate[] = [...this.#kept(), ...this.#shipped, ...this.#files.values(), ...replaced];
    const found = all.filter((one) => one.digest === digest);
    return found.find(isAdmitted) ?? found[0];
  }
}

function remember<Value>(map: Map<string, Value>, key: string, value: Value, most: number): void {
  map.delete(key);
  map.set(key, value);
  if (map.size > most) map.delete(map.keys().next().value!);
}

function isSame(before: Candidate | undefined, after: Candidate | undefined): boolean {
  return before?.digest === after?.digest && before?.trust === after?.trust && before?.reason === after?.reason;
}
