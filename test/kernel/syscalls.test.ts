/**
 * Every shape of socket call, made by a C program: what is captured, what is flagged, and that the positions of both
 * ends agree to the byte.
 */
import { beforeAll, expect, it } from 'vitest';
import {
  DIRECTION_IN,
  DIRECTION_OUT,
  FLAG_FAULT,
  FLAG_NO_PAYLOAD,
  FLAG_ORIGIN_KNOWN,
  FLAG_ROLE_CLIENT,
  FLAG_ROLE_SERVER,
  FLAG_TRUNCATED,
  KIND_CLOSE,
  KIND_DATA,
  KIND_EOF,
} from '../../host/kernel/layout.ts';
import { buildProgram, Child, describeKernel, gaps, type Seen, Session, stream } from './harness.ts';

const REFUSED = 77;
const AF_INET = 2;
const AF_INET6 = 10;

let program: string;

interface Outcome {
  records: Seen[];
  counters: ReturnType<Session['capture']['counters']>;
  /** Data of the four streams, in order: what the client sent, and so on. */
  clientOut: Seen[];
  serverIn: Seen[];
  serverOut: Seen[];
  clientIn: Seen[];
}

async function run(scenario: string, payloadBytes = 4096, skip?: () => void): Promise<Outcome> {
  using session = new Session({ payloadBytes });
  const child = new Child(program, [scenario]);
  session.capture.selectProcess(child.pid, true);
  child.tell('go');
  const code = await child.end();
  if (code === REFUSED) skip?.();
  expect(code).toBe(0);
  const records = session.records();
  const byRole = (role: number) => records.find((record) => (record.flags & role) !== 0)?.connection ?? 0n;
  const client = byRole(FLAG_ROLE_CLIENT);
  const server = byRole(FLAG_ROLE_SERVER);
  return {
    records,
    counters: session.capture.counters(),
    clientOut: stream(records, client, DIRECTION_OUT),
    serverIn: stream(records, server, DIRECTION_IN),
    serverOut: stream(records, server, DIRECTION_OUT),
    clientIn: stream(records, client, DIRECTION_IN),
  };
}

const texts = (records: readonly Seen[]) => records.map((record) => record.payload.toString('latin1'));
const sum = (records: readonly Seen[]) => records.reduce((total, record) => total + record.moved, 0);
const flagged = (records: readonly Seen[], flag: number) => records.map((record) => (record.flags & flag) !== 0);

/** Both ends agree on where the stream starts and ends, and nothing is missing in between. */
function expectWhole(sent: readonly Seen[], received: readonly Seen[]): void {
  expect(sent.length).toBeGreaterThan(0);
  expect(gaps(sent).every((gap) => gap === 0)).toBe(true);
  expect(gaps(received).every((gap) => gap === 0)).toBe(true);
  expect(received[0]?.position).toBe(sent[0]?.position);
  expect(sent[0]?.position).toBe(sent[0]?.origin);
  expect(received[0]?.origin).toBe(sent[0]?.origin);
  expect(sum(received)).toBe(sum(sent));
}

describeKernel('socket calls', () => {
  beforeAll(() => {
    program = buildProgram('calls');
  });

  it('takes the bytes of read, write, send and recv', async () => {
    const { clientOut, serverIn, counters } = await run('bytes');
    expect(texts(clientOut)).toEqual(['write', 'send', 'in parts']);
    expect(texts(serverIn)).toEqual(['write', 'send', 'in ', 'parts']);
    expectWhole(clientOut, serverIn);
    expect(counters).toMatchObject({ records_lost: 0, no_payload: 0, faults: 0, bytes_moved: 34, bytes_captured: 34 });
  });

  it('takes the pieces of readv, writev, preadv2 and pwritev2', async () => {
    const { clientOut, serverIn } = await run('vectors');
    expect(texts(clientOut)).toEqual(['one two', 'one two']);
    expect(texts(serverIn)).toEqual(['one two', 'one two']);
    expectWhole(clientOut, serverIn);
  });

  it('takes 128 pieces whole, and the first 128 of more with a gap behind them', async () => {
    const { clientOut } = await run('many-vectors');
    const first = 'abcdefghijklmnopqrst'.repeat(7).slice(0, 128);
    expect(texts(clientOut)).toEqual([first, first]);
    expect(clientOut.map((record) => record.moved)).toEqual([128, 132]);
    expect(flagged(clientOut, FLAG_TRUNCATED)).toEqual([false, true]);
    expect(gaps(clientOut)).toEqual([0]);
  });

  it('captures up to the largest payload exactly, from one buffer and from several', async () => {
    const { clientOut } = await run('largest', 16384);
    expect(clientOut.map((record) => record.moved)).toEqual([16384, 16385, 16384, 16385, 16384]);
    expect(clientOut.map((record) => record.captured)).toEqual([16384, 16384, 16384, 16384, 16384]);
    expect(flagged(clientOut, FLAG_TRUNCATED)).toEqual([false, true, false, true, false]);
    expect(clientOut.every((record) => record.payload.equals(Buffer.alloc(16384, 'x')))).toBe(true);
  });

  it.each([0, 1, 7, 8])('keeps no more than a limit of %i bytes', async (limit) => {
    const { clientOut, counters } = await run('bytes', limit);
    expect(texts(clientOut)).toEqual(['write', 'send', 'in parts'].map((text) => text.slice(0, limit)));
    expect(flagged(clientOut, FLAG_TRUNCATED)).toEqual([5 > limit, 4 > limit, 8 > limit]);
    expect(counters).toMatchObject({ bytes_moved: 34, no_payload: 0 });
  });

  it('takes the pieces of sendmsg and recvmsg', async () => {
    const { clientOut, serverIn } = await run('messages');
    expect(texts(clientOut)).toEqual(['message', 'flat']);
    expect(texts(serverIn)).toEqual(['message', 'flat']);
    expectWhole(clientOut, serverIn);
  });

  it('knows which message of a sendmmsg it is at, also after one that was sent in part', async (context) => {
    const { clientOut } = await run('batches', 16, () => context.skip('the kernel sent the whole message'));
    const big = '\0'.repeat(16);
    const expected = ['alpha', 'beta', 'gamma', 'alpha', 'beta', 'gamma', 'alpha', big, 'alpha', 'delta', 'gamma'];
    // What take() left in the buffer the big message is sent from: its first bytes are those of an earlier read.
    expect(texts(clientOut).map((text) => (text.length === 16 ? big : text))).toEqual(expected);
    expect(gaps(clientOut).every((gap) => gap === 0)).toBe(true);
  });

  it('knows which message of a recvmmsg it is at, also after one that ended early', async () => {
    const { serverIn } = await run('batch-receive');
    expect(texts(serverIn)).toEqual(['abc', 'defgh', 'xyz', 'uvw', '123']);
  });

  it('counts peeks, and gives no payload for bytes that were thrown away', async () => {
    const { clientOut, serverIn, counters, records } = await run('peek');
    expect(texts(serverIn)).toEqual(['pe', '', 'after']);
    expect(flagged(serverIn, FLAG_NO_PAYLOAD)).toEqual([false, true, false]);
    expectWhole(clientOut, serverIn);
    expect(counters).toMatchObject({ peeked: 1, no_payload: 1 });
    const early = records.filter((record) => record.kind === KIND_EOF && record.direction === DIRECTION_IN);
    expect(early).toEqual([]);
  });

  it('lets urgent data be a gap of one byte', async () => {
    const { clientOut, serverIn, counters } = await run('urgent');
    expect(texts(clientOut)).toEqual(['ab!', 'after']);
    expect(texts(serverIn)).toEqual(['ab', 'after']);
    expect(gaps(serverIn)).toEqual([1]);
    expect(counters.peeked).toBe(1);
  });

  it('sees sendfile as a record without payload and splice at least as an exact gap', async () => {
    const { clientOut, serverIn } = await run('files');
    expect(texts(serverIn)).toEqual(['from a file', 'from a pipe', 'after']);
    expect(clientOut[0]).toMatchObject({ moved: 11, captured: 0 });
    expect(clientOut[0]!.flags & FLAG_NO_PAYLOAD).not.toBe(0);
    const last = clientOut.at(-1)!;
    expect(last.payload.toString()).toBe('after');
    expect((last.position - last.origin) | 0).toBe(22);
  });

  it('does not count a FIN that was read along with data', async () => {
    const { records, clientOut, serverIn, serverOut, clientIn } = await run('fin');
    expectWhole(clientOut, serverIn);
    expectWhole(serverOut, clientIn);
    const ends = records.filter((record) => record.kind === KIND_EOF);
    const end = clientOut[0]!.position + 7;
    expect(ends.filter((record) => record.position === end >>> 0).map((record) => record.direction)).toEqual([
      DIRECTION_OUT,
      DIRECTION_IN,
    ]);
    expect(ends.filter((record) => record.direction === DIRECTION_IN)).toHaveLength(1);
  });

  it('does not count a FIN that came on a data segment', async () => {
    const { records, clientOut, serverIn } = await run('fin-on-data', 0);
    expectWhole(clientOut, serverIn);
    const end = (clientOut[0]!.position + sum(clientOut)) >>> 0;
    const received = records.find((record) => record.kind === KIND_EOF && record.direction === DIRECTION_IN);
    expect(received?.position).toBe(end);
  });

  it('closes both ends with their positions, and roles and origins are known', async () => {
    const { records, clientOut, serverOut, serverIn } = await run('fin');
    const closes = records.filter((record) => record.kind === KIND_CLOSE);
    const client = closes.find((record) => record.connection === clientOut[0]?.connection);
    const server = closes.find((record) => record.connection === serverIn[0]?.connection);
    expect(closes).toHaveLength(2);
    expect(client?.position).toBe((clientOut[0]!.position + 7) >>> 0);
    expect(client?.endIn).toBe((serverOut[0]!.position + 6) >>> 0);
    expect(server?.position).toBe(client?.endIn);
    expect(server?.endIn).toBe(client?.position);
    expect(records.every((record) => (record.flags & FLAG_ORIGIN_KNOWN) !== 0)).toBe(true);
    expect(clientOut[0]!.flags & (FLAG_ROLE_CLIENT | FLAG_ROLE_SERVER)).toBe(FLAG_ROLE_CLIENT);
    expect(serverIn[0]!.flags & (FLAG_ROLE_CLIENT | FLAG_ROLE_SERVER)).toBe(FLAG_ROLE_SERVER);
  });

  it('ends a reset connection without an EOF', async () => {
    const { records, clientOut } = await run('reset');
    expect(texts(clientOut)).toEqual(['before']);
    expect(records.filter((record) => record.kind === KIND_CLOSE)).toHaveLength(2);
    const eofs = records.filter((record) => record.kind === KIND_EOF);
    expect(eofs.every((record) => record.connection !== clientOut[0]?.connection)).toBe(true);
  });

  it('follows a socket to a child and to a duplicate', async () => {
    const { clientOut, serverIn } = await run('inherited');
    expect(texts(clientOut)).toEqual(['child', 'dup']);
    expect(clientOut[0]?.tgid).not.toBe(clientOut[1]?.tgid);
    expectWhole(clientOut, serverIn);
  });

  it('flags a buffer that vanished while the call waited', async () => {
    const { clientOut, counters } = await run('fault');
    expect(clientOut).toHaveLength(1);
    expect(clientOut[0]).toMatchObject({ moved: 16 << 20, captured: 0 });
    expect(clientOut[0]!.flags & FLAG_FAULT).not.toBe(0);
    expect(counters.faults).toBe(1);
  });

  it('takes no payload from io_uring, and none from a syscall that only happens to be there', async (context) => {
    const { clientOut, serverIn } = await run('uring', 4096, () => context.skip('io_uring is refused'));
    expect(clientOut.map((record) => record.moved)).toEqual([7, 4, 5]);
    expect(serverIn.map((record) => record.moved)).toEqual([7, 4, 5]);
    expect(texts(clientOut)).toEqual(['', 'late', 'after']);
    expect(texts(serverIn)).toEqual(['', '', 'after']);
    expect(flagged(serverIn, FLAG_NO_PAYLOAD)).toEqual([true, true, false]);
  });

  it('has an address of 16 bytes on IPv6 and of 4 on IPv4 through an IPv6 socket', async () => {
    const six = await run('ipv6');
    expect(six.clientOut[0]).toMatchObject({ family: AF_INET6, local: `${'0'.repeat(30)}01` });
    expectWhole(six.clientOut, six.serverIn);
    const mapped = await run('mapped');
    const loopback = `7f000001${'0'.repeat(24)}`;
    for (const record of [mapped.clientOut[0]!, mapped.serverIn[0]!]) {
      expect(record).toMatchObject({ family: AF_INET, local: loopback, remote: loopback });
    }
    expect(mapped.clientOut[0]?.localPort).toBe(mapped.serverIn[0]?.remotePort);
    expectWhole(mapped.clientOut, mapped.serverIn);
  });

  it('counts sockets that are not TCP and takes nothing of them', async () => {
    const { records, counters } = await run('other-sockets');
    expect(records).toEqual([]);
    // Two of UDP, two of Unix sockets, and the line on stdin: Node gives its children socket pairs.
    expect(counters.filtered_socket).toBe(5);
  });

  it('does not select a process by the port of a UDP socket', async () => {
    using session = new Session();
    session.capture.selectPorts([[34567, 34567]]);
    const child = new Child(program, ['other-sockets']);
    child.tell('go');
    expect(await child.end()).toBe(0);
    expect(session.capture.counters().filtered_socket).toBe(0);
  });

  it('gives every connection one CLOSE, after its data', async () => {
    const { records } = await run('many-connections');
    const data = new Set(records.filter((record) => record.kind === KIND_DATA).map((record) => record.connection));
    const closes = records.filter((record) => record.kind === KIND_CLOSE).map((record) => record.connection);
    expect(data.size).toBe(100);
    expect(new Set(closes)).toEqual(data);
    expect(closes).toHaveLength(100);
  });
});
