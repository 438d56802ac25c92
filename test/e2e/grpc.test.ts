/**
 * gRPC through real eBPF: server and client of @grpc/grpc-js, all four kinds, every code, deadlines, cancellation,
 * compression; a span of either side for each call, compared one by one with what the client did.
 */
import { once } from 'node:events';
import { connect } from 'node:http2';
import { Client, type ClientOptions, credentials, Metadata, status } from '@grpc/grpc-js';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { until } from '../export/fixtures.ts';
import {
  callGather,
  callOnce,
  callSpread,
  callTalk,
  type GrpcServer,
  same,
  startGrpcServer,
} from '../support/grpc-server.ts';
import type { Span } from './support/agent.ts';
import { describeLive } from './support/live.ts';
import { differences } from './support/multiset.ts';
import { watchLarge } from './support/watch.ts';

/** In front of each message. */
const PREFIX = 5;
/** Their answers, written at once, are as many pieces of memory as are captured of a call. */
const AT_ONCE = 20;
const BOTH_SIDES = ['server', 'client'];
const GZIP = { 'grpc.default_compression_algorithm': 2 };

/** `method code asked→answered bytes→bytes kind`: messages and bytes each way. */
function lineOf({ name, attributes: a }: Span): string {
  const messages = `${a['rpc.request.message.count']}→${a['rpc.response.message.count']}`;
  const bytes = `${a['rpc.request.body.size']}→${a['rpc.response.body.size']}`;
  return `${name} ${a['rpc.response.status_code']} ${messages} ${bytes} ${a['rpc.grpc.kind'] ?? '-'}`;
}

function calls(spans: readonly Span[], kind: string): Span[] {
  return spans.filter((span) => span.kind === kind && span.protocol === 'grpc');
}

function expectBoth(spans: readonly Span[], expected: readonly string[]): void {
  for (const kind of BOTH_SIDES) expect(differences(expected, calls(spans, kind).map(lineOf)), kind).toEqual([]);
}

/** What so many messages with so many bytes of text in all take. */
function framed(messages: number, text: number): number {
  return messages * PREFIX + text;
}

await describeLive('gRPC', () => {
  let server: GrpcServer;
  beforeEach(async () => {
    server = await startGrpcServer();
  });
  afterEach(() => server.stop());

  function open(options: ClientOptions = {}): Client {
    return new Client(`127.0.0.1:${server.port}`, credentials.createInsecure(), options);
  }

  test('all four kinds: messages and bytes each way', async () => {
    const expected: string[] = [];
    const { spans } = await watchLarge(server.port, async () => {
      const client = open();
      for (let n = 1; n <= 20; n++) {
        const texts = Array.from({ length: n + 1 }, (_, i) => 'm'.repeat(i * n));
        const text = framed(texts.length, texts.join('').length);
        const digits = String(n + 1).length;
        expect(await callOnce(client, 'ok')).toBe(0);
        await callGather(client, texts);
        expect(await callSpread(client, n + 1)).toBe(n + 1);
        expect(await callTalk(client, texts)).toBe(n + 1);
        expected.push(
          't.T/Once OK 1→1 7→7 unary',
          `t.T/Gather OK ${n + 1}→1 ${text}→9 client_stream`,
          `t.T/Spread OK 1→${n + 1} ${framed(1, digits)}→${framed(n + 1, (n + 1) * digits)} server_stream`,
          `t.T/Talk OK ${n + 1}→${n + 1} ${text}→${text} bidi_stream`,
        );
      }
      client.close();
    });
    expectBoth(spans, expected);
  });

  test('calls at the same time', async () => {
    const { spans } = await watchLarge(server.port, async () => {
      const client = open();
      for (let n = 0; n < 25; n++) {
        const codes = await Promise.all(Array.from({ length: AT_ONCE }, () => callOnce(client, 'ok')));
        expect(codes).toEqual(codes.map(() => 0));
      }
      client.close();
    });
    expectBoth(spans, Array(25 * AT_ONCE).fill('t.T/Once OK 1→1 7→7 unary'));
  });

  test('every code, with its message', async () => {
    const codes = Object.entries(status).filter(([, code]) => typeof code === 'number' && code > 0);
    expect(codes).toHaveLength(16);
    const expected: string[] = [];
    const { spans } = await watchLarge(server.port, async () => {
      const client = open();
      for (const [name, code] of codes) {
        const text = `fail ${code} 100 % né: ${name}`;
        expect(await callOnce(client, text)).toBe(code);
        expected.push(`t.T/Once ${name} 1→0 ${framed(1, Buffer.byteLength(text))}→0 -`);
      }
      await new Promise<void>((resolve) => {
        client.makeUnaryRequest('/t.T/Missing', same, same, Buffer.from('x'), () => resolve());
      });
      client.close();
    });
    const isMissing = ({ name }: Span) => name === 't.T/Missing';
    expectBoth(
      spans.filter((span) => !isMissing(span)),
      expected,
    );
    for (const kind of BOTH_SIDES) {
      const [missing, ...more] = calls(spans, kind).filter(isMissing);
      expect(more).toEqual([]);
      expect(missing!.attributes['rpc.response.status_code']).toBe('UNIMPLEMENTED');
    }
    for (const { kind, status: outcome, attributes } of spans.filter((span) => !isMissing(span))) {
      const code = String(attributes['rpc.response.status_code']);
      expect(attributes['rpc.response.metadata.grpc-message']).toBe(`100 % né: ${code}`);
      // A client's fault is no error of the server.
      const isServers = /^(UNKNOWN|DEADLINE|UNIMPLEMENTED|INTERNAL|UNAVAILABLE|DATA_LOSS)/.test(code);
      expect(outcome, `${kind} ${code}`).toBe(kind === 'client' || isServers ? 'error' : 'unset');
    }
  });

  test('deadlines, cancellation, and the context of a trace', async () => {
    const parent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';
    const work = async () => {
      const client = open();
      expect(await callOnce(client, 'slow', 300)).toBe(status.DEADLINE_EXCEEDED);
      const cancelled = new Promise<number>((resolve) => {
        const call = client.makeUnaryRequest('/t.T/Once', same, same, Buffer.from('never'), (error) =>
          resolve(error?.code ?? 0),
        );
        void until(() => server.seen.includes('never'), 'the call that is cancelled').then(() => call.cancel());
      });
      expect(await cancelled).toBe(status.CANCELLED);
      const metadata = new Metadata();
      metadata.set('traceparent', parent);
      expect(await callOnce(client, 'ok', 10_000, metadata)).toBe(0);
      client.close();
    };
    const optIn = ['--attributes', 'rpc.request.metadata.grpc-timeout'];
    const { spans } = await watchLarge(server.port, work, optIn);
    expectBoth(spans, [
      `t.T/Once DEADLINE_EXCEEDED 1→0 ${framed(1, 4)}→0 -`,
      `t.T/Once CANCELLED 1→0 ${framed(1, 5)}→0 -`,
      't.T/Once OK 1→1 7→7 unary',
    ]);
    for (const kind of BOTH_SIDES) {
      const [slow, , traced] = calls(spans, kind);
      expect(slow!.attributes['rpc.request.metadata.grpc-timeout']).toMatch(/^\d{1,8}[HMSmun]$/);
      const took = Number(BigInt(slow!.endTimeUnixNano) - BigInt(slow!.startTimeUnixNano)) / 1e6;
      expect(took).toBeGreaterThan(200);
      expect([traced!.traceId, parent]).toEqual([parent.split('-')[1], parent]);
    }
  });

  test('compressed messages', async () => {
    const text = `ok ${'again and '.repeat(200)}`;
    const work = async () => {
      const client = open(GZIP);
      expect(await callOnce(client, text)).toBe(0);
      client.close();
      const plain = open();
      expect(await callOnce(plain, 'ok')).toBe(0);
      plain.close();
    };
    const names = ['rpc.grpc.compressed', 'rpc.request.metadata.grpc-encoding'];
    const { spans } = await watchLarge(server.port, work, ['--attributes', names.join(',')]);
    for (const kind of BOTH_SIDES) {
      const [small, plain] = calls(spans, kind).map(({ attributes }) => attributes);
      expect(small).toMatchObject({ 'rpc.grpc.compressed': true, 'rpc.request.metadata.grpc-encoding': 'gzip' });
      expect(small).toMatchObject({ 'rpc.request.message.count': 1, 'rpc.grpc.kind': 'unary' });
      expect(small!['rpc.request.body.size']).toBeLessThan(text.length / 4);
      expect(plain).not.toHaveProperty('rpc.grpc.compressed');
    }
  });

  test('gRPC beside HTTP on one connection', async () => {
    const { spans } = await watchLarge(server.port, async () => {
      const session = connect(`http://127.0.0.1:${server.port}`);
      const call = session.request({
        ':method': 'POST',
        ':path': '/t.T/Once',
        'content-type': 'application/grpc',
        te: 'trailers',
      });
      call.end(Buffer.from('\0\0\0\0\x02ok'));
      const page = session.request({ ':path': '/page' });
      await Promise.all([call, page].map((stream) => once(stream.resume(), 'close')));
      session.close();
      await once(session, 'close');
    });
    expectBoth(spans, ['t.T/Once OK 1→1 7→7 unary']);
    for (const kind of BOTH_SIDES) {
      const pages = spans.filter((span) => span.kind === kind && span.protocol !== 'grpc');
      expect(pages.map(({ attributes: a }) => [a['url.path'], a['http.response.status_code']])).toEqual([
        ['/page', 415],
      ]);
    }
  });
});
