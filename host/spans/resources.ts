/**
 * Numbers for what the spans of a process share: rows, connections and series of the engine refer to it by number.
 *
 * Rule: a number stands for the same resource as long as a connection or a series has it, and after that until `recycle`:
 * rows that refer to it may be in a batch that still fills.
 */
import { RESOURCES_MAX } from '../engine/layout/spans.ts';
import type { Resource } from './span.ts';

interface Entry {
  readonly resource: Resource;
  readonly number: number;
  connections: number;
  /** Waits in the list of those that no connection has. */
  isIdle: boolean;
}

/** What has number 0: that of a connection nobody gave one. */
const NOBODY: Resource = { attributes: {} };

export class Resources {
  readonly #byNumber: (Entry | undefined)[] = [{ resource: NOBODY, number: 0, connections: 1, isIdle: false }];
  readonly #byResource = new Map<Resource, Entry>();
  /** Those that no connection had when they came here. */
  #idle: Entry[] = [];
  readonly #free: number[] = [];
  #isKept: (number: number) => boolean = () => false;

  /** A connection begins. */
  acquire(resource: Resource): number {
    const entry = this.#byResource.get(resource) ?? this.#enter(resource);
    entry.connections++;
    return entry.number;
  }

  /** The connection has ended. */
  release(number: number): void {
    const entry = this.#byNumber[number]!;
    if (--entry.connections > 0 || entry.isIdle) return;
    entry.isIdle = true;
    this.#idle.push(entry);
  }

  at(number: number): Resource {
    return this.#byNumber[number]!.resource;
  }

  /** Who else has numbers. */
  keepWhile(isKept: (number: number) => boolean): void {
    this.#isKept = isKept;
  }

  ofProcess(tgid: number): number[] {
    return this.#byNumber.flatMap((entry) =>
      entry?.resource.attributes['process.pid'] === tgid ? [entry.number] : [],
    );
  }

  /** No row refers to a number any more. */
  recycle(): void {
    if (this.#idle.length === 0) return;
    this.#idle = this.#idle.filter((entry) => {
      if (entry.connections === 0 && this.#isKept(entry.number)) return true;
      entry.isIdle = false;
      if (entry.connections === 0) this.#forget(entry);
      return false;
    });
  }

  /** One more than there are numbers is nobody. */
  #enter(resource: Resource): Entry {
    const number = this.#free.pop() ?? this.#byNumber.length;
    if (number >= RESOURCES_MAX) return this.#byNumber[0]!;
    const entry = { resource, number, connections: 0, isIdle: false };
    this.#byResource.set(resource, entry);
    this.#byNumber[number] = entry;
    return entry;
  }

  #forget({ resource, number }: Entry): void {
    this.#byNumber[number] = undefined;
    this.#byResource.delete(resource);
    this.#free.push(number);
  }
}
