/**
 * A server that speaks ask: `node server.ts [--port N]` listens on the loopback interface and prints its port. `echo`
 * returns its payload, `late` does so behind what came after it, any other method is an error. Ends with SIGTERM.
 */
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { parseArgs } from 'node:util';
import { CAST, encodeAnswer, type Frame, frameReader } from './wire.ts';

export const NO_SUCH_METHOD = 404;

export function createAskServer(): Server {
  return createServer((socket) => {
    socket.setNoDelay(true);
    socket.on(
      'data',
      frameReader((frame) => answer(socket, frame)),
    );
    socket.on('error', () => socket.destroy());
  });
}

function answer(socket: Socket, { kind, id, method, payload }: Frame): void {
  if (kind === CAST) return;
  if (method === 'echo') socket.write(encodeAnswer(id, 0, payload));
  else if (method === 'late') setImmediate(() => socket.write(encodeAnswer(id, 0, payload)));
  else socket.write(encodeAnswer(id, NO_SUCH_METHOD, Buffer.from(`no method ${method}`)));
}

if (import.meta.main) {
  const { values } = parseArgs({ options: { port: { type: 'string', default: '0' } } });
  const server = createAskServer().listen(Number(values.port), '127.0.0.1', () => {
    process.stdout.write(`${(server.address() as AddressInfo).port}\n`);
  });
}
