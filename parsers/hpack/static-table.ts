/**
 * The static table: 61 fields that every decoder knows. https://www.rfc-editor.org/rfc/rfc7541#appendix-A
 * Its text is a constant of the module; the first use makes bytes of it.
 */

export const STATIC_LENGTH: u32 = 61;

/** `name=value|` for each entry: no name or value here holds either sign. */
/** In one piece: strings put together would be so at run time. */
const TEXT: string =
  ':authority=|:method=GET|:method=POST|:path=/|:path=/index.html|:scheme=http|:scheme=https|:status=200|:status=204|:status=206|:status=304|:status=400|:status=404|:status=500|accept-charset=|accept-encoding=gzip, deflate|accept-language=|accept-ranges=|accept=|access-control-allow-origin=|age=|allow=|authorization=|cache-control=|content-disposition=|content-encoding=|content-language=|content-length=|content-location=|content-range=|content-type=|cookie=|date=|etag=|expect=|expires=|from=|host=|if-match=|if-modified-since=|if-none-match=|if-range=|if-unmodified-since=|last-modified=|link=|location=|max-forwards=|proxy-authenticate=|proxy-authorization=|range=|referer=|refresh=|retry-after=|server=|set-cookie=|strict-transport-security=|transfer-encoding=|user-agent=|vary=|via=|www-authenticate=|';

const BYTES: usize = memory.data(1536, 8);
/** For each entry u16 offset of the name, u8 length of the name, u8 of the value, which follows the name. */
const ENTRIES: usize = memory.data(256, 8);
/** For each entry u32 hash of the name. */
const HASHES: usize = memory.data(256, 8);
/** For each entry the first one of that name. */
const FIRSTS: usize = memory.data(64, 8);
/** For each entry u8 what the parser calls its name; 0: nothing yet. */
const TAGS: usize = memory.data(64, 8);
const EQUALS: u8 = 0x3d;
const BAR: u8 = 0x7c;

let isReady: bool = false;

/** Call before anything else of this file. */
export function prepareStatic(): void {
  if (isReady) return;
  isReady = true;
  const units = changetype<usize>(TEXT);
  const length = <u32>TEXT.length;
  let entry = ENTRIES;
  let to: u32 = 0;
  let name: u32 = 0;
  let value: u32 = 0;
  for (let i: u32 = 0; i < length; i++) {
    const byte = load<u8>(units + (i << 1));
    if (byte == EQUALS) value = to;
    else if (byte != BAR) store<u8>(BYTES + to++, byte);
    else {
      store<u16>(entry, <u16>name);
      store<u8>(entry, <u8>(value - name), 2);
      store<u8>(entry, <u8>(to - value), 3);
      entry += 4;
      name = to;
    }
  }
  for (let index: u32 = 1; index <= STATIC_LENGTH; index++) prepareName(index);
}

/** Entries of one name lie side by side. */
function prepareName(index: u32): void {
  const hash = hashText(staticName(index), staticNameLength(index));
  const isFirst = index == 1 || staticHash(index - 1) != hash;
  store<u32>(HASHES + (index << 2), hash);
  store<u8>(FIRSTS + index, isFirst ? <u8>index : load<u8>(FIRSTS + index - 1));
}

/** FNV-1a. */
export function hashText(at: usize, length: u32): u32 {
  let hash: u32 = 0x811c9dc5;
  for (const end = at + length; at < end; at++) hash = (hash ^ load<u8>(at)) * 0x01000193;
  return hash;
}

/** `index` is 1 … STATIC_LENGTH. */
export function staticName(index: u32): usize {
  return BYTES + load<u16>(ENTRIES + ((index - 1) << 2));
}

export function staticNameLength(index: u32): u32 {
  return load<u8>(ENTRIES + ((index - 1) << 2), 2);
}

export function staticValueLength(index: u32): u32 {
  return load<u8>(ENTRIES + ((index - 1) << 2), 3);
}

export function staticHash(index: u32): u32 {
  return load<u32>(HASHES + (index << 2));
}

/** The first entry that has the same name. */
export function staticFirst(index: u32): u32 {
  return load<u8>(FIRSTS + index);
}

export function staticTag(index: u32): u32 {
  return load<u8>(TAGS + index);
}

export function tagStatic(index: u32, tag: u32): void {
  store<u8>(TAGS + index, <u8>tag);
}
