import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Messages } from './engine-parts.ts';
import { messageMemory } from './message-memory.ts';

const LIMITS = { messages: 1 << 16, attributeBytes: 64 << 20 };

function take(messages: Messages, memory: Uint32Array, at = 0): number {
  return messages.take(memory, at, 0);
}

describe('Messages', () => {
  test('every field is where the ABI has it', () => {
    const messages = new Messages(LIMITS);
    const attributes = [
      { id: 3, value: 'abcde' },
      { id: 9, value: '' },
    ];
    const memory = messageMemory({
      flags: 0x8001,
      status: 404,
      first: 2n ** 32n + 5n,
      last: 2n ** 33n + 6n,
      bodyBytes: 2n ** 40n + 7n,
      protocol: 11,
      attributes,
    });
    const m = take(messages, memory);
    expect(messages.flags[m]).toBe(0x8001);
    expect(messages.status[m]).toBe(404);
    expect([...messages.first.subarray(m * 2, m * 2 + 2)]).toEqual([5, 1]);
    expect([...messages.last.subarray(m * 2, m * 2 + 2)]).toEqual([6, 2]);
    expect([...messages.bodyBytes.subarray(m * 2, m * 2 + 2)]).toEqual([7, 2 ** 8]);
    expect(messages.protocol[m]).toBe(11);
    expect(messages.attributes[m]).toBe(2);
    const at = messages.attributesAt[m]!;
    expect(messages.words.subarray(at, at + messages.attributesWords[m]!)).toEqual(memory.subarray(16));
  });

  test('a message at any address of the memory is read from there', () => {
    const messages = new Messages(LIMITS);
    const memory = new Uint32Array(1000);
    memory.set(messageMemory({ status: 77 }), 100);
    expect(messages.status[take(messages, memory, 400)]).toBe(77);
  });

  test.each([1, 10, 1024, 1025, 5000])('takes no more than %d', (limit) => {
    const messages = new Messages({ ...LIMITS, messages: limit });
    const memory = messageMemory({});
    const taken = Array.from({ length: limit }, () => take(messages, memory));
    expect(new Set(taken).size).toBe(limit);
    expect(take(messages, memory)).toBe(-1);
    messages.give(taken[0]!);
    expect(take(messages, memory)).toBe(taken[0]);
    expect(messages.used).toBe(limit);
  });

  test('refuses when there is no room for attributes, and forgets nothing of it', () => {
    const messages = new Messages({ messages: 100, attributeBytes: 8192 });
    const memory = messageMemory({ attributes: [1, 2, 3].map((id) => ({ id, value: 'x'.repeat(2000) })) });
    const m = take(messages, memory);
    expect(take(messages, memory)).toBe(-1);
    expect(messages.used).toBe(1);
    messages.give(m);
    expect(take(messages, memory)).toBeGreaterThanOrEqual(0);
  });

  test('the distance in time has a sign and crosses 2^32', () => {
    const messages = new Messages(LIMITS);
    const a = take(messages, messageMemory({ first: 2n ** 32n - 10n, last: 2n ** 32n + 90n }));
    const b = take(messages, messageMemory({ first: 2n ** 32n + 100n }));
    expect(messages.nsFromLastToFirst(a, b)).toBe(10);
    expect(messages.nsFromLastToFirst(b, a)).toBe(-110);
  });

  test('any sequence of take and give keeps the messages apart', () => {
    const step = fc.oneof(
      fc.record({ take: fc.record({ status: fc.nat({ max: 0xffffffff }), text: fc.string({ maxLength: 3000 }) }) }),
      fc.record({ give: fc.nat({ max: 1000 }) }),
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
        const messages = new Messages(LIMITS);
        const taken: { m: number; status: number; words: Uint32Array }[] = [];
        for (const one of steps) {
          if ('take' in one) {
            const { status, text } = one.take;
            const memory = messageMemory({ status, attributes: [{ id: 1, value: text.slice(0, 2000) }] });
            const words = memory.subarray(16, 16 + 1 + ((Buffer.byteLength(text.slice(0, 2000)) + 3) >>> 2));
            taken.push({ m: take(messages, memory), status, words });
          } else if (taken.length > 0) {
            messages.give(taken.splice(one.give % taken.length, 1)[0]!.m);
          }
        }
        expect(messages.used).toBe(taken.length);
        for (const { m, status, words } of taken) {
          const at = messages.attributesAt[m]!;
          expect(messages.status[m]).toBe(status);
          expect(messages.words.subarray(at, at + messages.attributesWords[m]!)).toEqual(words);
        }
      }),
      { numRuns: 100 },
    );
  });
});
