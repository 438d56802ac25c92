/**
 * The protocols a shard knows, as the span stages need them: attribute tables by id, span name templates taken apart,
 * error rules. A list that only grows: a span batch refers to its protocol by index, and a reloaded module adds new
 * entries while batches made with the old ones are still on their way out.
 */
import type { Manifest, Protocol } from '../wasm/manifest.ts';
import { type Redaction, redactionOf } from './redact.ts';
import type { Attributes, SpanKind } from './span.ts';

export interface AttributeField {
  readonly name: string;
  readonly type: 'string' | 'int' | 'double' | 'boolean';
  /** False for attributes that are only reported when asked for, and for trace context. */
  readonly reported: boolean;
  /** What has to be done to a string before anybody sees it. */
  readonly redaction: Redaction | undefined;
}

/** A span name template as alternating literal text and attribute names. */
export type NamePart = { readonly literal: string } | { readonly attribute: string };

type StatusRule = (status: number) => boolean;

export interface SpanProtocol {
  readonly name: string;
  readonly kind: Protocol['kind'];
  readonly constants: Attributes;
  /** By attribute id; sparse ids leave holes. */
  readonly attributes: readonly (AttributeField | undefined)[];
  readonly traceparentId: number;
  readonly tracestateId: number;
  readonly statusAttribute: string | undefined;
  /** Whether a status is an error for that side. */
  readonly isServerError: StatusRule;
  readonly isClientError: StatusRule;
  readonly requestBodyAttribute: string | undefined;
  readonly responseBodyAttribute: string | undefined;
  readonly nameParts: readonly NamePart[];
  readonly fallbackParts: readonly NamePart[];
  /** When the fallback misses an attribute, too. */
  readonly nameFallback: string;
  readonly serverKind: SpanKind;
  readonly clientKind: SpanKind;
}

export class ProtocolTable {
  readonly list: SpanProtocol[] = [];

  /** Adds a module's protocols; protocol p of the module is entry (returned index + p). */
  add(manifest: Manifest, optIn: ReadonlySet<string>): number {
    const first = this.list.length;
    for (const protocol of manifest.protocols) this.list.push(describe(manifest, protocol, optIn));
    return first;
  }
}

function describe(manifest: Manifest, protocol: Protocol, optIn: ReadonlySet<string>): SpanProtocol {
  const attributes: (AttributeField | undefined)[] = [];
  let traceparentId = 0;
  let tracestateId = 0;
  for (const { id, name, type, role, redaction, optIn: hidden } of manifest.attributes) {
    if (role === 'traceparent') traceparentId = id;
    if (role === 'tracestate') tracestateId = id;
    attributes[id] = {
      name,
      type,
      reported: role === undefined && (hidden !== true || optIn.has(name)),
      redaction: redactionOf(redaction, protocol),
    };
  }
  return {
    name: protocol.name,
    kind: protocol.kind,
    constants: protocol.constants,
    attributes,
    traceparentId,
    tracestateId,
    statusAttribute: protocol.status?.attribute,
    isServerError: statusRule(protocol.status?.error.server),
    isClientError: statusRule(protocol.status?.error.client),
    requestBodyAttribute: protocol.bodySize?.request,
    responseBodyAttribute: protocol.bodySize?.response,
    nameParts: takeApart(protocol.spanName),
    fallbackParts: takeApart(protocol.spanNameFallback),
    nameFallback: protocol.name,
    serverKind: protocol.kind === 'messaging' ? 'consumer' : 'server',
    clientKind: protocol.kind === 'messaging' ? 'producer' : 'client',
  };
}

/** From a status on, or each of a list. */
function statusRule(errors: number | readonly number[] | undefined): StatusRule {
  if (typeof errors === 'object') return (status) => errors.includes(status);
  const from = errors ?? Number.POSITIVE_INFINITY;
  return (status) => status >= from;
}

function takeApart(template: string): NamePart[] {
  return template
    .split(/(\{[^{}]*\})/)
    .filter((part) => part !== '')
    .map((part) => (part.startsWith('{') ? { attribute: part.slice(1, -1) } : { literal: part }));
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
