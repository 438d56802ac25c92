/**
 * Secrets out of attribute values, by the class that the manifest gives an attribute (docs/abi.md, "redaction").
 * Bytes in, bytes out: works on what was captured, before any text is made of it.
 *
 * Rules: in doubt more is redacted, never less; a value that was cut off is treated as if its rest were secret; what was
 * redacted once stays as it is when it is redacted again.
 */
import type { AttributeDefinition, Protocol } from '../wasm/manifest.ts';
import { redactQuery } from './redact-query.ts';
import { redactSql } from './redact-sql.ts';
import { REDACTED, writeRedacted } from './redacted.ts';

/** A class of the manifest, or `mysql`: the class `sql` where the protocol is known to speak that dialect. */
export type Redaction = NonNullable<AttributeDefinition['redaction']> | 'mysql';

const SPACE = 0x20;
/** What a byte can become at most: `sig=&` grows to `sig=REDACTED&`. */
const EXPANSION_MAX = 3;

/** Systems whose strings may stand in double quotes and escape with a backslash. */
const MYSQL_DIALECT = new Set<unknown>(['mysql', 'mariadb']);

/** The class for values of `protocol`, as `redact` takes it. One that speaks for several systems goes by its name. */
export function redactionOf(redaction: AttributeDefinition['redaction'], protocol: Protocol): Redaction | undefined {
  const system = protocol.constants['db.system.name'] ?? protocol.name;
  return redaction === 'sql' && MYSQL_DIALECT.has(system) ? 'mysql' : redaction;
}

/** Bytes that `out` must have for a value of `length` bytes. */
export function redactedMax(length: number): number {
  return length * EXPANSION_MAX + REDACTED.length;
}

/** Writes the value at `from` … `from + length` without its secrets to the start of `out`; returns the bytes written. */
export function redact(kind: Redaction, bytes: Uint8Array, from: number, length: number, out: Uint8Array): number {
  switch (kind) {
    case 'query':
      return redactQuery(bytes, from, from + length, out);
    case 'sql':
      return redactSql(bytes, from, from + length, out, false);
    case 'mysql':
      return redactSql(bytes, from, from + length, out, true);
    case 'auth':
      return redactAuth(bytes, from, from + length, out);
    case 'header':
      return writeRedacted(out, 0);
  }
}

/** `Bearer abc` and `AUTH user secret` keep their first word, and say that there was more. */
function redactAuth(bytes: Uint8Array, from: number, end: number, out: Uint8Array): number {
  let to = 0;
  let at = from;
  while (at < end && bytes[at]! <= SPACE) out[to++] = bytes[at++]!;
  while (at < end && bytes[at]! > SPACE) out[to++] = bytes[at++]!;
  if (at === end) return to;
  out[to++] = bytes[at]!;
  return writeRedacted(out, to);
}
