/**
 * WebSocket through real eBPF: Node's own client against a server written here. The handshake is one span of either
 * side; every frame is counted on both sockets, and what frames carry is never read as HTTP.
 */
import { createHash } from 'node:crypto';
import { once, setMaxListeners } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { expect, test } from 'vitest';
import { Folder } from '../../examples/demo/programs.ts';
import type { ModuleReport } from '../../host/modules/service.ts';
import { askAgent } from '../../host/self/control-socket.ts';
import { until } from '../export/fixtures.ts';
import { accountingErrors } from './support/accounting.ts';
import { type Span, startAgent, stopAgent } from './support/agent.ts';
import { describeLive } from './support/live.ts';

/** RFC 6455 section 1.3. */
const GUID = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11';
const TEXT = 1;
const BINARY = 2;
const CLOSE = 8;
const PING = 9;
const PONG = 10;
const LOOKALIKE = 'GET /in/a/frame HTTP/1.1\r\nHost: h\r\n\r\n';
const AT_ONCE = 40;
/** Of every form of length; the last one is far longer than what is captured of a call. */
const SIZES = [0, 1, 125, 126, 1000, 65_535, 65_536, 300_000];

await describeLive('WebSocket', () => {
  test('one span for the handshake of each side, and every frame counted', { timeout: 60_000 }, async () => {
    const echo = new EchoServer();
    const port = await echo.listen();
    const spans: Span[] = [];
    using folder = new Folder();
    process.env.SPANWIRE_RUN_DIR = folder.path;
    await using agent = await startAgent(
      ['--open-port', String(port), '--printer', 'json'],
      (span) => spans.push(span),
      {
        SPANWIRE_RUN_DIR: folder.path,
      },
    );
    await talk(port);
    // The server's pings are answered by the client on its own account; then its close, and ours.
    await until(() => echo.closed, 'the end of the connection');
    const frames = echo.received + echo.sent;
    expect(frames).toBeGreaterThan(2 * SIZES.length + AT_ONCE);
    // Both ends of the connection are watched.
    await expect.poll(() => countedBy(agent.program.pid), { timeout: 20_000 }).toBe(2 * frames);
    const counters = await stopAgent(agent);
    await echo.close();

    expect(counters.host.messages_push).toBe(2 * frames);
    expect(counters.host).toMatchObject({ connections_upgraded: 2, bytes_unknown: 0, connections_given_up: 0 });
    expect(accountingErrors(counters)).toEqual([]);
    expect(spans.map(({ kind, attributes }) => `${kind} ${attributes['url.path']}`).sort()).toEqual([
      'client /chat',
      'server /chat',
    ]);
    for (const { attributes } of spans) {
      expect(attributes).toMatchObject({ 'http.request.method': 'GET', 'http.response.status_code': 101 });
    }
  });
});

/** Messages of every size one after the other, then many at once. */
async function talk(port: number): Promise<void> {
  const socket = new WebSocket(`ws://127.0.0.1:${port}/chat`);
  setMaxListeners(AT_ONCE, socket);
  await once(socket, 'open');
  for (const size of SIZES) await echoed(socket, 'x'.repeat(size));
  await echoed(socket, LOOKALIKE);
  await Promise.all(Array.from({ length: AT_ONCE }, (_, n) => echoed(socket, `message ${n}`)));
  socket.close(1000);
  await once(socket, 'close');
}

function echoed(socket: WebSocket, text: string): Promise<void> {
  return new Promise((resolve) => {
    const listen = ({ data }: MessageEvent) => {
      if (data !== text) return;
      socket.removeEventListener('message', listen);
      resolve();
    };
    socket.addEventListener('message', listen);
    socket.send(text);
  });
}

/** What `spanwire module ls` shows of the websocket module. */
async function countedBy(pid: number): Promise<number> {
  const { modules } = (await askAgent(pid, '/modules')) as ModuleReport;
  return modules.find(({ name }) => name === 'websocket')!.messages;
}

/** Sends every message back, after a ping; answers a close. Counts the frames of both ways. */
class EchoServer {
  received = 0;
  sent = 0;
  closed = false;
  readonly #server: Server = createServer();

  async listen(): Promise<number> {
    this.#server.on('upgrade', (request, socket: Socket) => {
      const key = request.headers['sec-websocket-key'];
      const accept = createHash('sha1').update(`${key}${GUID}`).digest('base64');
      const head = ['HTTP/1.1 101 Switching Protocols', 'Upgrade: websocket', 'Connection: Upgrade'];
      socket.write([...head, `Sec-WebSocket-Accept: ${accept}`, '', ''].join('\r\n'));
      this.#serve(socket);
    });
    await once(this.#server.listen(0, '127.0.0.1'), 'listening');
    return (this.#server.address() as AddressInfo).port;
  }

  close(): Promise<void> {
    this.#server.closeAllConnections();
    return new Promise((resolve) => this.#server.close(() => resolve()));
  }

  #serve(socket: Socket): void {
    let buffer = Buffer.alloc(0);
    socket.setNoDelay(true);
    socket.on('close', () => {
      this.closed = true;
    });
    socket.on('data', (bytes) => {
      buffer = Buffer.concat([buffer, bytes]);
      for (let frame = readFrame(buffer); frame !== undefined; frame = readFrame(buffer)) {
        buffer = buffer.subarray(frame.end);
        this.received++;
        this.#answer(socket, frame.opcode, frame.payload);
      }
    });
  }

  #answer(socket: Socket, opcode: number, payload: Buffer): void {
    if (opcode === PONG) return;
    if (opcode === TEXT || opcode === BINARY) this.#send(socket, PING, Buffer.from('still there?'));
    this.#send(socket, opcode, payload);
    if (opcode === CLOSE) socket.end();
  }

  /** A frame in a write of its own. */
  #send(socket: Socket, opcode: number, payload: Buffer): void {
    this.sent++;
    socket.write(Buffer.concat([header(opcode, payload.length), payload]));
  }
}

function header(opcode: number, length: number): Buffer {
  const first = 0x80 | opcode;
  if (length < 126) return Buffer.from([first, length]);
  if (length < 65_536) return Buffer.from([first, 126, length >> 8, length & 0xff]);
  const long = Buffer.from([first, 127, 0, 0, 0, 0, 0, 0, 0, 0]);
  long.writeUInt32BE(length, 6);
  return long;
}

/** The first frame of the bytes, unmasked, if it is there to its end. Its client masks. */
function readFrame(bytes: Buffer): { opcode: number; payload: Buffer; end: number } | undefined {
  if (bytes.length < 2) return undefined;
  const short = bytes[1]! & 0x7f;
  const longer = short < 126 ? 0 : short === 126 ? 2 : 8;
  if (bytes.length < 6 + longer) return undefined;
  const length = longer === 0 ? short : longer === 2 ? bytes.readUInt16BE(2) : bytes.readUInt32BE(6);
  const mask = bytes.subarray(2 + longer, 6 + longer);
  const end = 6 + longer + length;
  if (bytes.length < end) return undefined;
  const payload = Buffer.from(bytes.subarray(6 + longer, end)).map((byte, index) => byte ^ mask[index & 3]!);
  return { opcode: bytes[0]! & 0x0f, payload: Buffer.from(payload), end };
}
