/**
 * Processes as spans report them: one Resource per process, made at its first connection while it is surely alive.
 * service.name is the executable's name unless the configuration names it; see
 * https://opentelemetry.io/docs/specs/semconv/resource/process/
 */
import { readFileSync, readlinkSync } from 'node:fs';
import { hostname } from 'node:os';
import { basename } from 'node:path';
import type { Attributes, Resource } from '../spans/span.ts';
import { VERSION } from '../version.ts';

/** Ended processes are remembered this long: their last spans are still on the way. */
const LINGER_MS = 10_000;

export interface ResourceOptions {
  /** OTEL_SERVICE_NAME: the same name for all processes. */
  readonly serviceName?: string | undefined;
  /** OTEL_RESOURCE_ATTRIBUTES and the like, laid over what is found. */
  readonly attributes: Attributes;
}

export class Processes {
  readonly #byTgid = new Map<number, Resource>();
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

  /** The process became another program. */
  renewed(tgid: number): void {
    this.#byTgid.delete(tgid);
  }

  /** The process ended; its number may come again. */
  ended(tgid: number): void {
    const resource = this.#byTgid.get(tgid);
    if (resource === undefined) return;
    setTimeout(() => {
      if (this.#byTgid.get(tgid) === resource) this.#byTgid.delete(tgid);
    }, LINGER_MS).unref();
  }

  get size(): number {
    return this.#byTgid.size;
  }

  #describe(tgid: number): Attributes {
    const path = tgid === 0 ? undefined : executableOf(tgid);
    const name = path === undefined ? undefined : basename(path);
    const service = this.#options.serviceName ?? name;
    return {
      'service.name': service ?? (tgid === 0 ? 'unknown_service' : `unknown_service:${tgid}`),
      ...(tgid !== 0 && { 'process.pid': tgid, 'host.name': this.#host }),
      ...(path !== undefined && { 'process.executable.path': path, 'process.executable.name': basename(path) }),
      'telemetry.sdk.name': 'spanwire',
      'telemetry.sdk.language': 'nodejs',
      'telemetry.sdk.version': VERSION,
      ...this.#options.attributes,
    };
  }
}

/** Path of a process's executable; its thread name when the path cannot be read; undefined when it is gone. */
export function executableOf(tgid: number): string | undefined {
  try {
    return readlinkSync(`/proc/${tgid}/exe`).replace(/ \(deleted\)$/, '');
  } catch {
    try {
      return readFileSync(`/proc/${tgid}/comm`, 'utf8').trim();
    } catch {
      return undefined;
    }
  }
}
