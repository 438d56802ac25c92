/** The reference parsers written in C, compiled on first use into an addon of their own (bench/reference/). */
import { execFileSync } from 'node:child_process';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import type { Bytes } from './parser-traffic.ts';

interface Counts {
  /** Messages, replies or header fields. */
  readonly items: number;
  /** Bytes of what the parser handed out of them. */
  readonly bytes: number;
}

type HeaderFields = readonly (readonly [name: string, value: string])[];

export interface Reference {
  parseHttp(bytes: Uint8Array, chunks: Uint32Array, laps: number): Counts;
  parseResp(bytes: Uint8Array, chunks: Uint32Array, laps: number, makesObjects: boolean): Counts;
  inflateHpack(bytes: Uint8Array, chunks: Uint32Array, laps: number): Counts;
  /** The blocks of one connection. */
  deflateHpack(blocks: readonly HeaderFields[]): Uint8Array[];
  /** CPU time of this thread so far. */
  threadCpuNs(): number;
}

const ROOT = join(import.meta.dirname, '..');

export function loadReference(): Reference {
  const build = join(ROOT, 'build');
  const modules = join(ROOT, 'node_modules');
  const folder = join(import.meta.dirname, 'reference');
  execFileSync('make', ['--no-print-directory', '-s', '-C', folder, `BUILD=${build}`, `MODULES=${modules}`], {
    stdio: ['ignore', process.stderr, process.stderr],
  });
  return createRequire(import.meta.url)(join(build, 'bench', 'reference.node')) as Reference;
}

/** All chunks as one array, and a table of them for the addon: offset, length and stream of each. */
export function tableOf(chunks: readonly Bytes[]): { bytes: Uint8Array; chunks: Uint32Array } {
  const table: number[] = [];
  let offset = 0;
  for (const { bytes, stream } of chunks) {
    table.push(offset, bytes.length, stream);
    offset += bytes.length;
  }
  return { bytes: new Uint8Array(Buffer.concat(chunks.map(({ bytes }) => bytes))), chunks: new Uint32Array(table) };
}
