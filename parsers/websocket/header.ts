/**
 * The header of a frame. https://www.rfc-editor.org/rfc/rfc6455#section-5.2
 *
 *   0      FIN RSV1 RSV2 RSV3 opcode (4 bits)
 *   1      MASK length (7 bits): up to 125; 126: u16 follows; 127: u64 follows; big-endian, in the shortest form
 *   2…     the longer length, then 4 bytes of the mask if MASK is set
 *
 * As strict as the RFC: after a loss this is all that tells a header from payload.
 */
import { FROM_CLIENT } from '../sdk/abi';
import { be16, be64 } from '../sdk/bytes';

/** Enough to tell how long the header is. */
export const HEADER_MIN: u32 = 2;
/** Bytes that are not a header of this direction. */
export const NO_HEADER: u32 = 0;

const FIN: u8 = 0x80;
/** RSV1 is permessage-deflate's (RFC 7692 section 6); nothing uses the others. */
const RSV1: u8 = 0x40;
const RSV2_RSV3: u8 = 0x30;
const OPCODE: u8 = 0x0f;
/** Close, ping and pong from here on: never in pieces, never compressed, never long (section 5.5). */
const CLOSE: u8 = 8;
const PONG: u8 = 10;
const BINARY: u8 = 2;
const MASK: u8 = 0x80;
const LENGTH: u8 = 0x7f;
const SHORT_MAX: u8 = 125;
const LENGTH_16: u8 = 126;
const MASK_BYTES: u32 = 4;

/** Bytes of the header whose first two lie at an address. A client masks, a server does not (section 5.1). */
export function headerLength(at: usize, direction: u32): u32 {
  const first = load<u8>(at);
  const second = load<u8>(at, 1);
  const isMasked = (second & MASK) != 0;
  if (isMasked != (direction == FROM_CLIENT) || !isOpcode(first, second & LENGTH)) return NO_HEADER;
  const length = second & LENGTH;
  const longer: u32 = length <= SHORT_MAX ? 0 : length == LENGTH_16 ? 2 : 8;
  return HEADER_MIN + longer + (isMasked ? MASK_BYTES : 0);
}

function isOpcode(first: u8, length: u8): bool {
  const opcode = first & OPCODE;
  if ((first & RSV2_RSV3) != 0) return false;
  if (opcode < CLOSE) return opcode <= BINARY;
  return opcode <= PONG && (first & (FIN | RSV1)) == FIN && length <= SHORT_MAX;
}

/** Bytes of payload; -1 when the length is not in its shortest form, or negative. */
export function payloadLength(at: usize): i64 {
  const length = load<u8>(at, 1) & LENGTH;
  if (length <= SHORT_MAX) return length;
  if (length == LENGTH_16) {
    const value = <i64>be16(at + 2);
    return value > <i64>SHORT_MAX ? value : -1;
  }
  const value = <i64>be64(at + 2);
  return value > 0xffff ? value : -1;
}
