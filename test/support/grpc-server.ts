/** A gRPC server of @grpc/grpc-js with a method of each kind, which does as it is told; and calls of it. */
import {
  type Client,
  type handleBidiStreamingCall,
  type handleClientStreamingCall,
  type handleServerStreamingCall,
  type handleUnaryCall,
  Metadata,
  Server,
  ServerCredentials,
  type ServerOptions,
  type ServiceError,
} from '@grpc/grpc-js';

export const same = (bytes: Buffer) => bytes;

const method = (path: string, requestStream: boolean, responseStream: boolean) => ({
  path,
  requestStream,
  responseStream,
  requestSerialize: same,
  requestDeserialize: same,
  responseSerialize: same,
  responseDeserialize: same,
});

export interface GrpcServer {
  readonly port: number;
  /** Requests that Once has got, in their order. */
  readonly seen: readonly string[];
  stop(): void;
}

/**
 * Once answers `ok` with the same, `fail CODE TEXT` with an error, and anything else never. Gather counts nothing and
 * says so, Spread says its number as often, Talk says everything again.
 */
export async function startGrpcServer(options: ServerOptions = {}): Promise<GrpcServer> {
  const server = new Server(options);
  const seen: string[] = [];
  const once: handleUnaryCall<Buffer, Buffer> = ({ request }, reply) => {
    const [verb, code, ...text] = request.toString().split(' ');
    seen.push(request.toString());
    if (verb === 'fail') reply({ code: Number(code), details: text.join(' ') });
    else if (verb === 'ok') reply(null, request);
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
  server.addService(
    {
      once: method('/t.T/Once', false, false),
      gather: method('/t.T/Gather', true, false),
      spread: method('/t.T/Spread', false, true),
      talk: method('/t.T/Talk', true, true),
    },
    { once, gather, spread, talk },
  );
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, bound) =>
      error ? reject(error) : resolve(bound),
    );
  });
  return { port, seen, stop: () => server.forceShutdown() };
}

/** Resolves with the status code. */
export function callOnce(
  client: Client,
  text: string,
  deadlineMs = 10_000,
  metadata = new Metadata(),
): Promise<number> {
  return new Promise((resolve) => {
    const options = { deadline: Date.now() + deadlineMs };
    const reply = (error: ServiceError | null) => resolve(error?.code ?? 0);
    client.makeUnaryRequest('/t.T/Once', same, same, Buffer.from(text), metadata, options, reply);
  });
}

export function callGather(client: Client, texts: readonly string[]): Promise<void> {
  return new Promise((resolve, reject) => {
    const call = client.makeClientStreamRequest('/t.T/Gather', same, same, (error) => error && reject(error));
    call.on('status', () => resolve());
    for (const text of texts) call.write(Buffer.from(text));
    call.end();
  });
}

export function callSpread(client: Client, count: number): Promise<number> {
  return drain(client.makeServerStreamRequest('/t.T/Spread', same, same, Buffer.from(String(count))));
}

export function callTalk(client: Client, texts: readonly string[]): Promise<number> {
  const call = client.makeBidiStreamRequest('/t.T/Talk', same, same);
  for (const text of texts) call.write(Buffer.from(text));
  call.end();
  return drain(call);
}

/** How many messages came. */
function drain(call: NodeJS.EventEmitter): Promise<number> {
  let messages = 0;
  call.on('data', () => messages++);
  return new Promise((resolve, reject) => call.on('status', () => resolve(messages)).on('error', reject));
}
