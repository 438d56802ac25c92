/**
 * Streams of real programs: positions of both ends agree to the byte under large writes, partial reads, writev and
 * sendfile; and what is lost in a full ring is counted to the byte.
 */
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, it } from 'vitest';
import {
  DIRECTION_IN,
  DIRECTION_OUT,
  FLAG_NO_PAYLOAD,
  FLAG_ORIGIN_KNOWN,
  FLAG_TRUNCATED,
  KIND_CLOSE,
  KIND_DATA,
} from '../../host/kernel/layout.ts';
import { sayUnavailable } from '../support/unavailable.ts';
import { describeKernel, gaps, type Seen, Session, startTraffic, stream } from './harness.ts';

const NGINX = '/usr/sbin/nginx';

const connections = (records: readonly Seen[]) => [...new Set(records.map((record) => record.connection))];
const sum = (records: readonly Seen[]) => records.reduce((total, record) => total + record.moved, 0);

/** The bytes of a stream as captured, with zeros where they were not. */
function contents(records: readonly Seen[]): Buffer {
  const bytes = Buffer.alloc(sum(records));
  const start = records[0]?.position ?? 0;
  for (const record of records) record.payload.copy(bytes, (record.position - start) | 0);
  return bytes;
}

/** Missing bytes of every stream, by position: in front, between, and behind the last record up to the CLOSE. */
function missing(records: readonly Seen[], connection: bigint): number {
  const close = records.find((record) => record.connection === connection && record.kind === KIND_CLOSE);
  if (close === undefined) throw new Error('no CLOSE');
  expect(close.flags & FLAG_ORIGIN_KNOWN).not.toBe(0);
  return [DIRECTION_IN, DIRECTION_OUT].reduce((total, direction) => {
    const data = stream(records, connection, direction);
    const end = direction === DIRECTION_IN ? close.endIn : close.position;
    const begin = data[0]?.origin ?? end;
    return total + (((end - begin) | 0) - sum(data));
  }, 0);
}

describeKernel('streams', () => {
  it('joins up both ways under large writes and partial reads', async () => {
    using session = new Session({ payloadBytes: 16384, ringBytes: 1 << 24 });
    const child = startTraffic();
    session.capture.selectProcess(child.pid, true);
    await child.ask(`exchange ${await child.ask('listen')} 5 150000`);
    await child.end();
    const records = session.records();
    const ends = connections(records);
    expect(ends).toHaveLength(2);
    for (const id of ends) {
      for (const direction of [DIRECTION_IN, DIRECTION_OUT]) {
        const data = stream(records, id, direction);
        expect(sum(data)).toBe(750_000);
        expect(gaps(data).every((gap) => gap === 0)).toBe(true);
        expect(data[0]?.position).toBe(data[0]?.origin);
        for (const record of data) {
          expect(record.captured).toBe(Math.min(record.moved, 16384));
          expect((record.flags & FLAG_TRUNCATED) !== 0).toBe(record.moved > 16384);
          const start = (record.position - record.origin) % 150000;
          const expected = Buffer.from(Uint8Array.from(record.payload, (_, i) => ((start + i) % 150000) % 251));
          expect(record.payload.equals(expected)).toBe(true);
        }
      }
    }
    expect(session.capture.counters()).toMatchObject({ records_lost: 0, bytes_moved: 3_000_000 });
  });

  it('takes what Node writes as one writev', async () => {
    using session = new Session();
    const child = startTraffic();
    session.capture.selectProcess(child.pid, true);
    const text = await child.ask(`corked ${await child.ask('listen')} 16`);
    expect(text).toBe('abcdefghijklmnop');
    await child.end();
    const sent = session.records().filter((record) => record.kind === KIND_DATA && record.direction === DIRECTION_OUT);
    expect(sent.map((record) => record.payload.toString())).toEqual([text, text]);
  });

  it('keeps all of one process in one shard', async () => {
    using session = new Session({ shards: 4 });
    const children = Array.from({ length: 4 }, startTraffic);
    for (const child of children) {
      session.capture.selectProcess(child.pid, true);
      const port = await child.ask('listen');
      for (let round = 0; round < 3; round++) await child.ask(`exchange ${port} 1 10`);
      await child.end();
    }
    const rings = [0, 1, 2, 3].map((shard) => session.drainShard(shard));
    for (const child of children) {
      const counts = rings.map((ring) => ring.filter((record) => record.tgid === child.pid).length);
      expect(counts.filter((count) => count > 0)).toHaveLength(1);
      // 4 data, 2 + 2 EOF and 2 CLOSE records for each of three rounds
      expect(Math.max(...counts)).toBe(30);
    }
    for (const ring of rings) {
      expect(ring.map((record) => record.sequence)).toEqual(ring.map((_, index) => BigInt(index)));
    }
  });

  it('gives sendfile of nginx a place in the stream', async (context) => {
    if (!existsSync(NGINX)) {
      sayUnavailable('sendfile', 'nginx is not installed');
      context.skip();
    }
    using session = new Session();
    await using server = await startNginx();
    session.capture.selectPorts([[server.port, server.port]]);
    const client = startTraffic();
    const body = Number(await client.ask(`fetch ${server.port} /file`));
    await client.end();
    await server[Symbol.asyncDispose]();
    const records = session.records();
    const [id] = connections(records);
    const sent = stream(records, id!, DIRECTION_OUT);
    expect(body).toBe(300_000);
    expect(sent[0]?.payload.toString('latin1')).toMatch(/^HTTP\/1.1 200 OK/);
    const files = sent.filter((record) => (record.flags & FLAG_NO_PAYLOAD) !== 0);
    expect(sum(files)).toBe(300_000);
    expect(missing(records, id!)).toBe(0);
  });
});

describeKernel('a ring that is full', () => {
  it('never blocks the application, and counts what it lost to the byte', async () => {
    using session = new Session({ ringBytes: 1 << 14 });
    const child = startTraffic();
    session.capture.selectProcess(child.pid, true);
    const port = await child.ask('listen');
    const elapsed = Number(await child.ask(`exchange ${port} 300 20000`));
    expect(elapsed).toBeLessThan(10_000);
    const before = session.records();
    const lost = session.capture.counters();
    expect(lost.records_lost).toBeGreaterThan(0);
    expect(lost.records_tried).toBe(before.length + lost.records_lost);

    // A connection that loses its middle: room at the start and at the end.
    await child.ask(`open ${port}`);
    await child.ask('send first');
    const parts = session.records();
    for (let round = 0; round < 40; round++) await child.ask(`send ${'x'.repeat(4000)}`);
    parts.push(...session.records());
    await child.ask('send last');
    await child.end();
    parts.push(...session.records());
    const counters = session.capture.counters();
    expect(counters.records_tried).toBe(before.length + parts.length + counters.records_lost);
    const gap = connections(parts).reduce((total, id) => total + missing(parts, id), 0);
    expect(gap).toBeGreaterThan(100_000);
    expect(counters.bytes_lost - lost.bytes_lost).toBe(gap);
    const all = [...before, ...parts];
    expect(counters.bytes_moved).toBe(sum(all) + counters.bytes_lost);
    expect(counters.bytes_captured).toBe(all.reduce((total, record) => total + record.captured, 0));
    expect(
      contents(stream(parts, parts[0]!.connection, DIRECTION_OUT))
        .subarray(0, 5)
        .toString(),
    ).toBe('first');
    const numbers = new Set(all.map((record) => record.sequence));
    expect(numbers.size).toBe(all.length);
    expect(Math.max(...all.map((record) => Number(record.sequence)))).toBe(counters.records_tried - 1);
  });
});

async function startNginx() {
  const folder = mkdtempSync(join(tmpdir(), 'spanwire-nginx-'));
  mkdirSync(join(folder, 'html'));
  writeFileSync(join(folder, 'html/file'), Buffer.alloc(300_000, 'f'));
  const port = 20_000 + (process.pid % 20_000);
  writeFileSync(
    join(folder, 'nginx.conf'),
    `daemon off; master_process off; pid ${folder}/pid; error_log stderr crit; events {}
     http { access_log off; sendfile on; keepalive_timeout 0; client_body_temp_path ${folder}/b;
            proxy_temp_path ${folder}/p; fastcgi_temp_path ${folder}/f; uwsgi_temp_path ${folder}/u;
            scgi_temp_path ${folder}/s; server { listen 127.0.0.1:${port}; root ${folder}/html; } }`,
  );
  execFileSync('chmod', ['-R', 'a+rX', folder]);
  const server = spawn(NGINX, ['-p', folder, '-c', join(folder, 'nginx.conf')], { stdio: 'inherit' });
  const exited = once(server, 'exit');
  const stop = async () => {
    server.kill();
    await exited;
  };
  try {
    await accepts(port);
  } catch (error) {
    await stop();
    throw error;
  }
  return { port, [Symbol.asyncDispose]: stop };
}

async function accepts(port: number): Promise<void> {
  for (let attempt = 0; attempt < 100; attempt++) {
    const socket = connect(port, '127.0.0.1');
    const ok = await once(socket, 'connect').then(
      () => true,
      () => false,
    );
    socket.destroy();
    if (ok) return;
    await sleep(20);
  }
  throw new Error('nginx does not listen');
}
