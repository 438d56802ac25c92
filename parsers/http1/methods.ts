/** Methods and the characters of a token. https://www.rfc-editor.org/rfc/rfc9110#section-9 and section 5.6.2 */

/** One bit for each of the characters 0 … 63 and 64 … 127: !#$%&'*+-.^_`|~, digits, letters. */
const TOKEN_LOW: u64 = 0x03ff6cfa00000000;
const TOKEN_HIGH: u64 = 0x57ffffffc7fffffe;

export function isTokenByte(byte: u32): bool {
  if (byte >= 128) return false;
  return (((byte < 64 ? TOKEN_LOW : TOKEN_HIGH) >> (byte & 63)) & 1) != 0;
}

/** Whether from … end is one or more token characters. */
export function isToken(from: usize, end: usize): bool {
  if (from == end) return false;
  while (from < end) if (!isTokenByte(load<u8>(from++))) return false;
  return true;
}

/** Address of the first byte in from … end that no token holds, or `end`. */
export function tokenEnd(from: usize, end: usize): usize {
  while (from < end && isTokenByte(load<u8>(from))) from++;
  return from;
}

/** Whether it is a method of RFC 9110, or PATCH. At least four bytes are readable: the rest of a request line. */
export function isKnownMethod(from: usize, end: usize): bool {
  const word = load<u32>(from);
  switch (<u32>(end - from)) {
    case 3: // GET, PUT
      return (word & 0xffffff) == 0x544547 || (word & 0xffffff) == 0x545550;
    case 4: // POST, HEAD
      return word == 0x54534f50 || word == 0x44414548;
    case 5: // PATCH, TRACE
      return (word == 0x43544150 && load<u8>(from, 4) == 0x48) || (word == 0x43415254 && load<u8>(from, 4) == 0x45);
    case 6: // DELETE
      return word == 0x454c4544 && load<u16>(from, 4) == 0x4554;
    case 7: // OPTIONS, CONNECT
      return isSeven(word, load<u32>(from, 3));
  }
  return false;
}

function isSeven(first: u32, last: u32): bool {
  return (first == 0x4954504f && last == 0x534e4f49) || (first == 0x4e4e4f43 && last == 0x5443454e);
}
