/**
 * A span as a line for people and as JSON for programs.
 *
 * What stands in a span came over the wire from anybody, and a terminal obeys control characters: in both forms they
 * are escaped.
 */
import type { Attributes, AttributeValue, Span } from '../spans/span.ts';

/** The attribute that tells most about a request, beside the span's name: the first of these that is there. */
const TELLING = ['db.query.text', 'url.path', 'url.full', 'messaging.destination.name', 'rpc.method', 'db.namespace'];
const STATUS = ['http.response.status_code', 'rpc.response.status_code', 'db.response.status_code', 'error.type'];
const LONGEST_TELLING = 120;

/** Local time, duration, kind, service, name, peer, status, telling attribute: the one of any length comes last. */
export function textLine(span: Span): string {
  const { attributes, status, kind } = span;
  const isServer = kind === 'server';
  const outcome = text(pick(attributes, STATUS) ?? (status === 'ok' ? 'ok' : ''));
  const columns = [
    localTime(span.startTimeUnixNano),
    duration(span.endTimeUnixNano - span.startTimeUnixNano).padStart(8),
    kind.padEnd(8),
    cell(text(span.resource.attributes['service.name'] ?? '-'), 16),
    cell(text(span.name), 24),
    cell(`${isServer ? '←' : '→'} ${peer(attributes, isServer)}`, 24),
    `${status === 'error' ? '!' : ' '}${cell(outcome, 5)}`,
    shortened(telling(attributes), LONGEST_TELLING),
  ];
  return columns.join(' ').trimEnd();
}

export function jsonLine(span: Span, indent?: number): string {
  const json = JSON.stringify(jsonShape(span), null, indent);
  // JSON escapes the control characters below U+0020 only; those above are terminal commands too.
  return json.replace(/[\u007f-\u009f]/g, escaped);
}

function jsonShape(span: Span): object {
  return {
    name: span.name,
    kind: span.kind,
    protocol: span.protocol,
    traceId: span.traceId,
    spanId: span.spanId,
    ...(span.parentSpanId !== undefined && { parentSpanId: span.parentSpanId }),
    startTimeUnixNano: span.startTimeUnixNano.toString(),
    endTimeUnixNano: span.endTimeUnixNano.toString(),
    status: span.status,
    attributes: span.attributes,
    resource: span.resource.attributes,
  };
}

/** Three significant digits, in the largest unit that leaves at least 1. */
export function duration(nanos: bigint): string {
  const value = Number(nanos);
  if (value < 1e3) return `${value}ns`;
  if (value < 999.5e3) return `${(value / 1e3).toPrecision(3)}µs`;
  if (value < 999.5e6) return `${(value / 1e6).toPrecision(3)}ms`;
  return value < 999.5e9 ? `${(value / 1e9).toPrecision(3)}s` : `${Math.round(value / 1e9)}s`;
}

function localTime(nanos: bigint): string {
  const time = new Date(Number(nanos / 1_000_000n));
  const two = (value: number) => String(value).padStart(2, '0');
  const millis = String(time.getMilliseconds()).padStart(3, '0');
  return `${two(time.getHours())}:${two(time.getMinutes())}:${two(time.getSeconds())}.${millis}`;
}

function telling(attributes: Attributes): string {
  const query = attributes['url.query'];
  const suffix = query !== undefined && attributes['url.path'] !== undefined ? `?${query}` : '';
  return text((pick(attributes, TELLING) ?? '') + suffix);
}

function peer(attributes: Attributes, isServer: boolean): string {
  const side = isServer ? 'client' : 'server';
  const address = attributes[`${side}.address`] ?? attributes['network.peer.address'];
  const port = attributes[`${side}.port`] ?? attributes['network.peer.port'];
  if (address === undefined) return '-';
  const host = String(address).includes(':') ? `[${address}]` : String(address);
  return text(port === undefined ? host : `${host}:${port}`);
}

function pick(attributes: Attributes, names: readonly string[]): AttributeValue | undefined {
  const name = names.find((candidate) => attributes[candidate] !== undefined);
  return name === undefined ? undefined : attributes[name];
}

/** Printable text: control and format characters (escape sequences, changes of direction) and line ends escaped. */
function text(value: AttributeValue): string {
  return String(value).replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, escaped);
}

function escaped(character: string): string {
  let codes = '';
  for (let i = 0; i < character.length; i++) codes += `\\u${character.charCodeAt(i).toString(16).padStart(4, '0')}`;
  return codes;
}

function cell(value: string, width: number): string {
  return shortened(value, width).padEnd(width);
}

function shortened(value: string, width: number): string {
  return value.length > width ? `${value.slice(0, width - 1).replace(/[\ud800-\udbff]$/, '')}…` : value;
}
