/**
 * Connections that hold all the messages they can, at the cost of what waits on others: whoever comes then with ordinary
 * traffic finds room, by any pairing.
 */
import { describe, expect, test } from 'vitest';
import { FIFO, KEY } from '../../host/engine/layout/pairing.ts';
import { createCounters } from '../../host/self/counters.ts';
import { REQUEST, RESPONSE } from '../../parsers/sdk/abi.ts';
import { Messages, Pairing } from '../host/engine-parts.ts';
import { messageMemory } from '../host/message-memory.ts';
import { Conversation } from '../host/scripted-source.ts';
import { HOSTILE_MANIFEST, hostile, times } from './modules.ts';
import { besiege } from './siege.ts';

const VISITORS = 200;
/** A request of 8 KiB: four attributes of 2,044 bytes. */
const LONG_REQUEST = [8192, 6144, 4096, 2048].reduce(
  (text, before) => `${text} (i32.store (i32.sub (global.get $at) (i32.const ${before})) (i32.const 0x07fc0001))`,
  '(call $message (local.get $i) (i32.const 1) (i32.const 8256) (i32.const 4))',
);
const LIMITS = { memoryPages: 1024, fuelPerKiB: 2_000_000, outputPerCall: 1_048_576 };

describe('a module whose requests are long and never answered', () => {
  // With keys that differ, or the second would replace the first.
  const keyed = `${LONG_REQUEST} (i64.store (i32.sub (global.get $at) (i32.const 8240)) (i64.extend_i32_u (global.get $count)))
    (global.set $count (i32.add (global.get $count) (i32.const 1)))`;

  test.each([
    ['fifo', 6, LONG_REQUEST],
    ['fifo', 60, LONG_REQUEST],
    ['key', 6, keyed],
    ['key', 60, keyed],
  ])('by %s, on %d connections: everybody else’s exchanges become spans', (pairing, connections, request) => {
    const protocols = [{ ...HOSTILE_MANIFEST.protocols[0], pairing }];
    const bad = `${times(100, request)} (call $consumed (local.get $i))`;
    const siege = besiege(hostile({ bad }, { protocols, limits: LIMITS }));
    const greedy = Array.from({ length: connections }, (_, i) => new Conversation(siege.source, 200 + i));
    siege.round(() => {
      for (const one of greedy) one.ask('E x', 5);
      for (let sent = 0; sent < 36_000; sent += 100) {
        greedy[(sent / 100) % connections]!.ask(`!${'x'.repeat(4000)}`, 10);
        siege.run();
      }
    });
    expect(siege.failures).toEqual([]);
    expect(siege.count('messages_dropped_overflow')).toBeGreaterThan(0);
    const visitors = Array.from({ length: VISITORS }, (_, i) => new Conversation(siege.source, 1000 + i));
    for (const one of visitors) one.ask('GET /many HTTP/1.1\r\nHost: x.example\r\n\r\n', 20);
    siege.run();
    for (const one of visitors) one.answer('HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n', 30);
    siege.run();
    expect(siege.spans.filter(({ attributes }) => attributes['url.path'] === '/many')).toHaveLength(VISITORS);
    siege.expectHeld();
  });
});

describe('1,000 greedy connections', () => {
  const GREEDY = 1000;
  const MEGABYTES = 64;
  const long = messageMemory({ attributes: [1, 2, 3, 4].map((id) => ({ id, value: 'x'.repeat(2000) })) });
  const short = messageMemory({});

  /** Each greedy connection takes what it may, the first while there is most; then the others come. */
  test.each([
    ['fifo', 'long', FIFO, long, 30],
    ['fifo', 'short', FIFO, short, 500],
    ['key', 'long', KEY, long, 30],
    ['key', 'short', KEY, short, 500],
  ])(
    'by %s, of %s messages, leave room for ten waiting requests on each of 100 others',
    (_, __, mode, memory, each) => {
      const counters = createCounters();
      const messages = new Messages({ messages: 1 << 18, attributeBytes: MEGABYTES << 20 }, () => {});
      const pairing = new Pairing(messages.engine);
      const say = (connection: number, type: number, key: number, what = short) => {
        what[4] = key;
        pairing.message(connection, type, 0, what, 0);
      };
      for (let connection = 0; connection < GREEDY + 100; connection++) pairing.open(connection, true, mode);
      for (let connection = 0; connection < GREEDY; connection++) {
        for (let key = 0; key < each && messages.hasShare(connection); key++) say(connection, REQUEST, key, memory);
      }
      for (const type of [REQUEST, RESPONSE]) {
        for (let connection = GREEDY; connection < GREEDY + 100; connection++) {
          for (let key = 0; key < 10; key++) say(connection, type, key);
        }
      }
      const c = messages.count(counters);
      expect(c.pairs).toBe(1000);
      expect(messages.used).toBe(c.messages_pending);
      for (let connection = 0; connection < GREEDY + 100; connection++) pairing.close(connection);
      expect(messages.used).toBe(0);
      expect(messages.slab.freeWords).toBe(messages.slab.limit);
    },
  );
});
