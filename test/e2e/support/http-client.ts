/**
 * An HTTP/1.1 client that hides nothing: what is written is written as given, whole, split or many requests at once,
 * and each exchange records what went out and what came back. It reads a response to its end, as RFC 9112 section 6.3
 * defines the end, and fails loudly on anything else, so that a test compares spans with what really happened.
 */
import { connect, type Socket } from 'node:net';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { ResponseReader } from './http-response.ts';

export interface Plan {
  readonly method: string;
  /** Path with query. */
  readonly target: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Uint8Array;
  /** Sends the body in chunks of this many bytes, without its length beforehand. */
  readonly chunk?: number;
  /** Writes the request in this many pieces, each in a system call of its own. */
  readonly pieces?: number;
}

export interface Exchange {
  readonly method: string;
  readonly target: string;
  readonly status: number;
  readonly requestBodyBytes: number;
  readonly responseBodyBytes: number;
  /** Just before the first byte went out and just after the last one came in, nanoseconds since 1970. */
  readonly sentNs: bigint;
  readonly receivedNs: bigint;
}

interface Waiting {
  readonly plan: Plan;
  readonly sentNs: bigint;
  resolve(exchange: Exchange): void;
  reject(error: Error): void;
}

export class HttpConnection implements Disposable {
  readonly #socket: Socket;
  readonly #waiting: Waiting[] = [];
  readonly #reader = new ResponseReader();

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.setNoDelay(true);
    socket.on('data', (bytes) => this.#read(bytes));
    socket.on('end', () => this.#read(undefined));
    socket.on('error', (error) => this.#fail(error));
    socket.on('close', () => this.#fail(new Error('the connection was closed before the response ended')));
  }

  static open(port: number): Promise<HttpConnection> {
    return new Promise((resolve, reject) => {
      const socket = connect(port, '127.0.0.1', () => resolve(new HttpConnection(socket)));
      socket.once('error', reject);
    });
  }

  /** Sends one request; resolves when its response was read to its end. */
  async exchange(plan: Plan): Promise<Exchange> {
    const answer = this.#expect(plan);
    const bytes = encode(plan);
    const pieces = plan.pieces ?? 1;
    for (let i = 0; i < pieces; i++) {
      if (i > 0) await nextTurn();
      this.#socket.write(bytes.subarray((bytes.length * i) / pieces, (bytes.length * (i + 1)) / pieces));
    }
    return answer;
  }

  /** Sends all requests in one write. */
  pipeline(plans: readonly Plan[]): Promise<Exchange[]> {
    const answers = plans.map((plan) => this.#expect(plan));
    this.#socket.write(Buffer.concat(plans.map(encode)));
    return Promise.all(answers);
  }

  [Symbol.dispose](): void {
    this.#socket.destroy();
  }

  #expect(plan: Plan): Promise<Exchange> {
    return new Promise((resolve, reject) => this.#waiting.push({ plan, sentNs: nowNs(), resolve, reject }));
  }

  /** @param bytes undefined at the end of the stream */
  #read(bytes: Buffer | undefined): void {
    try {
      if (bytes !== undefined) this.#reader.add(bytes);
      while (this.#waiting.length > 0) {
        const response = this.#reader.next(this.#waiting[0]!.plan.method, bytes === undefined);
        if (response === undefined) return;
        const { plan, sentNs, resolve } = this.#waiting.shift()!;
        const { method, target } = plan;
        const requestBodyBytes = Buffer.byteLength(plan.body ?? '');
        resolve({ method, target, requestBodyBytes, ...response, sentNs, receivedNs: nowNs() });
      }
    } catch (error) {
      this.#fail(error as Error);
    }
  }

  #fail(error: Error): void {
    for (const { reject, plan } of this.#waiting.splice(0)) {
      reject(new Error(`${plan.method} ${plan.target}: ${error.message}`));
    }
    this.#socket.destroy();
  }
}

/** One exchange over a connection of its own. */
export async function exchangeAlone(port: number, plan: Plan): Promise<Exchange> {
  using connection = await HttpConnection.open(port);
  return await connection.exchange({ ...plan, headers: { ...plan.headers, connection: 'close' } });
}

/** Nanoseconds since 1970 by a clock that does not jump within a test. */
export function nowNs(): bigint {
  return ORIGIN_NS + process.hrtime.bigint();
}

const ORIGIN_NS = BigInt(Math.round((performance.timeOrigin + performance.now()) * 1e6)) - process.hrtime.bigint();

function encode({ method, target, headers = {}, body, chunk }: Plan): Buffer {
  const lines = [`${method} ${target} HTTP/1.1`, 'host: test'];
  for (const [name, value] of Object.entries(headers)) lines.push(`${name}: ${value}`);
  const content = Buffer.from(body ?? '');
  if (chunk !== undefined) lines.push('transfer-encoding: chunked');
  else if (body !== undefined) lines.push(`content-length: ${content.length}`);
  const head = Buffer.from(`${lines.join('\r\n')}\r\n\r\n`);
  return Buffer.concat([head, chunk === undefined ? content : chunked(content, chunk)]);
}

function chunked(body: Buffer, size: number): Buffer {
  const parts: Buffer[] = [];
  for (let at = 0; at < body.length; at += size) {
    const part = body.subarray(at, at + size);
    parts.push(Buffer.from(`${part.length.toString(16)}\r\n`), part, Buffer.from('\r\n'));
  }
  return Buffer.concat([...parts, Buffer.from('0\r\n\r\n')]);
}
