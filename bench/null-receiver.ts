/**
 * An OTLP receiver that takes everything and keeps nothing: a process of its own, so that its cost is its own. Tells its
 * parent its port, and 'first' when something has come.
 */
import { createServer } from 'node:http';

let hasCome = false;
const server = createServer((request, response) => {
  if (!hasCome) process.send?.('first');
  hasCome = true;
  request.resume();
  request.on('end', () => response.writeHead(200, { 'content-type': 'application/x-protobuf' }).end());
});
server.listen(0, '127.0.0.1', () => process.send?.((server.address() as { port: number }).port));
process.on('disconnect', () => process.exit());
