/** Every variant of pcap and pcapng gives the same packet, and what is no capture says what it is. */
import { gzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { CaptureFile } from '../../host/replay/capture-file.ts';
import { Packet } from '../../host/replay/packet.ts';
import { ETHERNET, fileOf, Pcapng, pcap } from './captures.ts';
import { concat, u32 } from './packets.ts';

const PAYLOAD = new TextEncoder().encode('a packet');
const BOTH_ORDERS = [true, false];

interface Read {
  text: string;
  time: bigint;
  linkType: number;
  wireLength: number;
}

function read(bytes: Uint8Array): { packets: Read[]; cut: boolean } {
  const file = new CaptureFile(fileOf(bytes));
  const packet = new Packet();
  const packets: Read[] = [];
  try {
    while (file.next(packet)) {
      const { time, linkType, wireLength, start, captured } = packet;
      const text = new TextDecoder().decode(packet.bytes.subarray(start, start + captured));
      packets.push({ text, linkType, wireLength, time: (BigInt(time.high) << 32n) | BigInt(time.low) });
    }
    return { packets, cut: file.cut };
  } finally {
    file.close();
  }
}

const ONE = { text: 'a packet', time: 1_700_000_000_123_456_000n, linkType: ETHERNET, wireLength: 8 };

describe('pcap', () => {
  for (const littleEndian of BOTH_ORDERS) {
    it(`reads microseconds, ${littleEndian ? 'little' : 'big'}-endian`, () => {
      const packet = { bytes: PAYLOAD, seconds: 1_700_000_000, fraction: 123_456 };
      expect(read(pcap([packet], { littleEndian }))).toEqual({ packets: [ONE], cut: false });
    });

    it(`reads nanoseconds, ${littleEndian ? 'little' : 'big'}-endian`, () => {
      const packet = { bytes: PAYLOAD, seconds: 1_700_000_000, fraction: 123_456_789 };
      const [found] = read(pcap([packet], { littleEndian, nanoseconds: true })).packets;
      expect(found?.time).toBe(1_700_000_000_123_456_789n);
    });
  }

  it('keeps the length on the wire of a packet that was captured in part', () => {
    expect(read(pcap([{ bytes: PAYLOAD, wireLength: 1500 }])).packets[0]?.wireLength).toBe(1500);
  });

  it('reads times beyond 2038 up to the end of the 32-bit seconds', () => {
    const [found] = read(pcap([{ bytes: PAYLOAD, seconds: 0xffffffff, fraction: 999_999 }])).packets;
    expect(found?.time).toBe(4_294_967_295_999_999_000n);
  });

  it('reads a file larger than its window', () => {
    const packets = Array.from({ length: 1000 }, (_, i) => ({ bytes: new Uint8Array(1000 + i).fill(i), seconds: i }));
    const found = read(pcap(packets)).packets;
    expect(found.map(({ wireLength }) => wireLength)).toEqual(packets.map(({ bytes }) => bytes.length));
  });

  it('takes a last packet that is cut off for the end, and says so', () => {
    const whole = pcap([{ bytes: PAYLOAD }, { bytes: PAYLOAD }]);
    for (const missing of [1, 7, 8, 20]) {
      expect(read(whole.subarray(0, whole.length - missing))).toMatchObject({ packets: [{}], cut: true });
    }
  });

  it('refuses a packet longer than any, with the offset of its header', () => {
    const damaged = concat(pcap([{ bytes: PAYLOAD }]), u32(1), u32(0), u32(0x7fffffff, true), u32(0));
    expect(() => read(damaged)).toThrow(/packet of 2147483647 bytes: the file is damaged \(at byte 48\)/);
  });

  it('refuses a link type that nothing can come of', () => {
    expect(() => read(pcap([], { linkType: 105 }))).toThrow(/link type 105 is not supported/);
  });
});

describe('pcapng', () => {
  for (const littleEndian of BOTH_ORDERS) {
    it(`reads enhanced, simple and obsolete packets, ${littleEndian ? 'little' : 'big'}-endian`, () => {
      const ng = new Pcapng(littleEndian);
      const time = 1_700_000_000_123_456n;
      const file = concat(
        ng.section(),
        ng.interface(ETHERNET),
        ng.enhanced(0, time, PAYLOAD),
        ng.simple(PAYLOAD),
        ng.obsolete(0, time, PAYLOAD),
      );
      expect(read(file)).toEqual({ packets: [ONE, ONE, ONE], cut: false });
    });
  }

  it('counts time as each interface says', () => {
    const ng = new Pcapng();
    const clocks: [resolution: number, time: bigint][] = [
      [0, 1_700_000_000n],
      [3, 1_700_000_000_500n],
      [9, 1_700_000_000_500_000_000n],
      [10, 17_000_000_005_000_000_000n],
      [0x80 | 1, 3_400_000_001n],
      [0x80 | 20, (1_700_000_000n << 20n) | (1n << 19n)],
    ];
    const file = concat(
      ng.section(),
      ...clocks.map(([resolution]) => ng.interface(ETHERNET, ng.resolution(resolution))),
      ...clocks.map(([, time], index) => ng.enhanced(index, time, PAYLOAD)),
    );
    const half = 1_700_000_000_500_000_000n;
    expect(read(file).packets.map(({ time }) => time)).toEqual([half - 500_000_000n, half, half, half, half, half]);
  });

  it('adds the offset of an interface', () => {
    const ng = new Pcapng();
    const options = concat(ng.resolution(6), ng.offset(1_700_000_000n));
    const file = concat(ng.section(), ng.interface(ETHERNET, options), ng.enhanced(0, 123_456n, PAYLOAD));
    expect(read(file).packets[0]?.time).toBe(ONE.time);
  });

  it('forgets interfaces and byte order at a new section', () => {
    const [little, big] = [new Pcapng(true), new Pcapng(false)];
    const file = concat(
      little.section(),
      little.interface(ETHERNET),
      little.enhanced(0, 0n, PAYLOAD),
      big.section(),
      big.interface(101),
      big.enhanced(0, 0n, PAYLOAD),
    );
    expect(read(file).packets.map(({ linkType }) => linkType)).toEqual([ETHERNET, 101]);
  });

  it('passes over blocks it has no use for, larger than a packet may be', () => {
    const ng = new Pcapng();
    const name = ng.block(4, new Uint8Array(3_000_000));
    const file = concat(ng.section(), ng.interface(ETHERNET), name, ng.enhanced(0, 0n, PAYLOAD));
    expect(read(file).packets).toHaveLength(1);
  });

  it('cuts a simple packet at the snap length', () => {
    const ng = new Pcapng();
    const file = concat(ng.section(), ng.interface(ETHERNET, undefined, 4), ng.simple(PAYLOAD.subarray(0, 4), 900));
    expect(read(file).packets).toMatchObject([{ text: 'a pa', wireLength: 900 }]);
  });

  it('takes a last block that is cut off for the end, and says so', () => {
    const ng = new Pcapng();
    const file = concat(ng.section(), ng.interface(ETHERNET), ng.enhanced(0, 0n, PAYLOAD), ng.enhanced(0, 0n, PAYLOAD));
    expect(read(file.subarray(0, file.length - 5))).toMatchObject({ packets: [{}], cut: true });
  });

  const ng = new Pcapng();
  const start = concat(ng.section(), ng.interface(ETHERNET));
  const packet = ng.enhanced(0, 0n, PAYLOAD);
  const broken: [what: string, file: Uint8Array, message: RegExp][] = [
    ['a packet of an interface not described', concat(ng.section(), packet), /interface 0, which is not described/],
    ['a block whose lengths differ', concat(start, packet.with(packet.length - 4, 9)), /ends with length 9/],
    [
      'a block length that is no multiple of 4',
      concat(start, u32(6, true), u32(13, true), u32(0)),
      /block of 13 bytes/,
    ],
    ['a block shorter than its frame', concat(start, u32(6, true), u32(8, true), u32(0)), /block of 8 bytes/],
    ['a packet longer than its block', concat(start, packet.with(20, 99)), /packet of 99 bytes in a block of 40/],
    ['a section without byte order', concat(ng.section().with(8, 0)), /without its byte order mark/],
  ];
  for (const [what, file, message] of broken) it(`refuses ${what}`, () => expect(() => read(file)).toThrow(message));
});

describe('any file', () => {
  it('may be compressed', () => {
    const packet = { bytes: PAYLOAD, seconds: 1_700_000_000, fraction: 123_456 };
    expect(read(gzipSync(pcap([packet])))).toEqual({ packets: [ONE], cut: false });
  });

  it('may be compressed and cut off', () => {
    const packets = Array.from({ length: 500 }, (_, i) => ({
      bytes: Uint8Array.of(i, i * 7, i * 13),
      seconds: i * 97,
    }));
    const packed = gzipSync(pcap(packets));
    const found = read(packed.subarray(0, packed.length >> 1)).packets.length;
    expect(found).toBeGreaterThan(0);
    expect(found).toBeLessThan(500);
  });

  it('that is no capture says what was found', () => {
    expect(() => read(new TextEncoder().encode('GET / HTTP/1.1'))).toThrow(/starts with 0x47455420, neither pcap/);
    expect(() => read(new Uint8Array(0))).toThrow(/not a capture: only 0 bytes/);
    expect(() => read(pcap([]).subarray(0, 10))).toThrow(/file header is cut off/);
  });

  it('that cannot be opened names itself', () => {
    expect(() => new CaptureFile('/nowhere/at/all.pcap')).toThrow(/\/nowhere\/at\/all.pcap: ENOENT/);
    expect(() => new CaptureFile('/tmp')).toThrow(/\/tmp: EISDIR/);
  });
});
