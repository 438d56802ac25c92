/**
 * What the kernel tests share: a Capture with its rings, records as objects, and child processes that make traffic
 * (the test's own process is never captured).
 *
 * Where eBPF is refused the tests are skipped and say why; with CI=true they fail instead.
 */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe } from 'vitest';
import { type Capture, type CaptureOptions, loadAddon, type Ring, readBpfObject } from '../../host/kernel/addon.ts';
import { KIND_DATA, RECORD, RECORD_SIZE } from '../../host/kernel/layout.ts';
import { Child } from './child.ts';

export { Child };
export const addon = loadAddon();
const NODE = join(import.meta.dirname, '../../node_modules/.bin/node');

export interface Seen {
  connection: bigint;
  sequence: bigint;
  timestampNs: bigint;
  kind: number;
  direction: number;
  position: number;
  origin: number;
  moved: number;
  captured: number;
  endIn: number;
  slot: number;
  tgid: number;
  tid: number;
  flags: number;
  family: number;
  localPort: number;
  remotePort: number;
  local: string;
  remote: string;
  payload: Buffer;
}

export function decode(buffer: ArrayBuffer, length: number): Seen[] {
  const records: Seen[] = [];
  const view = new DataView(buffer);
  for (let at = 0; at < length; at += (view.getUint32(at + RECORD.length, true) + 7) & ~7) records.push(read(view, at));
  return records;
}

function read(view: DataView, at: number): Seen {
  const u32 = (offset: number) => view.getUint32(at + offset, true);
  const captured = u32(RECORD.captured);
  return {
    connection: view.getBigUint64(at + RECORD.connection, true),
    sequence: view.getBigUint64(at + RECORD.sequence, true),
    timestampNs: view.getBigUint64(at + RECORD.timestampNs, true),
    kind: view.getUint8(at + RECORD.kind),
    direction: view.getUint8(at + RECORD.direction),
    position: u32(RECORD.position),
    origin: u32(RECORD.origin),
    moved: u32(RECORD.moved),
    captured,
    endIn: u32(RECORD.endIn),
    slot: u32(RECORD.slot),
    tgid: u32(RECORD.tgid),
    tid: u32(RECORD.tid),
    flags: view.getUint16(at + RECORD.flags, true),
    family: view.getUint8(at + RECORD.family),
    localPort: view.getUint16(at + RECORD.localPort, true),
    remotePort: view.getUint16(at + RECORD.remotePort, true),
    local: Buffer.from(view.buffer as ArrayBuffer, at + RECORD.local, 16).toString('hex'),
    remote: Buffer.from(view.buffer as ArrayBuffer, at + RECORD.remote, 16).toString('hex'),
    payload: Buffer.from(Buffer.from(view.buffer as ArrayBuffer, at + RECORD_SIZE, captured)),
  };
}

export function drainAll(ring: Ring, buffer = new ArrayBuffer(1 << 20)): Seen[] {
  const records: Seen[] = [];
  for (let length = ring.drain(buffer, 0, buffer.byteLength); length > 0; ) {
    records.push(...decode(buffer, length));
    length = ring.drain(buffer, 0, buffer.byteLength);
  }
  return records;
}

/** An attached capture of selected processes, with shard 0 and the control ring open. */
export class Session {
  readonly capture: Capture;
  readonly ring: Ring;
  readonly control: Ring;

  constructor(options: Partial<CaptureOptions> = {}) {
    this.capture = new addon.Capture(readBpfObject(), {
      shards: 1,
      ringBytes: 1 << 22,
      controlBytes: 1 << 18,
      payloadBytes: 4096,
      everyProcess: false,
      ownTgid: process.pid,
      ...options,
    });
    this.capture.attach();
    this.ring = new addon.Ring(this.capture.ringFd(0));
    this.control = new addon.Ring(this.capture.controlFd());
  }

  records(): Seen[] {
    return drainAll(this.ring);
  }

  drainShard(shard: number): Seen[] {
    const ring = new addon.Ring(this.capture.ringFd(shard));
    const records = drainAll(ring);
    ring.close();
    return records;
  }

  [Symbol.dispose](): void {
    this.ring.close();
    this.control.close();
    this.capture.close();
  }
}

/** A process that obeys the commands of traffic.ts. */
export function startTraffic(): Child {
  return new Child(NODE, [join(import.meta.dirname, 'traffic.ts')]);
}

/** Builds a small C program from the folder beside this file; returns its path. */
export function buildProgram(folder: string): string {
  const sources = readdirSync(join(import.meta.dirname, folder)).filter((name) => name.endsWith('.c'));
  const target = join(mkdtempSync(join(tmpdir(), 'spanwire-')), folder);
  const paths = sources.map((name) => join(import.meta.dirname, folder, name));
  execFileSync('clang', ['-Wall', '-Wextra', '-Werror', '-O1', '-pthread', '-o', target, ...paths]);
  return target;
}

/** Data records of one direction of one connection, in the order of the stream. */
export function stream(records: readonly Seen[], connection: bigint, direction: number): Seen[] {
  const data = records.filter(
    (record) => record.connection === connection && record.direction === direction && record.kind === KIND_DATA,
  );
  const start = data[0]?.position ?? 0;
  return data.sort((a, b) => ((a.position - start) | 0) - ((b.position - start) | 0));
}

/** Bytes missing between records that are in stream order; negative when they overlap. */
export function gaps(records: readonly Seen[]): number[] {
  return records.slice(1).map((record, index) => {
    const before = records[index]!;
    return (record.position - before.position - before.moved) | 0;
  });
}

function refusal(): string | undefined {
  try {
    new Session()[Symbol.dispose]();
    return undefined;
  } catch (error) {
    const { message, detail } = error as Error & { detail?: string };
    return `${message}${detail === undefined ? '' : `\n${detail}`}`;
  }
}

const refused = refusal();
if (refused !== undefined && process.env.CI === 'true') throw new Error(`eBPF is refused: ${refused}`);
if (refused !== undefined) process.stderr.write(`\nSKIPPED, eBPF is refused here (root needed?): ${refused}\n\n`);

export const describeKernel = refused === undefined ? describe : describe.skip;
