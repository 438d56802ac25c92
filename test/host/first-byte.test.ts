/** When a response began, and how long its body is: told where it is known, and only there. */
import { beforeAll, describe, expect, test } from 'vitest';
import type { Attributes } from '../../host/spans/span.ts';
import type { ParserModule } from '../../host/wasm/admit.ts';
import { loadModules, shippedModuleFolder } from '../../host/wasm/load.ts';
import { createRig, expectBalanced } from './rig.ts';
import { Conversation } from './scripted-source.ts';

const REQUEST = 'GET / HTTP/1.1\r\nHost: h\r\n\r\n';
const HEAD = 'HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n';
const CHUNKED = 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n';
const FIRST_BYTE = 'spanwire.time_to_first_byte';
const SIZE = 'http.response.body.size';
const MS = 1_000_000;

let shipped: ParserModule[];

beforeAll(() => {
  shipped = loadModules(shippedModuleFolder());
});

/** The spans of what a script says; every connection is closed at the end. */
function play(script: (talk: Conversation) => void): { attributes: Attributes; ms: number }[] {
  const rig = createRig(shipped);
  const talk = new Conversation(rig.source, 0);
  script(talk);
  talk.close(999 * MS);
  const spans = rig.finish();
  expectBalanced(rig);
  return spans.map(({ attributes, startTimeUnixNano, endTimeUnixNano }) => {
    return { attributes, ms: Number(endTimeUnixNano - startTimeUnixNano) / MS };
  });
}

describe('time to first byte', () => {
  test('of a response in pieces; the span ends with its last byte', () => {
    const [span] = play((talk) => {
      talk.ask(REQUEST, 10 * MS);
      talk.answer(HEAD, 14 * MS);
      talk.answer('hel', 20 * MS);
      talk.answer('lo', 35 * MS);
    });
    expect(span!.attributes).toMatchObject({ [FIRST_BYTE]: 0.004, [SIZE]: 5 });
    expect(span!.ms).toBe(25);
  });

  test('counts from the request’s first byte, and an interim response is not the answer', () => {
    const [span] = play((talk) => {
      talk.ask('POST / HTTP/1.1\r\nContent-Length: 2\r\n\r\n', 10 * MS);
      talk.answer('HTTP/1.1 100 Continue\r\n\r\n', 11 * MS);
      talk.ask('ab', 13 * MS);
      talk.answer(HEAD, 18 * MS);
      talk.answer('hello', 19 * MS);
    });
    expect(span!.attributes[FIRST_BYTE]).toBe(0.008);
  });

  test('longer than a u32 of nanoseconds', () => {
    const [span] = play((talk) => {
      talk.ask(REQUEST, 4_000 * MS);
      talk.answer(HEAD, 14_000 * MS);
      talk.answer('hello', 15_000 * MS);
    });
    expect(span!.attributes[FIRST_BYTE]).toBe(10);
  });

  test.each([
    ['in one piece', 20],
    ['begun before its request had ended to arrive', 10],
  ])('not of a response %s', (_, at) => {
    const [span] = play((talk) => {
      talk.ask(REQUEST, 10 * MS);
      talk.answer(`${HEAD}hello`, at * MS);
    });
    expect(span!.attributes).not.toHaveProperty(FIRST_BYTE);
    expect(span!.attributes[SIZE]).toBe(5);
  });
});

describe('the size of a body', () => {
  test('is not told when chunk sizes were not captured; the times are', () => {
    const spans = play((talk) => {
      talk.ask(REQUEST, 10 * MS);
      talk.move(1, `${CHUNKED}2\r\nab`, 12 * MS, false, 5000);
      talk.move(1, 'more of it', 13 * MS, false, 5000);
      talk.ask(REQUEST, 50 * MS);
      talk.answer(`${HEAD}hello`, 55 * MS);
    });
    expect(spans).toHaveLength(2);
    expect(spans[0]!.attributes).toMatchObject({ 'spanwire.partial': true, [FIRST_BYTE]: 0.002 });
    expect(spans[0]!.attributes).not.toHaveProperty(SIZE);
    expect(spans[0]!.ms).toBe(3);
    expect(spans[1]!.attributes).toMatchObject({ [SIZE]: 5 });
    expect(spans[1]!.attributes).not.toHaveProperty('spanwire.partial');
  });

  test('a record lost in such a body: the exchange has no span', () => {
    const spans = play((talk) => {
      talk.ask(REQUEST, 10 * MS);
      talk.move(1, `${CHUNKED}2\r\nab`, 12 * MS, false, 5000);
      talk.answer('its last bytes, and perhaps another response', 13 * MS, true);
      talk.ask(REQUEST, 50 * MS);
      talk.answer(`${HEAD}hello`, 55 * MS);
    });
    expect(spans.map(({ ms }) => ms)).not.toContain(2);
    expect(spans.filter(({ attributes }) => attributes['spanwire.partial'] !== undefined)).toEqual([]);
  });

  test('of an empty body that is known to be empty it is 0', () => {
    const [span] = play((talk) => {
      talk.ask(REQUEST, 10 * MS);
      talk.answer('HTTP/1.1 204 No Content\r\n\r\n', 12 * MS);
    });
    expect(span!.attributes[SIZE]).toBe(0);
  });
});
