/**
 * A Redis client in the space of a page: commands go out as arrays of bulk strings, replies come back in the order of
 * the commands, many may be on the way at once. https://redis.io/docs/latest/develop/reference/protocol-spec/
 */
import { connect, type Socket } from 'node:net';

export type Reply = string | number | null | RedisError | Reply[];

export class RedisError extends Error {
  override readonly name = 'RedisError';
}

interface Waiting {
  resolve(reply: Reply): void;
  reject(error: Error): void;
}

export class RedisClient {
  readonly #socket: Socket;
  readonly #waiting: Waiting[] = [];
  #received = Buffer.alloc(0);

  constructor(port: number) {
    this.#socket = connect(port, '127.0.0.1').setNoDelay(true);
    this.#socket.on('data', (bytes) => this.#read(bytes));
    this.#socket.on('error', (error) => this.#fail(error));
    this.#socket.on('close', () => this.#fail(new Error('Redis closed the connection')));
  }

  /** Sends a command; rejects with RedisError when Redis answers with an error. */
  send(...command: (string | number)[]): Promise<Reply> {
    const parts = command.map((part) => `$${Buffer.byteLength(String(part))}\r\n${part}\r\n`);
    this.#socket.write(`*${command.length}\r\n${parts.join('')}`);
    return new Promise((resolve, reject) => this.#waiting.push({ resolve, reject }));
  }

  close(): void {
    this.#socket.end();
  }

  #read(bytes: Buffer): void {
    this.#received = Buffer.concat([this.#received, bytes]);
    for (let parsed = parse(this.#received, 0); parsed !== undefined; parsed = parse(this.#received, 0)) {
      this.#received = this.#received.subarray(parsed.end);
      const { reply } = parsed;
      const command = this.#waiting.shift();
      if (reply instanceof RedisError) command?.reject(reply);
      else command?.resolve(reply);
    }
  }

  #fail(error: Error): void {
    for (const { reject } of this.#waiting.splice(0)) reject(error);
  }
}

interface Parsed {
  readonly reply: Reply;
  /** Where the next reply begins. */
  readonly end: number;
}

/** The reply that begins at `at`; undefined when it is not there to its end. */
function parse(bytes: Buffer, at: number): Parsed | undefined {
  const lineEnd = bytes.indexOf('\r\n', at);
  if (lineEnd < 0) return undefined;
  const line = bytes.toString('utf8', at + 1, lineEnd);
  const end = lineEnd + 2;
  switch (String.fromCharCode(bytes[at]!)) {
    case '+':
      return { reply: line, end };
    case '-':
      return { reply: new RedisError(line), end };
    case ':':
      return { reply: Number(line), end };
    case '$':
      return parseBulk(bytes, end, Number(line));
    case '*':
      return parseArray(bytes, end, Number(line));
    default:
      throw new Error(`Redis sent a reply of unknown type: ${line}`);
  }
}

function parseBulk(bytes: Buffer, at: number, length: number): Parsed | undefined {
  if (length < 0) return { reply: null, end: at };
  if (bytes.length < at + length + 2) return undefined;
  return { reply: bytes.toString('utf8', at, at + length), end: at + length + 2 };
}

function parseArray(bytes: Buffer, at: number, length: number): Parsed | undefined {
  if (length < 0) return { reply: null, end: at };
  const replies: Reply[] = [];
  let end = at;
  for (let left = length; left > 0; left--) {
    const parsed = parse(bytes, end);
    if (parsed === undefined) return undefined;
    replies.push(parsed.reply);
    end = parsed.end;
  }
  return { reply: replies, end };
}
