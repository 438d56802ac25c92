/**
 * One web site, served by nginx and by Node, and requests of every kind for it. nginx has files and fixed answers, and
 * passes on what it cannot do itself, interim responses apart (it drops those of a proxied server); Node does everything.
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { type RunningServer, startNginx } from '../../../examples/demo/servers.ts';
import type { Plan } from './http-client.ts';

/** Larger than what is captured of a call. */
const LARGE = 'x'.repeat(20_000);
const FILES = { 'file.txt': 'a small file\n'.repeat(20), 'large.txt': 'a large file\n'.repeat(20_000) };

/** Request number n: every kind in turn, and no two with the same target. */
export function plan(n: number, from: string): Plan {
  const query = `?${from}=${n}`;
  const kinds: readonly Plan[] = [
    { method: 'GET', target: `/text${query}` },
    { method: 'GET', target: `/file.txt${query}` },
    { method: 'GET', target: `/large.txt${query}` },
    { method: 'HEAD', target: `/file.txt${query}` },
    { method: 'GET', target: `/missing/${n}${query}` },
    { method: 'GET', target: `/error${query}` },
    { method: 'GET', target: `/nothing${query}` },
    { method: 'GET', target: `/moved${query}` },
    { method: 'GET', target: `/chunked/${n % 7}${query}` },
    { method: 'HEAD', target: `/chunked/3${query}` },
    { method: 'POST', target: `/echo${query}`, body: `body ${n}` },
    { method: 'POST', target: `/echo${query}`, body: LARGE },
    { method: 'POST', target: `/echo${query}`, body: 'in chunks '.repeat(1 + (n % 40)), chunk: 64 },
    { method: 'PUT', target: `/echo${query}`, body: 'asks first', headers: { expect: '100-continue' } },
    { method: 'POST', target: `/echo${query}`, body: '' },
    { method: 'DELETE', target: `/echo${query}` },
    { method: 'GET', target: `/text${query}`, pieces: 3 },
    { method: 'POST', target: `/echo${query}`, body: 'head and body in pieces', pieces: 4 },
    { method: 'GET', target: `/file.txt${query}`, headers: { 'if-none-match': '*' } },
    { method: 'GET', target: `/early${query}` },
  ];
  return kinds[n % kinds.length]!;
}

/** What a pipeline may hold: no request waits for the server, and none is written in pieces. */
export function pipelinedPlan(n: number, from = 'pipelined'): Plan {
  const { pieces: _, ...whole } = plan(n % 10, from);
  return { ...whole, target: `${whole.target}&n=${n}` };
}

export function startNginxSite(port: number, nodePort: number): Promise<RunningServer> {
  const http = `
    sendfile on; tcp_nopush on; keepalive_requests 100000; client_max_body_size 1m;
    upstream application { server 127.0.0.1:${nodePort}; keepalive 16; }
    server {
      listen 127.0.0.1:${port};
      root html;
      location = /text { return 200 "plain text"; }
      location = /error { return 500 "sorry"; }
      location = /nothing { return 204; }
      location = /moved { return 301 /text; }
      location ~ ^/(chunked|echo) {
        proxy_pass http://application;
        proxy_http_version 1.1;
        proxy_set_header Connection "";
      }
    }`;
  return startNginx({ port, workers: 2, http, files: FILES });
}

export function startNodeSite(): Promise<Server> {
  const server = createServer(answer);
  server.keepAliveTimeout = 60_000;
  return new Promise((resolve) => server.listen(0, '127.0.0.1', () => resolve(server)));
}

async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const parts: Buffer[] = [];
  for await (const part of request) parts.push(part);
  const { pathname, searchParams } = new URL(request.url!, 'http://site');
  const fixed = FIXED[pathname];
  if (pathname === '/echo') response.end(Buffer.concat(parts));
  else if (pathname.startsWith('/chunked/'))
    chunks(response, Number(pathname.charAt(9)), Number(searchParams.get('wide')));
  else if (request.headers['if-none-match'] === '*') response.writeHead(304).end();
  else if (pathname === '/early') early(response);
  else if (pathname === '/nothing') response.writeHead(204).end();
  else if (fixed === undefined) response.writeHead(404).end('not here');
  else response.writeHead(fixed[0], { 'content-length': Buffer.byteLength(fixed[1]) }).end(fixed[1]);
}

const FIXED: Readonly<Record<string, readonly [status: number, body: string]>> = {
  '/text': [200, 'plain text'],
  '/file.txt': [200, FILES['file.txt']],
  '/large.txt': [200, FILES['large.txt']],
  '/error': [500, 'sorry'],
  '/moved': [301, 'see /text'],
};

/** Of no known total. */
function chunks(response: ServerResponse, count: number, wide: number): void {
  const socket = response.socket!;
  // Wide ones leave in one call, many chunks at a time.
  if (wide > 0) socket.cork();
  for (let left = count; left > 0; left--) response.write(`part ${left} of a stream\n`.padEnd(wide, '.'));
  response.end();
  if (wide > 0) socket.uncork();
}

/** RFC 8297. */
function early(response: ServerResponse): void {
  response.writeEarlyHints({ link: '</style.css>; rel=preload; as=style' }, () => response.end('after a hint'));
}
