/**
 * What the specification calls the type of a reply, for the attribute redis.reply.type. The null bulk string `$-1` and
 * the null array `*-1` are null, as in RESP3.
 * https://redis.io/docs/latest/develop/reference/protocol-spec/#resp-protocol-description
 */
import {
  ARRAY,
  BIG_NUMBER,
  BOOLEAN,
  BULK,
  BULK_ERROR,
  DOUBLE,
  ERROR_LINE,
  INTEGER,
  MAP,
  NULL_LINE,
  SET,
  SIMPLE,
  VERBATIM,
} from './frame';

/** By type byte: u8 length, then the name in ASCII; zero until first asked for. */
const ENTRY_SIZE: u32 = 16;
const entries: usize = memory.data(2048, 8);

/** Address of the length and name of a type that `isReply` knows. */
export function replyType(type: u32): usize {
  const entry = entries + type * ENTRY_SIZE;
  if (load<u8>(entry) == 0) write(entry, nameOf(type));
  return entry;
}

/** The constants of the language are UTF-16. */
function write(entry: usize, name: string): void {
  const units = changetype<usize>(name);
  for (let i = 0; i < name.length; i++) store<u8>(entry + 1 + i, load<u8>(units + (i << 1)));
  store<u8>(entry, <u8>name.length);
}

function nameOf(type: u32): string {
  switch (type) {
    case SIMPLE:
      return 'simple_string';
    case ERROR_LINE:
      return 'error';
    case INTEGER:
      return 'integer';
    case BULK:
      return 'bulk_string';
    case ARRAY:
      return 'array';
    case NULL_LINE:
      return 'null';
    case BOOLEAN:
      return 'boolean';
    case DOUBLE:
      return 'double';
    case BIG_NUMBER:
      return 'big_number';
    case BULK_ERROR:
      return 'bulk_error';
    case VERBATIM:
      return 'verbatim_string';
    case MAP:
      return 'map';
    case SET:
      return 'set';
    default:
      return 'push'; // `>`, the only one left
  }
}
