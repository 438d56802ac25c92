/**
 * Numbers for what the spans of a process share: rows and connections of the engine refer to it by number.
 *
 * Rule: a number stands for the same resource as long as a connection has it, and after that until `recycle`: rows that
 * refer to it may be in a batch that still fills.
 */
import type { Resource } from './span.ts';

interface Entry {
  readonly resource: Resource;
  readonly number: number;
  connections: number;
}

/** What has number 0: that of a connection nobody gave one. */
const NOBODY: Resource = { attributes: {} };

export class Resources {
  readonly #byNumber: (Entry | undefined)[] = [{ resource: NOBODY, number: 0, connections: 1 }];
  readonly #byResource = new Map<Resource, Entry>();
  /** Numbers that no connection had when they came here. */
  #ended: Entry[] = [];
  readonly #free: number[] = [];

  /** A connection begins. */
  acquire(resource: Resource): number {
    let entry = this.#byResource.get(resource);
    if (entry === undefined) {
      entry = { resource, number: this.#free.pop() ?? this.#byNumber.length, connections: 0 };
      this.#byResource.set(resource, entry);
      this.#byNumber[entry.number] = entry;
    }
    entry.connections++;
    return entry.number;
  }

  /** The connection has ended. */
  release(number: number): void {
    const entry = this.#byNumber[number]!;
    if (--entry.connections === 0) this.#ended.push(entry);
  }

  at(number: number): Resource {
    return this.#byNumber[number]!.resource;
  }

  /** No row refers to a number any more. */
  recycle(): void {
    if (this.#ended.length === 0) return;
    for (const entry of this.#ended) {
      if (entry.connections > 0 || this.#byNumber[entry.number] !== entry) continue;
      this.#byNumber[entry.number] = undefined;
      this.#byResource.delete(entry.resource);
      this.#free.push(entry.number);
    }
    this.#ended = [];
  }
}
