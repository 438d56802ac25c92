/** The cursor and the varints of the SDK, field by field against what a DataView and BigInt make of the same bytes. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { sdkModule } from '../sdk/module.ts';

const { call, put, at } = await sdkModule(`
import { Cursor } from './parsers/sdk/cursor';
import { varint, varintValue, zigzag } from './parsers/sdk/bytes';

let cursor = changetype<Cursor>(0);
export function over(from: usize, length: u32): void { cursor = Cursor.over(from, from + length); }
export function u8(): u64 { return cursor.u8(); }
export function be16(): u64 { return cursor.be16(); }
export function be24(): u64 { return cursor.be24(); }
export function be32(): u64 { return cursor.be32(); }
export function be64(): u64 { return cursor.be64(); }
export function le16(): u64 { return cursor.le16(); }
export function le24(): u64 { return cursor.le24(); }
export function le32(): u64 { return cursor.le32(); }
export function le64(): u64 { return cursor.le64(); }
export function varint64(): u64 { return cursor.varint(); }
export function varint32(): u64 { return cursor.varint32(); }
export function signed(): u64 { return <u64>cursor.zigzag(); }
export function skip(length: u32): u64 { cursor.skip(length); return 0; }
export function bytes(length: u32): u32 { return <u32>cursor.bytes(length); }
export function left(): u32 { return cursor.left; }
export function isShort(): bool { return cursor.short; }
export function isBad(): bool { return cursor.bad; }
export function ok(): bool { return cursor.ok; }
`);

const FIELDS = [
  ['u8', 1, true],
  ['be16', 2, false],
  ['be24', 3, false],
  ['be32', 4, false],
  ['be64', 8, false],
  ['le16', 2, true],
  ['le24', 3, true],
  ['le32', 4, true],
  ['le64', 8, true],
] as const;

function numberOf(bytes: Uint8Array, isLittle: boolean): bigint {
  const digits = isLittle ? [...bytes].reverse() : [...bytes];
  return digits.reduce((value, byte) => value * 256n + BigInt(byte), 0n);
}

function leb128(value: bigint): Uint8Array {
  const bytes: number[] = [];
  for (let rest = value; ; rest >>= 7n) {
    if (rest < 0x80n) return Uint8Array.from([...bytes, Number(rest)]);
    bytes.push(Number(rest & 0x7fn) | 0x80);
  }
}

/** Puts the bytes where no byte behind them is zero, and the cursor over them. */
function over(bytes: Uint8Array): void {
  put(Uint8Array.from([...bytes, ...Array(16).fill(0xee)]));
  call('over', at, bytes.length);
}

const word = (name: string, ...args: number[]) => BigInt.asUintN(64, BigInt(call(name, ...args)));

test('fields of any size in any order, until the bytes end: then zeros, and short for good', () => {
  fc.assert(
    fc.property(
      fc.uint8Array({ maxLength: 40 }),
      fc.array(fc.constantFrom(...FIELDS), { maxLength: 12 }),
      (bytes, fields) => {
        over(bytes);
        let place = 0;
        let isShort = false;
        for (const [name, size, isLittle] of fields) {
          isShort ||= place + size > bytes.length;
          const expected = isShort ? 0n : numberOf(bytes.subarray(place, place + size), isLittle);
          expect(word(name)).toBe(expected);
          if (!isShort) place += size;
        }
        expect([call('isShort'), call('ok'), call('isBad'), call('left')]).toEqual([
          Number(isShort),
          Number(!isShort),
          0,
          bytes.length - place,
        ]);
      },
    ),
    { numRuns: 500 },
  );
});

test('bytes and skip pass over what is there, and refuse what is not', () => {
  over(Uint8Array.of(1, 2, 3, 4, 5));
  expect(call('bytes', 2)).toBe(at);
  call('skip', 1);
  expect(word('u8')).toBe(4n);
  call('bytes', 0xffff_ffff);
  expect([call('isShort'), call('left'), word('u8')]).toEqual([1, 1, 0n]);
});

test('varints of every length, unsigned and in zigzag', () => {
  fc.assert(
    fc.property(fc.bigInt({ min: 0n, max: (1n << 64n) - 1n }), fc.nat(63), (large, shift) => {
      const value = large >> BigInt(shift);
      over(leb128(value));
      expect(word('varint64')).toBe(value);
      expect([call('ok'), call('left')]).toEqual([1, 0]);
      over(leb128(value));
      expect(BigInt.asIntN(64, word('signed'))).toBe(value & 1n ? -((value + 1n) / 2n) : value / 2n);
    }),
    { numRuns: 500 },
  );
});

test('a varint that is cut off is short, and takes nothing', () => {
  over(Uint8Array.of(0x80, 0x80));
  expect([word('varint64'), call('isShort'), call('isBad'), call('left')]).toEqual([0n, 1, 0, 2]);
});

test('a varint of more than 64 bits, or of more than were asked for, is bad', () => {
  over(Uint8Array.from([...Array(9).fill(0xff), 0x02]));
  expect([word('varint64'), call('isShort'), call('isBad')]).toEqual([0n, 0, 1]);
  over(Uint8Array.from(Array(12).fill(0xff)));
  expect([word('varint64'), call('isBad')]).toEqual([0n, 1]);
  over(leb128(0x1_0000_0000n));
  expect([word('varint32'), call('isBad'), word('u8')]).toEqual([0n, 1, 0n]);
  over(leb128(0xffff_ffffn));
  expect([word('varint32'), call('ok')]).toEqual([0xffff_ffffn, 1]);
});
