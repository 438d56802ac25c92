/**
 * Processes as spans report them: one Resource per process, made at its first connection while it is surely alive.
 * service.name is the executable's name unless the configuration names it; see
 * https://opentelemetry.io/docs/specs/semconv/resource/process/
 */
import { readFileSync, readlinkSync, realpathSync } from 'node:fs';
import { hostname } from 'node:os';
import { basename, dirname, join } from 'node:path';
import type { Attributes, Resource } from '../spans/span.ts';
import { VERSION } from '../version.ts';
import { portsListenedOn } from './proc.ts';

/** Ended processes are remembered this long: their last spans are still on the way. */
const LINGER_MS = 10_000;
const STARTED_MAX = 65_536;

export interface ResourceOptions {
  /** OTEL_SERVICE_NAME: the same name for all processes. */
  readonly serviceName?: string | undefined;
  /** OTEL_RESOURCE_ATTRIBUTES and the like, laid over what is found. */
  readonly attributes: Attributes;
}

export class Processes {
  readonly #byTgid = new Map<number, Resource>();
  /** Program of each process that was seen to start: for those that are gone before /proc is read. */
  readonly #started = new Map<number, string>();
  /** Ports listened on around a process, when first asked: asked only for connections older than the agent. */
  readonly #listeners = new Map<number, ReadonlySet<number>>();
  readonly #options: ResourceOptions;
  readonly #host = hostname();

  constructor(options: ResourceOptions) {
    this.#options = options;
  }

  resourceOf(tgid: number): Resource {
    const known = this.#byTgid.get(tgid);
    if (known !== undefined) return known;
    const resource = { attributes: this.#describe(tgid) };
    this.#byTgid.set(tgid, resource);
    return resource;
  }

  /** Undefined where nobody can know: the process is gone, or there is none (replay). */
  listensOn(tgid: number, port: number): boolean | undefined {
    if (tgid === 0) return undefined;
    let ports = this.#listeners.get(tgid);
    if (ports === undefined) {
      ports = portsListenedOn(tgid);
      this.#listeners.set(tgid, ports);
    }
    return ports.size === 0 ? undefined : ports.has(port);
  }

  /**
   * The process became another program. Its records may have come first, and it may be gone already: a resource
   * without a name, whose spans still wait for export, then gets it now.
   */
  started(tgid: number, path: string): void {
    // Exit events can be lost; what is forgotten here is only a name for the short-lived.
    if (this.#started.size >= STARTED_MAX) this.#started.clear();
    this.#started.set(tgid, path);
    const resource = this.#byTgid.get(tgid);
    if (resource === undefined) return;
    if (resource.attributes['process.executable.name'] === undefined) {
      Object.assign(resource.attributes, this.#describe(tgid));
    } else this.#byTgid.delete(tgid);
  }

  /** The process ended; its number may come again. */
  ended(tgid: number): void {
    this.#listeners.delete(tgid);
    const resource = this.#byTgid.get(tgid);
    const path = this.#started.get(tgid);
    if (resource === undefined && path === undefined) return;
    setTimeout(() => {
      if (this.#byTgid.get(tgid) === resource) this.#byTgid.delete(tgid);
      if (this.#started.get(tgid) === path) this.#started.delete(tgid);
    }, LINGER_MS).unref();
  }

  get size(): number {
    return this.#byTgid.size;
  }

  #describe(tgid: number): Attributes {
    const executable = tgid === 0 ? undefined : (executableOf(tgid) ?? this.#asStarted(tgid));
    const unknown = tgid === 0 ? 'unknown_service' : `unknown_service:${tgid}`;
    return {
      'service.name': this.#options.serviceName ?? executable?.name ?? unknown,
      ...(tgid !== 0 && { 'process.pid': tgid, 'host.name': this.#host }),
      ...(executable !== undefined && {
        'process.executable.path': executable.path,
        'process.executable.name': executable.name,
      }),
      'telemetry.sdk.name': 'spanwire',
      'telemetry.sdk.language': 'nodejs',
      'telemetry.sdk.version': VERSION,
      ...this.#options.attributes,
    };
  }

  #asStarted(tgid: number): Executable | undefined {
    const path = this.#started.get(tgid);
    return path === undefined ? undefined : { path, name: basename(path) };
  }
}

export interface Executable {
  readonly path: string;
  /** The name it was started by: redis-server, where that is a link to redis-check-rdb. */
  readonly name: string;
}

/** A process's executable; its thread name when the path cannot be read; undefined when it is gone. */
export function executableOf(tgid: number): Executable | undefined {
  try {
    const path = readlinkSync(`/proc/${tgid}/exe`).replace(/ \(deleted\)$/, '');
    return { path, name: startedAs(tgid, path) ?? basename(path) };
  } catch {
    return threadName(tgid);
  }
}

function threadName(tgid: number): Executable | undefined {
  try {
    const name = readFileSync(`/proc/${tgid}/comm`, 'utf8').trim();
    return { path: name, name };
  } catch {
    return undefined;
  }
}

/** The first word of the command line, when a link of that name beside the executable leads to it. */
function startedAs(tgid: number, path: string): string | undefined {
  try {
    const word = /^[^\0\s:]+/.exec(readFileSync(`/proc/${tgid}/cmdline`, 'utf8'))?.[0];
    if (word === undefined) return undefined;
    const name = basename(word);
    return realpathSync(join(dirname(path), name)) === path ? name : undefined;
  } catch {
    return undefined;
  }
}
