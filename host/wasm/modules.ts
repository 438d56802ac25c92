/**
 * The modules of a shard: for each name the version that takes new connections, and older ones that still have some.
 *
 * The rule: everything here happens between flushes, when no chunk waits. A connection refers to its module by index;
 * an index is free again when its module has no connections left. How a version takes over: docs/abi.md, "Hot swap".
 */
import { createProber, type Prober } from '../conn/identify.ts';
import { MODULES_MAX } from '../engine/layout/connections.ts';
import type { ProtocolTable } from '../spans/protocols.ts';
import type { ParserModule } from './admit.ts';
import { FailurePolicy } from './failures.ts';
import { ParserInstance } from './instance.ts';
import type { Manifest } from './manifest.ts';
import type { Settings } from './settings.ts';
import type { Staging } from './staging.ts';

/** Old versions with connections of their own; the oldest loses them when there are more. */
const DRAINING_MAX = 8;
/** What Connections.parser can name. */
const INDEX_MAX = MODULES_MAX - 1;

export interface LoadedModule {
  readonly parser: ParserModule;
  readonly instance: ParserInstance;
  readonly prober: Prober;
  /** Where its protocols begin in the protocol table. */
  readonly firstProtocol: number;
  readonly failures: FailurePolicy;
  /** False: connections it has stay until they end, new ones go to another. */
  current: boolean;
}

/** What a swap did. */
export interface Takeover {
  /** The new version. */
  readonly loaded: LoadedModule;
  /** Connections whose state it took over, and those that stay with the old version. */
  readonly moved: readonly number[];
  readonly draining: number;
}

/** What a load did, for the log. */
export interface LoadReport {
  readonly moved: number;
  readonly draining: number;
  /** Unknown connections that are looked at again. */
  readonly revived: number;
}

/** What `spanwire module ls` shows of a module on a shard. */
export interface ModuleStatus {
  readonly name: string;
  readonly version: string;
  readonly digest: string;
  readonly state: 'running' | 'paused' | 'draining';
  readonly connections: number;
  readonly messages: number;
  readonly runs: number;
  readonly failures: number;
  readonly attributesRefused: number;
  readonly memoryBytes: number;
}

export class ShardModules {
  /** By index; holes where nothing is loaded. */
  readonly #loaded: (LoadedModule | undefined)[] = [];
  readonly #protocols: ProtocolTable;
  readonly #optIn: ReadonlySet<string>;
  readonly #settings: Settings;
  readonly #staging: Staging;

  constructor(protocols: ProtocolTable, optIn: ReadonlySet<string>, settings: Settings, staging: Staging) {
    this.#protocols = protocols;
    this.#optIn = optIn;
    this.#settings = settings;
    this.#staging = staging;
  }

  at(index: number): LoadedModule {
    return this.#loaded[index]!;
  }

  /** Every module with an instance, old versions among them. */
  *all(): Iterable<LoadedModule> {
    for (const one of this.#loaded) if (one !== undefined) yield one;
  }

  find(name: string): LoadedModule | undefined {
    return this.#loaded.find((one) => one?.current === true && one.parser.manifest.name === name);
  }

  /** Those that may claim a connection now. */
  claimants(nowMs: number): LoadedModule[] {
    return [...this.all()].filter(({ current, failures }) => current && failures.pausedUntil <= nowMs);
  }

  /** The module that takes connections over from another protocol. */
  acceptorOf(upgrade: Manifest['accepts'][number], nowMs: number): LoadedModule | undefined {
    return this.claimants(nowMs).find(({ parser }) => parser.manifest.accepts.includes(upgrade));
  }

  /** Adds a module, or puts it in the place of the one of its name. Throws when it cannot start; nothing has changed then. */
  load(parser: ParserModule): Takeover {
    const old = this.find(parser.manifest.name);
    const loaded = this.#start(parser);
    if (old === undefined) return { loaded, moved: [], draining: 0 };
    const moved = takeOver(loaded.instance, old.instance);
    old.current = false;
    const draining = old.instance.slots;
    return { loaded, moved, draining };
  }

  /** Old versions beyond the limit, oldest first: the caller takes their connections away. */
  surplus(): LoadedModule[] {
    const draining = [...this.all()].filter(({ current }) => !current);
    return draining.slice(0, Math.max(0, draining.length - DRAINING_MAX));
  }

  /** Frees what is neither current nor in use; returns it. */
  reap(): LoadedModule[] {
    const gone = [...this.all()].filter(({ current, instance }) => !current && instance.slots === 0);
    for (const { instance, prober } of gone) {
      this.#loaded[instance.index] = undefined;
      this.#staging.assign(instance.index, 0);
      instance.dispose();
      prober.instance.dispose();
    }
    return gone;
  }

  status(nowMs: number): ModuleStatus[] {
    return [...this.all()].map(({ parser, instance, failures, current }) => ({
      name: parser.manifest.name,
      version: parser.manifest.version,
      digest: parser.digest,
      state: !current ? 'draining' : failures.pausedUntil > nowMs ? 'paused' : 'running',
      connections: instance.slots,
      messages: instance.messages,
      runs: instance.runs,
      failures: failures.failures,
      attributesRefused: instance.attributesRefused,
      memoryBytes: instance.memoryBytes,
    }));
  }

  #start(parser: ParserModule): LoadedModule {
    const index = this.#freeIndex();
    const instance = new ParserInstance(parser, index, this.#settings, this.#staging);
    const prober = createProber(new ParserInstance(parser, index, this.#settings, this.#staging));
    const firstProtocol = this.#protocols.add(parser.manifest, this.#optIn, this.#settings);
    this.#staging.assign(index, instance.area, firstProtocol);
    const loaded = { parser, instance, prober, firstProtocol, failures: new FailurePolicy(), current: true };
    this.#loaded[index] = loaded;
    return loaded;
  }

  #freeIndex(): number {
    const hole = this.#loaded.indexOf(undefined);
    const index = hole < 0 ? this.#loaded.length : hole;
    if (index > INDEX_MAX) throw new Error(`more than ${INDEX_MAX} modules at once`);
    return index;
  }
}

/** Hands over what can be handed over; returns the connections that went. */
function takeOver(next: ParserInstance, old: ParserInstance): readonly number[] {
  if (!extendsTable(next.manifest, old.manifest)) return [];
  const connections = old.connections();
  const alike =
    next.manifest.stateVersion === old.manifest.stateVersion &&
    next.manifest.slots.join() === old.manifest.slots.join();
  if (alike && next.adopt(old)) {
    old.clear();
    return connections;
  }
  return connections.filter((connection) => next.takeOver(old, connection));
}

/** Whether messages of the old version mean the same to the new one. */
function extendsTable(next: Manifest, old: Manifest): boolean {
  const attributes = new Map(next.attributes.map((one) => [one.id, one]));
  return (
    old.attributes.every(({ id, name, type, keys }) => {
      const same = attributes.get(id);
      return same !== undefined && same.name === name && same.type === type && same.keys === keys;
    }) &&
    old.protocols.every(({ name, pairing }, index) => {
      const same = next.protocols[index];
      return same !== undefined && same.name === name && same.pairing === pairing;
    })
  );
}
