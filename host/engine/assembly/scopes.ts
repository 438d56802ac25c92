/**
 * Numbers for those who share definitions: the connections of one process in one module. Rule: a number stands for the
 * same scope as long as one connection is in it, and only then.
 */
import { CONNECTION_SCOPE, SCOPE_CONNECTIONS, SCOPE_KEY, SCOPE_TABLE } from '../layout/pairing';
import { KeyTable } from './key-table';

const NOBODY: i32 = 0;

const byKey = new KeyTable(SCOPE_TABLE);
/** Free numbers are linked through SCOPE_CONNECTIONS. */
let free: i32 = -1;
let top: i32 = 0;

/** The connection is in this scope from now on. It must be in none. */
export function joinScope(connection: i32, key: u64): void {
  let scope = byKey.get(NOBODY, key);
  if (scope < 0) {
    scope = newScope();
    byKey.put(NOBODY, key, scope);
    store<u64>(SCOPE_KEY + (scope << 3), key);
    store<i32>(SCOPE_CONNECTIONS + (scope << 2), 0);
  }
  const connections = SCOPE_CONNECTIONS + (scope << 2);
  store<i32>(connections, load<i32>(connections) + 1);
  store<i32>(CONNECTION_SCOPE + (connection << 2), scope + 1);
}

/** The number of the connection's scope, -1 when it is in none. */
export function scopeOf(connection: i32): i32 {
  return load<i32>(CONNECTION_SCOPE + (connection << 2)) - 1;
}

/** The connection is in no scope any more. Returns the number of its scope when it was the last one in it, else -1. */
export function leaveScope(connection: i32): i32 {
  const scope = scopeOf(connection);
  if (scope < 0) return -1;
  store<i32>(CONNECTION_SCOPE + (connection << 2), 0);
  const connections = SCOPE_CONNECTIONS + (scope << 2);
  const left = load<i32>(connections) - 1;
  store<i32>(connections, left);
  if (left > 0) return -1;
  byKey.remove(NOBODY, load<u64>(SCOPE_KEY + (scope << 3)));
  store<i32>(connections, free);
  free = scope;
  return scope;
}

function newScope(): i32 {
  if (free < 0) return top++;
  const scope = free;
  free = load<i32>(SCOPE_CONNECTIONS + (scope << 2));
  return scope;
}
