/**
 * The server's packet at hand, and what an OK or EOF says.
 *
 *   00 or fe │ affected rows │ insert id │ status 2 │ warnings 2 │ information …          OK
 *   fe │ warnings 2 │ status 2                                                           EOF
 *   ff │ number 2 │ # │ SQLSTATE 5 │ message                                             ERR
 *
 * https://dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_basic_response_packets.html
 */
import { Cursor } from '../sdk/cursor';
import { frameAt, frameBytes, frameKept } from '../sdk/framer';
import { lenenc } from './lenenc';
import { FULL, HEADER } from './packet';

export const OK: u32 = 0x00;
export const INFILE: u32 = 0xfb;
export const EOF: u32 = 0xfe;
export const ERR: u32 = 0xff;
export const EOF_LENGTH: u32 = 5;
export const OK_LENGTH: u32 = 7;
const HASH: u32 = 0x23;

// Status flags.
export const MORE_RESULTS: u32 = 0x0008;
export const CURSOR_EXISTS: u32 = 0x0040;
export const SESSION_CHANGED: u32 = 0x4000;

/** The payload at hand: where it is, its length, its first byte. */
export let payload: usize = 0;
export let length: u32 = 0;
export let kind: u32 = 0;
/** Of the OK or EOF read last. */
export let status: u32 = 0;
export let affected: u64 = 0;
/** Where its information begins; 0 for an EOF, which has none. */
export let informationAt: usize = 0;

/** Takes up the frame at hand; false when what decides was lost, or the packet is empty, which none is. */
export function readPayload(): bool {
  payload = frameAt + HEADER;
  length = <u32>min<u64>(frameBytes - HEADER, FULL);
  if (frameKept <= HEADER) return false;
  kind = load<u8>(payload);
  return true;
}

/** Reads the OK or EOF at hand; false when it is none, or what matters of it was lost. */
export function readOk(): bool {
  const cursor = Cursor.over(payload + 1, frameAt + frameKept);
  affected = 0;
  if (kind == EOF && length == EOF_LENGTH) {
    cursor.skip(2);
  } else {
    affected = lenenc(cursor);
    lenenc(cursor);
  }
  status = cursor.le16();
  cursor.skip(kind == EOF && length == EOF_LENGTH ? 0 : 2);
  informationAt = kind == EOF && length == EOF_LENGTH ? 0 : cursor.at;
  return cursor.ok;
}

/** Whether the packet at hand has what every ERR has. */
export function isError(): bool {
  return kind == ERR && length >= 3 && frameKept >= HEADER + 3;
}

/** Address of the SQLSTATE of an ERR; 0 when it has none. */
export function stateAt(): usize {
  return frameKept >= HEADER + 9 && load<u8>(payload, 3) == HASH ? payload + 4 : 0;
}
