/**
 * The requests of the demo: the same ones in every run, so that the number of spans to expect is known.
 * Some come from a caller that traces (it sends a traceparent header, https://www.w3.org/TR/trace-context/).
 */
import { randomBytes } from 'node:crypto';
import { Agent, request } from 'node:http';
import { connect } from 'node:net';

interface Plan {
  readonly method: string;
  readonly path: string;
  readonly body?: string;
  /** Sends the body in chunks, its length not told beforehand. */
  readonly chunked?: boolean;
  /** Comes with a traceparent header. */
  readonly traced?: boolean;
}

const ITEM = JSON.stringify({ name: 'a kettle', price: 2900 });
const LARGE_ITEM = JSON.stringify({ name: 'a book of '.padEnd(6000, 'many pages, '), price: 100 });

/** Over connections that stay open. */
const KEPT_ALIVE: readonly Plan[] = [
  { method: 'GET', path: '/items/1', traced: true },
  { method: 'GET', path: '/items?limit=5', traced: true },
  { method: 'GET', path: '/items?limit=3&sort=name' },
  { method: 'POST', path: '/items', body: ITEM, traced: true },
  { method: 'POST', path: '/items', body: ITEM, chunked: true },
  { method: 'POST', path: '/items', body: LARGE_ITEM },
  { method: 'POST', path: '/items', body: 'not JSON' },
  { method: 'HEAD', path: '/items/2' },
  { method: 'GET', path: '/items/no-such-item' },
  { method: 'DELETE', path: '/items/no-such-item' },
  { method: 'GET', path: '/nowhere', traced: true },
  { method: 'GET', path: '/broken', traced: true },
  { method: 'GET', path: '/report', traced: true },
  { method: 'GET', path: '/slow', traced: true },
  { method: 'GET', path: '/health' },
  { method: 'GET', path: '/logo.svg' },
  { method: 'HEAD', path: '/logo.svg' },
  ...numbered(8, (n) => ({ method: 'GET', path: `/items/${n + 3}` })),
];

/** Each over a connection of its own. */
const ONE_EACH: readonly Plan[] = [
  { method: 'GET', path: '/health' },
  { method: 'GET', path: '/items/1', traced: true },
  { method: 'GET', path: '/nowhere' },
  { method: 'POST', path: '/items', body: ITEM },
];

/** In one go, without waiting for the answers. */
const PIPELINED: readonly Plan[] = [
  ...numbered(9, (n) => ({ method: 'GET', path: `/items/${n + 1}?pipelined` })),
  { method: 'HEAD', path: '/items/10?pipelined' },
];

export const REQUESTS_OF_ROUND = KEPT_ALIVE.length + ONE_EACH.length + PIPELINED.length;

/** Sends the rounds, four at a time; resolves with the number of requests that were answered. */
export async function sendTraffic(port: number, rounds: number): Promise<number> {
  const agent = new Agent({ keepAlive: true, maxSockets: LANES });
  let begun = 0;
  let answered = 0;
  const lane = async () => {
    while (begun++ < rounds) {
      const ofRound = await sendRound(port, agent);
      answered += ofRound;
    }
  };
  await Promise.all(Array.from({ length: Math.min(LANES, rounds) }, lane));
  agent.destroy();
  return answered;
}

const LANES = 4;

async function sendRound(port: number, agent: Agent): Promise<number> {
  for (const plan of KEPT_ALIVE) await send(port, plan, agent);
  for (const plan of ONE_EACH) await send(port, plan, false);
  return KEPT_ALIVE.length + ONE_EACH.length + (await sendPipelined(port, PIPELINED));
}

/** Resolves when the answer was read to its end. */
function send(port: number, { method, path, body, chunked, traced }: Plan, agent: Agent | false): Promise<void> {
  return new Promise((resolve, reject) => {
    const headers = {
      ...(traced && { traceparent: newTraceParent() }),
      ...(body !== undefined && { 'content-type': 'application/json' }),
      ...(body !== undefined && !chunked && { 'content-length': Buffer.byteLength(body) }),
    };
    const outgoing = request({ host: '127.0.0.1', port, method, path, headers, agent }, (response) => {
      response.resume().on('end', resolve).on('error', reject);
    });
    outgoing.on('error', reject);
    if (body !== undefined && chunked) for (const part of halves(body)) outgoing.write(part);
    else if (body !== undefined) outgoing.write(body);
    outgoing.end();
  });
}

/** The last request asks nginx to close: the end of the connection is the end of the answers. */
function sendPipelined(port: number, plans: readonly Plan[]): Promise<number> {
  const requests = plans.map(({ method, path }, i) => {
    const connection = i === plans.length - 1 ? 'Connection: close\r\n' : '';
    return `${method} ${path} HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\n${connection}\r\n`;
  });
  return new Promise((resolve, reject) => {
    let text = '';
    const socket = connect(port, '127.0.0.1', () => socket.write(requests.join('')));
    socket.setEncoding('latin1').on('data', (part: string) => {
      text += part;
    });
    socket.on('error', reject).on('close', () => resolve(text.split('HTTP/1.1 ').length - 1));
  });
}

function newTraceParent(): string {
  return `00-${randomBytes(16).toString('hex')}-${randomBytes(8).toString('hex')}-01`;
}

function halves(text: string): [string, string] {
  const middle = text.length >> 1;
  return [text.slice(0, middle), text.slice(middle)];
}

function numbered(count: number, plan: (n: number) => Plan): Plan[] {
  return Array.from({ length: count }, (_, n) => plan(n));
}
