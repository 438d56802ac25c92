/**
 * A process that makes TCP traffic with node:net as it is told, one command a line, one answer a line. Commands:
 *   listen [PORT]        an echo server; answers its port
 *   open PORT [FROM]     keeps a connection open, from a local port if given; answers "open"
 *   send TEXT            on that connection; answers the echo
 *   exchange PORT COUNT BYTES   a connection of its own: COUNT requests of BYTES, each echoed; answers milliseconds
 *   corked PORT COUNT    a connection of its own: COUNT small writes as one writev; answers the echo
 *   fetch PORT PATH      an HTTP request; answers the length of the body
 *   child COMMAND…       the same in a child process, made at the first time; answers what it answers
 *   child-pid            answers the child's process id
 *   run PATH             runs a program and waits for it; answers its process id
 * Ends when stdin does.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import { createInterface } from 'node:readline';
import { Child } from './child.ts';

const HOST = '127.0.0.1';

let connection: Socket;
let child: Child | undefined;

function childProcess(): Child {
  child ??= new Child(process.execPath, [import.meta.filename]);
  return child;
}

async function listen(port: number): Promise<string> {
  const server = createServer((socket) => socket.on('error', () => socket.destroy()).pipe(socket));
  server.listen(port, HOST);
  await once(server, 'listening');
  return String((server.address() as { port: number }).port);
}

async function open(port: number, localPort?: number): Promise<Socket> {
  const socket = connect({ port, host: HOST, ...(localPort === undefined ? {} : { localPort }) });
  await once(socket, 'connect');
  return socket;
}

/** Resolves when `length` bytes have come back. */
function echo(socket: Socket, length: number): Promise<string> {
  return new Promise((resolve) => {
    const parts: Buffer[] = [];
    let seen = 0;
    socket.on('data', function take(part: Buffer) {
      parts.push(part);
      seen += part.length;
      if (seen < length) return;
      socket.off('data', take);
      resolve(Buffer.concat(parts).toString('latin1'));
    });
  });
}

function pattern(length: number): Buffer {
  return Buffer.from(Uint8Array.from({ length }, (_, index) => index % 251));
}

async function exchange(port: number, count: number, bytes: number): Promise<string> {
  const socket = await open(port);
  const request = pattern(bytes);
  const start = performance.now();
  for (let index = 0; index < count; index++) {
    const answer = echo(socket, bytes);
    socket.write(request);
    await answer;
  }
  const elapsed = performance.now() - start;
  socket.end();
  await once(socket, 'close');
  return elapsed.toFixed(1);
}

async function corked(port: number, count: number): Promise<string> {
  const socket = await open(port);
  socket.cork();
  for (let index = 0; index < count; index++) socket.write(String.fromCharCode(97 + (index % 26)));
  const answer = echo(socket, count);
  socket.uncork();
  const text = await answer;
  socket.end();
  await once(socket, 'close');
  return text;
}

async function run(path: string): Promise<string> {
  const program = spawn(path, { stdio: 'ignore' });
  await once(program, 'exit');
  return String(program.pid);
}

async function fetchLength(port: number, path: string): Promise<string> {
  const response = await fetch(`http://${HOST}:${port}${path}`);
  return String((await response.arrayBuffer()).byteLength);
}

async function obey(line: string): Promise<string> {
  const [command, ...rest] = line.split(' ');
  const numbers = rest.map(Number);
  switch (command) {
    case 'listen':
      return listen(numbers[0] ?? 0);
    case 'open':
      connection = await open(numbers[0]!, numbers[1]);
      return 'open';
    case 'send': {
      const text = rest.join(' ');
      const answer = echo(connection, text.length);
      connection.write(text);
      return answer;
    }
    case 'exchange':
      return exchange(numbers[0]!, numbers[1]!, numbers[2]!);
    case 'corked':
      return corked(numbers[0]!, numbers[1]!);
    case 'fetch':
      return fetchLength(numbers[0]!, rest[1]!);
    case 'child':
      return childProcess().ask(rest.join(' '));
    case 'child-pid':
      return String(childProcess().pid);
    case 'run':
      return run(rest[0]!);
    default:
      throw new Error(`unknown command ${command}`);
  }
}

for await (const line of createInterface({ input: process.stdin })) process.stdout.write(`${await obey(line)}\n`);
await child?.end();
process.exit(0);
