/**
 * A PostgreSQL client that sends what it is told, byte for byte: for what no program of the tests' sends.
 * https://www.postgresql.org/docs/current/protocol-message-formats.html
 */
import { connect, type Socket } from 'node:net';

export const GSS_REQUEST = Buffer.from('\0\0\0\x08\x04\xd2\x16\x30', 'latin1');
export const SSL_REQUEST = Buffer.from('\0\0\0\x08\x04\xd2\x16\x2f', 'latin1');

/** ReadyForQuery, but for the state of the transaction. */
const READY = 'Z\0\0\0\x05';

export function startUp(user: string, database: string): Buffer {
  const parameters = Buffer.from(`\0\x03\0\0user\0${user}\0database\0${database}\0\0`, 'latin1');
  const length = Buffer.alloc(4);
  length.writeUInt32BE(parameters.length + 4);
  return Buffer.concat([length, parameters]);
}

export function message(type: string, body: string): Buffer {
  const head = Buffer.alloc(5);
  head.write(type, 'latin1');
  head.writeUInt32BE(body.length + 4, 1);
  return Buffer.concat([head, Buffer.from(body, 'latin1')]);
}

/** Parse, Bind and Execute, all without a name. */
export function extended(text: string): Buffer[] {
  return [message('P', `\0${text}\0\0\0`), message('B', '\0\0\0\0\0\0\0\0'), message('E', '\0\0\0\0\0')];
}

export class RawConnection implements Disposable {
  readonly socket: Socket;
  #received = '';

  constructor(port: number) {
    this.socket = connect(port, '127.0.0.1');
    this.socket.on('data', (bytes) => {
      this.#received += bytes.toString('latin1');
    });
  }

  send(...parts: readonly Buffer[]): void {
    this.socket.write(Buffer.concat(parts));
  }

  /** Resolves when the server has sent so many ReadyForQuery in all. */
  ready(count: number): Promise<void> {
    return this.received((text) => text.split(READY).length > count);
  }

  /** Resolves when what was received in all, a character for each byte, is enough. */
  async received(isEnough: (text: string) => boolean): Promise<void> {
    const ended = Promise.withResolvers<never>();
    const fail = () =>
      ended.reject(new Error(`the server hung up after ${JSON.stringify(this.#received.slice(-200))}`));
    this.socket.once('error', ended.reject).once('close', fail);
    while (!isEnough(this.#received)) {
      const more = new Promise<void>((resolve) => this.socket.once('data', () => resolve()));
      await Promise.race([more, ended.promise]);
    }
    this.socket.off('error', ended.reject).off('close', fail);
  }

  [Symbol.dispose](): void {
    this.socket.destroy();
  }
}
