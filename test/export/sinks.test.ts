/** Which sinks a configuration makes, that they do not disturb each other, and that the process can end after them. */
import { PassThrough, Writable } from 'node:stream';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { ExportConfigError } from '../../host/export/otlp-config.ts';
import { createSinks, type SinkConfig } from '../../host/export/sinks.ts';
import { C, createCounters } from '../../host/self/counters.ts';
import { imbalance, numbered, producer, TestLog, tally, until } from './fixtures.ts';
import { run } from './process.ts';
import { grpcHang, grpcReceiver, hang, httpReceiver, type Receiver, tcpReceiver } from './receivers.ts';

const receivers: Receiver[] = [];

beforeEach(() => {
  for (const name of Object.keys(process.env)) if (name.startsWith('OTEL_')) vi.stubEnv(name, undefined);
});

afterEach(async () => {
  vi.unstubAllEnvs();
  for (const receiver of receivers.splice(0)) await receiver.close();
});

function kept<T extends Receiver>(receiver: T): T {
  receivers.push(receiver);
  return receiver;
}

function make(config: SinkConfig, stdout: Writable = new PassThrough()) {
  const counters = createCounters();
  return { counters, sinks: createSinks(config, { counters, log: new TestLog(), version: '0', stdout }) };
}

describe('configuration', () => {
  const endpoint = 'http://127.0.0.1:1';
  const cases: [title: string, SinkConfig, environment: Record<string, string>, names: string[]][] = [
    ['printer only', { printer: 'text' }, {}, ['printer']],
    ['OTLP only', { otlp: { endpoint } }, {}, ['otlp']],
    ['both, OTLP is the primary one', { printer: 'json', otlp: {} }, {}, ['otlp', 'printer']],
    ['OTLP by general endpoint', {}, { OTEL_EXPORTER_OTLP_ENDPOINT: endpoint }, ['otlp']],
    ['OTLP by traces endpoint', { printer: 'disabled' }, { OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: endpoint }, ['otlp']],
    ['OTLP by name', {}, { OTEL_TRACES_EXPORTER: 'console,otlp' }, ['otlp']],
    [
      'no OTLP by name',
      { printer: 'text' },
      { OTEL_TRACES_EXPORTER: 'none', OTEL_EXPORTER_OTLP_ENDPOINT: endpoint },
      ['printer'],
    ],
    ['an empty variable is none', { printer: 'text' }, { OTEL_EXPORTER_OTLP_ENDPOINT: '' }, ['printer']],
  ];

  it.each(cases)('%s', async (_title, config, environment, names) => {
    for (const [name, value] of Object.entries(environment)) vi.stubEnv(name, value);
    const { sinks } = make(config);
    expect(sinks.names).toEqual(names);
    await sinks.shutdown(0);
  });

  const wrong: [SinkConfig, environment: Record<string, string>, words: string][] = [
    [{}, {}, 'no way out'],
    [{ printer: 'disabled' }, {}, 'no way out'],
    [{ printer: 'xml' as 'json' }, {}, "'xml'"],
    [{ otlp: { endpoint: 'localhost:4318' } }, {}, 'http://localhost:4318'],
    [{ otlp: { endpoint: 'not a url' } }, {}, "'not a url'"],
    [{ otlp: { endpoint: 'ftp://x' } }, {}, 'ftp://x'],
    [{ otlp: { endpoint: 'http://', protocol: 'grpc' } }, {}, 'grpc'],
    [{}, { OTEL_EXPORTER_OTLP_ENDPOINT: 'localhost:4318' }, 'http://localhost:4318'],
    [{ otlp: { protocol: 'http' as 'grpc' } }, {}, "'http'"],
    [{ otlp: {} }, { OTEL_EXPORTER_OTLP_PROTOCOL: 'thrift' }, "'thrift'"],
    [{ otlp: { timeoutMs: Number.NaN } }, {}, 'timeout'],
    [{ otlp: { timeoutMs: 0 } }, {}, 'timeout'],
  ];

  it.each(wrong)('refuses %j with %j', (config, environment, words) => {
    for (const [name, value] of Object.entries(environment)) vi.stubEnv(name, value);
    expect(() => make(config)).toThrow(ExportConfigError);
    expect(() => make(config)).toThrow(words);
  });

  it('takes host:port for grpc, and never shows a password', () => {
    expect(make({ otlp: { endpoint: 'collector:4317', protocol: 'grpc' } }).sinks.names).toEqual(['otlp']);
    expect(() => make({ otlp: { endpoint: 'ftp://me:secret@host/' } })).toThrow(/^(?!.*secret)/);
  });

  it('uses the timeout of the environment', async () => {
    const receiver = kept(await httpReceiver([hang]));
    vi.stubEnv('OTEL_EXPORTER_OTLP_ENDPOINT', receiver.url);
    vi.stubEnv('OTEL_EXPORTER_OTLP_TIMEOUT', '80');
    const { sinks, counters } = make({});
    producer(sinks, counters).push(numbered(1));
    await until(() => counters[C.export_failures] === 1, 'the timeout', 3000);
    await sinks.shutdown(0);
  });
});

describe('two sinks', () => {
  it('both get every span; the printer does not wait for a hanging collector', async () => {
    const receiver = kept(await httpReceiver([hang]));
    const stdout = new PassThrough();
    const { sinks, counters } = make({ printer: 'json', otlp: { endpoint: receiver.url } }, stdout);
    const { push } = producer(sinks, counters);
    for (let i = 0; i < 10; i++) push(numbered(10, i * 10));
    await until(() => sinks.secondaryCounters[C.spans_exported] === 100, 'the printer');
    expect(stdout.read().toString().trimEnd().split('\n')).toHaveLength(100);
    expect(counters[C.spans_queued]).toBe(100);
    await sinks.shutdown(50);
    expect(tally(counters)).toMatchObject({ spans_made: 100, spans_dropped_shutdown: 100 });
    expect(tally(sinks.secondaryCounters)).toMatchObject({ spans_made: 100, spans_exported: 100 });
    for (const one of [counters, sinks.secondaryCounters]) expect(imbalance(one)).toBe(0);
  });

  it('the collector does not wait for a stuck printer', async () => {
    const receiver = kept(await httpReceiver());
    const stuck = new Writable({ write: () => {} });
    const { sinks, counters } = make({ printer: 'text', otlp: { endpoint: receiver.url } }, stuck);
    const { push } = producer(sinks, counters);
    for (let i = 0; i < 10; i++) push(numbered(10, i * 10));
    await until(() => counters[C.spans_exported] === 100, 'the collector');
    expect(receiver.spans).toHaveLength(100);
    await sinks.shutdown(50);
    expect(sinks.secondaryCounters[C.spans_exported]).toBe(0);
    expect(imbalance(sinks.secondaryCounters)).toBe(0);
  });
});

describe('a process with sinks', () => {
  it('does not load what it does not use', async () => {
    const script = `
      sinks.push(filled(numbered(3)));
      await sinks.shutdown(5000);
      const { _cache } = (await import('node:module')).default;
      const hasGrpc = Object.keys(_cache).some((name) => name.includes('grpc-js'));
      console.log(JSON.stringify([hasGrpc, counters[C.spans_exported]]));
    `;
    const http = kept(await httpReceiver());
    const grpc = kept(await grpcReceiver());
    expect(JSON.parse((await run(script, { endpoint: http.url })).output)).toEqual([false, 3]);
    expect(JSON.parse((await run(script, { endpoint: grpc.url, protocol: 'grpc' })).output)).toEqual([true, 3]);
  });

  it.each(['http/protobuf', 'http/json', 'grpc'] as const)(
    '%s: ends by itself after shutdown, delivered or not',
    async (protocol) => {
      const isGrpc = protocol === 'grpc';
      const good = kept(isGrpc ? await grpcReceiver() : await httpReceiver());
      const hanging = kept(isGrpc ? await grpcReceiver([grpcHang]) : await httpReceiver([hang]));
      const silent = kept(await tcpReceiver(undefined));
      const script = `
      sinks.push(filled(numbered(100)));
      await new Promise((resolve) => setTimeout(resolve, 300));
      await sinks.shutdown(100);
      const before = performance.now();
      process.on('exit', () => console.log(JSON.stringify([counters[C.spans_exported], performance.now() - before])));
    `;
      for (const [receiver, exported] of [
        [good, 100],
        [hanging, 0],
        [silent, 0],
      ] as const) {
        const { output, code } = await run(script, { endpoint: receiver.url, protocol });
        const [delivered, lingeredMs] = JSON.parse(output);
        expect([delivered, code]).toEqual([exported, 0]);
        expect(lingeredMs).toBeLessThan(1000);
      }
    },
  );

  it('is not kept alive by spans that nobody takes', async () => {
    const silent = kept(await tcpReceiver(''));
    const { code } = await run('sinks.push(filled(numbered(100)));', {
      endpoint: silent.url,
      protocol: 'http/protobuf',
    });
    expect(code).toBe(0);
  });

  it('survives a reader that leaves, in the main thread', async () => {
    const script = `
      process.stdout.on('error', () => {});
      for (let i = 0; i < 200; i++) { sinks.push(filled(numbered(64))); await new Promise((r) => setTimeout(r, 2)); }
      await sinks.shutdown(500);
      console.error(JSON.stringify([counters[C.spans_dropped_export_failed] > 0, counters[C.spans_queued]]));
    `;
    const { errors, code } = await run(script, undefined, { leaveEarly: true });
    expect(JSON.parse(errors)).toEqual([true, 0]);
    expect(code).toBe(0);
  });

  it('prints from a worker thread, at the pace of the reader', async () => {
    const worker = `
      for (let i = 0; i < 50; i++) sinks.push(filled(numbered(100, i * 100)));
      await sinks.shutdown(10_000);
      console.error(JSON.stringify(counters[C.spans_exported]));
    `;
    const { output, errors, code } = await run(worker, undefined, { inWorker: true });
    const lines = output.trimEnd().split('\n');
    expect(lines.map((line) => Number.parseInt(JSON.parse(line).spanId, 16) - 1)).toEqual([...Array(5000).keys()]);
    expect([errors.trim(), code]).toEqual(['5000', 0]);
  });

  it('survives a reader that leaves a worker thread', async () => {
    const worker = `
      for (let i = 0; i < 300; i++) { sinks.push(filled(numbered(64))); await new Promise((r) => setTimeout(r, 2)); }
      await sinks.shutdown(300);
      console.error(JSON.stringify([counters[C.spans_exported] < 300 * 64, counters[C.spans_queued]]));
      (await import('node:worker_threads')).parentPort.postMessage('done');
    `;
    const { errors, code } = await run(worker, undefined, { inWorker: true, leaveEarly: true });
    expect([errors.trim(), code]).toEqual(['[true,0]', 0]);
  });
});
