/**
 * The addon used as it should be, from several threads, and as it should not be: an error with a code each time.
 */
import { closeSync, openSync, readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { Worker } from 'node:worker_threads';
import { describe, expect, it } from 'vitest';
import { type Capture, type CaptureOptions, readBpfObject } from '../../host/kernel/addon.ts';
import { KERNEL_COUNTERS, KIND_CLOSE, KIND_DATA } from '../../host/kernel/layout.ts';
import { buildProduct } from '../../host/self/build-product.ts';
import { addon, describeKernel, drainAll, Session, startTraffic } from './harness.ts';

const OPTIONS: CaptureOptions = {
  shards: 1,
  ringBytes: 1 << 16,
  controlBytes: 1 << 16,
  payloadBytes: 4096,
  everyProcess: false,
  ownTgid: process.pid,
};

const failure = (code: string) => expect.objectContaining({ code, message: expect.stringMatching(/./) });
// biome-ignore lint/suspicious/noExplicitAny: what JavaScript callers may do and TypeScript forbids
const wrong = (value: unknown) => value as any;

describe('copyPieces', () => {
  it('copies all pieces, within one buffer too', () => {
    const source = Uint8Array.from({ length: 16 }, (_, index) => index).buffer;
    const target = new ArrayBuffer(8);
    addon.copyPieces(source, target, Uint32Array.of(0, 4, 4, 12, 0, 4), 2);
    expect([...new Uint8Array(target)]).toEqual([12, 13, 14, 15, 0, 1, 2, 3]);
    addon.copyPieces(target, target, Uint32Array.of(0, 1, 7), 1);
    expect([...new Uint8Array(target)]).toEqual([12, 12, 13, 14, 15, 0, 1, 2]);
  });

  it('copies nothing when any piece is out of range', () => {
    const source = new Uint8Array(16).fill(1).buffer;
    const target = new ArrayBuffer(8);
    for (const bad of [
      [13, 0, 4],
      [0, 5, 4],
      [0xffffffff, 0, 1],
      [0, 0xffffffff, 0xffffffff],
    ]) {
      const table = Uint32Array.of(0, 0, 8, ...bad);
      expect(() => addon.copyPieces(source, target, table, 2)).toThrow(failure('ERR_RANGE'));
    }
    expect([...new Uint8Array(target)]).toEqual([0, 0, 0, 0, 0, 0, 0, 0]);
    expect(() => addon.copyPieces(source, target, Uint32Array.of(0, 0, 8), 2)).toThrow(failure('ERR_RANGE'));
    structuredClone(target, { transfer: [target] });
    expect(() => addon.copyPieces(source, target, Uint32Array.of(0, 0, 1), 1)).toThrow(failure('ERR_DETACHED'));
    expect(() => addon.copyPieces(wrong('text'), target, Uint32Array.of(), 0)).toThrow(failure('ERR_INVALID_ARG_TYPE'));
  });
});

describe('wipe', () => {
  it.each([0, 1, 4096, 65_536, 1_000_000])('zeroes %d bytes, and none beside them', (size) => {
    const memory = new WebAssembly.Memory({ initial: 17, maximum: 17 });
    for (const buffer of [new ArrayBuffer(size), memory.buffer]) {
      new Uint8Array(buffer).fill(7);
      addon.wipe(buffer);
      expect(new Uint8Array(buffer).some((byte) => byte !== 0)).toBe(false);
      new Uint8Array(buffer).fill(9);
      expect(new Uint8Array(buffer).every((byte) => byte === 9)).toBe(true);
    }
  });

  it('refuses what is no buffer', () => {
    const gone = new ArrayBuffer(65536);
    structuredClone(gone, { transfer: [gone] });
    expect(() => addon.wipe(gone)).toThrow(failure('ERR_DETACHED'));
    for (const bad of [undefined, 'text', 65536, new Uint8Array(65536), new SharedArrayBuffer(65536)]) {
      expect(() => addon.wipe(wrong(bad))).toThrow(failure('ERR_INVALID_ARG_TYPE'));
    }
  });
});

describe('keepHeapLean', () => {
  it('leaves the process without huge pages', () => {
    addon.keepHeapLean();
    expect(readFileSync('/proc/self/status', 'utf8')).toMatch(/^THP_enabled:\s+0$/m);
  });
});

describe('realtimeOffset', () => {
  it('turns monotonic nanoseconds into those of the wall clock', () => {
    const [low, high] = addon.realtimeOffset();
    const offset = (BigInt(high) << 32n) | BigInt(low);
    const now = Number((process.hrtime.bigint() + offset) / 1_000_000n);
    expect(Math.abs(now - Date.now())).toBeLessThan(50);
  });
});

describe('Capture, given nonsense', () => {
  it.each<[string, Partial<CaptureOptions>]>([
    ['no shard', { shards: 0 }],
    ['too many shards', { shards: 65 }],
    ['part of a shard', { shards: 1.5 }],
    ['a ring that is no power of two', { ringBytes: 12288 }],
    ['a ring smaller than a page', { ringBytes: 2048 }],
    ['a control ring of nothing', { controlBytes: 0 }],
    ['a payload above the limit', { payloadBytes: 16385 }],
    ['a negative process', { ownTgid: -1 }],
    ['not a number', { ringBytes: Number.NaN }],
  ])('refuses %s', (_, options) => {
    expect(() => new addon.Capture(readBpfObject(), { ...OPTIONS, ...options })).toThrow(failure('ERR_RANGE'));
  });

  it('refuses arguments of other types', () => {
    const bad = [[], ['text', OPTIONS], [readBpfObject()], [readBpfObject(), { ...OPTIONS, everyProcess: 1 }]];
    for (const args of bad) {
      expect(() => new (wrong(addon.Capture))(...args)).toThrow(failure('ERR_INVALID_ARG_TYPE'));
    }
    expect(() => wrong(addon.Capture)(readBpfObject(), OPTIONS)).toThrow();
    expect(() => addon.Capture.prototype.close.call(wrong({}))).toThrow();
  });

  it('refuses bytes that are no object, and says so in the words of libbpf', () => {
    expect(() => new addon.Capture(new Uint8Array(), OPTIONS)).toThrow(failure('EINVAL'));
    for (const bytes of [Buffer.from('not an ELF file'), readBpfObject().subarray(0, 2000)]) {
      const error = thrown(() => new addon.Capture(bytes, OPTIONS));
      expect(error).toMatchObject({ code: expect.stringMatching(/^E/), detail: expect.stringMatching(/libbpf/) });
    }
  });
});

describeKernel('Capture', () => {
  it('throws ERR_CLOSED for everything after close', () => {
    const capture = new addon.Capture(readBpfObject(), OPTIONS);
    capture.close();
    const calls: ((capture: Capture) => unknown)[] = [
      (it) => it.close(),
      (it) => it.attach(),
      (it) => it.detach(),
      (it) => it.ringFd(0),
      (it) => it.controlFd(),
      (it) => it.counters(),
      (it) => it.selectProcess(1, true),
      (it) => it.selectPorts([[1, 2]]),
      (it) => it.ignoreConnection(1, 0, true),
    ];
    for (const call of calls) expect(() => call(capture)).toThrow(failure('ERR_CLOSED'));
  });

  it('refuses shards, processes and ports that do not exist', () => {
    using session = new Session();
    const { capture } = session;
    expect(() => capture.ringFd(1)).toThrow(failure('ERR_RANGE'));
    expect(() => capture.selectProcess(2 ** 32, true)).toThrow(failure('ERR_RANGE'));
    expect(() => capture.selectPorts([[1, 65536]])).toThrow(failure('ERR_RANGE'));
    expect(() => capture.selectPorts([[10, 9]])).toThrow(failure('ERR_RANGE'));
    expect(() => capture.selectPorts(wrong([1, 2]))).toThrow(failure('ERR_INVALID_ARG_TYPE'));
    expect(() => capture.attach()).toThrow(failure('EALREADY'));
    expect(Object.keys(capture.counters())).toEqual([...KERNEL_COUNTERS]);
  });

  it('captures nothing after detach, and what was captured can still be drained', async () => {
    using session = new Session();
    const child = startTraffic();
    session.capture.selectProcess(child.pid, true);
    await child.ask(`open ${await child.ask('listen')}`);
    await child.ask('send before');
    session.capture.detach();
    await child.ask('send after');
    expect(session.records().map((record) => record.payload.toString())).toEqual(Array(4).fill('before'));
    await child.end();
  });

  it('works twice at once, each for itself', async () => {
    using one = new Session();
    using two = new Session();
    const child = startTraffic();
    one.capture.selectProcess(child.pid, true);
    two.capture.selectProcess(child.pid, true);
    await child.ask(`exchange ${await child.ask('listen')} 2 100`);
    await child.end();
    const [first, second] = [one.records(), two.records()];
    expect(first.filter((record) => record.kind === KIND_DATA)).toHaveLength(8);
    expect(second.map((record) => record.position)).toEqual(first.map((record) => record.position));
  });

  it('is freed with the thread that made it', async () => {
    const before = bpfDescriptors();
    const worker = new Worker(
      `const { workerData } = require('node:worker_threads'), { readFileSync } = require('node:fs');
       const addon = require(workerData.addon);
       const capture = new addon.Capture(readFileSync(workerData.object), workerData.options);
       capture.attach();
       globalThis.kept = new addon.Ring(capture.ringFd(0));
       globalThis.capture = capture;`,
      {
        eval: true,
        workerData: {
          addon: buildProduct('native/spanwire.node'),
          object: buildProduct('spanwire.bpf.o'),
          options: OPTIONS,
        },
      },
    );
    await new Promise((resolve) => worker.on('exit', resolve));
    expect(bpfDescriptors()).toBe(before);
  });
});

describeKernel('Ring', () => {
  it('is drained in another thread, whatever the main thread does', async () => {
    using session = new Session();
    const child = startTraffic();
    session.capture.selectProcess(child.pid, true);
    const worker = new Worker(
      `const { workerData, parentPort } = require('node:worker_threads');
       const ring = new (require(workerData.addon).Ring)(workerData.fd);
       const buffer = new ArrayBuffer(1 << 16);
       parentPort.on('message', () => {
         let bytes = 0;
         for (let n; (n = ring.drain(buffer, 0, buffer.byteLength)) > 0; ) bytes += n;
         parentPort.postMessage({ bytes, connections: ring.connections });
         ring.close();
         parentPort.close();
       });`,
      { eval: true, workerData: { addon: buildProduct('native/spanwire.node'), fd: session.capture.ringFd(0) } },
    );
    await child.ask(`exchange ${await child.ask('listen')} 10 100`);
    worker.postMessage('drain');
    const { bytes, connections } = await new Promise<{ bytes: number; connections: number }>((resolve) =>
      worker.on('message', resolve),
    );
    // 40 data records of 128 + 100 bytes, each padded to a multiple of 8
    expect(bytes).toBeGreaterThanOrEqual(40 * 232);
    expect(connections).toBe(2);
    await child.end();
  });

  it('copies whole records only, in pieces of any capacity', async () => {
    using session = new Session();
    const child = startTraffic();
    session.capture.selectProcess(child.pid, true);
    await child.ask(`exchange ${await child.ask('listen')} 5 1000`);
    await child.end();
    const pending = session.ring.pending();
    expect(pending).toBeGreaterThan(20 * 1136);
    const buffer = new ArrayBuffer(4096);
    expect(session.ring.drain(buffer, 0, 1127)).toBe(0);
    expect(session.ring.pending()).toBe(pending);
    new Uint8Array(buffer).fill(0xee);
    expect(session.ring.drain(buffer, 8, 1128)).toBe(1128);
    expect([...new Uint8Array(buffer, 0, 8)]).toEqual(Array(8).fill(0xee));
    expect([...new Uint8Array(buffer, 1136, 8)]).toEqual(Array(8).fill(0xee));
    expect(drainAll(session.ring, buffer).length).toBe(19 + 6);
    expect(session.ring.pending()).toBe(0);
    expect(session.ring.size).toBe(1 << 22);
  });

  it('puts records together that the end of the ring breaks', async () => {
    using session = new Session({ ringBytes: 1 << 14 });
    const child = startTraffic();
    session.capture.selectProcess(child.pid, true);
    await child.ask(`open ${await child.ask('listen')}`);
    const [text, seen] = ['0123456789'.repeat(50), [] as string[]];
    // 300 records of 636 bytes and their headers: a dozen times around the ring, which they do not divide.
    for (let n = 0; n < 75; n++) {
      await child.ask(`send ${n}-${text}`);
      seen.push(...session.records().map((record) => record.payload.toString()));
    }
    expect(seen).toEqual(Array.from({ length: 300 }, (_, n) => `${Math.floor(n / 4)}-${text}`));
    await child.end();
  });

  it('numbers connections from 0, keeps the number, and gives it again after release', async () => {
    using session = new Session();
    const child = startTraffic();
    session.capture.selectProcess(child.pid, true);
    const port = await child.ask('listen');
    for (let round = 0; round < 3; round++) await child.ask(`exchange ${port} 2 10`);
    const records = session.records();
    const slots = new Map(records.map((record) => [record.connection, record.slot]));
    expect([...slots.values()].sort()).toEqual([0, 1, 2, 3, 4, 5]);
    expect(records.every((record) => record.slot === slots.get(record.connection))).toBe(true);
    expect(session.ring.connections).toBe(6);

    const closed = records.filter((record) => record.kind === KIND_CLOSE).map((record) => record.slot);
    session.ring.release(Uint32Array.from(closed), closed.length);
    expect(session.ring.connections).toBe(0);
    expect(() => session.ring.release(Uint32Array.of(closed[0]!), 1)).toThrow(failure('ERR_RANGE'));
    expect(() => session.ring.release(Uint32Array.of(0xffffffff), 1)).toThrow(failure('ERR_RANGE'));
    expect(() => session.ring.release(Uint32Array.of(), 1)).toThrow(failure('ERR_RANGE'));
    await child.ask(`exchange ${port} 1 10`);
    expect(Math.max(...session.records().map((record) => record.slot))).toBeLessThan(6);
    await child.end();
  });

  it('refuses buffers it cannot fill', () => {
    using session = new Session();
    const buffer = new ArrayBuffer(1024);
    const { ring } = session;
    expect(() => ring.drain(buffer, 0, 1025)).toThrow(failure('ERR_RANGE'));
    expect(() => ring.drain(buffer, 1032, 0)).toThrow(failure('ERR_RANGE'));
    expect(() => ring.drain(buffer, 1024, 0xffffffff)).toThrow(failure('ERR_RANGE'));
    expect(() => ring.drain(buffer, 4, 8)).toThrow(failure('ERR_RANGE'));
    expect(() => ring.drain(buffer, -8, 8)).toThrow(failure('ERR_RANGE'));
    expect(() => ring.drain(wrong(new Uint8Array(8)), 0, 8)).toThrow(failure('ERR_INVALID_ARG_TYPE'));
    expect(() => ring.drain(wrong(new SharedArrayBuffer(8)), 0, 8)).toThrow(failure('ERR_INVALID_ARG_TYPE'));
    expect(() => ring.drain(buffer, wrong('0'), 8)).toThrow(failure('ERR_INVALID_ARG_TYPE'));
    structuredClone(buffer, { transfer: [buffer] });
    expect(() => ring.drain(buffer, 0, 8)).toThrow(failure('ERR_DETACHED'));
  });

  it('refuses descriptors that are no rings', () => {
    expect(thrown(() => new addon.Ring(1_000_000))).toMatchObject({ code: expect.stringMatching(/^EBADF/) });
    expect(() => new addon.Ring(-1)).toThrow(failure('ERR_RANGE'));
    const file = openSync('/dev/null', 'r');
    expect(() => new addon.Ring(file)).toThrow(failure('EINVAL'));
    closeSync(file);
  });

  it('throws ERR_CLOSED after close, and outlives its Capture', () => {
    const capture = new addon.Capture(readBpfObject(), OPTIONS);
    const ring = new addon.Ring(capture.ringFd(0));
    capture.close();
    expect(ring.drain(new ArrayBuffer(64), 0, 64)).toBe(0);
    ring.close();
    expect(() => ring.close()).toThrow(failure('ERR_CLOSED'));
    expect(() => ring.drain(new ArrayBuffer(64), 0, 64)).toThrow(failure('ERR_CLOSED'));
    expect(() => ring.pending()).toThrow(failure('ERR_CLOSED'));
    expect(() => ring.release(Uint32Array.of(0), 1)).toThrow(failure('ERR_CLOSED'));
    expect(() => ring.size).toThrow(failure('ERR_CLOSED'));
    expect(() => ring.connections).toThrow(failure('ERR_CLOSED'));
  });
});

describe('probe', () => {
  it('reports every program by itself, and what they all need', () => {
    const features = addon.probe(readBpfObject());
    const names = features.map((feature) => feature.name);
    expect(names).toEqual(expect.arrayContaining(['btf', 'map:ringbuf', 'map:sk_storage', 'capability:CAP_BPF']));
    expect(names.filter((name) => name.startsWith('program:'))).toHaveLength(7);
    for (const feature of features) {
      expect(feature.ok ? feature.code : feature.detail).toEqual(feature.ok ? undefined : expect.stringMatching(/./));
    }
  });

  it('refuses bytes that are no object', () => {
    expect(() => addon.probe(Buffer.from('nonsense'))).toThrow(expect.objectContaining({ code: expect.any(String) }));
  });
});

function thrown(call: () => unknown): unknown {
  try {
    call();
  } catch (error) {
    return error;
  }
  throw new Error('nothing was thrown');
}

/** Descriptors of BPF maps, programs and links this process holds. */
function bpfDescriptors(): number {
  const targets = readdirSync('/proc/self/fd').map((fd) => {
    try {
      return readlinkSync(`/proc/self/fd/${fd}`);
    } catch {
      return '';
    }
  });
  return targets.filter((target) => target.includes('bpf')).length;
}
