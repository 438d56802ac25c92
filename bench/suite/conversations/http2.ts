/**
 * HTTP/2 and gRPC. Header blocks are libnghttp2's, one table for each side of the connection; after two laps every field
 * that a table takes stands in it, and so the blocks of all further laps are the same. Paths, which libnghttp2 does not
 * put into the table, are text in every block, as in life.
 */
import { FROM_CLIENT, FROM_SERVER } from '../../../parsers/sdk/abi.ts';
import type { Reference } from '../../reference.ts';
import type { Call, Conversation, Turn } from './conversation.ts';

const PREFACE = 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n';
const DATA = 0;
const HEADERS = 1;
const SETTINGS = 4;
const ACK = 1;
const END_STREAM = 1;
const END_HEADERS = 4;
const FRAME_HEADER = 9;
const STREAM_ID = 5;
/** What a lap settles in: see above. */
const LAPS = 3;
const ONE_CALL = 4096;
const MAX_CONCURRENT_STREAMS = [0, 3, 0, 0, 0, 128];
const PORT = 8080;

type Fields = [name: string, value: string][];

interface Exchange {
  readonly request: Fields;
  readonly requestBody: Buffer;
  readonly response: Fields;
  readonly responseBody: Buffer;
  readonly trailers?: Fields;
}

type Deflate = Reference['deflateHpack'];

/** A browser's requests and a server's answers; bodies fill messages up to `bytes`. */
export function http2Conversation(deflate: Deflate, bytes: number): Conversation {
  const paths = ['/', '/api/v1/orders/4711/items?page=2&limit=50', '/static/app.7f9c2ba4e88f.js', '/api/v1/users/me'];
  const body = Buffer.alloc(Math.max(0, bytes - HTTP2_HEAD), 'x');
  return conversation(
    deflate,
    paths.map((path) => ({
      request: [
        [':method', body.length > 0 ? 'PUT' : 'GET'],
        [':scheme', 'https'],
        [':authority', 'shop.example.com'],
        [':path', path],
        ['user-agent', 'Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 Chrome/130.0.0.0 Safari/537.36'],
        ['accept', 'text/html,application/json;q=0.9,*/*;q=0.8'],
        ['accept-encoding', 'gzip, deflate, br'],
        ['accept-language', 'en-US,en;q=0.9'],
        ['cookie', 'session=0123456789abcdef0123456789abcdef'],
      ],
      requestBody: body,
      response: [
        [':status', path.endsWith('/me') ? '401' : '200'],
        ['server', 'nginx/1.26.2'],
        ['date', 'Tue, 05 Nov 2024 10:00:00 GMT'],
        ['content-type', 'application/json'],
        ['cache-control', 'private, max-age=0'],
        ['content-length', String(body.length)],
      ],
      responseBody: body,
    })),
  );
}

/** Calls as grpc-go makes them. */
export function grpcConversation(deflate: Deflate, bytes: number): Conversation {
  const methods = ['/shop.Orders/Get', '/shop.Orders/List', '/shop.Users/Me', '/shop.Carts/Add'];
  const message = Buffer.alloc(GRPC_PREFIX + Math.max(16, bytes - GRPC_HEAD), 'x');
  message.writeUIntBE(0, 0, 1);
  message.writeUInt32BE(message.length - GRPC_PREFIX, 1);
  return conversation(
    deflate,
    methods.map((path) => ({
      request: [
        [':method', 'POST'],
        [':scheme', 'http'],
        [':path', path],
        [':authority', 'orders.shop.svc:8080'],
        ['content-type', 'application/grpc'],
        ['user-agent', 'grpc-go/1.68.0'],
        ['te', 'trailers'],
        ['grpc-timeout', '1S'],
      ],
      requestBody: message,
      response: [
        [':status', '200'],
        ['content-type', 'application/grpc'],
      ],
      responseBody: message,
      trailers: [
        ['grpc-status', path.endsWith('/Add') ? '5' : '0'],
        ['grpc-message', path.endsWith('/Add') ? 'no such cart' : ''],
      ],
    })),
  );
}

/** What a message takes beside its body, about. */
const HTTP2_HEAD = 60;
const GRPC_HEAD = 50;
const GRPC_PREFIX = 5;

function conversation(deflate: Deflate, exchanges: readonly Exchange[]): Conversation {
  const laps = Array.from({ length: LAPS }, () => exchanges).flat();
  const requests = deflate(laps.map(({ request }) => request));
  const responses = deflate(
    laps.flatMap(({ response, trailers }) => (trailers === undefined ? [response] : [response, trailers])),
  );
  expectSettled(requests);
  expectSettled(responses);
  const ofEach = responses.length / laps.length;
  const turns = laps.map((exchange, index) =>
    turn(exchange, 2 * index + 1, requests[index]!, responses.slice(index * ofEach, (index + 1) * ofEach)),
  );
  const first = (LAPS - 1) * exchanges.length;
  const opening = [greeting(), ...turns.slice(0, first)];
  return { port: PORT, opening, lap: turns.slice(first), stride: 2 * exchanges.length };
}

function expectSettled(blocks: readonly Uint8Array[]): void {
  const lap = blocks.length / LAPS;
  const last = Buffer.concat(blocks.slice(-lap));
  if (!last.equals(Buffer.concat(blocks.slice(-2 * lap, -lap)))) {
    throw new Error('header blocks differ from lap to lap: the table has no room for all fields');
  }
}

function greeting(): Turn {
  const settings = frame(SETTINGS, 0, 0, Buffer.from(MAX_CONCURRENT_STREAMS));
  const client = Buffer.concat([Buffer.from(PREFACE), settings]);
  const server = Buffer.concat([settings, frame(SETTINGS, ACK, 0)]);
  return {
    calls: [
      { direction: FROM_CLIENT, bytes: client },
      { direction: FROM_SERVER, bytes: server },
      { direction: FROM_CLIENT, bytes: frame(SETTINGS, ACK, 0) },
    ],
    pairs: 0,
  };
}

function turn(exchange: Exchange, stream: number, request: Uint8Array, responses: readonly Uint8Array[]): Turn {
  const { requestBody, responseBody } = exchange;
  const asked = message(stream, request, requestBody);
  const answered = message(stream, responses[0]!, responseBody, responses[1]);
  return { calls: [...calls(FROM_CLIENT, asked), ...calls(FROM_SERVER, answered)], pairs: 1 };
}

function message(stream: number, head: Uint8Array, body: Buffer, trailers?: Uint8Array): Buffer[] {
  const endsWithHead = body.length === 0 && trailers === undefined;
  const frames = [frame(HEADERS, END_HEADERS | (endsWithHead ? END_STREAM : 0), stream, head)];
  if (body.length > 0) frames.push(frame(DATA, trailers === undefined ? END_STREAM : 0, stream, body));
  if (trailers !== undefined) frames.push(frame(HEADERS, END_HEADERS | END_STREAM, stream, trailers));
  return frames;
}

/** Small frames leave in one call. A large body is written by itself, and so what follows it is captured. */
function calls(direction: number, frames: readonly Buffer[]): Call[] {
  const bytes = frames.reduce((sum, { length }) => sum + length, 0);
  return bytes <= ONE_CALL ? [call(direction, frames)] : frames.map((one) => call(direction, [one]));
}

function call(direction: number, frames: readonly Buffer[]): Call {
  const streamIds: number[] = [];
  let offset = 0;
  for (const { length } of frames) {
    streamIds.push(offset + STREAM_ID);
    offset += length;
  }
  return { direction, bytes: new Uint8Array(Buffer.concat(frames)), streamIds };
}

function frame(type: number, flags: number, stream: number, payload: Uint8Array = Buffer.alloc(0)): Buffer {
  const header = Buffer.alloc(FRAME_HEADER);
  header.writeUIntBE(payload.length, 0, 3);
  header[3] = type;
  header[4] = flags;
  header.writeUInt32BE(stream, STREAM_ID);
  return Buffer.concat([header, payload]);
}
