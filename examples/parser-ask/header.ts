/**
 * The header of a frame (README.md), and whether bytes can be one.
 *
 *   0 u32 length   4 u8 magic   5 u8 kind   6 u32 id   10 u16 number   12 rest: length - 8 bytes
 */
import { be16, be32 } from '../sdk/bytes';

export const HEADER_SIZE: u32 = 12;
/** Bytes in front of those that `length` counts, and those of the header that it counts. */
export const LENGTH_SIZE: u32 = 4;
export const HEADER_COUNTED: u32 = 8;
export const METHOD_MAX: u32 = 64;

export const CALL: u8 = 1;
export const ANSWER: u8 = 2;
export const CAST: u8 = 3;

const MAGIC: u8 = 0xa5;

// Offsets in the header.
export const KIND: usize = 5;
export const ID: usize = 6;
export const NUMBER: usize = 10;

// Verdicts of matchHeader.
export const NO: u32 = 0;
export const MORE: u32 = 1;
export const YES: u32 = 2;

/** Whether a frame of the client, or else of the server, can begin with these `there` bytes. */
export function matchHeader(at: usize, there: u32, isClient: bool): u32 {
  if (there > 0 && load<u8>(at) != 0) return NO; // a length is below 2^24
  if (there >= 4 && be32(at) < HEADER_COUNTED) return NO;
  if (there >= 5 && load<u8>(at, 4) != MAGIC) return NO;
  if (there >= 6 && !isKind(load<u8>(at, KIND), isClient)) return NO;
  if (there < HEADER_SIZE) return MORE;
  return !isClient || isMethodLength(be16(at + NUMBER), be32(at)) ? YES : NO;
}

function isKind(kind: u8, isClient: bool): bool {
  return isClient ? kind == CALL || kind == CAST : kind == ANSWER;
}

function isMethodLength(method: u32, length: u32): bool {
  return method > 0 && method <= METHOD_MAX && method <= length - HEADER_COUNTED;
}
