/** HTTP/2 and gRPC through real eBPF: node:http2 and grpc-js, many streams at a time, one span for each call and side. */
import { once } from 'node:events';
import { connect, createServer } from 'node:http2';
import type { AddressInfo } from 'node:net';
import { Client, credentials, Server, ServerCredentials, status } from '@grpc/grpc-js';
import { expect, test } from 'vitest';
import { accountingErrors } from './support/accounting.ts';
import { type Span, startAgent, stopAgent } from './support/agent.ts';
import { describeLive } from './support/live.ts';
import { differences } from './support/multiset.ts';

const REQUESTS = 600;
const AT_ONCE = 30;
/** Thirty answers in one call are more than the default of 4 KiB: their heads would not all be captured. */
const PAYLOAD = '16KiB';
const same = (bytes: Buffer) => bytes;

/** Spans of this process, which is server and client at once. */
async function watch(port: number, work: () => Promise<void>): Promise<Span[]> {
  const spans: Span[] = [];
  const agent = await startAgent(['--open-port', String(port), '--payload', PAYLOAD, '--printer', 'json'], (span) =>
    spans.push(span),
  );
  await work();
  const counters = await stopAgent(agent);
  expect(counters.kernel.bytes_lost).toBe(0);
  expect(accountingErrors(counters)).toEqual([]);
  return spans;
}

await describeLive('HTTP/2', () => {
  test('node:http2: every stream is a span of either side', async () => {
    const server = createServer((request, response) => {
      response.writeHead(request.url.endsWith('7') ? 404 : 200).end(`you asked for ${request.url}`);
    });
    await once(server.listen(0, '127.0.0.1'), 'listening');
    const { port } = server.address() as AddressInfo;
    const asked: string[] = [];
    const spans = await watch(port, async () => {
      const session = connect(`http://127.0.0.1:${port}`);
      for (let n = 0; n < REQUESTS; n += AT_ONCE) {
        await Promise.all(
          Array.from({ length: AT_ONCE }, async (_, i) => {
            const stream = session.request({ ':path': `/item/${n + i}` });
            const [headers] = await once(stream, 'response');
            asked.push(`/item/${n + i} ${headers[':status']}`);
            await stream.resume().toArray();
          }),
        );
      }
      session.close();
      await once(session, 'close');
    });
    server.close();
    for (const kind of ['server', 'client']) {
      const seen = spans
        .filter((span) => span.kind === kind && span.attributes['network.protocol.version'] === '2')
        .map(({ attributes }) => `${attributes['url.path']} ${attributes['http.response.status_code']}`);
      expect(differences(asked, seen)).toEqual([]);
    }
  });

  test('grpc-js: methods and status', async () => {
    const server = new Server();
    server.register(
      '/shop.Orders/Find',
      (call: { request: Buffer }, callback: (error: object | null, answer?: Buffer) => void) => {
        if (call.request.length > 1) callback({ code: status.NOT_FOUND, details: 'no such order' });
        else callback(null, Buffer.from('found'));
      },
      same,
      same,
      'unary',
    );
    const port = await new Promise<number>((resolve, reject) =>
      server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, bound) =>
        error ? reject(error) : resolve(bound),
      ),
    );
    const spans = await watch(port, async () => {
      const client = new Client(`127.0.0.1:${port}`, credentials.createInsecure());
      for (let i = 0; i < 60; i++) {
        await new Promise<void>((resolve) => {
          const request = Buffer.from(i % 6 === 0 ? 'none' : '1');
          client.makeUnaryRequest('/shop.Orders/Find', same, same, request, () => resolve());
        });
      }
      client.close();
    });
    server.forceShutdown();
    for (const kind of ['server', 'client']) {
      const calls = spans.filter((span) => span.kind === kind && span.protocol === 'grpc');
      const seen = calls.map(({ name, attributes }) => `${name} ${attributes['rpc.response.status_code']}`);
      const expected = Array.from({ length: 60 }, (_, i) => `shop.Orders/Find ${i % 6 === 0 ? 'NOT_FOUND' : 'OK'}`);
      expect(differences(expected, seen)).toEqual([]);
    }
  });
});
