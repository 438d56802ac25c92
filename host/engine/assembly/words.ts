/** Attribute words, and how they are copied. */
import { ATTRIBUTE_LENGTH, ATTRIBUTE_VALUE } from '../../../parsers/sdk/abi';

/** Bytes that the attribute at an address takes up, padding included. */
export function attributeBytes(at: i32): i32 {
  return (<i32>load<u16>(at, ATTRIBUTE_LENGTH) + ATTRIBUTE_VALUE + 3) & ~3;
}

/** Copies 16 bytes at a time, and so up to 12 behind the last: there must be room for them. */
export function copyWords(to: i32, from: i32, words: i32): void {
  const end = to + (words << 2);
  for (; to < end; to += 16, from += 16) v128.store(to, v128.load(from));
}
