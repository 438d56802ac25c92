/** What the parsers are compared on: steady traffic of one connection, made by the serialisers of the protocols' clients. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Step } from '../host/modules/trial/steps.ts';
import { DATA, EOF, FROM_CLIENT, FROM_SERVER } from '../parsers/sdk/abi.ts';
import { everyday } from './traffic.ts';

/** A piece of one direction, in order. For HPACK: a block, `stream` 1 where a new connection begins. */
export interface Bytes {
  readonly bytes: Uint8Array;
  readonly stream: number;
}

export interface ParserTraffic {
  /** What the connection begins with; not measured. */
  readonly prologue: readonly Step[];
  /** What is measured, again and again. */
  readonly lap: readonly Step[];
}

export function step(direction: number, bytes: Uint8Array): Step {
  return { kind: DATA, direction, bytes: new Uint8Array(bytes), wireLength: bytes.length, timestamp: 0 };
}

/** The everyday conversations of the sandbox bench, without their end. */
export function openTraffic(name: 'http1' | 'redis'): ParserTraffic {
  return { prologue: [], lap: everyday(name).filter(({ kind }) => kind !== EOF) };
}

/** A page of a shop behind a content network, as a browser of today asks for it: heads of some 700 bytes. */
export function browserTraffic(): ParserTraffic {
  const paths = [
    '/',
    '/static/app.7f9c2ba4e88f.js',
    '/api/v1/orders/4711/items?page=2&limit=50',
    '/static/fonts/a.woff2',
  ];
  return { prologue: [], lap: paths.flatMap((path) => [browserRequest(path), networkAnswer(path)]) };
}

function browserRequest(path: string): Step {
  const fields = [
    'Host: shop.example.com',
    'Connection: keep-alive',
    'sec-ch-ua: "Chromium";v="130", "Google Chrome";v="130", "Not?A_Brand";v="99"',
    'sec-ch-ua-mobile: ?0',
    'sec-ch-ua-platform: "Linux"',
    'Upgrade-Insecure-Requests: 1',
    'User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0.0.0 Safari/537.36',
    'Accept: text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,image/apng,*/*;q=0.8',
    'Sec-Fetch-Site: same-origin',
    'Sec-Fetch-Mode: navigate',
    'Sec-Fetch-User: ?1',
    'Sec-Fetch-Dest: document',
    'Referer: https://shop.example.com/orders/4711',
    'Accept-Encoding: gzip, deflate, br, zstd',
    'Accept-Language: en-US,en;q=0.9,de;q=0.8',
    'Cookie: session=0123456789abcdef0123456789abcdef; consent=all; _ga=GA1.1.1234567890.1730800800; cart=7f9c2ba4e88f',
  ];
  return step(FROM_CLIENT, Buffer.from(`GET ${path} HTTP/1.1\r\n${fields.join('\r\n')}\r\n\r\n`));
}

function networkAnswer(path: string): Step {
  const fields = [
    'Date: Tue, 05 Nov 2024 10:00:00 GMT',
    'Content-Type: text/html; charset=utf-8',
    'Content-Length: 150',
    'Connection: keep-alive',
    'Cache-Control: public, max-age=31536000, immutable',
    `ETag: "${Buffer.from(path).toString('hex').slice(0, 32)}"`,
    'Last-Modified: Mon, 04 Nov 2024 16:20:11 GMT',
    'Strict-Transport-Security: max-age=63072000; includeSubDomains; preload',
    "Content-Security-Policy: default-src 'self'; img-src 'self' data:; script-src 'self' https://cdn.example.com",
    'X-Content-Type-Options: nosniff',
    'X-Frame-Options: SAMEORIGIN',
    'Referrer-Policy: strict-origin-when-cross-origin',
    'Vary: Accept-Encoding',
    'Via: 1.1 varnish',
    'Age: 1234',
    'X-Cache: HIT',
    'Server: nginx/1.26.2',
  ];
  return step(FROM_SERVER, Buffer.from(`HTTP/1.1 200 OK\r\n${fields.join('\r\n')}\r\n\r\n${'x'.repeat(150)}`));
}

export function bytesOf(steps: readonly Step[]): Bytes[] {
  return steps.map(({ bytes, direction }) => ({ bytes, stream: direction }));
}

// ── header blocks ──

/** Of other encoders (parsers/hpack/README.md); beside the repository. */
const STORIES = new URL('../../shared/corpora/hpack/', import.meta.url).pathname;
const MADE_BLOCKS = 64;

interface Story {
  readonly cases: readonly { readonly wire: string }[];
}

export interface BlockTraffic {
  readonly name: string;
  readonly blocks: readonly Bytes[];
}

type HeaderFields = [name: string, value: string][];

/** Every encoder's stories, and where those are not, blocks that `deflate` makes. */
export function headerBlocks(deflate: (blocks: HeaderFields[]) => Uint8Array[], stories = STORIES): BlockTraffic[] {
  if (!existsSync(stories)) return [{ name: 'made blocks', blocks: connection(deflate(madeFields())) }];
  return readdirSync(stories)
    .filter((encoder) => !encoder.includes('change-table-size'))
    .map((encoder) => ({
      name: `stories, ${encoder}`,
      blocks: readdirSync(join(stories, encoder)).flatMap((file) => {
        const { cases } = JSON.parse(readFileSync(join(stories, encoder, file), 'utf8')) as Story;
        return connection(cases.map(({ wire }) => Buffer.from(wire, 'hex')));
      }),
    }));
}

function connection(blocks: readonly Uint8Array[]): Bytes[] {
  return blocks.map((bytes, index) => ({ bytes, stream: index === 0 ? 1 : 0 }));
}

/** A browser's requests: much the same from one to the next, but for path, cookie and referrer. */
function madeFields(): HeaderFields[] {
  return Array.from({ length: MADE_BLOCKS }, (_, index) => [
    [':method', index % 8 === 0 ? 'POST' : 'GET'],
    [':scheme', 'https'],
    [':authority', 'shop.example.com'],
    [':path', `/api/v1/orders/${4711 + index}/items?page=${index % 5}`],
    ['user-agent', 'Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 Chrome/130.0.0.0 Safari/537.36'],
    ['accept', 'text/html,application/json;q=0.9,*/*;q=0.8'],
    ['accept-encoding', 'gzip, deflate, br'],
    ['cookie', `session=0123456789abcdef0123456789abcdef; seen=${index >> 2}`],
    ['referer', `https://shop.example.com/orders/${4711 + (index >> 1)}`],
    ['x-request-id', `7f9c2ba4-e88f-4d6a-9b1e-${(0x100000 + index * 7919).toString(16)}`],
  ]);
}
