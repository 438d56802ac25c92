/** The same segment comes out of every link type and network header; what is none has a reason. */
import { describe, expect, it } from 'vitest';
import { Packet } from '../../host/replay/packet.ts';
import { ACK, Decoder, type Segment, type Verdict } from '../../host/replay/segment.ts';
import { concat, cooked, cooked2, ethernet, extension, ipv4, ipv6, loopback, tcp, u16, u32, vlan } from './packets.ts';

const SEGMENT = tcp({ sequence: 7, acknowledgement: 9, payload: 'PING' });
const V4 = ipv4(SEGMENT);
const V6 = ipv6(SEGMENT);
const IPV6 = 0x86dd;

function decode(decoder: Decoder, linkType: number, bytes: Uint8Array, wireLength = bytes.length): Verdict {
  const packet = new Packet();
  packet.set(linkType, bytes, 0, bytes.length, wireLength);
  return decoder.decode(packet);
}

function verdictOf(linkType: number, bytes: Uint8Array, wireLength?: number): Verdict {
  return decode(new Decoder(), linkType, bytes, wireLength);
}

function segmentOf(linkType: number, bytes: Uint8Array, wireLength?: number): Segment {
  const decoder = new Decoder();
  expect(decode(decoder, linkType, bytes, wireLength)).toBe('segment');
  return decoder.segment;
}

function payloadOf({ bytes, payload, captured }: Segment): string {
  return new TextDecoder().decode(bytes.subarray(payload, payload + captured));
}

describe('a segment is found in', () => {
  const carriers: [name: string, linkType: number, packet: Uint8Array][] = [
    ['Ethernet, IPv4', 1, ethernet(V4)],
    ['Ethernet, IPv6', 1, ethernet(V6, IPV6)],
    ['Ethernet with padding', 1, concat(ethernet(V4), new Uint8Array(6))],
    ['VLAN', 1, vlan(V4, [0x8100])],
    ['QinQ', 1, vlan(V4, [0x88a8, 0x8100])],
    ['QinQ as it was before 802.1ad, IPv6', 1, vlan(V6, [0x9100, 0x8100], IPV6)],
    ['null loopback, little-endian', 0, loopback(V4, 2, true)],
    ['null loopback, big-endian', 0, loopback(V4, 2, false)],
    ['null loopback, IPv6 of macOS', 0, loopback(V6, 30, true)],
    ['null loopback, IPv6 of FreeBSD', 0, loopback(V6, 28, true)],
    ['OpenBSD loopback, IPv6', 108, loopback(V6, 24, false)],
    ['raw IP, IPv4', 101, V4],
    ['raw IP, IPv6', 101, V6],
    ['raw IP as it was numbered before', 12, V4],
    ['raw IP of OpenBSD', 14, V4],
    ['raw IPv4', 228, V4],
    ['raw IPv6', 229, V6],
    ['Linux cooked', 113, cooked(V4)],
    ['Linux cooked, IPv6', 113, cooked(V6, IPV6)],
    ['Linux cooked, VLAN', 113, cooked(concat(u16(7), u16(0x0800), V4), 0x8100)],
    ['Linux cooked v2', 276, cooked2(V4)],
    ['Linux cooked v2, IPv6', 276, cooked2(V6, IPV6)],
    ['IPv4 with options', 1, ethernet(ipv4(SEGMENT, { options: 12 }))],
    ['IPv4 without a length (segmentation offload)', 1, ethernet(ipv4(SEGMENT, { totalLength: 0 }))],
    ['IPv6 without a length (jumbogram)', 1, ethernet(ipv6(SEGMENT, { payloadLength: 0 }), IPV6)],
    ['IPv6 with hop-by-hop options', 101, ipv6(extension(6, SEGMENT), { nextHeader: 0 })],
    ['IPv6 with a chain', 101, ipv6(extension(43, extension(60, extension(6, SEGMENT, 2))), { nextHeader: 0 })],
    [
      'IPv6 with authentication',
      101,
      ipv6(concat(Uint8Array.of(6, 4), new Uint8Array(22), SEGMENT), { nextHeader: 51 }),
    ],
    ['IPv6, an atomic fragment', 101, ipv6(extension(6, SEGMENT), { nextHeader: 44 })],
    ['TCP with options', 101, ipv4(tcp({ sequence: 7, acknowledgement: 9, payload: 'PING', options: 20 }))],
  ];
  for (const [name, linkType, packet] of carriers) {
    it(name, () => {
      const segment = segmentOf(linkType, packet);
      expect(payloadOf(segment)).toBe('PING');
      expect(segment).toMatchObject({ sequence: 7, acknowledgement: 9, flags: ACK, length: 4 });
      expect(segment).toMatchObject({ sourcePort: 40000, destinationPort: 80 });
    });

    it(`${name}, and never read beyond what was captured`, () => {
      for (let length = 0; length < packet.length; length++) {
        const decoder = new Decoder();
        const verdict = decode(decoder, linkType, packet.slice(0, length), packet.length);
        expect(['segment', 'truncated']).toContain(verdict);
        if (verdict === 'segment') expect(decoder.segment).toMatchObject({ length: 4, sequence: 7 });
      }
    });
  }

  it('addresses of both families', () => {
    const v4 = segmentOf(101, V4);
    expect([...v4.source]).toEqual([10, 0, 0, 1, ...new Array(12).fill(0)]);
    expect(v4.family).toBe(2);
    const v6 = segmentOf(101, V6);
    expect([v6.source[0], v6.source[15], v6.destination[15], v6.family]).toEqual([0xfd, 1, 2, 10]);
  });

  it('a packet that was captured in part: the length is that of the wire', () => {
    const segment = segmentOf(1, ethernet(V4).subarray(0, 14 + 20 + 20 + 1), 14 + V4.length);
    expect(payloadOf(segment)).toBe('P');
    expect(segment.length).toBe(4);
  });
});

describe('what is no segment has a reason', () => {
  const others: [reason: Verdict, name: string, linkType: number, packet: Uint8Array][] = [
    ['link_unsupported', '802.11', 105, V4],
    ['not_ip', 'ARP', 1, ethernet(new Uint8Array(28), 0x0806)],
    ['not_ip', 'spanning tree', 1, ethernet(new Uint8Array(38), 38)],
    ['not_ip', 'tags without end', 1, vlan(V4, new Array<number>(9).fill(0x8100))],
    ['not_ip', 'loopback of another family', 0, loopback(V4, 7, true)],
    ['not_ip', 'loopback of a family in the middle', 0, loopback(V4, 0x0200, true)],
    ['not_tcp', 'UDP', 101, ipv4(new Uint8Array(8), { protocol: 17 })],
    ['not_tcp', 'UDP over IPv6', 101, ipv6(new Uint8Array(8), { nextHeader: 17 })],
    ['not_tcp', 'no next header', 101, ipv6(new Uint8Array(0), { nextHeader: 59 })],
    ['malformed', 'IP version 5', 101, V4.with(0, 0x55)],
    ['malformed', 'an IPv4 header shorter than one', 101, V4.with(0, 0x44)],
    ['malformed', 'an IPv4 packet shorter than its header', 101, ipv4(SEGMENT, { totalLength: 19 })],
    ['malformed', 'an IPv4 packet too short for TCP', 101, ipv4(SEGMENT, { totalLength: 30 })],
    ['malformed', 'a TCP header shorter than one', 101, ipv4(SEGMENT.with(12, 0x40))],
    ['malformed', 'a TCP header longer than the packet', 101, ipv4(SEGMENT.with(12, 0xf0))],
    ['malformed', 'an extension header beyond the packet', 101, ipv6(new Uint8Array(4), { nextHeader: 0 })],
    ['malformed', 'extension headers without end', 101, extensions(20)],
    ['truncated', 'a packet captured up to its TCP header', 101, V4.subarray(0, 39)],
  ];
  for (const [reason, name, linkType, packet] of others) {
    it(`${reason}: ${name}`, () => expect(verdictOf(linkType, packet, 2000)).toBe(reason));
  }
});

function extensions(count: number): Uint8Array {
  let payload: Uint8Array = SEGMENT;
  for (let i = 0; i < count; i++) payload = extension(i === 0 ? 6 : 60, payload);
  return ipv6(payload, { nextHeader: 60 });
}

describe('fragments', () => {
  const long = tcp({ payload: 'a long payload, cut in three' });
  const part = (start: number, end: number, id = 5) =>
    ipv4(long.subarray(start, end), { id, fragmentOffset: start, moreFragments: end < long.length });

  for (const order of ['012', '021', '102', '120', '201', '210']) {
    it(`are put together in the order ${order}`, () => {
      const decoder = new Decoder();
      const parts = [part(0, 16), part(16, 32), part(32, long.length)];
      const verdicts = [...order].map((index) => decode(decoder, 101, parts[Number(index)]!));
      expect(verdicts).toEqual(['fragment', 'fragment', 'segment']);
      expect(payloadOf(decoder.segment)).toBe('a long payload, cut in three');
    });
  }

  it('of IPv6 too', () => {
    const piece = (start: number, end: number) => {
      const header = concat(Uint8Array.of(6, 0), u16(start | (end < long.length ? 1 : 0)), u32(77));
      return ipv6(concat(header, long.subarray(start, end)), { nextHeader: 44 });
    };
    const decoder = new Decoder();
    expect(decode(decoder, 101, piece(24, long.length))).toBe('fragment');
    expect(decode(decoder, 101, piece(0, 24))).toBe('segment');
    expect(payloadOf(decoder.segment)).toBe('a long payload, cut in three');
  });

  it('may come twice', () => {
    const decoder = new Decoder();
    const parts = [part(0, 16), part(0, 16), part(16, long.length)];
    expect(parts.map((one) => decode(decoder, 101, one))).toEqual(['fragment', 'fragment', 'segment']);
  });

  it('that overlap drop the packet', () => {
    const decoder = new Decoder();
    const parts = [part(0, 24), part(16, 32), part(32, long.length)];
    expect(parts.map((one) => decode(decoder, 101, one))).toEqual(['fragment', 'fragment', 'fragment']);
  });

  it('of different packets stay apart', () => {
    const decoder = new Decoder();
    const parts = [part(0, 16, 1), part(16, long.length, 2), part(16, long.length, 1)];
    expect(parts.map((one) => decode(decoder, 101, one))).toEqual(['fragment', 'fragment', 'segment']);
  });

  it('of more packets than can be open: the oldest gives way', () => {
    const decoder = new Decoder();
    for (let id = 0; id < 65; id++) decode(decoder, 101, part(0, 16, id));
    expect(decode(decoder, 101, part(16, long.length, 64))).toBe('segment');
    expect(decode(decoder, 101, part(16, long.length, 0))).toBe('fragment');
  });
});
