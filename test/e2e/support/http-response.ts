/** Responses out of a stream of bytes, one after the other. https://www.rfc-editor.org/rfc/rfc9112#section-6.3 */

export interface Response {
  readonly status: number;
  /** Of the content: chunk framing does not count. */
  readonly responseBodyBytes: number;
}

interface Body {
  readonly bytes: number;
  /** Where the next response begins. */
  readonly end: number;
}

export class ResponseReader {
  #buffer: Buffer = Buffer.alloc(0);

  add(bytes: Buffer): void {
    this.#buffer = this.#buffer.length === 0 ? bytes : Buffer.concat([this.#buffer, bytes]);
  }

  /** The next final response, to a request of this method; undefined when it is not there to its end. */
  next(method: string, ended: boolean): Response | undefined {
    const headEnd = this.#buffer.indexOf('\r\n\r\n');
    if (headEnd < 0) return undefined;
    const head = this.#buffer.toString('latin1', 0, headEnd);
    const status = Number(/^HTTP\/1\.1 (\d{3}) /.exec(head)?.[1]);
    if (!(status >= 100)) throw new Error(`not a response: ${JSON.stringify(head.slice(0, 80))}`);
    const start = headEnd + 4;
    if (status < 200) {
      this.#buffer = this.#buffer.subarray(start);
      return this.next(method, ended);
    }
    const body = hasNoBody(method, status) ? { bytes: 0, end: start } : this.#body(head, start, ended);
    if (body === undefined) return undefined;
    this.#buffer = this.#buffer.subarray(body.end);
    return { status, responseBodyBytes: body.bytes };
  }

  #body(head: string, start: number, ended: boolean): Body | undefined {
    if (/^transfer-encoding:\s*chunked/im.test(head)) return this.#chunkedBody(start);
    const length = /^content-length:\s*(\d+)/im.exec(head)?.[1];
    if (length === undefined) {
      return ended ? { bytes: this.#buffer.length - start, end: this.#buffer.length } : undefined;
    }
    const end = start + Number(length);
    return this.#buffer.length >= end ? { bytes: Number(length), end } : undefined;
  }

  #chunkedBody(start: number): Body | undefined {
    let bytes = 0;
    for (let at = start; ; ) {
      const lineEnd = this.#buffer.indexOf('\r\n', at);
      if (lineEnd < 0) return undefined;
      const size = Number.parseInt(this.#buffer.toString('latin1', at, lineEnd), 16);
      if (!(size >= 0)) throw new Error('a chunk without a size');
      const end = lineEnd + 2 + size + 2;
      if (this.#buffer.length < end) return undefined;
      if (size === 0) return { bytes, end };
      bytes += size;
      at = end;
    }
  }
}

function hasNoBody(method: string, status: number): boolean {
  return method === 'HEAD' || status === 204 || status === 304;
}
