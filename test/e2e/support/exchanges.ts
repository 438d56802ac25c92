/** What a client did and what spans say, in the same words, so that the two can be compared as multisets. */
import type { Span } from './agent.ts';
import type { Exchange } from './http-client.ts';

/** `GET /a?b 200 request 0 response 12`, from the client's side. */
export function ofExchange({ method, target, status, requestBodyBytes, responseBodyBytes }: Exchange): string {
  return `${method} ${target} ${status} request ${requestBodyBytes} response ${responseBodyBytes}`;
}

/** The same of an HTTP span. */
export function ofSpan(span: Pick<Span, 'attributes'>): string {
  const { attributes } = span;
  const sent = attributes['http.request.body.size'] ?? 0;
  const received = attributes['http.response.body.size'] ?? 0;
  const status = attributes['http.response.status_code'];
  return `${attributes['http.request.method']} ${targetOf(span)} ${status} request ${sent} response ${received}`;
}

/** Path with query, as it was requested. */
export function targetOf({ attributes }: Pick<Span, 'attributes'>): string {
  const query = attributes['url.query'];
  return `${attributes['url.path']}${query === undefined ? '' : `?${query}`}`;
}

export function isHttpServer({ kind, protocol }: Span): boolean {
  return kind === 'server' && protocol === 'http';
}

/** The server cannot have begun before the client sent, nor ended after the client had all: clocks are the same. */
export function timeErrors(spans: readonly Span[], exchanges: readonly Exchange[]): string[] {
  const byTarget = new Map(exchanges.map((exchange) => [exchange.target, exchange]));
  return spans.flatMap((span) => {
    const exchange = byTarget.get(targetOf(span));
    if (exchange === undefined) return [`${targetOf(span)}: nobody asked for it`];
    const early = exchange.sentNs - BigInt(span.startTimeUnixNano);
    const late = BigInt(span.endTimeUnixNano) - exchange.receivedNs;
    const errors: string[] = [];
    if (early > CLOCK_ERROR_NS) errors.push(`${targetOf(span)}: begins ${early} ns before it was sent`);
    if (late > SCHEDULING_NS) errors.push(`${targetOf(span)}: ends ${late} ns after it was received`);
    return errors;
  });
}

/** Client and agent derive the time of day from the monotonic clock, each with an offset of its own measuring. */
const CLOCK_ERROR_NS = 2_000_000n;
/** The server's call can end after the client has its bytes: another process may get the CPU in between. */
const SCHEDULING_NS = 200_000_000n;
