/** Pairing by correlation key, and without any: the counterparts of pairing.test.ts. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { KEY, NONE } from '../../host/engine/layout/pairing.ts';
import { createCounters, type sumCounters } from '../../host/self/counters.ts';
import { PAIRING_MODES } from '../../host/spans/pairing.ts';
import { MESSAGE_NO_RESPONSE, MESSAGE_PUSH, ONEWAY, REQUEST, RESPONSE } from '../../parsers/sdk/abi.ts';
import { KeyTable, Messages, Pairing } from './engine-parts.ts';
import { messageMemory } from './message-memory.ts';

const MS = 1_000_000;
const MINUTE_MS = 60_000;
/** More than 4 KiB. */
const LONG = [1, 2, 3].map((id) => ({ id, value: 'x'.repeat(2000) }));

interface Said {
  readonly connection?: number;
  readonly timeNs?: number;
  readonly flags?: number;
}

/** Messages carry their number as status; a pair is told as [request, response]. */
class Rig {
  readonly pairs: [number, number][] = [];
  readonly counters = createCounters();
  readonly messages: Messages;
  readonly pairing: Pairing;
  nowMs: number;

  constructor({ inSync = true, limit = 1 << 20, mode = KEY, connections = 1, attributeBytes = 1 << 26 } = {}) {
    this.messages = new Messages({ messages: limit, attributeBytes }, (_, request, response) => {
      const { status } = this.messages;
      this.pairs.push([status[request]!, response < 0 ? -1 : status[response]!]);
    });
    this.nowMs = performance.now();
    this.pairing = new Pairing(this.messages.engine);
    for (let connection = 0; connection < connections; connection++) this.pairing.open(connection, inSync, mode);
  }

  say(type: number, key: number | bigint, id: number, { connection = 0, timeNs = 0, flags = 0 }: Said = {}): this {
    const memory = messageMemory({ type, flags, key, status: id, first: timeNs });
    this.pairing.message(connection, type, flags, memory, 0);
    return this;
  }

  ask(key: number | bigint, id: number, said?: Said): this {
    return this.say(REQUEST, key, id, said);
  }

  answer(key: number | bigint, id: number, said?: Said): this {
    return this.say(RESPONSE, key, id, said);
  }

  wait(ms: number): this {
    this.nowMs += ms;
    this.pairing.settle(this.nowMs);
    return this;
  }

  count(name: keyof ReturnType<typeof sumCounters>): number {
    return this.messages.count(this.counters)[name];
  }

  expectBalanced(): void {
    const c = this.messages.count(this.counters);
    const dropped =
      c.messages_dropped_desync + c.messages_dropped_unpaired + c.messages_dropped_closed + c.messages_dropped_overflow;
    expect(c.messages_in).toBe(2 * c.pairs + c.messages_oneway + c.messages_push + dropped + c.messages_pending);
    expect(c.pairs + c.messages_oneway).toBe(this.pairs.length);
    expect(this.messages.used).toBe(c.messages_pending);
  }

  close(connection = 0): void {
    this.pairing.close(connection);
    this.expectBalanced();
  }
}

test('a manifest names every mode', () => {
  expect(PAIRING_MODES).toEqual({ fifo: 0, key: 1, none: 2 });
});

describe('none', () => {
  test('every message is a span of its own', () => {
    const rig = new Rig({ mode: NONE }).ask(1, 10).answer(1, 11).say(ONEWAY, 1, 12);
    rig.close();
    expect(rig.pairs).toEqual([
      [10, -1],
      [11, -1],
      [12, -1],
    ]);
    expect(rig.count('messages_oneway')).toBe(3);
  });

  test('a pushed message is counted', () => {
    const rig = new Rig({ mode: NONE }).answer(1, 10, { flags: MESSAGE_PUSH });
    rig.close();
    expect(rig.pairs).toEqual([]);
    expect(rig.count('messages_push')).toBe(1);
  });
});

describe('key', () => {
  test('equal keys pair in any order', () => {
    const rig = new Rig().ask(1, 10).ask(2, 20).ask(3, 30).answer(3, 31).answer(1, 11).answer(2, 21);
    rig.close();
    expect(rig.pairs).toEqual([
      [30, 31],
      [10, 11],
      [20, 21],
    ]);
  });

  test('all 64 bits of a key count', () => {
    const keys = [0n, 1n, 2n ** 32n, 2n ** 32n + 1n, 2n ** 63n, 2n ** 64n - 1n];
    const rig = new Rig();
    for (const [id, key] of keys.entries()) rig.ask(key, id);
    for (const [id, key] of [...keys.entries()].reverse()) rig.answer(key, id);
    rig.close();
    expect(rig.pairs).toHaveLength(keys.length);
    for (const [request, response] of rig.pairs) expect(response).toBe(request);
  });

  test('connections do not share keys', () => {
    const rig = new Rig({ connections: 2 }).ask(7, 10).ask(7, 20, { connection: 1 });
    rig.answer(7, 21, { connection: 1 }).answer(7, 11);
    expect(rig.pairs).toEqual([
      [20, 21],
      [10, 11],
    ]);
  });

  test('one-way, unanswered and pushed messages take nobody’s place', () => {
    const rig = new Rig().ask(1, 10).say(ONEWAY, 1, 5).ask(1, 6, { flags: MESSAGE_NO_RESPONSE });
    rig.answer(1, 7, { flags: MESSAGE_PUSH }).answer(1, 11);
    rig.close();
    expect(rig.pairs).toEqual([
      [5, -1],
      [6, -1],
      [10, 11],
    ]);
    expect(rig.count('messages_push')).toBe(1);
  });

  test('a second request with a key replaces the first', () => {
    const rig = new Rig().ask(1, 10).ask(1, 20).answer(1, 21);
    rig.close();
    expect(rig.pairs).toEqual([[20, 21]]);
    expect(rig.count('messages_dropped_unpaired')).toBe(1);
  });

  test('desync: nothing before pairs with anything after, what comes after pairs at once', () => {
    const rig = new Rig().ask(1, 10).ask(2, 20);
    rig.pairing.desync(0);
    rig.answer(1, 11).ask(3, 30).answer(3, 31);
    rig.close();
    expect(rig.pairs).toEqual([[30, 31]]);
    expect(rig.count('messages_dropped_desync')).toBe(2);
    expect(rig.count('messages_dropped_unpaired')).toBe(1);
  });

  test('close drops what waits, and the number can be used again', () => {
    const rig = new Rig().ask(1, 10);
    rig.close();
    expect(rig.count('messages_dropped_closed')).toBe(1);
    rig.pairing.open(0, true, KEY);
    rig
      .answer(1, 11, { timeNs: 0 })
      .ask(1, 20, { timeNs: 60 * MS })
      .answer(1, 21);
    rig.close();
    expect(rig.pairs).toEqual([[20, 21]]);
  });
});

describe('a response before its request', () => {
  test('waits for it where every request was seen', () => {
    const rig = new Rig().answer(1, 11, { timeNs: 10 * MS }).ask(1, 10, { timeNs: 9 * MS });
    rig.answer(2, 21, { timeNs: 10 * MS }).ask(2, 20, { timeNs: 13 * MS });
    rig.close();
    expect(rig.pairs).toEqual([
      [10, 11],
      [20, 21],
    ]);
  });

  test('is nobody’s when it was far too early', () => {
    const rig = new Rig()
      .answer(1, 9, { timeNs: 10 * MS })
      .ask(1, 10, { timeNs: 30 * MS })
      .answer(1, 11);
    rig.close();
    expect(rig.pairs).toEqual([[10, 11]]);
    expect(rig.count('messages_dropped_unpaired')).toBe(1);
  });

  test('is given up after a second', () => {
    const rig = new Rig().answer(1, 11).wait(900);
    expect(rig.count('messages_pending')).toBe(1);
    rig.wait(200);
    expect(rig.count('messages_pending')).toBe(0);
    expect(rig.count('messages_dropped_unpaired')).toBe(1);
    rig.close();
  });

  test.each([
    ['joined in mid-stream', () => new Rig({ inSync: false })],
    [
      'after a desync',
      () => {
        const rig = new Rig();
        rig.pairing.desync(0);
        return rig;
      },
    ],
    ['after another that was nobody’s', () => new Rig().answer(9, 9).wait(1100)],
    [
      'after a message that could not be kept',
      () => {
        const rig = new Rig({ attributeBytes: 8192 }).ask(9, 9);
        rig.pairing.message(0, REQUEST, 0, messageMemory({ key: 1, attributes: LONG }), 0);
        return rig;
      },
    ],
    [
      'after one that made room for others',
      () => {
        const rig = new Rig({ limit: 8 });
        for (let key = 1; key <= 8; key++) rig.ask(key, 9);
        return rig.answer(8, 9);
      },
    ],
  ])('may be of a request that was not seen: %s, a key used again lends it no request', (_, prepare) => {
    // A single key, used again at once: one answer too many, taken as early, would shift all that follow.
    const rig = prepare().answer(1, 9, { timeNs: 9 * MS });
    for (let id = 10; id < 20; id++) rig.ask(1, id, { timeNs: id * MS }).answer(1, id, { timeNs: id * MS + 1000 });
    rig.close();
    expect(rig.pairs.filter(([request]) => request >= 10)).toHaveLength(10);
    for (const [request, response] of rig.pairs) expect(response).toBe(request);
  });

  test('waits again after a minute without doubt', () => {
    const rig = new Rig({ inSync: false }).answer(1, 11).wait(MINUTE_MS + 1);
    rig.answer(2, 21).ask(2, 20);
    rig.close();
    expect(rig.pairs).toEqual([[20, 21]]);
  });
});

describe('keys that never match', () => {
  test('cost their connection a bounded number of messages; the oldest go', () => {
    const rig = new Rig();
    for (let id = 0; id < 9000; id++) rig.ask(id, id);
    expect(rig.messages.used).toBe(8192);
    expect(rig.count('messages_dropped_overflow')).toBe(9000 - 8192);
    rig.answer(8999, 8999).answer(0, 0);
    expect(rig.pairs).toEqual([[8999, 8999]]);
    rig.close();
    expect(rig.messages.used).toBe(0);
  });

  test('of very many connections leave an eighth of all messages to others', () => {
    const rig = new Rig({ limit: 1000, connections: 100 });
    for (let id = 0; id < 5000; id++) rig.ask(id, id, { connection: id % 100 });
    expect(rig.messages.used).toBe(875);
    expect(rig.count('messages_dropped_overflow')).toBe(4125);
    rig.answer(4125, 1, { connection: 25 }).answer(4124, 2, { connection: 24 });
    expect(rig.pairs).toEqual([[4125, 1]]);
    for (let connection = 0; connection < 100; connection++) rig.close(connection);
    expect(rig.messages.used).toBe(0);
  });

  test('of some connections push out no request of another, however old', () => {
    const rig = new Rig({ limit: 4000, connections: 11 }).ask(7, 70, { connection: 10 });
    for (let id = 0; id < 50_000; id++) rig.ask(id, id, { connection: id % 10 });
    rig.answer(7, 71, { connection: 10 });
    expect(rig.pairs).toEqual([[70, 71]]);
    rig.expectBalanced();
  });

  test('leave the attribute bytes to others', () => {
    const rig = new Rig({ attributeBytes: 1 << 20 });
    const attributes = [{ id: 1, value: 'x'.repeat(2000) }];
    for (let key = 0; key < 1000; key++) {
      rig.pairing.message(0, REQUEST, 0, messageMemory({ key, attributes }), 0);
      rig.answer(key, 0);
    }
    expect(rig.count('pairs')).toBe(1000);
    for (let key = 0; key < 1000; key++) rig.pairing.message(0, REQUEST, 0, messageMemory({ key, attributes }), 0);
    // A message of 2,004 attribute bytes takes a block of 4 KiB; of a slab this small a connection holds less than 64.
    expect(rig.messages.used).toBe(15);
    rig.close();
  });

  test('of responses are given up, too', () => {
    const rig = new Rig();
    for (let id = 0; id < 9000; id++) rig.answer(id, id);
    expect(rig.messages.used).toBeLessThanOrEqual(8192);
    rig.wait(1100);
    expect(rig.messages.used).toBe(0);
    rig.expectBalanced();
  });
});

test('a message that cannot be kept takes along whoever waits for its key', () => {
  const rig = new Rig({ attributeBytes: 8192 });
  rig.ask(1, 10);
  rig.pairing.message(0, RESPONSE, 0, messageMemory({ type: RESPONSE, key: 1, attributes: LONG }), 0);
  expect(rig.count('messages_dropped_overflow')).toBe(1);
  expect(rig.count('messages_dropped_unpaired')).toBe(1);
  rig.ask(1, 20).answer(1, 21);
  rig.close();
  expect(rig.pairs).toEqual([[20, 21]]);
});

describe('any traffic', () => {
  const CONNECTIONS = 3;
  const step = fc.record({
    connection: fc.nat({ max: CONNECTIONS - 1 }),
    key: fc.nat({ max: 5 }),
    what: fc.constantFrom('ask', 'ask', 'answer', 'answer', 'answer', 'desync', 'reopen', 'wait', 'oneway'),
  });

  /** The server answers each request once; keys are used again only when answered, as the ABI demands. */
  test('never a wrong pair, and the equations hold', () => {
    fc.assert(
      fc.property(
        fc.array(step, { maxLength: 200 }),
        fc.boolean(),
        fc.integer({ min: 1, max: 20 }),
        (steps, inSync, limit) => {
          const rig = new Rig({ connections: CONNECTIONS, inSync, limit });
          const open = new Map<string, number>();
          for (const [id, { connection, key, what }] of steps.entries()) {
            const place = `${connection} ${key}`;
            const said = { connection, timeNs: id * MS };
            const waiting = open.get(place);
            if (what === 'ask' && waiting === undefined) {
              rig.ask(key, id, said);
              open.set(place, id);
            } else if (what === 'answer' && waiting !== undefined) {
              rig.answer(key, waiting, said);
              open.delete(place);
            } else if (what === 'desync') rig.pairing.desync(connection);
            else if (what === 'wait') rig.wait(400);
            else if (what === 'oneway') rig.say(ONEWAY, key, id, said);
            else if (what === 'reopen') {
              rig.close(connection);
              rig.pairing.open(connection, false, KEY);
            }
            rig.expectBalanced();
          }
          for (const [request, response] of rig.pairs) if (response !== -1) expect(response).toBe(request);
        },
      ),
      { numRuns: 300 },
    );
  });
});

describe('KeyTable', () => {
  test('is a map, whatever is put in and removed', () => {
    // Few keys, and keys that differ in their highest bits only: many share a place.
    const word = fc.constantFrom(0, 1, 2, 3, 0x8000_0000, 0x4000_0000, 0xc000_0000, 0xffff_ffff);
    const step = fc.record({ key: fc.tuple(fc.nat({ max: 3 }), word, word), keep: fc.boolean(), number: fc.nat() });
    fc.assert(
      fc.property(fc.array(step, { minLength: 200, maxLength: 1000 }), (steps) => {
        const table = new KeyTable();
        const model = new Map<string, number>();
        for (const { key, keep, number } of steps) {
          const before = model.get(key.join()) ?? -1;
          expect(table.get(...key)).toBe(before);
          expect(keep ? table.put(...key, number) : table.remove(...key)).toBe(before);
          if (keep) model.set(key.join(), number);
          else model.delete(key.join());
          expect(table.size).toBe(model.size);
        }
        for (const [key, number] of model) {
          const words = key.split(',').map(Number) as [number, number, number];
          expect(table.get(...words)).toBe(number);
          expect(table.remove(...words)).toBe(number);
        }
      }),
      { numRuns: 100 },
    );
  });

  test('100,000 keys come and go', () => {
    const table = new KeyTable();
    for (let key = 0; key < 100_000; key++) table.put(key % 7, key, key >>> 3, key);
    for (let key = 0; key < 100_000; key += 2) expect(table.remove(key % 7, key, key >>> 3)).toBe(key);
    for (let key = 0; key < 100_000; key++) expect(table.get(key % 7, key, key >>> 3)).toBe(key % 2 === 0 ? -1 : key);
    expect(table.size).toBe(50_000);
    for (let key = 1; key < 100_000; key += 2) expect(table.remove(key % 7, key, key >>> 3)).toBe(key);
    expect(table.size).toBe(0);
  });
});
