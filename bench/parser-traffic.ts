/** What the parsers are compared on: steady traffic of one connection, made by the serialisers of the protocols' clients. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Step } from '../host/modules/trial/steps.ts';
import { DATA, EOF } from '../parsers/sdk/abi.ts';
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
