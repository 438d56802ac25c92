/** The contract of a record source: whole records, bounds, slot numbers; limits that hold under hostile captures. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { CaptureError } from '../../host/replay/byte-window.ts';
import { openReplay } from '../../host/replay/source.ts';
import { conversation, ETHERNET, fileOf, Pcapng, pcap } from './captures.ts';
import { concat, ethernet, ipv4, ipv6, type TcpFields, tcp, u32, vlan } from './packets.ts';
import { drainAll, type Replayed, replay, replayFile, story } from './records.ts';

type Step = TcpFields & { from?: 'client' | 'server' };

/** `count` connections that are open together, each with one payload. */
function connections(count: number): Step[] {
  const ports = Array.from({ length: count }, (_, i) => 10_000 + i);
  return [
    ...ports.map((sourcePort) => ({ sourcePort, sequence: 100, flags: 'S' })),
    ...ports.map((sourcePort) => ({ sourcePort, sequence: 101, payload: `from ${sourcePort}` })),
  ];
}

describe('drain', () => {
  const capture = conversation(connections(50));

  it('gives the same records whatever the capacity', () => {
    const path = fileOf(capture);
    const expected = replayFile(path).records;
    for (const capacity of [200, 1000, 4096]) expect(replayFile(path, {}, capacity).records).toEqual(expected);
  });

  it('writes from the offset on, and only there', () => {
    const source = openReplay(fileOf(capture));
    const buffer = new ArrayBuffer(4096);
    const length = source.drain(buffer, 1024, 1000);
    expect(length).toBeGreaterThan(128);
    const bytes = new Uint8Array(buffer);
    expect(bytes.subarray(0, 1024).every((byte) => byte === 0)).toBe(true);
    expect(bytes.subarray(1024 + length).every((byte) => byte === 0)).toBe(true);
    source.close();
  });

  it('gives 0 when the next record does not fit, and keeps it', () => {
    const source = openReplay(fileOf(capture));
    expect(source.drain(new ArrayBuffer(128), 0, 128)).toBe(0);
    expect(source.pending()).toBeGreaterThan(128);
    expect(source.finished).toBe(false);
    expect(drainAll(source, 4096)).toHaveLength(100);
    expect(source.pending()).toBe(0);
    source.close();
  });

  it('refuses what lies outside of the buffer', () => {
    const source = openReplay(fileOf(capture));
    const buffer = new ArrayBuffer(4096);
    expect(() => source.drain(buffer, 4, 1000)).toThrow(/offset 4 is not a multiple of 8/);
    expect(() => source.drain(buffer, 4088, 16)).toThrow(/outside of a buffer of 4096/);
    expect(() => source.drain(buffer, -8, 16)).toThrow(RangeError);
    structuredClone(buffer, { transfer: [buffer] });
    expect(() => source.drain(buffer, 0, 16)).toThrow(/outside of a buffer of 0/);
    source.close();
  });

  it('after close gives what was read, and the end', () => {
    const source = openReplay(fileOf(capture));
    source.drain(new ArrayBuffer(4096), 0, 4096);
    source.close();
    source.close();
    const rest = drainAll(source, 4096);
    expect(rest.filter(({ kind }) => kind === 'data').length).toBeLessThan(50);
    expect(source.finished).toBe(true);
  });
});

describe('slot numbers', () => {
  it('are dense, and used again when released', () => {
    const path = fileOf(conversation([...connections(20), ...connections(20).map(later)]));
    const { records, source } = replayFile(path, {}, 300);
    expect(Math.max(...records.map(({ slot }) => slot))).toBeLessThan(25);
    expect(new Set(records.map(({ connection }) => connection)).size).toBe(40);
    expect(source.connections).toBe(0);
  });

  it('are not used again before', () => {
    const source = openReplay(fileOf(conversation([...connections(2), ...connections(2).map(later)])));
    const buffer = new ArrayBuffer(8192);
    while (!source.finished) source.drain(buffer, 0, buffer.byteLength);
    expect(source.connections).toBe(4);
    source.release(Uint32Array.of(0, 1, 2, 3, 99), 4);
    expect(source.connections).toBe(0);
    expect(() => source.release(Uint32Array.of(2), 1)).toThrow(/slot 2 is not taken/);
    source.close();
  });

  it('run out: the bytes of further connections are refused and counted', () => {
    const { records, source } = replay(conversation(connections(20)), { slots: 5 });
    expect(records.filter(({ kind }) => kind === 'data')).toHaveLength(5);
    expect(source.counters.bytes_refused).toBe(15 * 'from 10000'.length);
    expectEachClosedOnce(records);
  });

  function later(step: Step): Step {
    return { ...step, sequence: step.sequence! + 5000 };
  }
});

describe('limits', () => {
  it('more connections than may be open: the longest idle is closed', () => {
    const { records, source } = replay(conversation(connections(50)), { connections: 10 });
    expect(source.counters.connections_evicted).toBeGreaterThanOrEqual(40);
    expectEachClosedOnce(records);
    expectAccounted(source);
  });

  it('closed connections are forgotten in time', () => {
    const steps = Array.from({ length: 20_000 }, (_, i) => [
      { sourcePort: 1 + i, sequence: 1, payload: 'x' },
      { sourcePort: 1 + i, sequence: 2, flags: 'R' },
    ]);
    const again = [
      { sourcePort: 1, sequence: 1, payload: 'y' },
      { sourcePort: 20_000, sequence: 1, payload: 'y' },
    ];
    const { source } = replay(conversation([...steps.flat(), ...again]));
    expect(source.counters).toMatchObject({ connections: 20_001, segments_after_close: 1 });
  });

  it('a capture without anything in it still ends', () => {
    const udp = { bytes: ethernet(ipv4(new Uint8Array(8), { protocol: 17 })) };
    const source = openReplay(fileOf(pcap(new Array(40_000).fill(udp))));
    let calls = 0;
    for (; !source.finished; calls++) expect(source.drain(new ArrayBuffer(4096), 0, 4096)).toBe(0);
    expect(calls).toBeGreaterThan(2);
    expect(source.counters.packets_not_tcp).toBe(40_000);
    source.close();
  });
});

describe('a damaged capture', () => {
  it('gives what it had, then closes, and says where it is damaged', () => {
    const damage = concat(u32(1), u32(0), u32(0xffffffff), u32(0));
    const { records, source } = replay(concat(conversation(connections(2)), damage));
    expect(story(records)).toEqual(['data in from 10000', 'data in from 10001', 'close', 'close']);
    expect(source.error).toBeInstanceOf(CaptureError);
    expect(source.error?.message).toMatch(/damaged \(at byte \d+\)/);
  });

  it('cut off in the middle of a packet is only counted', () => {
    const capture = conversation(connections(2));
    const { records, source } = replay(capture.subarray(0, capture.length - 3));
    expect(story(records)).toEqual(['data in from 10000', 'close']);
    expect(source.error).toBeUndefined();
    expect(source.counters.last_packet_cut).toBe(1);
  });
});

describe('any bytes whatsoever', () => {
  const ng = new Pcapng();
  const segments = connections(4).map((step) => tcp(step));
  const seeds = [
    conversation(connections(4)),
    pcap(segments.map((bytes) => ({ bytes: vlan(ipv6(bytes), [0x88a8, 0x8100], 0x86dd) }))),
    concat(
      ng.section(),
      ng.interface(ETHERNET, ng.resolution(9)),
      ...segments.map((bytes) => ng.enhanced(0, 1n, ethernet(ipv4(bytes)))),
      ng.simple(ethernet(ipv4(segments[0]!))),
    ),
  ];
  const edits = fc.array(fc.tuple(fc.nat(), fc.oneof(fc.nat(255), fc.constantFrom(0, 1, 0x7f, 0x80, 0xff))), {
    maxLength: 12,
  });
  const mutants = fc.tuple(fc.constantFrom(...seeds), edits, fc.nat(40)).map(([seed, changes, missing]) => {
    const bytes = seed.slice(0, seed.length - missing);
    for (const [at, value] of changes) bytes[at % bytes.length] = value;
    return bytes;
  });

  it('neither crash nor hang, and every record keeps the contract', () => {
    const path = fileOf(new Uint8Array(0));
    const tiny = { connections: 3, slots: 4, heldPerStream: 1000, held: 2000 };
    fc.assert(
      fc.property(fc.oneof({ weight: 9, arbitrary: mutants }, fc.uint8Array({ maxLength: 300 })), (bytes) => {
        const replayed = attempt(() => replayFile(fileOf(bytes, path.split('/').at(-1)), tiny, 256 * 1024));
        if (!replayed) return;
        expectEachClosedOnce(replayed.records);
        expectAccounted(replayed.source);
        expect(replayed.source.connections).toBe(0);
      }),
      { numRuns: 1500 },
    );
  }, 30_000);

  /** The result, or undefined when the file was refused as no capture. */
  function attempt(action: () => Replayed): Replayed | undefined {
    try {
      return action();
    } catch (error) {
      expect(error).toBeInstanceOf(CaptureError);
      return undefined;
    }
  }
});

function expectEachClosedOnce(records: Replayed['records']): void {
  const closed = records.filter(({ kind }) => kind === 'close').map(({ connection }) => connection);
  expect(new Set(closed).size).toBe(closed.length);
  expect(new Set(closed)).toEqual(new Set(records.map(({ connection }) => connection)));
}

/** The equations of host/replay/counters.ts. */
function expectAccounted({ counters: c }: Replayed['source']): void {
  const unused = Object.entries(c).filter(([name]) => name.startsWith('packets_'));
  expect(c.segments + unused.reduce((sum, [, value]) => sum + value, 0)).toBe(c.packets);
  expect(c.segments_accepted + c.segments_unattached + c.segments_after_close).toBe(c.segments);
  expect(c.bytes_accepted + c.bytes_repeated + c.bytes_refused + c.bytes_after_end).toBe(c.bytes);
}
