/** A server that speaks no known protocol: whatever it is sent, it answers with these bytes and hangs up. */
import { createServer, type Socket } from 'node:net';

export function tcpServer(port: number, answer: string): Promise<{ close(): Promise<void> }> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => {});
    socket.once('data', () => socket.end(answer));
    socket.once('close', () => sockets.delete(socket));
  });
  const close = () => {
    for (const socket of sockets) socket.destroy();
    return new Promise<void>((resolve) => server.close(() => resolve()));
  };
  return new Promise((resolve) => server.listen(port, '127.0.0.1', () => resolve({ close })));
}
