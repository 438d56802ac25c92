/**
 * A client that speaks ask: `node client.ts --port N [--requests N] [--connections N] [--depth N] [--errors SHARE]
 * [--casts SHARE] [--bytes N]`. On each connection up to `depth` calls wait at once. Prints what it did as a line of
 * JSON.
 */
import { connect } from 'node:net';
import { parseArgs } from 'node:util';
import { CALL, CAST, encodeCall, type Frame, frameReader } from './wire.ts';

export interface Plan {
  readonly port: number;
  /** Calls and casts, on all connections together. */
  readonly requests: number;
  readonly connections: number;
  readonly depth: number;
  /** Share of the calls that are answered with an error, and of the requests that are casts. */
  readonly errors: number;
  readonly casts: number;
  /** Bytes of payload. */
  readonly bytes: number;
}

export interface Done {
  readonly calls: number;
  readonly casts: number;
  readonly answers: number;
  readonly errors: number;
  /** Requests by method. */
  readonly methods: Readonly<Record<string, number>>;
}

export async function ask(plan: Plan): Promise<Done> {
  const done = { calls: 0, casts: 0, answers: 0, errors: 0, methods: {} as Record<string, number> };
  let sent = 0;
  /** The next request, or undefined when all are sent. */
  const next = (): Buffer | undefined => {
    if (sent === plan.requests) return undefined;
    const number = sent++;
    const { kind, method } = requestOf(plan, number, done.calls);
    if (kind === CAST) done.casts++;
    else done.calls++;
    done.methods[method] = (done.methods[method] ?? 0) + 1;
    return encodeCall(number, method, Buffer.alloc(plan.bytes, 'x'), kind);
  };
  const took = ({ code }: Frame) => {
    done.answers++;
    if (code !== 0) done.errors++;
  };
  await Promise.all(Array.from({ length: plan.connections }, () => converse(plan, next, took)));
  return done;
}

/** Casts are spread evenly over the requests, errors over the calls. */
function requestOf({ errors, casts }: Plan, number: number, call: number): { kind: number; method: string } {
  const isDue = (share: number, n: number) => Math.floor((n + 1) * share) > Math.floor(n * share);
  if (isDue(casts, number)) return { kind: CAST, method: 'log' };
  if (isDue(errors, call)) return { kind: CALL, method: 'missing' };
  return { kind: CALL, method: number % 3 === 0 ? 'late' : 'echo' };
}

/** One connection: as many calls at once as the plan says, until there are no more. */
function converse(plan: Plan, next: () => Buffer | undefined, took: (frame: Frame) => void): Promise<void> {
  return new Promise((resolve, reject) => {
    let waiting = 0;
    const socket = connect(plan.port, '127.0.0.1').setNoDelay(true);
    const fill = () => {
      while (waiting < plan.depth) {
        const request = next();
        if (request === undefined) break;
        socket.write(request);
        if (request.readUInt8(5) === CALL) waiting++;
      }
      if (waiting === 0) socket.end();
    };
    const read = frameReader((frame) => {
      waiting--;
      took(frame);
    });
    socket
      .on('connect', fill)
      .on('error', reject)
      .on('close', () => resolve());
    socket.on('data', (bytes) => {
      read(bytes);
      fill();
    });
  });
}

if (import.meta.main) {
  const number = (value: string) => ({ type: 'string', default: value }) as const;
  const { values } = parseArgs({
    options: {
      port: { type: 'string' },
      requests: number('100'),
      connections: number('1'),
      depth: number('1'),
      errors: number('0'),
      casts: number('0'),
      bytes: number('16'),
    },
  });
  const plan = Object.fromEntries(Object.entries(values).map(([name, value]) => [name, Number(value)]));
  process.stdout.write(`${JSON.stringify(await ask(plan as unknown as Plan))}\n`);
}
