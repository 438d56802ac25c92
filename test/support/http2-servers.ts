/** A node:http2 server and client, and the calls that tests make of both it and the gRPC server beside it. */
import { once } from 'node:events';
import {
  type ClientHttp2Session,
  createServer,
  type IncomingHttpHeaders,
  type IncomingHttpStatusHeader,
} from 'node:http2';
import type { AddressInfo } from 'node:net';
import type { Client } from '@grpc/grpc-js';
import { callGather, callOnce, callSpread, callTalk } from './grpc-server.ts';

export interface Listening {
  readonly port: number;
  stop(): void;
}

/** Answers with the body twice: 200 where its length is a multiple of three, else 404. */
export async function startHttp2Server(): Promise<Listening> {
  const server = createServer({ settings: { maxConcurrentStreams: 2000 } });
  server.on('stream', (stream, headers) => {
    const parts: Buffer[] = [];
    stream.on('error', () => undefined);
    stream.on('data', (part: Buffer) => parts.push(part));
    stream.on('end', () => {
      if (stream.destroyed) return;
      const body = Buffer.concat(parts);
      stream.respond({ ':status': body.length % 3 === 0 ? 200 : 404, 'x-path': headers[':path'] });
      stream.end(Buffer.concat([body, body]));
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return { port: (server.address() as AddressInfo).port, stop: () => server.close() };
}

/** Resolves with the status. */
export async function send(session: ClientHttp2Session, path: string, size: number): Promise<number> {
  const stream = session.request({ ':path': path, ':method': size > 0 ? 'POST' : 'GET' }, { endStream: size === 0 });
  if (size > 0) stream.end(Buffer.alloc(size, 'b'));
  const [headers] = (await once(stream, 'response')) as [IncomingHttpHeaders & IncomingHttpStatusHeader];
  stream.resume();
  await once(stream, 'close');
  return headers[':status']!;
}

/** Three unary calls (well, refused, past the deadline), then client streams of one and three, a server stream, both. */
export async function callAllKinds(client: Client): Promise<number[]> {
  const codes = [
    await callOnce(client, 'ok'),
    await callOnce(client, 'fail 7 not you: é'),
    await callOnce(client, 'slow', 200),
  ];
  await callGather(client, ['x']);
  await callGather(client, ['a', 'b', 'c']);
  await callSpread(client, 4);
  await callTalk(client, ['a', 'b']);
  return codes;
}
