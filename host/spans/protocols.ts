/**
 * The protocols a shard knows, as the span stages need them: attribute tables by id, span name templates taken apart,
 * error rules. A list that only grows: a span batch refers to its protocol by index, and a reloaded module adds new
 * entries while batches made with the old ones are still on their way out.
 */
import type { AttributeType, Manifest, Protocol } from '../wasm/manifest.ts';
import { NO_SETTINGS, type Settings } from '../wasm/settings.ts';
import { PairNames } from './pair-names.ts';
import { type Redaction, redactionOf } from './redact.ts';
import { isSecretHeader } from './secret-headers.ts';
import type { Attributes, SingleValue, SpanKind } from './span.ts';

export interface AttributeField {
  readonly name: string;
  /** `strings`: a list, of which each record holds one element; what pairs become. */
  readonly type: AttributeType | 'strings';
  /** False for attributes that are only reported when asked for, and for trace context. */
  readonly reported: boolean;
  /** What has to be done to a string before anybody sees it. */
  readonly redaction: Redaction | undefined;
  /** Of a pair: the keys it may have, and the id of the list that the first of them stands for. */
  readonly pairs: { readonly names: PairNames; readonly first: number } | undefined;
}

/** A span name template as alternating literal text and attribute names. */
export type NamePart = { readonly literal: string } | { readonly attribute: string };

/** Which statuses are errors: from one on, or each of a list. */
export type ErrorRule = number | readonly number[] | undefined;

export interface SpanProtocol {
  readonly name: string;
  readonly kind: Protocol['kind'];
  readonly constants: Readonly<Record<string, SingleValue>>;
  /** By attribute id; sparse ids leave holes. Behind the manifest's come the lists that pairs become. */
  readonly attributes: readonly (AttributeField | undefined)[];
  readonly traceparentId: number;
  readonly tracestateId: number;
  readonly statusAttribute: string | undefined;
  readonly serverErrors: ErrorRule;
  readonly clientErrors: ErrorRule;
  readonly requestBodyAttribute: string | undefined;
  readonly responseBodyAttribute: string | undefined;
  readonly nameParts: readonly NamePart[];
  readonly fallbackParts: readonly NamePart[];
  /** When the fallback misses an attribute, too. */
  readonly nameFallback: string;
}

/** Keeps something about each protocol. It may throw when it has no room. */
export type ProtocolKeeper = (index: number, protocol: SpanProtocol) => void;

export class ProtocolTable {
  readonly list: SpanProtocol[] = [];
  readonly #keepers: ProtocolKeeper[] = [];

  /**
   * Adds a module's protocols; protocol p of the module is entry (returned index + p). Throws what a keeper throws; the
   * list is as it was then.
   */
  add(manifest: Manifest, optIn: ReadonlySet<string>, settings: Settings = NO_SETTINGS): number {
    const first = this.list.length;
    const added = manifest.protocols.map((protocol) => describe(manifest, protocol, optIn, settings));
    for (const keep of this.#keepers) added.forEach((protocol, p) => void keep(first + p, protocol));
    this.list.push(...added);
    return first;
  }

  /** Tells `keep` of each protocol, those that are there and those to come. */
  each(keep: ProtocolKeeper): void {
    this.list.forEach((protocol, index) => void keep(index, protocol));
    this.#keepers.push(keep);
  }
}

function describe(
  manifest: Manifest,
  protocol: Protocol,
  optIn: ReadonlySet<string>,
  settings: Settings,
): SpanProtocol {
  const attributes: (AttributeField | undefined)[] = [];
  let traceparentId = 0;
  let tracestateId = 0;
  let next = manifest.attributes.reduce((most, { id }) => Math.max(most, id), 0) + 1;
  for (const { id, name, type, role, redaction, keys, optIn: hidden } of manifest.attributes) {
    if (role === 'traceparent') traceparentId = id;
    if (role === 'tracestate') tracestateId = id;
    const reported = role === undefined && (hidden !== true || optIn.has(name));
    const values = keys === undefined ? undefined : (settings.get(keys) ?? []);
    attributes[id] = {
      name,
      type,
      reported,
      redaction: redactionOf(redaction, protocol),
      pairs: values === undefined ? undefined : { names: new PairNames(values), first: next },
    };
    for (const key of values ?? []) attributes[next++] = listOf(name, key, reported);
  }
  return {
    name: protocol.name,
    kind: protocol.kind,
    constants: protocol.constants,
    attributes,
    traceparentId,
    tracestateId,
    statusAttribute: protocol.status?.attribute,
    serverErrors: protocol.status?.error.server,
    clientErrors: protocol.status?.error.client,
    requestBodyAttribute: protocol.bodySize?.request,
    responseBodyAttribute: protocol.bodySize?.response,
    nameParts: takeApart(protocol.spanName),
    fallbackParts: takeApart(protocol.spanNameFallback),
    nameFallback: protocol.name,
  };
}

/** What pairs of that key become. */
function listOf(name: string, key: string, reported: boolean): AttributeField {
  const redaction = isSecretHeader(key) ? 'header' : undefined;
  return { name: `${name}.${key.toLowerCase()}`, type: 'strings', reported, redaction, pairs: undefined };
}

function takeApart(template: string): NamePart[] {
  return template
    .split(/(\{[^{}]*\})/)
    .filter((part) => part !== '')
    .map((part) => (part.startsWith('{') ? { attribute: part.slice(1, -1) } : { literal: part }));
}

/** The attribute by which a client of a messaging protocol is a producer or a consumer. */
export const OPERATION_TYPE = 'messaging.operation.type';

/**
 * Who receives a request is its server, who sends it the client; of messages, though, a client produces or consumes. What
 * else it asks of a broker (metadata, commits …) is a request like any other.
 * https://opentelemetry.io/docs/specs/semconv/messaging/messaging-spans/#operation-types
 */
export function spanKind(protocol: SpanProtocol, attributes: Attributes, isServer: boolean): SpanKind {
  if (isServer) return 'server';
  const operation = protocol.kind === 'messaging' ? attributes[OPERATION_TYPE] : undefined;
  if (operation === 'send' || operation === 'create') return 'producer';
  return operation === 'receive' || operation === 'process' ? 'consumer' : 'client';
}

/** The span's name from its attributes; the fallback when one that the template needs is missing. */
export function nameSpan(protocol: SpanProtocol, attributes: Attributes): string {
  return fillIn(protocol.nameParts, attributes) ?? fillIn(protocol.fallbackParts, attributes) ?? protocol.nameFallback;
}

function fillIn(parts: readonly NamePart[], attributes: Attributes): string | undefined {
  let name = '';
  for (const part of parts) {
    if ('literal' in part) {
      name += part.literal;
      continue;
    }
    const value = attributes[part.attribute];
    if (value === undefined || value === '_OTHER') return undefined;
    name += value;
  }
  return name;
}
