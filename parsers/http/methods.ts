/**
 * Methods that the semantic conventions know; of any other one `http.request.method` is `_OTHER`, and its own name goes
 * to `http.request.method_original`. https://opentelemetry.io/docs/specs/semconv/http/http-spans/
 */

/** `_OTHER` */
export const OTHER_METHOD: usize = memory.data<u8>([0x5f, 0x4f, 0x54, 0x48, 0x45, 0x52]);
export const OTHER_METHOD_LENGTH: u32 = 6;

/** Whether it is a method of RFC 9110, or PATCH. Four bytes have to be readable, however short it is. */
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
