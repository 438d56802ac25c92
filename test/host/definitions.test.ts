/** What one message teaches, later ones carry: docs/abi.md, "Definitions". */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { createCounters, sumCounters } from '../../host/self/counters.ts';
import { Assembler } from '../../host/spans/assemble.ts';

import { ProtocolTable } from '../../host/spans/protocols.ts';
import { Resources } from '../../host/spans/resources.ts';
import type { Attributes, Span } from '../../host/spans/span.ts';
import { parseManifest } from '../../host/wasm/manifest.ts';
import {
  DEFINE_SHARED,
  DEFINITIONS_MAX,
  MESSAGE_MAX,
  MESSAGE_PARTIAL,
  MESSAGE_SIZE,
  ONEWAY,
  REQUEST,
  RESPONSE,
} from '../../parsers/sdk/abi.ts';
import { Definitions, Messages, Pairing } from './engine-parts.ts';
import { LINE_MANIFEST } from './line-protocol.ts';
import { type AttributeRecord, definitionMemory, messageMemory, reference } from './message-memory.ts';

const NAMES = ['a.one', 'a.two', 'a.three', 'a.four'];
const MANIFEST = parseManifest(
  JSON.stringify({
    ...LINE_MANIFEST,
    attributes: NAMES.map((name, index) => ({ id: index + 1, name, type: 'string' })),
  }).replace('ask {rpc.method}', 'ask'),
);

/** Messages of one connection, all the way to spans. */
class Rig {
  readonly counters = createCounters();
  readonly messages = new Messages({ messages: 1000, attributeBytes: 1 << 20 }, (connection, request, response) => {
    this.messages.engine.exports.add!(connection, request, response);
  });
  readonly pairing = new Pairing(this.messages.engine);
  readonly spans: Span[] = [];
  readonly #assembler: Assembler;

  constructor() {
    const table = new ProtocolTable();
    table.add(MANIFEST, new Set());
    this.#assembler = new Assembler(this.messages.engine, table, new Resources(), this.counters, {
      batchSpans: 8,
      emit: (batch) => {
        const sealed = batch.seal();
        for (let i = 0; i < sealed.length; i++) this.spans.push(sealed.read(i));
      },
    });
    this.pairing.open(0, true);
    this.pairing.open(1, true);
  }

  define(key: number | bigint, attributes: AttributeRecord[], connection = 0): this {
    this.pairing.define(connection, definitionMemory(key, attributes), 0);
    return this;
  }

  share(key: number | bigint, attributes: AttributeRecord[], connection = 0): this {
    this.pairing.define(connection, definitionMemory(key, attributes, DEFINE_SHARED), 0);
    return this;
  }

  undefine(key: number | bigint): this {
    this.pairing.undefine(0, definitionMemory(key), 0);
    return this;
  }

  /** The attributes of the span that a one-way message makes. */
  say(attributes: AttributeRecord[], connection = 0): Attributes {
    this.pairing.message(connection, ONEWAY, 0, messageMemory({ type: ONEWAY, attributes }), 0);
    this.#assembler.flush();
    return this.spans.at(-1)!.attributes;
  }

  flush(): void {
    this.#assembler.flush();
  }

  count(name: keyof ReturnType<typeof sumCounters>): number {
    return this.messages.count(this.counters)[name];
  }
}

const SYSTEM = { 'rpc.system': 'line' };

describe('a reference', () => {
  test('stands for the attributes of the definition, among the message’s own', () => {
    const rig = new Rig().define(7, [
      { id: 1, value: 'SELECT …' },
      { id: 2, value: '' },
    ]);
    const attributes = rig.say([{ id: 3, value: 'abcde' }, reference(7), { id: 4, value: 'x' }]);
    expect(attributes).toEqual({
      ...SYSTEM,
      'a.one': 'SELECT …',
      'a.two': '',
      'a.three': 'abcde',
      'a.four': 'x',
    });
    expect(rig.count('references_unknown')).toBe(0);
  });

  test('is resolved when the message is read, not when its span is made', () => {
    const rig = new Rig().define(7, [{ id: 1, value: 'old' }]);
    rig.pairing.message(0, REQUEST, 0, messageMemory({ attributes: [reference(7)] }), 0);
    rig.define(7, [{ id: 1, value: 'new' }]);
    rig.pairing.message(0, RESPONSE, 0, messageMemory({ type: RESPONSE, attributes: [{ id: 2, value: 'ok' }] }), 0);
    rig.flush();
    expect(rig.spans[0]!.attributes).toMatchObject({ 'a.one': 'old', 'a.two': 'ok' });
    expect(rig.say([reference(7)])).toMatchObject({ 'a.one': 'new' });
  });

  test('to several definitions adds all of them', () => {
    const rig = new Rig().define(1, [{ id: 1, value: 'one' }]).define(2, [{ id: 2, value: 'two' }]);
    expect(rig.say([reference(2), reference(1)])).toEqual({ ...SYSTEM, 'a.one': 'one', 'a.two': 'two' });
  });

  test('to an unknown key is left out: the span is partial, and it is counted', () => {
    const rig = new Rig().define(1, [{ id: 1, value: 'one' }]);
    const attributes = rig.say([reference(2n ** 32n + 1n), { id: 3, value: 'own' }]);
    expect(attributes).toEqual({ ...SYSTEM, 'a.three': 'own', 'spanwire.partial': true });
    expect(rig.count('references_unknown')).toBe(1);
  });

  test('of a wrong length is left out', () => {
    const rig = new Rig().define(1, [{ id: 1, value: 'one' }]);
    const own = { id: 3, value: 'own' };
    expect(rig.say([{ id: 0, value: new Uint8Array([1, 0, 0, 0]) }, own])).toEqual({ ...SYSTEM, 'a.three': 'own' });
  });

  test('is one of its own connection', () => {
    const rig = new Rig().define(1, [{ id: 1, value: 'zero' }]).define(1, [{ id: 1, value: 'one' }], 1);
    expect(rig.say([reference(1)])).toMatchObject({ 'a.one': 'zero' });
    expect(rig.say([reference(1)], 1)).toMatchObject({ 'a.one': 'one' });
  });

  test('within a definition is left out', () => {
    const rig = new Rig().define(1, [{ id: 1, value: 'one' }]);
    rig.define(2, [reference(1), { id: 2, value: 'two' }, reference(2)]);
    expect(rig.say([reference(2)])).toEqual({ ...SYSTEM, 'a.two': 'two' });
  });
});

describe('a definition', () => {
  test('is gone when it is undefined, and no other', () => {
    const rig = new Rig().define(1, [{ id: 1, value: 'one' }]).define(2, [{ id: 2, value: 'two' }]);
    rig.undefine(1).undefine(3);
    expect(rig.say([reference(1)])).toHaveProperty(['spanwire.partial']);
    expect(rig.say([reference(2)])).toEqual({ ...SYSTEM, 'a.two': 'two' });
  });

  test('stays at a desync and goes with the connection', () => {
    const rig = new Rig().define(1, [{ id: 1, value: 'one' }]);
    rig.pairing.desync(0);
    expect(rig.say([reference(1)])).toMatchObject({ 'a.one': 'one' });
    rig.pairing.close(0);
    rig.pairing.open(0, true);
    expect(rig.say([reference(1)])).toHaveProperty(['spanwire.partial']);
  });

  test('of a connection that is opened anew without a close is gone', () => {
    const rig = new Rig().define(1, [{ id: 1, value: 'one' }]);
    rig.pairing.desync(0);
    rig.pairing.open(0, false);
    expect(rig.say([reference(1)])).toHaveProperty(['spanwire.partial']);
  });

  test('that is shared serves the connections of its scope, and nobody else', () => {
    const rig = new Rig();
    rig.pairing.open(2, true, undefined, 7);
    rig.pairing.open(3, true, undefined, 7);
    rig.share(1, [{ id: 1, value: 'one' }], 2);
    expect(rig.say([reference(1)], 2)).toMatchObject({ 'a.one': 'one' });
    expect(rig.say([reference(1)], 3)).toMatchObject({ 'a.one': 'one' });
    expect(rig.say([reference(1)], 0)).toHaveProperty(['spanwire.partial']);
    rig.define(1, [{ id: 1, value: 'own' }], 3);
    expect(rig.say([reference(1)], 3)).toMatchObject({ 'a.one': 'own' });
    expect(rig.say([reference(1)], 2)).toMatchObject({ 'a.one': 'one' });
  });

  test('that is shared stays until the last connection of its scope ends', () => {
    const rig = new Rig();
    for (const connection of [2, 3]) rig.pairing.open(connection, true, undefined, 7);
    rig.share(1, [{ id: 1, value: 'one' }], 2);
    rig.pairing.close(2);
    expect(rig.say([reference(1)], 3)).toMatchObject({ 'a.one': 'one' });
    rig.pairing.close(3);
    rig.pairing.open(4, true, undefined, 8);
    rig.pairing.open(3, true, undefined, 7);
    for (const connection of [3, 4]) {
      expect(rig.say([reference(1)], connection)).toHaveProperty(['spanwire.partial']);
    }
  });

  test('that makes a message too long is cut: what fits is there, the span is partial', () => {
    const rig = new Rig();
    const long = 'x'.repeat(2000);
    for (let key = 1; key <= 4; key++) rig.define(key, [{ id: key, value: long }]);
    const attributes = rig.say([{ id: 1, value: long }, reference(4), reference(3), reference(2), reference(1)]);
    expect(attributes).toEqual({
      ...SYSTEM,
      'a.one': long,
      'a.two': long,
      'a.three': long,
      'a.four': long,
      'spanwire.partial': true,
    });
    expect(rig.messages.slab.limit * 4).toBe(1 << 20);
  });

  test('in request and response of the longest kind still fits a batch', () => {
    const rig = new Rig();
    const long = Array.from({ length: 4 }, (_, i) => ({ id: i + 1, value: 'x'.repeat(2040) }));
    rig.define(1, long.slice(0, 3)).define(2, long);
    rig.pairing.message(
      0,
      REQUEST,
      0,
      messageMemory({ attributes: [...long.slice(0, 3), reference(1), reference(2)] }),
      0,
    );
    const response = messageMemory({ type: RESPONSE, attributes: [reference(2), reference(2), reference(2)] });
    rig.pairing.message(0, RESPONSE, 0, response, 0);
    rig.flush();
    expect(rig.spans[0]!.attributes).toMatchObject({ 'a.four': 'x'.repeat(2040), 'spanwire.partial': true });
  });
});

describe('Definitions', () => {
  const define = (definitions: Definitions, key: number, bytes: number, connection = 0) =>
    definitions.define(connection, definitionMemory(key, [{ id: 1, value: 'x'.repeat(bytes - 4) }]), 0);
  const knows = (definitions: Definitions, key: number, connection = 0) => {
    definitions.merge(connection, messageMemory({ attributes: [reference(key)] }), MESSAGE_SIZE >>> 2, 1);
    return !definitions.isPartial;
  };

  test('share the bytes of their connection: the oldest go first, one that is replaced is the newest', () => {
    const counters = createCounters();
    const definitions = new Definitions(counters);
    const fits = DEFINITIONS_MAX / 1024;
    for (let key = 0; key < fits; key++) define(definitions, key, 1024);
    define(definitions, 0, 1024);
    expect(sumCounters([counters]).definitions_dropped).toBe(0);
    define(definitions, fits, 2048);
    expect([0, 1, 2, 3, fits].map((key) => knows(definitions, key))).toEqual([true, false, false, true, true]);
    expect(sumCounters([counters]).definitions_dropped).toBe(2);
    define(definitions, 1, 1024, 1);
    expect(knows(definitions, 3)).toBe(true);
  });

  test('without attributes are bounded, and known', () => {
    const definitions = new Definitions(createCounters());
    for (let key = 0; key < 20_000; key++) definitions.define(0, definitionMemory(key), 0);
    expect(definitions.size).toBe(8192);
    expect(knows(definitions, 19_999)).toBe(true);
    definitions.forget(0);
    expect(definitions.size).toBe(0);
  });

  test('of all connections are bounded: who defines gives up its own', () => {
    const counters = createCounters();
    const definitions = new Definitions(counters, 64 * 1024);
    for (let connection = 0; connection < 64; connection++) define(definitions, 1, 1024, connection);
    define(definitions, 2, 1024, 0);
    expect([1, 2].map((key) => knows(definitions, key, 0))).toEqual([false, true]);
    define(definitions, 1, 1024, 64);
    expect(knows(definitions, 1, 64)).toBe(false);
    expect(definitions.size).toBe(64);
    expect(sumCounters([counters]).definitions_dropped).toBe(2);
    definitions.forget(0);
    define(definitions, 1, 1024, 64);
    expect(knows(definitions, 1, 64)).toBe(true);
  });

  test.each([
    ['long', 2000, 40],
    ['empty', 4, 600],
  ])('%s ones of 1,000 greedy connections leave room for everybody’s', { timeout: 60_000 }, (_, bytes, count) => {
    const counters = createCounters();
    const definitions = new Definitions(counters);
    for (let connection = 0; connection < 1000; connection++) {
      for (let key = 0; key < count; key++) define(definitions, key, bytes, connection);
    }
    for (let connection = 1000; connection < 2000; connection++) {
      for (let key = 0; key < 4; key++) define(definitions, key, 200, connection);
    }
    expect(sumCounters([counters]).definitions_dropped).toBeGreaterThan(0);
    const unknown: number[] = [];
    for (let connection = 0; connection < 2000; connection++) {
      const newest = connection < 1000 ? [count - 1] : [0, 1, 2, 3];
      if (!newest.every((key) => knows(definitions, key, connection))) unknown.push(connection);
    }
    expect(unknown).toEqual([]);
    for (let connection = 0; connection < 2000; connection++) definitions.forget(connection);
    expect(definitions.size).toBe(0);
  });

  test('are what a map would keep, whatever happens', () => {
    const attribute = fc.record({ id: fc.integer({ min: 1, max: 4 }), value: fc.string({ maxLength: 300 }) });
    const step = fc.oneof(
      fc.record({ key: fc.nat({ max: 8 }), attributes: fc.array(attribute, { maxLength: 5 }) }),
      fc.record({ key: fc.nat({ max: 8 }), forget: fc.boolean() }),
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 100 }), (steps) => {
        const definitions = new Definitions(createCounters());
        const model = new Map<number, Uint32Array>();
        for (const one of steps) {
          if ('attributes' in one) {
            definitions.define(3, definitionMemory(one.key, one.attributes), 0);
            const message = messageMemory({ attributes: one.attributes });
            definitions.merge(9, message, MESSAGE_SIZE >>> 2, one.attributes.length);
            model.set(one.key, definitions.merged.slice(0, definitions.mergedWords));
          } else if (one.forget) {
            definitions.forget(3);
            model.clear();
          } else {
            definitions.undefine(3, definitionMemory(one.key), 0);
            model.delete(one.key);
          }
        }
        expect(definitions.size).toBe(model.size);
        for (let key = 0; key <= 8; key++) {
          expect(knows(definitions, key, 3)).toBe(model.has(key));
          expect(definitions.merged.slice(0, definitions.mergedWords)).toEqual(model.get(key) ?? new Uint32Array(0));
        }
      }),
      { numRuns: 200 },
    );
  });

  test('a merged message is never longer than the longest there is', () => {
    const definitions = new Definitions(createCounters());
    for (let key = 0; key < 5; key++) define(definitions, key, 2000);
    const memory = messageMemory({ attributes: Array.from({ length: 256 }, (_, i) => reference(i % 5)) });
    definitions.merge(0, memory, MESSAGE_SIZE >>> 2, 256);
    expect(definitions.mergedWords).toBe(2000);
    expect(definitions.mergedWords * 4).toBeLessThanOrEqual(MESSAGE_MAX);
    expect(definitions.isPartial).toBe(true);
    const { messages } = definitions;
    const m = messages.take(memory, 0, 0);
    expect(messages.attributes[m]).toBe(4);
    expect(messages.flags[m]! & MESSAGE_PARTIAL).toBe(MESSAGE_PARTIAL);
  });
});
