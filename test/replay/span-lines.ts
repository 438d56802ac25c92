/** Spans as `spanwire replay FILE --printer json` prints them. */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import type { Attributes } from '../../host/spans/span.ts';

const ROOT = new URL('../../', import.meta.url).pathname;
const OUTPUT_MAX = 64 * 1024 * 1024;
const run = promisify(execFile);

/** The part of a JSON line that these tests look at. */
export interface SpanLine {
  readonly name: string;
  readonly kind: string;
  readonly protocol: string;
  readonly status: string;
  readonly startTimeUnixNano: string;
  readonly endTimeUnixNano: string;
  readonly attributes: Readonly<Attributes>;
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

/** As the client wrote it. */
export function originalMethod(attributes: SpanLine['attributes']): string {
  return String(attributes['http.request.method_original'] ?? attributes['http.request.method']);
}

/** Origin-form; for CONNECT the authority (RFC 9112, section 3.2). */
export function targetOf(attributes: SpanLine['attributes']): string {
  const { 'url.path': path, 'url.query': query } = attributes;
  if (path === undefined) return `${attributes['server.address']}:${attributes['server.port']}`;
  return query === undefined ? String(path) : `${path}?${query}`;
}

/** "address:port" of the client; a span of its own side has none. */
export function clientOf({ attributes }: SpanLine): string | undefined {
  const { 'client.address': address, 'client.port': port } = attributes;
  return address === undefined ? undefined : endpoint(String(address), port);
}

export function serverOf({ attributes }: SpanLine): string {
  return endpoint(String(attributes['network.peer.address']), attributes['network.peer.port']);
}

function endpoint(address: string, port: unknown): string {
  return `${address.includes(':') ? `[${address}]` : address}:${port}`;
}
