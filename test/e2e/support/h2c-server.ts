/**
 * A server that upgrades HTTP/1 to HTTP/2, as no server at hand does any more: just enough of RFC 7540 section 3.2 for
 * curl. Every request is answered with the same body; the one that asked for the upgrade, on stream 1.
 */
import { createServer, type Socket } from 'node:net';
import { freePorts } from '../../../examples/demo/programs.ts';

export const UPGRADED_BODY = 'an answer\n';

const PREFACE_LENGTH = 24;
const [DATA, HEADERS, SETTINGS] = [0, 1, 4];
const [ACK, END_STREAM, END_HEADERS] = [1, 1, 4];
const STATUS_200 = Buffer.of(0x88);

export interface UpgradingServer extends AsyncDisposable {
  readonly port: number;
}

export async function startUpgradingServer(): Promise<UpgradingServer> {
  const [port] = (await freePorts(1)) as [number];
  const server = createServer((socket) => socket.on('error', () => socket.destroy()) && converse(socket));
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
  return { port, [Symbol.asyncDispose]: () => new Promise((resolve) => server.close(() => resolve())) };
}

/** The request, the preface, and then frames. */
async function converse(socket: Socket): Promise<void> {
  let bytes = Buffer.alloc(0);
  let state: 'request' | 'preface' | 'frames' = 'request';
  for await (const part of socket as AsyncIterable<Buffer>) {
    bytes = Buffer.concat([bytes, part]);
    if (state === 'request') {
      const end = bytes.indexOf('\r\n\r\n');
      if (end < 0) continue;
      bytes = bytes.subarray(end + 4);
      socket.write('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n');
      socket.write(Buffer.concat([frame(SETTINGS, 0, 0), answer(1)]));
      state = 'preface';
    }
    if (state === 'preface') {
      if (bytes.length < PREFACE_LENGTH) continue;
      bytes = bytes.subarray(PREFACE_LENGTH);
      state = 'frames';
    }
    while (bytes.length >= 9 && bytes.length >= 9 + bytes.readUIntBE(0, 3)) {
      const [type, flags, stream] = [bytes[3]!, bytes[4]!, bytes.readUInt32BE(5)];
      if (type === SETTINGS && (flags & ACK) === 0) socket.write(frame(SETTINGS, ACK, 0));
      if (type === HEADERS) socket.write(answer(stream));
      bytes = bytes.subarray(9 + bytes.readUIntBE(0, 3));
    }
  }
}

function answer(stream: number): Buffer {
  const body = Buffer.from(UPGRADED_BODY);
  return Buffer.concat([frame(HEADERS, END_HEADERS, stream, STATUS_200), frame(DATA, END_STREAM, stream, body)]);
}

function frame(type: number, flags: number, stream: number, payload: Uint8Array = Buffer.alloc(0)): Buffer {
  const head = Buffer.alloc(9);
  head.writeUIntBE(payload.length, 0, 3);
  head[3] = type;
  head[4] = flags;
  head.writeUInt32BE(stream, 5);
  return Buffer.concat([head, payload]);
}
