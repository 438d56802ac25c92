/**
 * A connection that begins as HTTP/1 and goes on as something else, with the modules that ship: one HTTP/1 span for the
 * exchange that agreed on it, and behind it what the other module makes of the bytes, whole or in pieces.
 */
import { beforeAll, describe, expect, test } from 'vitest';
import type { Span } from '../../host/spans/span.ts';
import type { ParserModule } from '../../host/wasm/admit.ts';
import { loadModules, shippedModuleFolder } from '../../host/wasm/load.ts';
import { createRig, expectBalanced, type Rig } from './rig.ts';
import { Conversation } from './scripted-source.ts';

let shipped: ParserModule[];

beforeAll(() => {
  shipped = loadModules(shippedModuleFolder());
});

const ask = (protocol: string) =>
  `GET /start HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: ${protocol}\r\n\r\n`;
const agree = (protocol: string) =>
  `HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: ${protocol}\r\n\r\n`;

/** Version, method, path, status. */
const lineOf = ({ attributes }: Span) =>
  ['network.protocol.version', 'http.request.method', 'url.path', 'http.response.status_code']
    .map((name) => attributes[name])
    .join(' ');

describe('h2c (RFC 7540 section 3.2)', () => {
  const settings = '\x00\x00\x00\x04\x00\x00\x00\x00\x00';
  const preface = `PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n${settings}`;
  /** HPACK: GET, http, a literal path, a literal authority. */
  const get = (stream: number, path: string) =>
    `\x00\x00${String.fromCharCode(path.length + 7)}\x01\x05\x00\x00\x00${String.fromCharCode(stream)}` +
    `\x82\x86\x04${String.fromCharCode(path.length)}${path}\x01\x01h`;
  /** 200 with a body; 404 without. */
  const ok = (stream: number, body: string) =>
    `\x00\x00\x01\x01\x04\x00\x00\x00${String.fromCharCode(stream)}\x88` +
    `\x00\x00${String.fromCharCode(body.length)}\x00\x01\x00\x00\x00${String.fromCharCode(stream)}${body}`;
  const missing = (stream: number) => `\x00\x00\x01\x01\x05\x00\x00\x00${String.fromCharCode(stream)}\x8d`;

  function play(rig: Rig, server: readonly string[]): string[] {
    const talk = new Conversation(rig.source, 0);
    let time = 1000;
    talk.ask(ask('h2c'), time++);
    for (const piece of server) talk.answer(piece, time++);
    talk.ask(`${preface}${get(3, '/three')}`, time++);
    talk.ask(get(5, '/five'), time++);
    talk.answer(missing(5) + ok(3, 'three'), time++);
    talk.close(time);
    const lines = rig.finish().map(lineOf);
    expectBalanced(rig);
    return lines;
  }

  // The answer to the request that was HTTP/1 comes on stream 1: its request is told as HTTP/1, and it pairs with nothing.
  const expected = ['1.1 GET /start 101', '2 GET /five 404', '2 GET /three 200'];
  const answer = `${agree('h2c')}${settings}${ok(1, 'one')}`;

  test('the 101 and the first frames in one write', () => {
    const rig = createRig(shipped);
    expect(play(rig, [answer])).toEqual(expected);
    expect(rig.count('connections_upgraded')).toBe(1);
    expect(rig.count('bytes_unknown')).toBe(0);
  });

  test.each([1, 7, 40])('written %i bytes at a time', (length) => {
    const pieces = answer.match(new RegExp(`[^]{1,${length}}`, 'g'))!;
    expect(play(createRig(shipped), pieces)).toEqual(expected);
  });
});

describe('WebSocket', () => {
  const lookalike = 'GET /frame HTTP/1.1\r\nHost: h\r\n\r\n';
  const masked = (text: string) => `\x81${String.fromCharCode(0x80 | text.length)}\0\0\0\0${text}`;
  const plain = (text: string) => `\x81${String.fromCharCode(text.length)}${text}`;

  test('one span for the handshake; frames are counted, and what is in them is not parsed', () => {
    const rig = createRig(shipped);
    const talk = new Conversation(rig.source, 0, { cookie: 42 });
    talk.ask(ask('websocket'), 1000);
    talk.answer(agree('websocket') + plain('first'), 2000);
    talk.ask(masked(lookalike), 3000);
    talk.answer('\x81\x7e\x03\xe8', 4000);
    talk.move(1, 'HTTP/1.1 200 OK\r\n', 4001, false, 1000);
    talk.answer(plain('last'), 5000);
    talk.close(6000);
    expect(rig.finish().map(lineOf)).toEqual(['1.1 GET /start 101']);
    expect(rig.count('messages_push')).toBe(4);
    expect(rig.count('bytes_unknown')).toBe(0);
    expect(rig.ignored).toEqual([]);
    expectBalanced(rig);
  });

  test('without a module for it the connection is left alone', () => {
    const rig = createRig(shipped.filter(({ manifest }) => manifest.name !== 'websocket'));
    const talk = new Conversation(rig.source, 0, { cookie: 42 });
    talk.ask(ask('websocket'), 1000);
    talk.answer(agree('websocket'), 2000);
    talk.ask(masked(lookalike), 3000);
    expect(rig.finish().map(lineOf)).toEqual(['1.1 GET /start 101']);
    expect(rig.ignored).toEqual([42]);
    expectBalanced(rig);
  });
});
