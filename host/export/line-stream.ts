/**
 * Writes text to a stream that may be slow (a full pipe) or gone (EPIPE), one piece at a time. Each write is awaited
 * until the stream has passed it on, so at most one piece lies in memory; an error is a result and never an event that
 * nobody listens to. Not the owner of the stream: standard output is never closed.
 */
import type { Writable } from 'node:stream';

export class LineStream {
  readonly #stream: Writable;
  /** The error that ended the stream. */
  #broken: Error | undefined;

  constructor(stream: Writable) {
    this.#stream = stream;
    stream.on('error', (error: Error) => {
      this.#broken ??= error;
    });
  }

  get isTerminal(): boolean {
    return (this.#stream as NodeJS.WriteStream).isTTY === true;
  }

  /** Why the text did not go out; undefined when it did. After an abort it may still go out. */
  async write(text: string, signal: AbortSignal): Promise<Error | undefined> {
    if (this.#broken !== undefined) return this.#broken;
    if (signal.aborted) return signal.reason;
    const { promise, resolve } = Promise.withResolvers<Error | undefined>();
    const abort = () => resolve(signal.reason);
    const close = () => resolve(this.#broken ?? new Error('the stream was closed'));
    signal.addEventListener('abort', abort, { once: true });
    this.#stream.once('close', close);
    this.#stream.write(text, (error) => resolve(error ?? undefined));
    const error = await promise;
    signal.removeEventListener('abort', abort);
    this.#stream.off('close', close);
    return error;
  }
}
