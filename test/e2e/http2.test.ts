/**
 * HTTP/2 in clear text through real eBPF: what node:http2, nginx and curl say to each other, one span for each stream
 * and side, compared one by one with what the client did.
 */
import { execFile } from 'node:child_process';
import { once } from 'node:events';
import {
  type ClientHttp2Session,
  type ClientHttp2Stream,
  connect,
  constants,
  createServer,
  type Http2Server,
  type ServerHttp2Session,
  type ServerHttp2Stream,
} from 'node:http2';
import type { AddressInfo } from 'node:net';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { freePorts } from '../../examples/demo/programs.ts';
import { startNginx } from '../../examples/demo/servers.ts';
import { until } from '../export/fixtures.ts';
import type { Span } from './support/agent.ts';
import { startUpgradingServer, UPGRADED_BODY } from './support/h2c-server.ts';
import { describeLive } from './support/live.ts';
import { differences } from './support/multiset.ts';
import { watch, watchLarge } from './support/watch.ts';

const REQUESTS = 600;
/** Their answers fit what is captured of one call: a server may write all at once. */
const AT_ONCE = 30;
const LONG_BODIES = 200;
/** Body of a stream in one frame. */
const ONE_FRAME = 16_384;
const BOTH_SIDES = ['server', 'client'];

/** What is known of a stream on the wire; `?` stands for what an error left open. */
function line(path: string, status: number | string, asked: number, answered: number | string, error = '-'): string {
  return `${path} ${status} ${asked} ${answered} ${error}`;
}

function lineOf({ attributes: a }: Span): string {
  const error = a['http.response.status_code'] === undefined || isReset(a['error.type']) ? a['error.type'] : '-';
  const path = a['url.query'] === undefined ? a['url.path'] : `${a['url.path']}?${a['url.query']}`;
  const [asked, answered] = [a['http.request.body.size'] ?? 0, a['http.response.body.size'] ?? '?'];
  return line(
    String(path),
    String(a['http.response.status_code'] ?? '?'),
    Number(asked),
    String(answered),
    String(error),
  );
}

/** Not a status. */
function isReset(error: unknown): boolean {
  return error !== undefined && !/^\d+$/.test(String(error));
}

function http2Spans(spans: readonly Span[], kind: string): Span[] {
  return spans.filter((span) => span.kind === kind && span.attributes['network.protocol.version'] === '2');
}

/** Spans of either side say what happened, no more and no less. */
function expectBoth(spans: readonly Span[], expected: readonly string[]): void {
  for (const kind of BOTH_SIDES) expect(differences(expected, http2Spans(spans, kind).map(lineOf)), kind).toEqual([]);
}

await describeLive('HTTP/2', () => {
  test('bodies both ways, thirty streams at a time', async () => {
    const server = await serve((stream, headers) => {
      const parts: Buffer[] = [];
      stream
        .on('data', (part: Buffer) => parts.push(part))
        .on('end', () => {
          const body = Buffer.concat(parts);
          stream.respond({ ':status': headers[':path']!.endsWith('7') ? 404 : 200 });
          stream.end(Buffer.concat([body, body, Buffer.from('!')]));
        });
    });
    const expected: string[] = [];
    const port = portOf(server);
    const { spans } = await watchLarge(port, async () => {
      const session = await open(server);
      for (let n = 0; n < REQUESTS; n += AT_ONCE) {
        await Promise.all(
          Array.from({ length: AT_ONCE }, async (_, i) => {
            const [path, size] = [`/item/${n + i}`, (n + i) % 200];
            const { status, bytes } = await exchange(post(session, path, size));
            expected.push(line(path, status, size, bytes));
          }),
        );
      }
      await end(session);
    });
    server.close();
    expect(expected).toHaveLength(REQUESTS);
    expectBoth(spans, expected);
    for (const { name, attributes } of http2Spans(spans, 'client')) {
      expect(name).toBe(attributes['http.request.method']);
      expect(attributes).toMatchObject({ 'server.address': '127.0.0.1', 'server.port': port });
    }
  });

  test('trailers, interim answers, and an answer that was pushed', async () => {
    const server = await serve((stream, headers) => {
      stream.resume();
      if (headers[':path'] === '/page') {
        stream.pushStream({ ':path': '/style.css' }, (_error, pushed) => {
          pushed.respond({ ':status': 200 });
          pushed.end('style');
        });
      }
      stream.additionalHeaders({ ':status': 103 });
      stream.respond({ ':status': 200 }, { waitForTrailers: true });
      stream.on('wantTrailers', () => stream.sendTrailers({ 'x-sum': '1' }));
      stream.end('body');
    });
    let pushed = '';
    const { spans, counters } = await watchLarge(portOf(server), async () => {
      const session = await open(server);
      session.on('stream', async (stream) => {
        for await (const part of stream) pushed += part;
      });
      await exchange(session.request({ ':path': '/page' }));
      const upload = session.request({ ':path': '/upload', ':method': 'POST' }, { waitForTrailers: true });
      upload.on('wantTrailers', () => upload.sendTrailers({ 'x-sum': '2' }));
      upload.end('four');
      await exchange(upload);
      await until(() => pushed === 'style', 'what was pushed');
      await end(session);
    });
    server.close();
    expectBoth(spans, [line('/page', 200, 0, 4), line('/upload', 200, 4, 4)]);
    expect(counters.host.messages_push).toBe(2);
  });

  test('streams that are reset, by either side', async () => {
    const waiting: string[] = [];
    const server = await serve((stream, headers) => {
      const path = headers[':path']!;
      waiting.push(path);
      stream.on('error', () => undefined);
      if (path === '/refused') stream.close(constants.NGHTTP2_REFUSED_STREAM);
      if (path !== '/broken') return;
      stream.respond({ ':status': 200 });
      stream.write('half', () => stream.destroy(new Error('it broke')));
    });
    const { spans } = await watchLarge(portOf(server), async () => {
      const session = await open(server);
      const [broken, refused, cancelled] = ['/broken', '/refused', '/cancelled'].map((path) =>
        session
          .request({ ':path': path })
          .on('error', () => undefined)
          .resume(),
      );
      const ends = [broken, refused, cancelled].map((stream) => closed(stream!));
      await until(() => waiting.includes('/cancelled'), 'the request that is cancelled');
      cancelled!.close(constants.NGHTTP2_CANCEL);
      await Promise.all(ends);
      await end(session);
    });
    server.close();
    expectBoth(spans, [
      line('/broken', 200, 0, 4, 'INTERNAL_ERROR'),
      line('/refused', '?', 0, '?', 'REFUSED_STREAM'),
      line('/cancelled', '?', 0, '?', 'CANCEL'),
    ]);
    expect(http2Spans(spans, 'server').map(({ status }) => status)).toEqual(['error', 'error', 'error']);
  });

  test('a server that goes away: what it has not looked at has failed', async () => {
    const streams: ServerHttp2Stream[] = [];
    const sessions: ServerHttp2Session[] = [];
    const server = await serve((stream) => void streams.push(stream.on('error', () => undefined)));
    server.on('session', (session) => sessions.push(session));
    const { spans } = await watchLarge(portOf(server), async () => {
      const session = await open(server);
      const [answered, ...refused] = ['/one', '/two', '/three'].map((path) =>
        session
          .request({ ':path': path })
          .on('error', () => undefined)
          .resume(),
      );
      await until(() => streams.length === 3, 'three requests');
      const ends = refused.map(closed);
      sessions[0]!.goaway(constants.NGHTTP2_NO_ERROR, answered!.id);
      await Promise.all(ends);
      expect(refused.map(({ rstCode }) => rstCode)).toEqual([7, 7]);
      streams.find(({ id }) => id === answered!.id)!.respond({ ':status': 204 }, { endStream: true });
      await closed(answered!);
      session.destroy();
    });
    server.close();
    expectBoth(spans, [
      line('/one', 204, 0, 0),
      line('/two', '?', 0, '?', 'REFUSED_STREAM'),
      line('/three', '?', 0, '?', 'REFUSED_STREAM'),
    ]);
  });

  // A frame cut by the payload limit ends where its header says. Frames behind it in the same call are not seen, and
  // with them the end of their stream: its span is missing, or lacks a size. None is wrong.
  test('bodies longer than what is captured of a call', async () => {
    const server = await serve((stream, headers) => {
      stream.resume().on('end', () => {
        stream.respond({ ':status': 200 });
        stream.end(Buffer.alloc(Number(headers[':path']!.split('/')[2]), 'a'));
      });
    });
    const sent = new Map<string, { asked: number; answered: number }>();
    const work = async () => {
      const session = await open(server);
      for (let n = 0; n < LONG_BODIES; n++) {
        const [asked, answered] = [(n * 7919) % 40_000, (n * 104_729) % 40_000];
        sent.set(`/${n}/${answered}`, { asked, answered });
        await exchange(post(session, `/${n}/${answered}`, asked));
      }
      await end(session);
    };
    const { spans } = await watch(portOf(server), work);
    server.close();
    for (const kind of BOTH_SIDES) {
      const seen = http2Spans(spans, kind).map(({ attributes }) => attributes);
      for (const { 'url.path': path, ...attributes } of seen) {
        const { asked, answered } = sent.get(String(path))!;
        expect(attributes['http.response.status_code'], `${path}`).toBe(200);
        expect([asked, undefined], `${path}`).toContain(attributes['http.request.body.size']);
        expect([answered, undefined], `${path}`).toContain(attributes['http.response.body.size']);
      }
      const paths = seen.map((attributes) => attributes['url.path']);
      expect(new Set(paths).size).toBe(paths.length);
      const short = [...sent].filter(([, { asked, answered }]) => Math.max(asked, answered) <= ONE_FRAME);
      expect(paths).toEqual(expect.arrayContaining(short.map(([path]) => path)));
      expect(short.length).toBeGreaterThan(LONG_BODIES / 10);
    }
  });

  test('nginx, asked by curl and by node:http2', async () => {
    const [port] = (await freePorts(1)) as [number];
    const http = `server {
      listen 127.0.0.1:${port} http2;
      root html;
      location = /text { return 200 "plain text"; }
      location = /error { return 500 "sorry"; }
      location = /none { return 204; }
    }`;
    await using nginx = await startNginx({ port, http, files: { 'file.txt': 'a file\n'.repeat(100) } });
    const paths = ['/text?a=1', '/error', '/none', '/missing', '/file.txt'];
    const expected: string[] = [];
    const { spans } = await watchLarge(nginx.port, async () => {
      // One connection each: this curl does not go on with one that it was not upgraded on.
      for (const path of paths) {
        const format = '%{response_code} %{size_upload} %{size_download}';
        const options = ['-s', '--http2-prior-knowledge', '-o', '/dev/null', '-w', format];
        const { stdout } = await promisify(execFile)('curl', [...options, `http://127.0.0.1:${port}${path}`]);
        expected.push(`${path} ${stdout} -`);
      }
      const session = connect(`http://127.0.0.1:${port}`);
      for (let n = 0; n < 100; n++) {
        await Promise.all(
          paths.map(async (path) => {
            const { status, bytes } = await exchange(session.request({ ':path': path }));
            expected.push(line(path, status, 0, bytes));
          }),
        );
      }
      await end(session);
    });
    expect(expected).toHaveLength(101 * paths.length);
    expect(differences(expected, http2Spans(spans, 'server').map(lineOf))).toEqual([]);
  });

  test('an upgrade from HTTP/1 (h2c) by curl', async () => {
    await using server = await startUpgradingServer();
    const paths = ['/first', '/second', '/third'];
    let said = '';
    const { spans } = await watchLarge(server.port, async () => {
      const urls = paths.flatMap((path) => [`http://127.0.0.1:${server.port}${path}`, '-o', '-']);
      said = (await promisify(execFile)('curl', ['-s', '--http2', ...urls])).stdout;
    });
    expect(said).toBe(UPGRADED_BODY.repeat(3));
    const seen = spans
      .filter(({ kind }) => kind === 'server')
      .map(({ attributes: a }) =>
        [a['network.protocol.version'], a['url.path'], a['http.response.status_code']].join(' '),
      );
    expect(seen).toEqual(['1.1 /first 101', '2 /second 200', '2 /third 200']);
  });
});

// ── server and client ────────────────────────────────────────────────────────────────────────────────────────────

type Answer = (stream: ServerHttp2Stream, headers: { readonly ':path'?: string }) => void;

async function serve(answer: Answer): Promise<Http2Server> {
  const server = createServer().on('stream', answer);
  await once(server.listen(0, '127.0.0.1'), 'listening');
  return server;
}

function portOf(server: Http2Server): number {
  return (server.address() as AddressInfo).port;
}

async function open(server: Http2Server): Promise<ClientHttp2Session> {
  const session = connect(`http://127.0.0.1:${portOf(server)}`);
  await once(session, 'connect');
  return session;
}

/** Also of a stream that failed. */
function closed(stream: ClientHttp2Stream): Promise<void> {
  return new Promise((resolve) => stream.once('close', () => resolve()));
}

async function end(session: ClientHttp2Session): Promise<void> {
  session.close();
  await once(session, 'close');
}

function post(session: ClientHttp2Session, path: string, size: number): ClientHttp2Stream {
  if (size === 0) return session.request({ ':path': path });
  return session.request({ ':path': path, ':method': 'POST' }).end(Buffer.alloc(size, 'b'));
}

async function exchange(stream: ClientHttp2Stream): Promise<{ status: number; bytes: number }> {
  const [headers] = (await once(stream, 'response')) as [{ ':status': number }];
  let bytes = 0;
  for await (const part of stream) bytes += (part as Buffer).length;
  return { status: headers[':status'], bytes };
}
