/**
 * What every frame begins with.
 *
 *   0      4      8      9     13
 *   "TLEN" length kind   id    payload …      length counts what follows it; numbers are big-endian
 */
import { agrees } from '../../sdk/bytes';
import { Cursor } from '../../sdk/cursor';

export const MARK = 'TLEN';
/** Mark, length, kind, id. */
export const HEADER: u32 = 13;
/** Mark and length. */
const UNCOUNTED: u32 = 8;
/** Kind, id, and the shortest payload: a name of one letter, or an error code. */
const LENGTH_MIN: u32 = 7;
const LENGTH_MAX: u32 = 16 << 20;

// Kinds of frames.
export const CALL: u32 = 1;
export const RESULT: u32 = 2;
/** A call without a result. */
export const NOTICE: u32 = 3;

/** Bytes of the frame whose header lies at an address; 0 when it is none. */
export function frameLength(header: usize, isClient: bool): u32 {
  if (!agrees(header, header + HEADER, MARK)) return 0;
  const cursor = Cursor.over(header + MARK.length, header + HEADER);
  const length = cursor.be32();
  const kind = cursor.u8();
  const fits = isClient ? kind == CALL || kind == NOTICE : kind == RESULT;
  return fits && length >= LENGTH_MIN && length <= LENGTH_MAX ? UNCOUNTED + length : 0;
}
