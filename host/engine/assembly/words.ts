/** Attribute words. */
import { ATTRIBUTE_LENGTH, ATTRIBUTE_VALUE } from '../../../parsers/sdk/abi';

/** Bytes that the attribute at an address takes up, padding included. */
export function attributeBytes(at: i32): i32 {
  return (<i32>load<u16>(at, ATTRIBUTE_LENGTH) + ATTRIBUTE_VALUE + 3) & ~3;
}
