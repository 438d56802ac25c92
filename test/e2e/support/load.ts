/** Load on an HTTP server: keep-alive connections, on each of them one request after the other. */
import { type Exchange, HttpConnection, type Plan } from './http-client.ts';

export class Load {
  readonly exchanges: Exchange[] = [];
  readonly #done: Promise<unknown>;
  #left: number;
  #number = 0;

  /** Begins at once; ends after `requests`, if so many are given, or when it is told to. */
  constructor(port: number, connections: number, plan: (n: number) => Plan, requests = Number.POSITIVE_INFINITY) {
    this.#left = requests;
    const lane = async () => {
      using connection = await HttpConnection.open(port);
      while (this.#left-- > 0) this.exchanges.push(await connection.exchange(plan(this.#number++)));
    };
    this.#done = Promise.all(Array.from({ length: connections }, lane));
    // Told to whoever waits for the end; until then nobody listens.
    this.#done.catch(() => {});
  }

  /** Resolves when all requests have been answered. */
  async finished(): Promise<Exchange[]> {
    await this.#done;
    return this.exchanges;
  }

  /** Lets every connection finish what it has begun. */
  stop(): Promise<Exchange[]> {
    this.#left = 0;
    return this.finished();
  }
}
