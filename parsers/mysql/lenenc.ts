/**
 * Length-encoded numbers and strings: one byte up to 250, or fc, fd, fe and 2, 3, 8 bytes.
 * https://dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_basic_dt_integers.html
 */
import { Cursor } from '../sdk/cursor';

export function lenenc(cursor: Cursor): u64 {
  const first = cursor.u8();
  if (first < 0xfb) return first;
  if (first == 0xfc) return cursor.le16();
  if (first == 0xfd) return cursor.le24();
  if (first == 0xfe) return cursor.le64();
  cursor.bad = true;
  return 0;
}

/** Passes over a string. */
export function skipString(cursor: Cursor): void {
  const length = lenenc(cursor);
  if (length > cursor.left) cursor.short = true;
  else cursor.skip(<u32>length);
}

/** Passes over the value of a parameter of this type. */
export function skipValue(cursor: Cursor, type: u32): void {
  switch (type) {
    case 1: // TINY
      cursor.skip(1);
      return;
    case 2: // SHORT
    case 13: // YEAR
      cursor.skip(2);
      return;
    case 3: // LONG
    case 4: // FLOAT
    case 9: // INT24
      cursor.skip(4);
      return;
    case 5: // DOUBLE
    case 8: // LONGLONG
      cursor.skip(8);
      return;
    case 6: // NULL
      return;
    case 7: // TIMESTAMP
    case 10: // DATE
    case 11: // TIME
    case 12: // DATETIME
      cursor.skip(cursor.u8());
      return;
    default:
      skipString(cursor);
  }
}
