/** Searches of the SDK: each agrees with its scalar twin and with the plain meaning, wherever the range lies. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { sdkModule } from '../sdk/module.ts';

const { call, put, at, memory } = await sdkModule(`
export { findByte, findByteScalar, findEither, findEitherScalar, findSequence, findSequenceScalar, copy, copyPadded }
  from './parsers/sdk/bytes';
import { agrees, isText, marks, marksScalar, startsWith } from './parsers/sdk/bytes';
export { findTraceparent, isTraceparent } from './parsers/sdk/traceparent';

export function marksLow(from: usize, end: usize, byte: u8): u32 { return <u32>marks(from, end, byte); }
export function marksHigh(from: usize, end: usize, byte: u8): u32 { return <u32>(marks(from, end, byte) >> 32); }
export function marksAgree(from: usize, end: usize, byte: u8): bool {
  return marks(from, end, byte) == marksScalar(from, end, byte);
}
export function agreesHello(from: usize, length: u32): bool { return agrees(from, from + length, 'HELLO'); }
export function startsHello(from: usize, length: u32): bool { return startsWith(from, from + length, 'HELLO'); }
export function isHello(from: usize, length: u32): bool { return isText(from, from + length, 'HELLO'); }
`);

/** Few values, so that what is searched for is there, in the range and beside it. */
const some = fc.array(fc.constantFrom(0, 1, 2, 0xff), { maxLength: 70 }).map((bytes) => Uint8Array.from(bytes));
const offset = fc.nat(17);
const OUTSIDE = Uint8Array.from(Array(128).fill(1));

/** Puts the bytes among others that the search must not see. */
function lay(bytes: Uint8Array, shift: number): [from: number, end: number] {
  put(OUTSIDE, -32);
  put(bytes, shift);
  return [at + shift, at + shift + bytes.length];
}

function indexOr(found: number, length: number): number {
  return found < 0 ? length : found;
}

describe('SIMD and scalar agree', () => {
  test('findByte', () => {
    fc.assert(
      fc.property(some, offset, fc.constantFrom(0, 1, 2, 0xff), (bytes, shift, byte) => {
        const [from, end] = lay(bytes, shift);
        const expected = from + indexOr(bytes.indexOf(byte), bytes.length);
        expect(call('findByte', from, end, byte)).toBe(expected);
        expect(call('findByteScalar', from, end, byte)).toBe(expected);
      }),
      { numRuns: 1000 },
    );
  });

  test('findEither', () => {
    fc.assert(
      fc.property(some, offset, fc.constantFrom(0, 1), fc.constantFrom(1, 2, 0xff), (bytes, shift, one, other) => {
        const [from, end] = lay(bytes, shift);
        const found = bytes.findIndex((byte) => byte === one || byte === other);
        const expected = from + indexOr(found, bytes.length);
        expect(call('findEither', from, end, one, other)).toBe(expected);
        expect(call('findEitherScalar', from, end, one, other)).toBe(expected);
      }),
      { numRuns: 1000 },
    );
  });

  test('marks', () => {
    fc.assert(
      fc.property(some, offset, fc.constantFrom(0, 1, 2, 0xff), (bytes, shift, byte) => {
        fc.pre(bytes.length > 0);
        const [from, end] = lay(bytes, shift);
        const bitsOf = (part: Uint8Array) =>
          part.reduce((bits, one, index) => bits | (Number(one === byte) << index), 0);
        expect(call('marksLow', from, end, byte) | 0).toBe(bitsOf(bytes.subarray(0, 32)));
        expect(call('marksHigh', from, end, byte) | 0).toBe(bitsOf(bytes.subarray(32, 64)));
        expect(call('marksAgree', from, end, byte)).toBe(1);
      }),
      { numRuns: 1000 },
    );
  });

  test('findSequence', () => {
    const sequences = fc.array(fc.constantFrom(0, 1, 2), { minLength: 1, maxLength: 5 });
    fc.assert(
      fc.property(some, offset, sequences, (bytes, shift, sequence) => {
        const [from, end] = lay(bytes, shift);
        put(Uint8Array.from(sequence), 1000);
        const expected = from + indexOr(Buffer.from(bytes).indexOf(Buffer.from(sequence)), bytes.length);
        expect(call('findSequence', from, end, at + 1000, sequence.length)).toBe(expected);
        expect(call('findSequenceScalar', from, end, at + 1000, sequence.length)).toBe(expected);
      }),
      { numRuns: 1000 },
    );
  });
});

test('an empty range, and one that is shorter than a sequence, hold nothing', () => {
  expect(call('findByte', at, at, 1)).toBe(at);
  expect(call('findEither', at, at, 1, 1)).toBe(at);
  expect(call('findSequence', at, at, at, 1)).toBe(at);
  expect(call('findSequence', at, at + 2, at, 3)).toBe(at + 2);
});

test('copy writes these bytes and no others', () => {
  const lengths = fc.oneof(fc.nat(40), fc.nat(1200));
  fc.assert(
    fc.property(lengths, offset, offset, (length, shift, toShift) => {
      const bytes = Uint8Array.from({ length }, (_, index) => (index * 7 + 3) & 0xff);
      put(bytes, shift);
      const to = at + 4000 + toShift;
      memory().fill(0xa5, to - 16, to + length + 16);
      call('copy', to, at + shift, length);
      const around = memory().slice(to - 16, to + length + 16);
      expect(around.subarray(16, 16 + length)).toEqual(bytes);
      expect([...around.subarray(0, 16), ...around.subarray(16 + length)]).toEqual(Array(32).fill(0xa5));
    }),
    { numRuns: 300 },
  );
});

test('text and beginnings of it', () => {
  const asks = (text: string) => {
    put(Buffer.from(text));
    return ['agreesHello', 'startsHello', 'isHello'].map((name) => call(name, at, text.length) === 1);
  };
  expect(asks('')).toEqual([true, false, false]);
  expect(asks('HEL')).toEqual([true, false, false]);
  expect(asks('HELLO')).toEqual([true, true, true]);
  expect(asks('HELLO!')).toEqual([true, true, false]);
  expect(asks('HALLO')).toEqual([false, false, false]);
});

describe('traceparent', () => {
  const VALUE = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';

  /** Place of what is found in the text, or -1. */
  function find(text: string): number {
    put(Buffer.from(`${text}00-0af7`));
    const found = call('findTraceparent', at, at + text.length);
    return found === 0 ? -1 : found - at;
  }

  test.each([
    ['alone', VALUE, 0],
    ['in a comment', `SELECT 1 /* traceparent='${VALUE}' */`, 25],
    ['behind dashes and half a value', `a-b--00-0af7-${VALUE.slice(0, 40)} ${VALUE}`, 54],
    ['of a later version', `01${VALUE.slice(2)}-more`, 0],
  ])('found %s', (_, text, place) => {
    expect(find(text)).toBe(place);
  });

  test.each([
    ['too short', VALUE.slice(0, 54)],
    ['version ff', `ff${VALUE.slice(2)}`],
    ['capital letters', VALUE.toUpperCase()],
    ['no trace id', VALUE.replace(/[0-9a-f]{32}/, '0'.repeat(32))],
    ['no parent id', VALUE.replace(/b7ad6b7169203331/, '0'.repeat(16))],
    ['a letter too far', VALUE.replace('b7ad', 'g7ad')],
    ['version 00 that goes on', `${VALUE}-more`],
    ['the middle of a longer number', `a${VALUE}`],
    ['no dashes at their places', VALUE.replaceAll('-', '_')],
  ])('not found: %s', (_, text) => {
    expect(find(text)).toBe(-1);
  });

  test('found wherever it stands', () => {
    fc.assert(
      fc.property(fc.string({ maxLength: 80, unit: fc.constantFrom('-', ' ', 'x', '0', '00-') }), (before) => {
        const text = `${before} ${VALUE}`;
        expect(find(text)).toBe(before.length + 1);
      }),
      { numRuns: 300 },
    );
  });

  test('random bytes: nothing found that is none', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
        put(bytes);
        expect(call('findTraceparent', at, at + bytes.length)).toBe(0);
      }),
      { numRuns: 300 },
    );
  });
});

test('copyPadded writes the bytes, zeroes up to a multiple of 16, and nothing behind them', () => {
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 1, maxLength: 700 }), offset, (bytes, shift) => {
      const [from] = lay(bytes, shift);
      const padded = (bytes.length + 15) & ~15;
      const to = 4096 + shift;
      put(new Uint8Array(padded + 32).fill(0xee), to - 16);
      call('copyPadded', at + to, from, bytes.length);
      const written = memory().subarray(at + to - 16, at + to + padded + 16);
      const expected = Buffer.alloc(padded + 32, 0xee).fill(0, 16, 16 + padded);
      expected.set(bytes, 16);
      expect(Buffer.from(written).equals(expected)).toBe(true);
    }),
    { numRuns: 1000 },
  );
});
