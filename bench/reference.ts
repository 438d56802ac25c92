/** What is compared with, written in C and C++, compiled on first use into an addon of its own (bench/reference/). */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { isMainThread } from 'node:worker_threads';
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
  readonly Feeder: new (options: FeederOptions) => NativeFeeder;
}

export interface FeederOptions {
  /** The BPF object that feeds a kernel's ring; without it the records lie in ordinary memory. */
  readonly object?: Uint8Array | undefined;
  readonly ringBytes: number;
  /** What the kernel keeps of a call. */
  readonly payloadBytes: number;
  readonly connections: number;
  /** Turns of every connection, after which nothing more comes; 0: it goes on for ever. */
  readonly lastRound: number;
  readonly conversations: readonly FeederConversation[];
}

/** A conversation as tables; every connection has one of them, in turn. */
export interface FeederConversation {
  readonly port: number;
  /** All calls, one after the other. */
  readonly bytes: Uint8Array;
  /** Turn, offset, length and direction of each call. */
  readonly calls: Uint32Array;
  /** Call, and offset in it, of each HTTP/2 stream id; a lap later it is `stride` more. */
  readonly streamIds: Uint32Array;
  readonly stride: number;
  /** By turn. */
  readonly pairs: Uint32Array;
  /** Turns before this one are not repeated. */
  readonly firstRepeated: number;
  /** After its last turn the connection closes, and another opens in its place. */
  readonly closes: boolean;
}

/** Records of a ring's size: made, put into the ring as often as one likes, and taken out again. */
export interface NativeFeeder {
  /** Makes the next records. */
  generate(): { readonly bytes: number; readonly records: number; readonly pairs: number };
  /** Puts them into the empty ring. */
  feed(): void;
  /** The floor: takes all out, and copies each. Returns bytes. */
  floor(): number;
  /** As RecordSource; of ordinary memory only. */
  drain(buffer: ArrayBuffer, offset: number, capacity: number): number;
  release(slots: Uint32Array, count: number): void;
  pending(): number;
  /** Of the kernel's ring. */
  readonly ringFd: number;
  /** Turns that every connection has had, and those after which all of them are where they repeat. */
  readonly rounds: number;
  readonly opening: number;
  /** Nothing works after this. */
  close(): void;
}

const ROOT = join(import.meta.dirname, '..');

/** The BPF object of the feeder, compiled with the addon. */
export function readFeederObject(): Uint8Array {
  return readFileSync(join(ROOT, 'build', 'bench', 'feeder.bpf.o'));
}

/** Built by the main thread, which comes first. */
export function loadReference(): Reference {
  const build = join(ROOT, 'build');
  if (isMainThread) {
    const folder = join(import.meta.dirname, 'reference');
    const variables = [`BUILD=${build}`, `MODULES=${join(ROOT, 'node_modules')}`];
    const stdio = ['ignore', process.stderr, process.stderr] as const;
    execFileSync('make', ['--no-print-directory', '-s', '-C', folder, ...variables], { stdio: [...stdio] });
  }
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
