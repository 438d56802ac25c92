/** Collectors that are down, slow, overloaded, broken or strict: what is counted, what is retried, what comes back. */
import * as grpc from '@grpc/grpc-js';
import { afterEach, describe, expect, it } from 'vitest';
import type { OtlpConfig } from '../../host/export/otlp-config.ts';
import { createSinks, type Sinks } from '../../host/export/sinks.ts';
import { C, type Counters, createCounters } from '../../host/self/counters.ts';
import { imbalance, numbered, producer, TestLog, tally, until } from './fixtures.ts';
import { encodeResponse } from './otlp-decode.ts';
import {
  type Answer,
  accept,
  grpcAccept,
  grpcHang,
  grpcReceiver,
  grpcRefuse,
  hang,
  httpReceiver,
  type Receiver,
  refuse,
  tcpReceiver,
} from './receivers.ts';

const HTTP = ['http/protobuf', 'http/json'] as const;

const live: { sinks: Sinks; counters: Counters }[] = [];
const receivers: Receiver[] = [];

afterEach(async () => {
  for (const { sinks, counters } of live.splice(0)) {
    expect(imbalance(counters)).toBe(0);
    await sinks.shutdown(0);
    expect(imbalance(counters)).toBe(0);
    expect(counters[C.spans_queued]).toBe(0);
  }
  for (const receiver of receivers.splice(0)) await receiver.close();
});

function setUp(otlp: OtlpConfig, capacitySpans = 1000) {
  const log = new TestLog();
  const counters = createCounters();
  const backoff = { firstMs: 30, maxMs: 100, factor: 1.5, jitter: 0.2 };
  const sinks = createSinks(
    { otlp },
    { counters, log, version: '0', queue: { backoff, capacitySpans, exportSpans: 50 } },
  );
  live.push({ sinks, counters });
  return { sinks, counters, log, push: producer(sinks, counters).push };
}

function kept<T extends Receiver>(receiver: T): T {
  receivers.push(receiver);
  return receiver;
}

/** A port that nobody listens on. */
async function freePort(): Promise<number> {
  const probe = await httpReceiver();
  await probe.close();
  return probe.port;
}

function ids(receiver: Receiver): number[] {
  return receiver.spans.map(({ span }) => Number.parseInt(span.spanId, 16) - 1).sort((a, b) => a - b);
}

describe.each([...HTTP, 'grpc'] as const)('%s', (protocol) => {
  const isGrpc = protocol === 'grpc';

  it('endpoint down, then up: bounded queue, counted drops, recovery with what was kept', async () => {
    const port = await freePort();
    const { push, counters, log } = setUp({ endpoint: `http://127.0.0.1:${port}`, protocol });
    for (let i = 0; i < 200; i++) push(numbered(10, i * 10));
    await until(() => counters[C.export_failures]! >= 3, 'failed attempts');
    expect(counters[C.spans_queued]).toBe(1000);
    expect(counters[C.spans_dropped_queue_full]).toBe(1000);
    expect(imbalance(counters)).toBe(0);
    const receiver = kept(isGrpc ? await grpcReceiver(undefined, port) : await httpReceiver(undefined, port));
    await until(() => counters[C.spans_queued] === 0, 'recovery');
    expect(receiver.spans).toHaveLength(1000);
    expect(ids(receiver).at(-1)).toBe(1999);
    expect(tally(counters)).toMatchObject({ spans_made: 2000, spans_exported: 1000, spans_dropped_queue_full: 1000 });
    expect(log.lines.some((line) => /ECONNREFUSED/.test(line) && line.includes(`127.0.0.1:${port}`))).toBe(true);
    expect(log.lines.some((line) => line.includes('exporting again'))).toBe(true);
  });

  it('endpoint hangs: the attempt is aborted after its timeout and tried again', async () => {
    const receiver = kept(
      isGrpc ? await grpcReceiver([grpcHang, grpcHang, grpcAccept]) : await httpReceiver([hang, hang, accept]),
    );
    const { push, counters } = setUp({ endpoint: receiver.url, protocol, timeoutMs: 150 });
    push(numbered(5));
    await until(() => counters[C.spans_exported] === 5, 'delivery');
    expect(receiver.requests).toBe(3);
    expect(tally(counters)).toMatchObject({ export_attempts: 3, export_failures: 2 });
  });

  it('speaks to something that is no collector: keeps trying, in bounds', async () => {
    const receiver = kept(await tcpReceiver('SSH-2.0-OpenSSH_9.2\r\n'));
    const { push, counters } = setUp({ endpoint: receiver.url, protocol, timeoutMs: 500 }, 20);
    for (let i = 0; i < 10; i++) push(numbered(5, i * 5));
    await until(() => counters[C.export_failures]! >= 3, 'failed attempts');
    expect(counters[C.spans_queued]).toBe(20);
    expect(counters[C.spans_dropped_queue_full]).toBe(30);
  });

  it('connection accepted, then silence: the attempt is aborted', async () => {
    const receiver = kept(await tcpReceiver(undefined));
    const { push, counters } = setUp({ endpoint: receiver.url, protocol, timeoutMs: 100 });
    push(numbered(5));
    await until(() => counters[C.export_failures]! >= 2, 'failed attempts');
    expect(counters[C.spans_queued]).toBe(5);
  });

  it('flush within the deadline while the endpoint hangs: the rest is counted, nothing waits', async () => {
    const receiver = kept(isGrpc ? await grpcReceiver([grpcHang]) : await httpReceiver([hang]));
    const { push, counters, sinks } = setUp({ endpoint: receiver.url, protocol });
    push(numbered(5));
    push(numbered(5, 5));
    await until(() => receiver.requests === 1, 'the request');
    const before = performance.now();
    await sinks.shutdown(200);
    expect(performance.now() - before).toBeLessThan(1500);
    expect(tally(counters)).toMatchObject({ spans_made: 10, spans_dropped_shutdown: 10 });
  });

  it('flush during a burst delivers all of it', async () => {
    const receiver = kept(isGrpc ? await grpcReceiver() : await httpReceiver());
    const { push, counters, sinks } = setUp({ endpoint: receiver.url, protocol });
    for (let i = 0; i < 100; i++) push(numbered(10, i * 10));
    await sinks.shutdown(10_000);
    expect(receiver.spans).toHaveLength(1000);
    expect(tally(counters)).toMatchObject({ spans_made: 1000, spans_exported: 1000 });
  });
});

describe.each(HTTP)('%s answers', (protocol) => {
  it.each([429, 503])('%d with Retry-After: waits as long as asked, one request per attempt', async (status) => {
    const answers = [refuse(status, { 'retry-after': '1' }), accept];
    const receiver = kept(await httpReceiver(answers));
    const { push, counters } = setUp({ endpoint: receiver.url, protocol });
    const before = performance.now();
    push(numbered(5));
    await until(() => counters[C.spans_exported] === 5, 'delivery');
    expect(performance.now() - before).toBeGreaterThanOrEqual(990);
    expect(receiver.requests).toBe(2);
  });

  it.each([429, 502, 503, 504])('%d: retried by the queue, not inside the exporter', async (status) => {
    const receiver = kept(await httpReceiver([refuse(status), refuse(status), accept]));
    const { push, counters } = setUp({ endpoint: receiver.url, protocol });
    push(numbered(5));
    await until(() => counters[C.spans_exported] === 5, 'delivery');
    expect(receiver.requests).toBe(3);
    expect(tally(counters)).toEqual({ spans_made: 5, spans_exported: 5, export_attempts: 3, export_failures: 2 });
  });

  it('an answer that takes a second is waited for, with one request', async () => {
    const slow: Answer = (response, request) => void setTimeout(accept, 1000, response, request);
    const receiver = kept(await httpReceiver([slow]));
    const { push, counters } = setUp({ endpoint: receiver.url, protocol });
    push(numbered(5));
    await until(() => counters[C.spans_exported] === 5, 'delivery');
    expect(receiver.requests).toBe(1);
  });

  it('Retry-After 0: still one request per attempt', async () => {
    const receiver = kept(await httpReceiver([refuse(503, { 'retry-after': '0' }), accept]));
    const { push, counters } = setUp({ endpoint: receiver.url, protocol });
    push(numbered(5));
    await until(() => counters[C.spans_exported] === 5, 'delivery');
    expect(receiver.requests).toBe(counters[C.export_attempts]);
  });

  it.each([
    [400, 'OTEL_EXPORTER_OTLP_PROTOCOL'],
    [401, 'OTEL_EXPORTER_OTLP_HEADERS'],
    [404, 'base URL'],
    [500, 'broken'],
    [302, 'HTTP 302'],
  ])('%d: dropped at once, counted, with a remedy; the next batch is tried', async (status, words) => {
    const receiver = kept(await httpReceiver([refuse(status, {}, 'broken\u001b[2J'), accept]));
    const { push, counters, log } = setUp({ endpoint: receiver.url, protocol });
    push(numbered(5));
    await until(() => counters[C.spans_dropped_export_failed] === 5, 'the drop');
    push(numbered(3, 5));
    await until(() => counters[C.spans_exported] === 3, 'the next batch');
    expect(receiver.requests).toBe(2);
    expect(log.lines[0]).toContain(words);
    expect(log.lines[0]).not.toContain('\u001b');
  });

  it('200 and garbage: taken as accepted, as the status says', async () => {
    const receiver = kept(await httpReceiver([(response) => response.end('<html>\u0000\xff')]));
    const { push, counters } = setUp({ endpoint: receiver.url, protocol });
    push(numbered(5));
    await until(() => counters[C.spans_exported] === 5, 'the outcome');
  });

  it('200 and a body without end: the status counts, the body does not', async () => {
    const receiver = kept(await httpReceiver([(response) => void response.writeHead(200).write('x')]));
    const { push, counters } = setUp({ endpoint: receiver.url, protocol, timeoutMs: 200 });
    push(numbered(5));
    await until(() => counters[C.spans_exported] === 5, 'the outcome');
    expect(receiver.requests).toBe(1);
  });

  it('a trickle that never ends is cut off by the timeout', async () => {
    const timers: NodeJS.Timeout[] = [];
    const trickle = kept(
      await httpReceiver([
        (response) => {
          response.writeHead(503);
          timers.push(setInterval(() => response.write('x'), 20));
        },
        accept,
      ]),
    );
    const { push, counters } = setUp({ endpoint: trickle.url, protocol, timeoutMs: 200 });
    push(numbered(5));
    await until(() => counters[C.spans_exported] === 5, 'delivery');
    for (const timer of timers) clearInterval(timer);
    expect(trickle.requests).toBe(2);
  });

  it('partial success: rejected spans are counted as failed', async () => {
    const partial = { rejectedSpans: 2, errorMessage: 'too old' };
    const isJson = protocol === 'http/json';
    const receiver = kept(
      await httpReceiver([
        (response) =>
          response.end(
            isJson ? '{"partialSuccess":{"rejectedSpans":"2","errorMessage":"too old"}}' : encodeResponse(partial),
          ),
      ]),
    );
    const { push, counters, log } = setUp({ endpoint: receiver.url, protocol });
    push(numbered(5));
    await until(() => counters[C.spans_queued] === 0, 'the outcome');
    expect(tally(counters)).toMatchObject({ spans_exported: 3, spans_dropped_export_failed: 2 });
    expect(log.lines[0]).toContain('rejected 2 of 5 spans: too old');
  });

  it('partial success without rejected spans is a warning', async () => {
    const isJson = protocol === 'http/json';
    const receiver = kept(
      await httpReceiver([
        (response) =>
          response.end(isJson ? '{"partialSuccess":{"errorMessage":"hm"}}' : encodeResponse({ errorMessage: 'hm' })),
      ]),
    );
    const { push, counters, log } = setUp({ endpoint: receiver.url, protocol });
    push(numbered(5));
    await until(() => counters[C.spans_exported] === 5, 'the outcome');
    expect(log.lines).toEqual(['warn the collector took all and says: hm']);
  });

  it('a keep-alive connection that went stale costs no span', async () => {
    const receiver = kept(await httpReceiver([accept, (_response, request) => request.socket.destroy(), accept]));
    const { push, counters } = setUp({ endpoint: receiver.url, protocol });
    push(numbered(1));
    await until(() => counters[C.spans_exported] === 1, 'the first');
    push(numbered(1, 1));
    await until(() => counters[C.spans_exported] === 2, 'the second');
    expect(ids(receiver)).toEqual([0, 1]);
  });
});

describe('grpc answers', () => {
  const { status } = grpc;

  it.each([status.UNAVAILABLE, status.ABORTED, status.DATA_LOSS])('code %d: retried', async (code) => {
    const receiver = kept(await grpcReceiver([grpcRefuse(code, 'not now'), grpcAccept]));
    const { push, counters } = setUp({ endpoint: receiver.url, protocol: 'grpc' });
    push(numbered(5));
    await until(() => counters[C.spans_exported] === 5, 'delivery');
    expect(receiver.requests).toBe(2);
  });

  it.each([
    [status.INVALID_ARGUMENT, 'bad spans'],
    [status.UNAUTHENTICATED, 'OTEL_EXPORTER_OTLP_HEADERS'],
    [status.UNIMPLEMENTED, 'takes no traces'],
    [status.RESOURCE_EXHAUSTED, 'bad spans'],
  ])('code %d: dropped at once, with a remedy', async (code, words) => {
    const receiver = kept(await grpcReceiver([grpcRefuse(code, 'bad spans'), grpcAccept]));
    const { push, counters, log } = setUp({ endpoint: receiver.url, protocol: 'grpc' });
    push(numbered(5));
    await until(() => counters[C.spans_dropped_export_failed] === 5, 'the drop');
    push(numbered(3, 5));
    await until(() => counters[C.spans_exported] === 3, 'the next batch');
    expect(log.lines[0]).toContain(words);
  });

  it('the back-off of its channel, which grows to minutes, plays no part', async () => {
    const port = await freePort();
    const { push, counters } = setUp({ endpoint: `http://127.0.0.1:${port}`, protocol: 'grpc' });
    push(numbered(5));
    await new Promise((resolve) => setTimeout(resolve, 2800));
    const connectionsTried = counters[C.export_failures]!;
    kept(await grpcReceiver(undefined, port));
    const before = performance.now();
    await until(() => counters[C.spans_exported] === 5, 'recovery');
    expect(performance.now() - before).toBeLessThan(1000);
    expect(connectionsTried).toBeGreaterThan(5);
  });

  it('RESOURCE_EXHAUSTED with RetryInfo: waits as long as asked', async () => {
    const metadata = new grpc.Metadata();
    metadata.set('grpc-status-details-bin', retryInfo(700));
    const receiver = kept(await grpcReceiver([grpcRefuse(status.RESOURCE_EXHAUSTED, 'full', metadata), grpcAccept]));
    const { push, counters } = setUp({ endpoint: receiver.url, protocol: 'grpc' });
    const before = performance.now();
    push(numbered(5));
    await until(() => counters[C.spans_exported] === 5, 'delivery');
    expect(performance.now() - before).toBeGreaterThanOrEqual(690);
  });

  it('partial success: rejected spans are counted as failed', async () => {
    const partial = encodeResponse({ rejectedSpans: 2, errorMessage: 'too old' });
    const receiver = kept(await grpcReceiver([(callback) => callback(null, partial)]));
    const { push, counters } = setUp({ endpoint: receiver.url, protocol: 'grpc' });
    push(numbered(5));
    await until(() => counters[C.spans_queued] === 0, 'the outcome');
    expect(tally(counters)).toMatchObject({ spans_exported: 3, spans_dropped_export_failed: 2 });
  });
});

/** google.rpc.Status with a RetryInfo of so many milliseconds, below one second. */
function retryInfo(ms: number): Buffer {
  const field = (number: number, content: Buffer) =>
    Buffer.concat([Buffer.from([(number << 3) | 2, content.length]), content]);
  const nanos = ms * 1e6;
  const varint: number[] = [];
  for (let rest = nanos; rest > 0; rest = Math.floor(rest / 128)) varint.push((rest % 128) | (rest >= 128 ? 0x80 : 0));
  const info = field(1, Buffer.from([0x10, ...varint]));
  const type = field(1, Buffer.from('type.googleapis.com/google.rpc.RetryInfo'));
  return Buffer.concat([Buffer.from([0x08, 8]), field(3, Buffer.concat([type, field(2, info)]))]);
}
