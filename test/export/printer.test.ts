/** What the printers write, to the letter, and how they behave when the reader is slow or gone. */
import { PassThrough, Writable } from 'node:stream';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { counterLine } from '../../host/export/counter-printer.ts';
import { createPrinter, type PrinterKind } from '../../host/export/printer.ts';
import { duration, textLine } from '../../host/export/span-text.ts';
import type { Span, Spans } from '../../host/spans/span.ts';
import { batch, NGINX, numbered, REDIS, START, span } from './fixtures.ts';

const never = new AbortController().signal;
const zone = process.env.TZ;

beforeAll(() => {
  process.env.TZ = 'UTC';
});

afterAll(() => {
  process.env.TZ = zone;
  if (zone === undefined) delete process.env.TZ;
});

async function printed(kind: PrinterKind, spans: Spans): Promise<string> {
  const stream = new PassThrough();
  const printer = createPrinter(kind, stream);
  expect(await printer.export(spans, never)).toEqual({ ok: true });
  await printer.shutdown();
  return stream.read()?.toString() ?? '';
}

const SERVER = span(0, {
  name: 'GET /cart/{id}',
  parentSpanId: '00f067aa0ba902b7',
  attributes: {
    'http.request.method': 'GET',
    'url.path': '/cart/42',
    'url.query': 'full=1',
    'http.response.status_code': 503,
    'client.address': '10.0.0.7',
    'client.port': 51234,
    'error.type': '503',
  },
  status: 'error',
});

const CLIENT = span(1, {
  name: 'SET',
  kind: 'client',
  protocol: 'redis',
  resource: REDIS,
  endTimeUnixNano: START + 12_300n,
  attributes: { 'db.query.text': 'SET k ?', 'server.address': 'fe80::1', 'server.port': 6379 },
});

describe('text', () => {
  it('is one aligned line per span', async () => {
    expect(await printed('text', batch(SERVER, CLIENT))).toBe(
      [
        '22:13:20.123   1.23ms server   nginx            GET /cart/{id}           ← 10.0.0.7:51234         !503   /cart/42?full=1',
        '22:13:20.123   12.3µs client   redis-server     SET                      → [fe80::1]:6379                SET k ?',
        '',
      ].join('\n'),
    );
  });

  it('does without any attribute', () => {
    expect(textLine(span(0, { attributes: {}, resource: { attributes: {} } }))).toBe(
      '22:13:20.123   1.23ms server   -                GET                      ← -',
    );
  });

  it('cuts what is too long, not in the middle of a character', () => {
    const line = textLine(
      span(0, { name: `${'x'.repeat(22)}🧀🧀`, attributes: { 'url.path': `/${'y'.repeat(500)}` } }),
    );
    expect(line).toContain(`${'x'.repeat(22)}…`);
    expect(line.isWellFormed()).toBe(true);
    expect(line.length).toBeLessThan(240);
  });

  it.each([
    ['\u001b[2J\u001b]0;owned\u0007', '\\u001b[2J\\u001b]0;owned\\u0007'],
    ['a\nb\r\u0085\u2028c', 'a\\u000ab\\u000d\\u0085\\u2028c'],
    ['\u009b31m', '\\u009b31m'],
    ['\u202egnp.exe', '\\u202egnp.exe'],
    ['/käse/チーズ/🧀', '/käse/チーズ/🧀'],
  ])('escapes what a terminal would obey: %j', (hostile, shown) => {
    const everywhere: Span = span(0, {
      name: hostile,
      attributes: { 'url.path': hostile, 'client.address': hostile, 'error.type': hostile },
      resource: { attributes: { 'service.name': hostile } },
    });
    const line = textLine(everywhere);
    expect(line).toContain(shown);
    expect(line).not.toMatch(/[\p{Cc}\p{Cf}\u2028]/u);
  });

  it.each([
    [0n, '0ns'],
    [999n, '999ns'],
    [1000n, '1.00µs'],
    [999_499n, '999µs'],
    [999_500n, '1.00ms'],
    [12_345_678n, '12.3ms'],
    [999_999_999n, '1.00s'],
    [75_000_000_000n, '75.0s'],
    [4_000_000_000_000n, '4000s'],
  ])('shows %d ns as %s', (nanos, shown) => {
    expect(duration(nanos)).toBe(shown);
  });
});

describe('json', () => {
  it('is one object per line, times as decimal strings', async () => {
    const lines = (await printed('json', batch(SERVER, CLIENT))).split('\n');
    expect(lines).toHaveLength(3);
    expect(lines[0]).toBe(
      '{"name":"GET /cart/{id}","kind":"server","protocol":"http","traceId":"0af7651916cd43dd8448eb211c80319c",' +
        '"spanId":"0000000000000001","parentSpanId":"00f067aa0ba902b7","startTimeUnixNano":"1700000000123456789",' +
        '"endTimeUnixNano":"1700000000124691356","status":"error","attributes":{"http.request.method":"GET",' +
        '"url.path":"/cart/42","url.query":"full=1","http.response.status_code":503,"client.address":"10.0.0.7",' +
        '"client.port":51234,"error.type":"503"},"resource":{"service.name":"nginx","process.pid":4711,"host.name":"node-1"}}',
    );
    expect(JSON.parse(lines[1]!)).not.toHaveProperty('parentSpanId');
  });

  it('keeps any text as it was, without a control character in the output', async () => {
    const path = '\u001b[2J\u009b1m\u007f"\\\n\u2028🧀\ud800';
    const line = await printed('json', batch(span(0, { attributes: { 'url.path': path } })));
    expect(line.trimEnd()).not.toMatch(/\p{Cc}/u);
    expect(JSON.parse(line).attributes['url.path']).toBe(path);
  });

  it('json_indent is the same, indented', async () => {
    const indented = await printed('json_indent', batch(SERVER));
    expect(indented.split('\n').slice(0, 3)).toEqual(['{', '  "name": "GET /cart/{id}",', '  "kind": "server",']);
    expect(JSON.parse(indented)).toEqual(JSON.parse(await printed('json', batch(SERVER))));
    expect(indented.endsWith('}\n')).toBe(true);
  });
});

describe('counter', () => {
  it('prints totals and rates, the most frequent protocol first', () => {
    const totals = new Map([
      ['redis', 200],
      ['http', 1000],
    ]);
    const before = new Map([['http', 800]]);
    expect(counterLine(totals, before, 2)).toBe('1200 spans +200/s   http 1000 +100/s   redis 200 +100/s');
  });

  it('prints what it has counted when it ends', async () => {
    const line = await printed('counter', batch(SERVER, CLIENT, SERVER));
    expect(line).toMatch(/^3 spans \+\d+\/s {3}http 2 \+\d+\/s {3}redis 1 \+\d+\/s\n$/);
  });

  it('prints at most once a second', async () => {
    const stream = new PassThrough();
    const printer = createPrinter('counter', stream);
    const end = performance.now() + 1300;
    let made = 0;
    while (performance.now() < end) {
      await printer.export(numbered(10), never);
      made += 10;
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    await printer.shutdown();
    const lines = stream.read().toString().trimEnd().split('\n');
    expect(lines).toHaveLength(2);
    expect(lines[1]).toMatch(new RegExp(`^${made} spans `));
  });

  it('tells a bounded number of protocols apart', async () => {
    const many = Array.from({ length: 500 }, (_, i) => span(i, { protocol: `p${i}` }));
    const line = await printed('counter', batch(...many));
    expect(line).toMatch(/^500 spans .* {3}other 436 /);
  });
});

describe('the reader', () => {
  it('slow: export waits, and holds one piece only', async () => {
    const pieces: string[] = [];
    let proceed = () => {};
    const slow = new Writable({
      decodeStrings: false,
      highWaterMark: 1,
      write(piece: string, _encoding, done) {
        pieces.push(piece);
        proceed = done;
      },
    });
    const done = createPrinter('json', slow).export(numbered(200), never);
    for (let i = 1; i <= 4; i++) {
      await new Promise((resolve) => setTimeout(resolve, 10));
      expect(pieces).toHaveLength(i);
      expect(slow.writableLength).toBeLessThanOrEqual(pieces.at(-1)!.length);
      proceed();
    }
    expect(await done).toEqual({ ok: true });
    expect(pieces.join('').split('\n')).toHaveLength(201);
  });

  it('gone (EPIPE): a permanent failure with what was delivered, also later; no crash', async () => {
    let writes = 0;
    const broken = new Writable({
      write(_piece, _encoding, done) {
        done(++writes > 1 ? Object.assign(new Error('write EPIPE'), { code: 'EPIPE' }) : null);
      },
    });
    const printer = createPrinter('text', broken);
    const gone = { ok: false, retry: false, reason: 'cannot print: write EPIPE' };
    expect(await printer.export(numbered(200), never)).toEqual({ ...gone, delivered: 64 });
    expect(await printer.export(numbered(1), never)).toEqual({ ...gone, delivered: 0 });
    expect(writes).toBe(2);
  });

  it.each(['text', 'counter'] as const)('%s: a closed stream is a failure, not a wait for ever', async (kind) => {
    const stream = new PassThrough();
    const printer = createPrinter(kind, stream);
    stream.destroy();
    await new Promise((resolve) => setTimeout(resolve, 1050));
    expect(await printer.export(numbered(1), never)).toMatchObject({ ok: false, retry: false });
  });

  it('stuck at shutdown: the abort ends the export', async () => {
    const stuck = new Writable({ write: () => {} });
    const outcome = createPrinter('text', stuck).export(numbered(1), AbortSignal.timeout(20));
    expect(await outcome).toMatchObject({ ok: false, retry: false, delivered: 0 });
  });

  it('leaves the stream open', async () => {
    const stream = new PassThrough();
    const printer = createPrinter('text', stream);
    await printer.export(batch(span(0, { resource: NGINX })), never);
    await printer.shutdown();
    expect(stream.writable).toBe(true);
  });
});
