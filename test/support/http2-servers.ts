/** HTTP/2 servers and clients that others wrote, node:http2 and grpc-js, and what tests have them say. */
import { once } from 'node:events';
import {
  type ClientHttp2Session,
  createServer,
  type IncomingHttpHeaders,
  type IncomingHttpStatusHeader,
} from 'node:http2';
import type { AddressInfo } from 'node:net';
import {
  type Client,
  type handleBidiStreamingCall,
  type handleClientStreamingCall,
  type handleServerStreamingCall,
  type handleUnaryCall,
  Metadata,
  Server,
  ServerCredentials,
  type ServiceError,
} from '@grpc/grpc-js';

export interface Listening {
  readonly port: number;
  close(): void;
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
  return { port: (server.address() as AddressInfo).port, close: () => server.close() };
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

const same = (bytes: Buffer) => bytes;
const method = (path: string, requestStream: boolean, responseStream: boolean) => ({
  path,
  requestStream,
  responseStream,
  requestSerialize: same,
  requestDeserialize: same,
  responseSerialize: same,
  responseDeserialize: same,
});

const answerOnce: handleUnaryCall<Buffer, Buffer> = ({ request }, reply) => {
  if (request.toString() === 'fail') reply({ code: 7, details: 'not you: é' });
  else if (request.toString() === 'ok') reply(null, request);
};
const gather: handleClientStreamingCall<Buffer, Buffer> = (call, reply) => {
  call.on('data', () => undefined).on('end', () => reply(null, Buffer.from('done')));
};
const spread: handleServerStreamingCall<Buffer, Buffer> = (call) => {
  for (let i = 0; i < Number(call.request.toString()); i++) call.write(call.request);
  call.end();
};
const talk: handleBidiStreamingCall<Buffer, Buffer> = (call) => {
  call.on('data', (part: Buffer) => call.write(part)).on('end', () => call.end());
};

/** A service of each of the four kinds; a unary call with any other text than "ok" and "fail" is never answered. */
export async function startGrpcServer(): Promise<Listening> {
  const server = new Server();
  server.addService(
    {
      once: method('/t.T/Once', false, false),
      gather: method('/t.T/Gather', true, false),
      spread: method('/t.T/Spread', false, true),
      talk: method('/t.T/Talk', true, true),
    },
    { once: answerOnce, gather, spread, talk },
  );
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, bound) =>
      error ? reject(error) : resolve(bound),
    );
  });
  return { port, close: () => server.forceShutdown() };
}

/** Three unary calls (well, refused, past the deadline), then client streams of one and three, a server stream, both. */
export async function callAllKinds(client: Client): Promise<number[]> {
  const codes = [await unary(client, 'ok'), await unary(client, 'fail'), await unary(client, 'slow', 200)];
  await new Promise((resolve) =>
    client.makeClientStreamRequest('/t.T/Gather', same, same, resolve).end(Buffer.from('x')),
  );
  const stream = client.makeClientStreamRequest('/t.T/Gather', same, same, () => undefined);
  for (const text of ['a', 'b', 'c']) stream.write(Buffer.from(text));
  stream.end();
  await once(stream, 'status');
  await drain(client.makeServerStreamRequest('/t.T/Spread', same, same, Buffer.from('4')));
  const both = client.makeBidiStreamRequest('/t.T/Talk', same, same);
  for (const text of ['a', 'b']) both.write(Buffer.from(text));
  both.end();
  await drain(both);
  return codes;
}

function unary(client: Client, text: string, deadlineMs = 10_000): Promise<number> {
  return new Promise((resolve) => {
    const options = { deadline: Date.now() + deadlineMs };
    const reply = (error: ServiceError | null) => resolve(error?.code ?? 0);
    client.makeUnaryRequest('/t.T/Once', same, same, Buffer.from(text), new Metadata(), options, reply);
  });
}

async function drain(call: NodeJS.ReadableStream & { on(event: 'status', listener: () => void): unknown }) {
  call.resume();
  await once(call, 'status');
}
