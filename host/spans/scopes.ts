/**
 * Numbers for those who share definitions: the connections of one process in one module. Rule: a number stands for the
 * same scope as long as one connection is in it, and only then.
 */
interface Scope {
  readonly key: number;
  readonly number: number;
  connections: number;
}

export class Scopes {
  readonly #byKey = new Map<number, Scope>();
  /** By connection. */
  readonly #scopes: (Scope | undefined)[] = [];
  readonly #free: number[] = [];
  #top = 0;

  /** The connection is in this scope from now on. It must be in none. */
  join(connection: number, key: number): void {
    let scope = this.#byKey.get(key);
    if (scope === undefined) {
      scope = { key, number: this.#free.pop() ?? this.#top++, connections: 0 };
      this.#byKey.set(key, scope);
    }
    scope.connections++;
    this.#scopes[connection] = scope;
  }

  /** The number of the connection's scope, -1 when it is in none. */
  of(connection: number): number {
    return this.#scopes[connection]?.number ?? -1;
  }

  /** The connection is in no scope any more. Returns the number of its scope when it was the last one in it, else -1. */
  leave(connection: number): number {
    const scope = this.#scopes[connection];
    if (scope === undefined) return -1;
    this.#scopes[connection] = undefined;
    if (--scope.connections > 0) return -1;
    this.#byKey.delete(scope.key);
    this.#free.push(scope.number);
    return scope.number;
  }
}
