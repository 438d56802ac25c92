/** What the broker's log says of a request, and what a span says of it, in the same words. */
import type { Span } from '../../e2e/support/agent.ts';
import type { Served } from './broker.ts';

const PRODUCE = 0;
const FETCH = 1;

/** `PORT #NUMBER`: the client's port and the correlation id. */
export function placeOf({ connection, requestHeader }: Served): string {
  const [, client] = connection.split('-');
  return `${client!.split(':')[1]} #${requestHeader.correlationId}`;
}

export function placeOfSpan({ attributes }: Span): string {
  return `${attributes['client.port']} #${attributes['kafka.correlation_id']}`;
}

/** API key, version, client id, the one topic of a Produce or Fetch that names one only, and the first error. */
export function wordsOf({ requestHeader, request, response }: Served, topics: ReadonlyMap<string, string>): string {
  const { requestApiKey: api, requestApiVersion: version, clientId } = requestHeader;
  return `${api} v${version} ${clientId}${topicOf(api, request, topics)} → ${errorOf(response)}`;
}

/** The same of a span; `other` is the log's, as a fetch session's topic may be known of its response alone. */
export function wordsOfSpan({ attributes }: Span, other = ''): string {
  const { 'kafka.api.key': api, 'kafka.api.version': version, 'messaging.client.id': clientId } = attributes;
  const topic =
    (api === PRODUCE || api === FETCH) && other.includes(' of ') ? attributes['messaging.destination.name'] : '';
  return `${api} v${version} ${clientId}${topic === '' ? '' : ` of ${topic}`} → ${attributes['kafka.error_code'] ?? 0}`;
}

function topicOf(api: number, request: Served['request'], topics: ReadonlyMap<string, string>): string {
  const named = ((api === PRODUCE ? request.topicData : api === FETCH ? request.topics : undefined) ?? []) as {
    readonly name?: string;
    readonly topic?: string;
    readonly topicId?: string;
  }[];
  const [one] = named;
  return named.length === 1 ? ` of ${one!.name ?? one!.topic ?? topics.get(one!.topicId!)}` : '';
}

/** Names of topics by their ids, as the broker told them. */
export function topicsOf(all: readonly Served[]): Map<string, string> {
  const told = all.flatMap(({ response }) => (response?.topics ?? []) as { name?: string; topicId?: string }[]);
  return new Map(told.filter(({ name, topicId }) => name && topicId).map(({ name, topicId }) => [topicId!, name!]));
}

/** The first error code that is not 0, wherever it stands. */
function errorOf(value: unknown): number {
  if (typeof value !== 'object' || value === null) return 0;
  for (const [name, one] of Object.entries(value)) {
    const code = /errorCode$/i.test(name) ? (one as number) : errorOf(one);
    if (code !== 0) return code;
  }
  return 0;
}
