/** TCP conversations and what becomes of them: openings, losses, disorder, endings. One line for each record. */
import { describe, expect, it } from 'vitest';
import { conversation, ETHERNET, pcap } from './captures.ts';
import { ethernet, ipv4, ipv6, type TcpFields, tcp } from './packets.ts';
import { replay, story } from './records.ts';

type Step = TcpFields & { from?: 'client' | 'server' };

/** Client starts at 100, server at 500; `c`/`s` give payload offsets from there. */
const c = (offset: number, payload: string, flags = 'A', acknowledgement = 501): Step => {
  return { sequence: 101 + offset, payload, flags, acknowledgement };
};
const s = (offset: number, payload: string, acknowledgement: number, flags = 'A'): Step => {
  return { from: 'server', sequence: 501 + offset, payload, flags, acknowledgement: 101 + acknowledgement };
};
const SYN: Step = { sequence: 100, flags: 'S' };
const SYN_ACK: Step = { from: 'server', sequence: 500, acknowledgement: 101, flags: 'SA' };
const HANDSHAKE = [SYN, SYN_ACK, c(0, '')];

function told(...steps: Step[]): string[] {
  return story(replay(conversation(steps)).records);
}

describe('a whole conversation', () => {
  const steps = [...HANDSHAKE, c(0, 'GET'), s(0, 'OK', 3), c(3, '', 'FA', 503), s(2, '', 4, 'FA'), c(4, '', 'A', 504)];

  it('is data, two ends and a close', () => {
    expect(told(...steps)).toEqual(['data in GET', 'data out OK', 'eof in', 'eof out', 'close']);
  });

  it('is seen from the server, with origins and times', () => {
    const { records, source } = replay(conversation(steps));
    expect(records[0]).toMatchObject({
      connection: 1n,
      slot: 0,
      role: 'server',
      localPort: 80,
      remotePort: 40000,
      family: 2,
      origin: 101,
      position: 101,
      timestamp: 1003_000_000_000n,
    });
    expect(records[0]?.local.slice(0, 4)).toEqual(Uint8Array.of(10, 0, 0, 2));
    expect(records[0]?.remote.slice(0, 4)).toEqual(Uint8Array.of(10, 0, 0, 1));
    expect(records[1]).toMatchObject({ origin: 501, position: 501 });
    expect(records[2]).toMatchObject({ kind: 'eof', position: 104 });
    expect(records.map(({ sequence }) => sequence)).toEqual([0n, 1n, 2n, 3n, 4n]);
    expect(source.counters).toMatchObject({ connections: 1, segments_after_close: 1, records: 5, gaps: 0 });
  });

  it('may be over IPv6', () => {
    const packet = (fields: TcpFields) => ({ bytes: ethernet(ipv6(tcp(fields)), 0x86dd) });
    const { records } = replay(pcap([packet({ flags: 'S', sequence: 9 }), packet({ sequence: 10, payload: 'x' })]));
    expect(records[0]).toMatchObject({ family: 10, role: 'server', origin: 10 });
    expect(records[0]?.local[15]).toBe(2);
  });
});

describe('opening', () => {
  it('only one side captured: its own origin is known', () => {
    const { records } = replay(conversation([SYN, c(0, 'GET'), c(3, ' /')]));
    expect(records[0]).toMatchObject({ role: 'server', origin: 101 });
  });

  it('only the answer to the SYN captured: both origins are known', () => {
    const { records } = replay(conversation([SYN_ACK, c(0, 'GET'), s(0, 'OK', 3)]));
    expect(records.map(({ origin, role, localPort }) => [origin, role, localPort])).toEqual([
      [101, 'server', 80],
      [501, 'server', 80],
      [501, 'server', 80],
    ]);
  });

  it('the answer captured before the SYN', () => {
    expect(told(SYN_ACK, SYN, c(0, 'GET'))).toEqual(['data in GET', 'close']);
  });

  it('handshake packets twice, as the "any" interface shows them', () => {
    const twice = [...HANDSHAKE, c(0, 'GET'), s(0, 'OK', 3)].flatMap((step) => [step, step]);
    const { records, source } = replay(conversation(twice));
    expect(story(records)).toEqual(['data in GET', 'data out OK', 'close']);
    expect(source.counters).toMatchObject({ connections: 1, bytes_repeated: 5 });
  });

  it('data in the SYN (TCP Fast Open)', () => {
    const { records } = replay(
      conversation([
        { ...SYN, payload: 'GET' },
        { ...SYN_ACK, acknowledgement: 104 },
      ]),
    );
    expect(story(records)).toEqual(['data in GET', 'close']);
    expect(records[0]).toMatchObject({ origin: 101, position: 101 });
  });

  it('both sides at once (RFC 9293, figure 7)', () => {
    expect(told(SYN, { ...SYN_ACK, flags: 'S' }, SYN_ACK, c(0, 'a'), s(0, 'b', 1))).toEqual([
      'data in a',
      'data out b',
      'close',
    ]);
  });

  it('refused: no record', () => {
    expect(told(SYN, { from: 'server', sequence: 0, acknowledgement: 101, flags: 'RA' })).toEqual([]);
  });

  it('a second SYN with another number is another connection, without or after a close', () => {
    const again = [
      { ...SYN, sequence: 9000 },
      { sequence: 9001, payload: 'two' },
    ];
    const { records, source } = replay(conversation([...HANDSHAKE, c(0, 'one'), ...again]));
    expect(story(records)).toEqual(['data in one', 'close', 'data in two', 'close']);
    expect(records.map(({ connection }) => connection)).toEqual([1n, 1n, 2n, 2n]);
    expect(source.counters.connections).toBe(2);
    const closed = [...HANDSHAKE, c(0, 'one'), c(3, '', 'R'), ...again];
    expect(told(...closed)).toEqual(['data in one', 'close', 'data in two', 'close']);
  });
});

describe('joined in the middle', () => {
  const joined = (...steps: Step[]) => {
    const { records, source } = replay(conversation(steps));
    expect(source.counters.connections_joined).toBe(1);
    return records;
  };

  it('has no role and no origin; the well-known port serves', () => {
    const [first] = joined(s(0, 'OK', 3));
    expect(first).toMatchObject({ role: undefined, origin: undefined, localPort: 80, direction: 'out' });
  });

  it('a service port below a client port serves', () => {
    const [first] = joined({ sourcePort: 6379, destinationPort: 1086, sequence: 1, payload: '+OK' });
    expect(first).toMatchObject({ localPort: 6379, direction: 'out' });
  });

  it('between equal ports, who speaks first asks', () => {
    const [first] = joined({ sourcePort: 50000, destinationPort: 50001, sequence: 1, payload: 'hi' });
    expect(first).toMatchObject({ localPort: 50001, direction: 'in' });
  });

  it('does not start without payload', () => {
    const { records, source } = replay(conversation([c(0, ''), s(0, '', 0), c(0, '', 'FA')]));
    expect(records).toEqual([]);
    expect(source.counters.segments_unattached).toBe(3);
  });
});

describe('order', () => {
  it('out of order: held until the hole is filled, at the time it was', () => {
    const { records, source } = replay(conversation([...HANDSHAKE, c(2, 'cd'), c(4, 'ef'), c(0, 'ab')]));
    expect(story(records)).toEqual(['data in ab', 'data in cd', 'data in ef', 'close']);
    expect(records.slice(0, 3).map(({ timestamp }) => timestamp)).toEqual(new Array(3).fill(1005_000_000_000n));
    expect(source.counters).toMatchObject({ segments_held: 2, gaps: 0 });
  });

  it('repeated and overlapping: each byte once, the first seen wins', () => {
    const { records, source } = replay(conversation([...HANDSHAKE, c(0, 'abcd'), c(2, 'XXef'), c(0, 'YYYYYY')]));
    expect(story(records)).toEqual(['data in abcd', 'data in ef', 'close']);
    expect(source.counters.bytes_repeated).toBe(8);
  });

  it('overlapping while held', () => {
    expect(told(...HANDSHAKE, c(2, 'cd'), c(6, 'gh'), c(1, 'XXXXXXXi'), c(0, 'a'))).toEqual([
      'data in a',
      'data in X',
      'data in cd',
      'data in XX',
      'data in gh',
      'data in i',
      'close',
    ]);
  });

  it('a keep-alive probe repeats a byte that is gone', () => {
    expect(told(...HANDSHAKE, c(0, 'ab'), c(1, 'X'), c(2, 'cd'))).toEqual(['data in ab', 'data in cd', 'close']);
  });

  it('sequence numbers wrap', () => {
    const start = 0xfffffffc;
    const { records } = replay(
      conversation([
        { sequence: start - 1, flags: 'S' },
        { sequence: 2, payload: 'gh' },
        { sequence: start + 2, payload: 'cdef' },
        { sequence: start, payload: 'ab' },
        { sequence: 4, flags: 'FA' },
      ]),
    );
    expect(story(records)).toEqual(['data in ab', 'data in cdef', 'data in gh', 'eof in', 'close']);
    expect(records.map(({ position }) => position)).toEqual([start, start + 2, 2, 4, 0]);
  });
});

describe('gaps', () => {
  it('an answer to bytes that were not captured ends the wait before it', () => {
    const { records, source } = replay(conversation([...HANDSHAKE, c(0, 'ab'), c(5, 'fg'), s(0, 'OK', 7)]));
    expect(story(records)).toEqual(['data in ab', 'data in ~3fg', 'data out OK', 'close']);
    expect(source.counters).toMatchObject({ gaps: 1, bytes_gap: 3 });
  });

  it('a bare acknowledgement may have overtaken its bytes', () => {
    expect(told(...HANDSHAKE, c(2, 'cd'), s(0, '', 4), c(0, 'ab'), s(0, 'OK', 4))).toEqual([
      'data in ab',
      'data in cd',
      'data out OK',
      'close',
    ]);
  });

  it('but not for long', () => {
    const acknowledgements = Array.from({ length: 9 }, () => s(0, '', 4));
    expect(told(...HANDSHAKE, c(2, 'cd'), ...acknowledgements, c(0, 'ab'))).toEqual(['data in ~2cd', 'close']);
  });

  it('a repeated acknowledgement of what is before the hole says nothing', () => {
    const acknowledgements = Array.from({ length: 50 }, () => s(0, '', 0));
    expect(told(...HANDSHAKE, c(2, 'cd'), ...acknowledgements, c(0, 'ab'))[0]).toBe('data in ab');
  });

  it('at the end of the file, what is held leaves', () => {
    expect(told(...HANDSHAKE, c(2, 'cd'), c(7, 'hi'))).toEqual(['data in ~2cd', 'data in ~3hi', 'close']);
  });

  it('a FIN behind a hole ends the direction when the hole is given up', () => {
    expect(told(...HANDSHAKE, c(0, 'ab'), c(5, '', 'FA'), s(0, 'OK', 6))).toEqual([
      'data in ab',
      'eof in ~3',
      'data out OK',
      'close',
    ]);
  });

  it('more than may be held: the hole is given up', () => {
    const parts = Array.from({ length: 40 }, (_, i) => c(1000 * (i + 1), 'x'.repeat(1000)));
    const { records, source } = replay(conversation([...HANDSHAKE, ...parts]), { heldPerStream: 20_000 });
    expect(records.filter(({ kind }) => kind === 'data')).toHaveLength(40);
    expect(source.counters).toMatchObject({ gaps: 1, bytes_gap: 1000 });
  });

  it('all connections together hold no more than is allowed', () => {
    const steps = Array.from({ length: 100 }, (_, i) => [
      { ...SYN, sourcePort: 2000 + i },
      { ...c(10, 'x'.repeat(1000)), sourcePort: 2000 + i },
    ]);
    const { source } = replay(conversation(steps.flat()), { held: 50_000 });
    expect(source.counters).toMatchObject({ segments_held: 100, gaps: 100, connections: 100 });
  });

  it('a packet captured in part: moved more than captured', () => {
    const bytes = ethernet(ipv4(tcp({ payload: 'abcdef' })));
    const { records, source } = replay(pcap([{ bytes: bytes.subarray(0, -4), wireLength: bytes.length }]));
    expect(story(records)).toEqual(['data in ab~4', 'close']);
    expect(records[0]).toMatchObject({ moved: 6, truncated: true });
    expect(source.counters.bytes_not_captured).toBe(4);
  });

  it('headers only: moved without captured, and an overlap cuts both', () => {
    const cut = (offset: number, length: number, kept: number) => {
      const bytes = ethernet(ipv4(tcp({ sequence: 101 + offset, payload: 'x'.repeat(length) })));
      return { bytes: bytes.subarray(0, 54 + kept), wireLength: bytes.length };
    };
    const { records } = replay(pcap([cut(0, 10, 0), cut(5, 10, 3), cut(12, 8, 6)]));
    expect(story(records)).toEqual(['data in ~10', 'data in ~5', 'data in xxx~2', 'close']);
  });
});

describe('ending', () => {
  it('a reset closes after what is held', () => {
    expect(told(...HANDSHAKE, c(2, 'cd'), c(4, '', 'R'))).toEqual(['data in ~2cd', 'close']);
  });

  it('a reset far from the stream is not of this connection', () => {
    expect(told(...HANDSHAKE, c(0, 'ab'), c(0x40000000, '', 'R'), c(2, 'cd'))).toEqual([
      'data in ab',
      'data in cd',
      'close',
    ]);
  });

  it('half closed: the other side goes on', () => {
    expect(told(...HANDSHAKE, c(0, 'ab'), c(2, '', 'FA'), s(0, 'OK', 3), s(2, '', 3, 'FA'))).toEqual([
      'data in ab',
      'eof in',
      'data out OK',
      'eof out',
      'close',
    ]);
  });

  it('FIN with data, FIN repeated, and bytes beyond it', () => {
    const { records, source } = replay(conversation([...HANDSHAKE, c(0, 'ab', 'FA'), c(0, 'ab', 'FA'), c(2, 'XYZ')]));
    expect(story(records)).toEqual(['data in ab', 'eof in', 'close']);
    expect(source.counters).toMatchObject({ bytes_repeated: 2, bytes_after_end: 3 });
  });

  it('a FIN before bytes that were seen is wrong', () => {
    expect(told(...HANDSHAKE, c(0, 'abcd'), c(2, '', 'FA'), c(4, 'ef'))).toEqual([
      'data in abcd',
      'data in ef',
      'close',
    ]);
    expect(told(...HANDSHAKE, c(2, 'cd'), c(3, '', 'FA'), c(0, 'ab'))).toEqual(['data in ab', 'data in cd', 'close']);
  });

  it('late packets do not start another connection, not even with data', () => {
    const { source } = replay(conversation([...HANDSHAKE, c(0, 'ab'), c(2, '', 'R'), c(0, 'ab'), s(0, 'late', 2)]));
    expect(source.counters).toMatchObject({ connections: 1, segments_after_close: 2 });
  });

  it('but after minutes they do', () => {
    const packet = (step: Step, seconds: number) => ({ bytes: ethernet(ipv4(tcp(step))), seconds });
    const { source } = replay(pcap([packet(c(0, 'ab'), 1), packet(c(2, '', 'R'), 2), packet(c(9, 'cd'), 200)]));
    expect(source.counters.connections).toBe(2);
  });

  it('CLOSE says where both directions end', () => {
    const { records } = replay(conversation([...HANDSHAKE, c(0, 'abc'), s(0, 'OK', 3)]));
    expect(records.at(-1)).toMatchObject({ kind: 'close', position: 503, endIn: 104 });
  });

  it('CLOSE counts bytes that were acknowledged and not captured', () => {
    const { records } = replay(conversation([...HANDSHAKE, c(0, 'abc', 'A', 521), s(0, 'OK', 33)]));
    expect(records.at(-1)).toMatchObject({ kind: 'close', position: 521, endIn: 134 });
  });
});

describe('large segments', () => {
  it('are split at what a record carries', () => {
    const payload = Uint8Array.from({ length: 60_000 }, (_, i) => i % 251);
    const { records } = replay(pcap([{ bytes: ethernet(ipv4(tcp({ payload }))) }], { linkType: ETHERNET }));
    expect(records.slice(0, -1).map(({ moved }) => moved)).toEqual([16384, 16384, 16384, 10848]);
    expect(records.map(({ position }) => position).slice(0, 4)).toEqual([1, 16385, 32769, 49153]);
    expect(Buffer.concat(records.map((record) => record.payload)).equals(payload)).toBe(true);
  });
});
