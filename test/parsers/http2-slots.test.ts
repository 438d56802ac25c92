/**
 * The slot of an HTTP/2 connection follows the streams that are open: thousands at a time fit the largest class, and
 * once they have ended the smallest one does again, with nothing lost on the way.
 */
import { describe, expect, test } from 'vitest';
import { loadParsers } from '../../fuzz/parsers.ts';
import { Harness, type Output } from '../../host/modules/trial/harness.ts';
import { data } from '../../host/modules/trial/traffic.ts';
import { FROM_CLIENT, FROM_SERVER } from '../../parsers/sdk/abi.ts';

const http2 = (await loadParsers()).find(({ name }) => name === 'http2');
const PREFACE = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n');
const [DATA, HEADERS, SETTINGS, GOAWAY] = [0, 1, 4, 7];
const [END_STREAM, END_HEADERS] = [1, 4];
const GET = Buffer.of(0x82, 0x86, 0x84);
const OK = Buffer.of(0x88);

describe.skipIf(http2 === undefined)('the slot of an HTTP/2 connection', () => {
  test.each([
    [64, 1],
    [1000, 2],
    [5000, 3],
  ])('%i streams at a time, and back', (streams, sizeClass) => {
    const talk = new Talk();
    const ids = Array.from({ length: streams }, (_, index) => 2 * index + 1);
    talk.client(...ids.map((id) => request(id)));
    expect(talk.sizeClass).toBe(sizeClass);
    talk.server(...ids.slice(1).map((id) => response(id)));
    const [slow, next] = [1, 2 * streams + 1];
    talk.client(request(next));
    expect(talk.sizeClass).toBe(0);
    talk.server(response(next), response(slow));
    expect(talk.told('request')).toEqual([...ids, next]);
    expect(talk.told('response')).toEqual([...ids.slice(1), next, slow]);
  });

  test('a slot that grew for a long header block', () => {
    const talk = new Talk();
    const long = Buffer.concat([GET, Buffer.from([0, 1, 0x78, 0x7f, 0x81, 0x17]), Buffer.alloc(3072, 'v')]);
    const bytes = frame(HEADERS, END_STREAM | END_HEADERS, 1, long);
    talk.client(bytes.subarray(0, 2000));
    talk.client(bytes.subarray(2000));
    expect(talk.sizeClass).toBe(1);
    for (let id = 3; id < 43; id += 2) {
      talk.client(request(id));
      talk.server(response(id));
    }
    expect(talk.sizeClass).toBe(0);
    expect(talk.told('request')).toHaveLength(21);
    expect(talk.told('response')).toHaveLength(20);
  });

  // What a few bytes may put out is bounded.
  test('a GOAWAY that refuses thousands of streams tells of some with each chunk', () => {
    const talk = new Talk();
    const ids = Array.from({ length: 5000 }, (_, index) => 2 * index + 1);
    talk.client(...ids.map((id) => request(id)));
    const last = Buffer.alloc(8);
    last.writeUInt32BE(1);
    talk.server(frame(GOAWAY, 0, 0, last));
    expect(talk.told('response')).toEqual(ids.slice(1, 33));
    while (talk.told('response').length < 4999) talk.server(frame(SETTINGS, 1, 0));
    expect(talk.told('response')).toEqual(ids.slice(1));
    const refused = talk.output.filter(({ type }) => type === 'response');
    expect(new Set(refused.map(({ attributes }) => attributes['error.type']))).toEqual(new Set(['REFUSED_STREAM']));
    talk.server(response(1));
    expect(talk.told('response').at(-1)).toBe(1);
  });
});

/** One connection, from its preface on. */
class Talk {
  readonly #harness = new Harness(http2!, { outputBytes: 65536 });
  readonly #connection = this.#harness.open();
  #time = 0;

  constructor() {
    this.client(PREFACE, frame(SETTINGS, 0, 0));
    this.server(frame(SETTINGS, 0, 0));
  }

  client(...bytes: Buffer[]): void {
    this.#feed(FROM_CLIENT, bytes);
  }

  server(...bytes: Buffer[]): void {
    this.#feed(FROM_SERVER, bytes);
  }

  get output(): readonly Output[] {
    return this.#harness.output(this.#connection);
  }

  get sizeClass(): number {
    return this.#harness.sizeClass(this.#connection);
  }

  /** Streams of all requests or responses so far. */
  told(type: string): number[] {
    return this.output.filter((one) => one.type === type).map(({ key }) => Number(key));
  }

  #feed(direction: number, bytes: Buffer[]): void {
    this.#harness.feed(this.#connection, [{ ...data(direction, Buffer.concat(bytes)), timestamp: ++this.#time }]);
  }
}

function request(id: number): Buffer {
  return frame(HEADERS, END_STREAM | END_HEADERS, id, GET);
}

function response(id: number): Buffer {
  return Buffer.concat([frame(HEADERS, END_HEADERS, id, OK), frame(DATA, END_STREAM, id, Buffer.from('x'))]);
}

function frame(type: number, flags: number, stream: number, payload: Uint8Array = Buffer.alloc(0)): Buffer {
  const head = Buffer.alloc(9);
  head.writeUIntBE(payload.length, 0, 3);
  head[3] = type;
  head[4] = flags;
  head.writeUInt32BE(stream, 5);
  return Buffer.concat([head, payload]);
}
