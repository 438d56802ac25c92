/** The rule: a pair that is emitted is a pair of the wire. In doubt it is held; disproved, it is dropped and counted. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { createCounters, type sumCounters } from '../../host/self/counters.ts';
import { MESSAGE_NO_RESPONSE, MESSAGE_PUSH, ONEWAY, REQUEST, RESPONSE } from '../../parsers/sdk/abi.ts';
import { Messages, Pairing } from './engine-parts.ts';
import { messageMemory } from './message-memory.ts';

const MS = 1_000_000;

/** Messages carry their number as status; a pair is told as [request, response]. */
class Rig {
  readonly pairs: [number, number][] = [];
  readonly counters = createCounters();
  readonly messages: Messages;
  readonly pairing: Pairing;
  #now = 0;

  constructor({ inSync = true, limit = 1 << 20 } = {}) {
    this.messages = new Messages({ messages: limit, attributeBytes: 1 << 26 }, (_, request, response) => {
      const { status } = this.messages;
      this.pairs.push([status[request]!, response < 0 ? -1 : status[response]!]);
    });
    this.pairing = new Pairing(this.messages.engine);
    this.pairing.open(0, inSync);
  }

  say(type: number, id: number, timeNs = this.#now, flags = 0): void {
    this.#now = timeNs + 1000;
    this.pairing.setNow(performance.now());
    this.pairing.message(0, type, flags, messageMemory({ type, flags, status: id, first: timeNs }), 0);
    this.expectBalanced();
  }

  ask(...ids: number[]): this {
    for (const id of ids) this.say(REQUEST, id);
    return this;
  }

  answer(...ids: number[]): this {
    for (const id of ids) this.say(RESPONSE, id);
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
    expect(c.pairs + c.messages_oneway).toBe(this.pairs.length + c.pairs_dropped_unconfirmed + c.pairs_held);
    expect(this.messages.used).toBe(c.messages_pending + 2 * c.pairs_held);
  }

  close(): void {
    this.pairing.close(0);
    this.expectBalanced();
    expect(this.messages.used).toBe(0);
  }
}

describe('in sync', () => {
  test('one request, one response', () => {
    const rig = new Rig().ask(1).answer(1);
    expect(rig.pairs).toEqual([[1, 1]]);
  });

  test('pipelined requests pair in order', () => {
    const rig = new Rig().ask(1, 2, 3).answer(1, 2).ask(4).answer(3, 4);
    expect(rig.pairs).toEqual([1, 2, 3, 4].map((id) => [id, id]));
  });

  test('a response that another CPU reports before its request pairs with it', () => {
    const rig = new Rig();
    rig.say(RESPONSE, 1, 10 * MS);
    rig.say(RESPONSE, 2, 11 * MS);
    rig.say(REQUEST, 1, 9 * MS);
    rig.say(REQUEST, 2, 13 * MS);
    expect(rig.pairs).toEqual([
      [1, 1],
      [2, 2],
    ]);
  });

  test('a response far too early was nobody’s', () => {
    const rig = new Rig();
    rig.say(RESPONSE, 90, 10 * MS);
    rig.say(RESPONSE, 91, 11 * MS);
    rig.say(REQUEST, 1, 30 * MS);
    rig.say(RESPONSE, 1, 31 * MS);
    expect(rig.pairs).toEqual([[1, 1]]);
    expect(rig.count('messages_dropped_unpaired')).toBe(2);
  });

  test('a one-way message is a span of its own and takes nobody’s response', () => {
    const rig = new Rig().ask(1);
    rig.say(ONEWAY, 7);
    rig.say(REQUEST, 8, 1, MESSAGE_NO_RESPONSE);
    rig.answer(1);
    expect(rig.pairs).toEqual([
      [7, -1],
      [8, -1],
      [1, 1],
    ]);
  });

  test('a pushed response is counted and takes nobody’s request', () => {
    const rig = new Rig().ask(1);
    rig.say(RESPONSE, 7, 1, MESSAGE_PUSH);
    rig.answer(1);
    expect(rig.pairs).toEqual([[1, 1]]);
    expect(rig.count('messages_push')).toBe(1);
  });

  test('desync: nothing before pairs with anything after', () => {
    const rig = new Rig().ask(1, 2);
    rig.pairing.desync(0);
    rig.answer(1, 2).ask(3).answer(3).ask(4);
    rig.close();
    expect(rig.pairs).toEqual([[3, 3]]);
    expect(rig.count('messages_dropped_desync')).toBe(2);
    expect(rig.count('messages_dropped_unpaired')).toBe(2);
  });

  test('close drops what waits', () => {
    const rig = new Rig().ask(1, 2).answer(1);
    rig.close();
    expect(rig.pairs).toEqual([[1, 1]]);
    expect(rig.count('messages_dropped_closed')).toBe(1);
  });

  test('what waits on a connection is bounded', () => {
    const rig = new Rig();
    for (let id = 0; id < 9000; id++) rig.pairing.message(0, REQUEST, 0, messageMemory({}), 0);
    expect(rig.messages.used).toBeLessThanOrEqual(8192);
    expect(rig.count('messages_dropped_overflow')).toBe(1);
    expect(rig.count('messages_dropped_desync')).toBe(8192);
    rig.expectBalanced();
  });

  test('a connection holds its share of the attribute bytes; beyond it nothing waits any more', () => {
    const rig = new Rig();
    const attributes = [1, 2, 3, 4].map((id) => ({ id, value: 'x'.repeat(2000) }));
    const most = (1 << 26) / 16 / 8192;
    for (let id = 0; id < most; id++) rig.pairing.message(0, REQUEST, 0, messageMemory({ attributes }), 0);
    expect(rig.count('messages_dropped_overflow')).toBe(1);
    expect(rig.count('messages_dropped_desync')).toBeGreaterThan((most * 3) / 4);
    rig.expectBalanced();
  });

  test('a response that ends what waits finds room where no request does', () => {
    const rig = new Rig({ limit: 200 });
    const ids = Array.from({ length: 60 }, (_, id) => id);
    rig.ask(...ids);
    rig.pairing.open(1, true);
    for (let id = 0; id < 50; id++) rig.pairing.message(1, REQUEST, 0, messageMemory({ status: id }), 0);
    expect(rig.messages.hasShare(0)).toBe(false);
    rig.answer(...ids);
    expect(rig.pairs).toHaveLength(60);
    rig.pairing.close(1);
    rig.close();
  });

  test('where no message can be kept, the loss is counted and nothing pairs across it', () => {
    const rig = new Rig({ limit: 2 }).ask(1, 2, 3).answer(1, 2, 3).ask(4).answer(4);
    rig.close();
    expect(rig.pairs).toEqual([[4, 4]]);
    expect(rig.count('messages_dropped_overflow')).toBe(1);
  });
});

describe('out of sync', () => {
  test('held pairs are confirmed by a clean turn', () => {
    const rig = new Rig({ inSync: false }).ask(1).answer(1);
    expect(rig.pairs).toEqual([]);
    expect(rig.count('pairs_held')).toBe(1);
    rig.ask(2);
    expect(rig.pairs).toEqual([]);
    rig.answer(2);
    expect(rig.pairs).toEqual([
      [1, 1],
      [2, 2],
    ]);
  });

  test('by silence', () => {
    const rig = new Rig({ inSync: false }).ask(1, 2).answer(1, 2);
    rig.pairing.settle(performance.now() + 500);
    expect(rig.pairs).toEqual([]);
    rig.pairing.settle(performance.now() + 2000);
    expect(rig.pairs).toEqual([
      [1, 1],
      [2, 2],
    ]);
    rig.expectBalanced();
  });

  test('not by silence while an answer is outstanding', () => {
    const rig = new Rig({ inSync: false }).ask(1, 2).answer(9);
    rig.pairing.settle(performance.now() + 2000);
    expect(rig.pairs).toEqual([]);
  });

  test('not by a turn whose answer shows a loss', () => {
    // Request 1 is lost, so 2 gets the answer of 1; answer 2 is lost as well, which is seen with answer 3.
    const rig = new Rig({ inSync: false }).ask(2).answer(1).ask(3);
    rig.pairing.desync(0);
    rig.answer(3).ask(4).answer(4).ask(5).answer(5);
    expect(rig.pairs).toEqual([
      [4, 4],
      [5, 5],
    ]);
  });

  test('not by silence when records were lost meanwhile', () => {
    const rig = new Rig({ inSync: false }).ask(2).answer(1);
    rig.pairing.distrustSilence();
    rig.pairing.settle(performance.now() + 5000);
    expect(rig.pairs).toEqual([]);
    rig.ask(3).answer(3);
    rig.pairing.settle(performance.now() + 5000);
    expect(rig.count('pairs_held')).toBe(0);
  });

  test('by close when nothing is outstanding, and not otherwise', () => {
    const clean = new Rig({ inSync: false }).ask(1).answer(1);
    clean.close();
    expect(clean.pairs).toEqual([[1, 1]]);
    const open = new Rig({ inSync: false }).ask(1, 2).answer(9);
    open.close();
    expect(open.pairs).toEqual([]);
    expect(open.count('pairs_dropped_unconfirmed')).toBe(1);
  });

  test('held pairs are disproved by an answer too many', () => {
    const rig = new Rig({ inSync: false }).ask(3, 4).answer(1, 2, 3, 4).ask(5).answer(5).ask(6).answer(6);
    expect(rig.pairs).toEqual([
      [5, 5],
      [6, 6],
    ]);
    expect(rig.count('pairs_dropped_unconfirmed')).toBe(2);
    expect(rig.count('messages_dropped_unpaired')).toBe(2);
  });

  test('an answer that began before the request that waits is too many, on trial and at a turn', () => {
    for (const held of [0, 1]) {
      const rig = new Rig({ inSync: false });
      for (let i = 0; i < held; i++) rig.ask(1).answer(1);
      rig.say(REQUEST, 2, 90 * MS);
      rig.say(RESPONSE, 9, 80 * MS);
      rig.say(RESPONSE, 2, 100 * MS);
      rig.ask(3).answer(3);
      rig.close();
      expect(rig.pairs).toEqual([
        [2, 2],
        [3, 3],
      ]);
      expect(rig.count('messages_dropped_unpaired')).toBe(1);
      expect(rig.count('pairs_dropped_unconfirmed')).toBe(held);
    }
  });

  test('a request whose end was lost is told after its response: nothing waits for ever', () => {
    const rig = new Rig({ inSync: false });
    rig.say(RESPONSE, 1, 20 * MS);
    rig.say(REQUEST, 1, 10 * MS);
    rig.say(REQUEST, 2, 30 * MS);
    rig.answer(2).ask(3).answer(3);
    expect(rig.pairs).toEqual([
      [2, 2],
      [3, 3],
    ]);
    expect(rig.count('messages_dropped_unpaired')).toBe(2);
  });

  test('what is held is bounded: the oldest goes', () => {
    const rig = new Rig({ inSync: false }).ask(0);
    for (let id = 1; id <= 300; id++) rig.ask(id).answer(id);
    expect(rig.count('pairs_held')).toBe(256);
    expect(rig.count('pairs_dropped_unconfirmed')).toBe(44);
    rig.close();
  });

  test('a number that is used again starts anew', () => {
    const rig = new Rig({ inSync: false }).ask(1).answer(1);
    rig.close();
    rig.pairing.open(0, true);
    rig.ask(2).answer(2);
    expect(rig.pairs.at(-1)).toEqual([2, 2]);
    rig.pairing.settle(performance.now() + 5000);
    rig.expectBalanced();
  });
});

describe('a simulated server', () => {
  /** What crosses the wire: batches of requests, each answered whole before the next. */
  const batches = fc.array(fc.integer({ min: 1, max: 6 }), { minLength: 1, maxLength: 40 });
  const script = fc.record({
    batches,
    inSync: fc.boolean(),
    join: fc.double({ min: 0, max: 1, noNaN: true }),
    losses: fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { maxLength: 6 }),
    silences: fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { maxLength: 3 }),
  });

  function play({
    batches: sizes,
    inSync,
    join,
    losses,
    silences,
  }: typeof script extends fc.Arbitrary<infer T> ? T : never) {
    const rig = new Rig({ inSync });
    const wire: { type: number; id: number }[] = [];
    let id = 0;
    for (const size of sizes) {
      const ids = Array.from({ length: size }, () => ++id);
      wire.push(...ids.map((one) => ({ type: REQUEST, id: one })), ...ids.map((one) => ({ type: RESPONSE, id: one })));
    }
    const at = (fraction: number) => Math.floor(fraction * wire.length);
    const lost = new Set(losses.map(at));
    // A server that pauses amid the answers of one batch for as long as SILENCE_MS would be misunderstood.
    const silent = new Set(silences.map(at).filter((i) => wire[i]?.type === REQUEST && wire[i - 1]?.type === RESPONSE));
    // The parser tells of a loss when the direction's next bytes come.
    const missing = new Set<number>();
    for (const [index, { type, id: one }] of wire.entries()) {
      if (!inSync && index < at(join)) continue;
      if (silent.has(index)) rig.pairing.settle(performance.now() + 2000);
      if (lost.has(index)) {
        missing.add(type);
        rig.pairing.distrustSilence();
        continue;
      }
      if (missing.delete(type)) rig.pairing.desync(0);
      rig.say(type, one);
    }
    if (missing.size > 0) rig.pairing.desync(0);
    rig.close();
    return { rig, wire };
  }

  test('never a wrong pair, whatever is lost and wherever it is joined', () => {
    fc.assert(
      fc.property(script, (one) => {
        for (const [request, response] of play(one).rig.pairs) expect(response).toBe(request);
      }),
      { numRuns: 500 },
    );
  });

  test('nothing lost: every pair of the batches seen whole', () => {
    fc.assert(
      fc.property(batches, (sizes) => {
        const { rig, wire } = play({ batches: sizes, inSync: true, join: 0, losses: [], silences: [] });
        expect(rig.pairs).toHaveLength(wire.length / 2);
      }),
      { numRuns: 100 },
    );
  });

  test('joined anywhere: every pair from the next batch but one on', () => {
    fc.assert(
      fc.property(batches, fc.double({ min: 0, max: 1, noNaN: true }), (sizes, join) => {
        const { rig, wire } = play({ batches: sizes, inSync: false, join, losses: [], silences: [] });
        const joined = Math.floor(join * wire.length);
        let before = 0;
        let id = 0;
        const whole: number[] = [];
        for (const size of sizes) {
          for (let i = 0; i < size; i++) if (before >= joined) whole.push(id + i + 1);
          id += size;
          before += 2 * size;
        }
        const paired = new Set(rig.pairs.map(([request]) => request));
        expect(whole.filter((one) => !paired.has(one))).toEqual([]);
      }),
      { numRuns: 200 },
    );
  });
});
