/** Spans as `spanwire replay FILE --printer json` prints them, and as exchanges that compare with those of tshark. */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import type { Exchange } from './tshark.ts';

const ROOT = new URL('../../', import.meta.url).pathname;
const OUTPUT_MAX = 64 * 1024 * 1024;
const run = promisify(execFile);
/** What a reply of RESP is; reported only when asked for. */
export const REPLY_TYPE = 'redis.reply.type';

/** The part of a JSON line that these tests look at. */
export interface SpanLine {
  readonly name: string;
  readonly kind: string;
  readonly protocol: string;
  readonly status: string;
  readonly startTimeUnixNano: string;
  readonly endTimeUnixNano: string;
  readonly attributes: Readonly<Record<string, string | number | boolean>>;
}

/** `attributes` are opt-in ones, by name. */
export async function replaySpans(path: string, ...attributes: string[]): Promise<SpanLine[]> {
  const optIn = attributes.length > 0 ? ['--attributes', attributes.join(',')] : [];
  const command = ['host/main.ts', 'replay', path, '--printer', 'json', ...optIn];
  const { stdout } = await run(process.execPath, command, { cwd: ROOT, maxBuffer: OUTPUT_MAX, timeout: 60_000 });
  return stdout
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line) as SpanLine);
}

export function httpExchange({ attributes }: SpanLine): Exchange {
  const method = attributes['http.request.method_original'] ?? attributes['http.request.method'];
  return {
    client: clientOf(attributes),
    request: `${method} ${targetOf(attributes)}`,
    response: String(attributes['http.response.status_code'] ?? ''),
  };
}

/** Origin-form; for CONNECT the authority (RFC 9112, section 3.2). */
function targetOf(attributes: SpanLine['attributes']): string {
  const { 'url.path': path, 'url.query': query } = attributes;
  if (path === undefined) return `${attributes['server.address']}:${attributes['server.port']}`;
  return query === undefined ? String(path) : `${path}?${query}`;
}

/** Of spans with REPLY_TYPE; a request that gets no reply by design has none. */
export function respExchange({ attributes }: SpanLine): Exchange {
  const request = String(attributes['db.operation.name']).toUpperCase();
  return { client: clientOf(attributes), request, response: String(attributes[REPLY_TYPE] ?? 'none') };
}

function clientOf(attributes: SpanLine['attributes']): string {
  const address = String(attributes['client.address']);
  return `${address.includes(':') ? `[${address}]` : address}:${attributes['client.port']}`;
}
