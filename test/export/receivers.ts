/** OTLP receivers on loopback that answer as a script says, request by request; the last answer repeats. */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { type AddressInfo, createServer as createTcpServer, type Socket } from 'node:net';
import { gunzipSync } from 'node:zlib';
import * as grpc from '@grpc/grpc-js';
import {
  decodeJson,
  decodeMetrics,
  decodeProtobuf,
  encodeResponse,
  type Received,
  type ReceivedPoint,
} from './otlp-decode.ts';

export interface Receiver {
  readonly port: number;
  readonly url: string;
  /** Spans of requests that were answered with success. */
  readonly spans: Received[];
  /** Points of metrics, of requests that were answered with success: these are not among `requests`. */
  readonly points: ReceivedPoint[][];
  /** Requests with spans. */
  requests: number;
  close(): Promise<void>;
}

export type Answer = (response: ServerResponse, request: IncomingMessage) => void;

export const accept: Answer = (response, request) => {
  const isJson = request.headers['content-type'] === 'application/json';
  response.setHeader('content-type', isJson ? 'application/json' : 'application/x-protobuf');
  response.end(isJson ? '{}' : encodeResponse());
};

/** Never answers. */
export const hang: Answer = () => {};

export function refuse(status: number, headers: Record<string, string> = {}, body = ''): Answer {
  return (response) => response.writeHead(status, headers).end(body);
}

export interface HttpReceiver extends Receiver {
  readonly heads: { path: string; headers: IncomingMessage['headers'] }[];
  answers: Answer[];
}

export async function httpReceiver(answers: Answer[] = [accept], port = 0): Promise<HttpReceiver> {
  const server = createServer(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk);
    const raw = Buffer.concat(chunks);
    const body = request.headers['content-encoding'] === 'gzip' ? gunzipSync(raw) : raw;
    if (request.url!.endsWith('/v1/metrics')) {
      takeMetrics(body, request, response);
      return;
    }
    const answer = receiver.answers[Math.min(receiver.requests, receiver.answers.length - 1)]!;
    receiver.requests++;
    receiver.heads.push({ path: request.url!, headers: request.headers });
    response.on('finish', () => {
      if (response.statusCode !== 200) return;
      receiver.spans.push(
        ...(request.headers['content-type'] === 'application/json' ? decodeJson : decodeProtobuf)(body),
      );
    });
    answer(response, request);
  });
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
  /** Metrics are answered as the spans are just now: an endpoint that fails, fails for both. */
  function takeMetrics(body: Uint8Array, request: IncomingMessage, response: ServerResponse): void {
    const isJson = request.headers['content-type'] === 'application/json';
    receiver.heads.push({ path: request.url!, headers: request.headers });
    response.on('finish', () => {
      if (response.statusCode === 200) receiver.points.push(decodeMetrics(body, isJson));
    });
    receiver.answers[Math.min(receiver.requests, receiver.answers.length - 1)]!(response, request);
  }
  const address = server.address() as AddressInfo;
  const receiver: HttpReceiver = {
    port: address.port,
    url: `http://127.0.0.1:${address.port}`,
    spans: [],
    points: [],
    heads: [],
    requests: 0,
    answers,
    close: () => {
      server.closeAllConnections();
      return new Promise((resolve) => server.close(() => resolve()));
    },
  };
  return receiver;
}

/** Speaks no HTTP: answers each connection with these bytes, or with nothing. */
export async function tcpReceiver(answer: string | undefined): Promise<Receiver> {
  const sockets = new Set<Socket>();
  const server = createTcpServer((socket) => {
    receiver.requests++;
    sockets.add(socket);
    socket.on('error', () => {});
    socket.on('data', () => answer !== undefined && socket.end(answer));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const receiver: Receiver = {
    port,
    url: `http://127.0.0.1:${port}`,
    spans: [],
    points: [],
    requests: 0,
    close: () => {
      for (const socket of sockets) socket.destroy();
      return new Promise((resolve) => server.close(() => resolve()));
    },
  };
  return receiver;
}

export type GrpcAnswer = (callback: grpc.sendUnaryData<Buffer>, call: grpc.ServerUnaryCall<Buffer, Buffer>) => void;

export const grpcAccept: GrpcAnswer = (callback) => callback(null, encodeResponse());
export const grpcHang: GrpcAnswer = () => {};

export function grpcRefuse(code: grpc.status, details: string, metadata = new grpc.Metadata()): GrpcAnswer {
  return (callback) => callback({ code, details, metadata });
}

export interface GrpcReceiver extends Receiver {
  readonly metadata: grpc.Metadata[];
  answers: GrpcAnswer[];
}

const bytes = (buffer: Buffer) => buffer;

export async function grpcReceiver(
  answers: GrpcAnswer[] = [grpcAccept],
  wantedPort = 0,
  credentials = grpc.ServerCredentials.createInsecure(),
): Promise<GrpcReceiver> {
  const server = new grpc.Server();
  const handler: grpc.handleUnaryCall<Buffer, Buffer> = (call, callback) => {
    const answer = receiver.answers[Math.min(receiver.requests, receiver.answers.length - 1)]!;
    receiver.requests++;
    receiver.metadata.push(call.metadata);
    const done: grpc.sendUnaryData<Buffer> = (error, value, ...rest) => {
      if (error === null) receiver.spans.push(...decodeProtobuf(call.request));
      callback(error, value, ...rest);
    };
    answer(done, call);
  };
  const metricsHandler: grpc.handleUnaryCall<Buffer, Buffer> = (call, callback) => {
    const answer = receiver.answers[Math.min(receiver.requests, receiver.answers.length - 1)]!;
    const done: grpc.sendUnaryData<Buffer> = (error, value, ...rest) => {
      if (error === null) receiver.points.push(decodeMetrics(call.request, false));
      callback(error, value, ...rest);
    };
    answer(done, call);
  };
  const method = {
    path: '/opentelemetry.proto.collector.trace.v1.TraceService/Export',
    requestStream: false,
    responseStream: false,
    requestSerialize: bytes,
    requestDeserialize: bytes,
    responseSerialize: bytes,
    responseDeserialize: bytes,
  };
  const metricsMethod = { ...method, path: '/opentelemetry.proto.collector.metrics.v1.MetricsService/Export' };
  server.addService({ export: method }, { export: handler });
  server.addService({ export: metricsMethod }, { export: metricsHandler });
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync(`127.0.0.1:${wantedPort}`, credentials, (error, bound) =>
      error ? reject(error) : resolve(bound),
    );
  });
  const receiver: GrpcReceiver = {
    port,
    url: `http://127.0.0.1:${port}`,
    spans: [],
    points: [],
    metadata: [],
    requests: 0,
    answers,
    close: async () => server.forceShutdown(),
  };
  return receiver;
}
