/**
 * What the sandbox bench sends through the pipeline. Every parser that ships is found, and its golden cases are its
 * traffic; protocols in everyday use have a conversation of the usual kind besides.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Case } from '../host/modules/trial/cases.ts';
import { loadParser, type Parser } from '../host/modules/trial/parser.ts';
import type { Step } from '../host/modules/trial/steps.ts';
import { shippedModuleFolder } from '../host/wasm/load.ts';
import { DATA, EOF, FROM_CLIENT, FROM_SERVER } from '../parsers/sdk/abi.ts';

export interface Traffic {
  readonly name: string;
  readonly parser: string;
  /** Of the server. */
  readonly port: number;
  /** Conversations from the first byte to the last; they are to run side by side, over and over. */
  readonly sessions: readonly (readonly Step[])[];
}

/** Exchanges before a connection ends: enough for its beginning to weigh little. */
const EXCHANGES = 20;
const PIPELINED = 16;

const EVERYDAY: Readonly<Record<string, () => Step[]>> = { http1: httpSession, redis: redisSession };

/** The conversation of the usual kind of a protocol that has one here. */
export function everyday(name: 'http1' | 'redis'): Step[] {
  return EVERYDAY[name]!();
}

export function shippedParsers(): Parser[] {
  const folder = shippedModuleFolder();
  const files = readdirSync(folder).filter((file) => file.endsWith('.wasm'));
  return files.sort().map((file) => loadParser(new Uint8Array(readFileSync(join(folder, file)))));
}

export function trafficOf({ name, manifest, cases }: Parser): Traffic[] {
  const port = manifest.ports[0] ?? 1;
  const sessions = cases.filter(isWhole).map(({ steps }) => steps);
  const golden = sessions.length > 0 ? [{ name: `${name} cases`, parser: name, port, sessions }] : [];
  const session = EVERYDAY[name];
  return session === undefined ? golden : [{ name, parser: name, port, sessions: [session()] }, ...golden];
}

/** A connection seen from its first byte, all of it captured, that has something to tell. */
function isWhole({ midStream, upgraded, unidentified, steps, messages }: Case): boolean {
  const isCaptured = steps.every(({ bytes, wireLength }) => bytes.length === wireLength);
  return !midStream && !upgraded && !unidentified && isCaptured && messages.length > 0;
}

// ── everyday conversations ──

const PAGES = [
  ['GET', '/', '200 OK', 'text/html; charset=utf-8'],
  ['GET', '/api/v1/orders/4711/items?page=2&limit=50', '200 OK', 'application/json'],
  ['GET', '/static/app.7f9c2ba4e88f.js', '304 Not Modified', 'text/javascript'],
  ['GET', '/api/v1/users/me', '401 Unauthorized', 'application/json'],
] as const;

/** A browser's requests and a web server's answers, some 400 bytes each. */
function httpSession(): Step[] {
  const exchanges = Array.from({ length: EXCHANGES }, (_, index) => {
    const [method, path, status, type] = PAGES[index % PAGES.length]!;
    const body = status.startsWith('304') ? '' : 'x'.repeat(150);
    return [
      data(
        FROM_CLIENT,
        `${method} ${path} HTTP/1.1\r\nHost: shop.example.com\r\nConnection: keep-alive\r\n` +
          'User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 Chrome/130.0.0.0 Safari/537.36\r\n' +
          'Accept: text/html,application/json;q=0.9,*/*;q=0.8\r\nAccept-Encoding: gzip, deflate, br\r\n' +
          'Accept-Language: en-US,en;q=0.9\r\nCookie: session=0123456789abcdef0123456789abcdef\r\n\r\n',
      ),
      data(
        FROM_SERVER,
        `HTTP/1.1 ${status}\r\nServer: nginx/1.26.2\r\nDate: Tue, 05 Nov 2024 10:00:00 GMT\r\nContent-Type: ${type}\r\n` +
          `Connection: keep-alive\r\nCache-Control: private, max-age=0\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
      ),
    ];
  });
  return ended(exchanges.flat());
}

/** A cache's client, that sends its commands in pipelines. */
function redisSession(): Step[] {
  const key = (index: number) => `user:${10_000 + index}:profile`;
  const exchanges = Array.from({ length: EXCHANGES }, () => {
    const numbers = Array.from({ length: PIPELINED }, (_, index) => index);
    const commands = numbers.map((index) =>
      index % 4 === 0 ? ['SET', key(index), 'v'.repeat(64)] : ['GET', key(index)],
    );
    return [
      data(FROM_CLIENT, commands.map((words) => `*${words.length}\r\n${words.map(bulk).join('')}`).join('')),
      data(FROM_SERVER, commands.map(([name]) => (name === 'SET' ? '+OK\r\n' : bulk('v'.repeat(64)))).join('')),
    ];
  });
  return ended(exchanges.flat());
}

function bulk(text: string): string {
  return `$${text.length}\r\n${text}\r\n`;
}

function data(direction: number, text: string): Step {
  const bytes = new Uint8Array(Buffer.from(text, 'latin1'));
  return { kind: DATA, direction, bytes, wireLength: bytes.length, timestamp: 0 };
}

function ended(steps: readonly Step[]): Step[] {
  const ending = { kind: EOF, bytes: new Uint8Array(0), wireLength: 0, timestamp: 0 };
  return [...steps, { ...ending, direction: FROM_CLIENT }, { ...ending, direction: FROM_SERVER }];
}
