/**
 * Text of a socket's address from its bytes, as addressText of host/spans/endpoint.ts has it.
 * https://www.rfc-editor.org/rfc/rfc5952
 */
const INET: u32 = 2;
const INET6: u32 = 10;
/** Longest text (39 characters), and what a store of four bytes may touch behind it. */
export const ADDRESS_MAX: i32 = 48;

const GROUPS: u32 = 8;
const DOT: u8 = 0x2e;
const COLON: u8 = 0x3a;

/** Of each octet its digits, the first in the lowest byte, and in the highest byte how many. */
const octets: usize = memory.data(1024, 4);

for (let octet: u32 = 0; octet < 256; octet++) store<u32>(octets + (octet << 2), digitsOf(octet));

function digitsOf(octet: u32): u32 {
  const ones = 0x30 + (octet % 10);
  const tens = 0x30 + ((octet / 10) % 10);
  if (octet < 10) return ones | (1 << 24);
  if (octet < 100) return tens | (ones << 8) | (2 << 24);
  return (0x30 + octet / 100) | (tens << 8) | (ones << 16) | (3 << 24);
}

/** Returns where the text ends: at `to` for an address that is not known. */
export function writeAddress(to: usize, at: usize, family: u32): usize {
  if (family == INET) return writeInet(to, at);
  if (family != INET6) return to;
  return isMapped(at) ? writeInet(to, at + 12) : writeInet6(to, at);
}

function isMapped(at: usize): bool {
  return load<u64>(at) == 0 && load<u32>(at, 8) == 0xffff_0000;
}

function writeInet(to: usize, at: usize): usize {
  to = writeOctet(to, load<u8>(at));
  store<u8>(to, DOT);
  to = writeOctet(to + 1, load<u8>(at, 1));
  store<u8>(to, DOT);
  to = writeOctet(to + 1, load<u8>(at, 2));
  store<u8>(to, DOT);
  return writeOctet(to + 1, load<u8>(at, 3));
}

function writeOctet(to: usize, octet: u32): usize {
  const digits = load<u32>(octets + (octet << 2));
  store<u32>(to, digits);
  return to + (digits >> 24);
}

/** The longest run of two or more zero groups, the first of equals, becomes "::". */
function writeInet6(to: usize, at: usize): usize {
  const run = longestRun(at);
  const start = run >> 8;
  const end = start + (run & 0xff);
  for (let i: u32 = 0; i < GROUPS; i++) {
    if (i == start && end > start) {
      store<u16>(to, 0x3a3a);
      to += 2;
      i = end - 1;
      continue;
    }
    if (i != 0 && i != end) store<u8>(to++, COLON);
    to = writeGroup(to, group(at, i));
  }
  return to;
}

/** First group and length of the run, of which one byte is the length; 0 when there is none. */
function longestRun(at: usize): u32 {
  let best: u32 = 0;
  for (let start: u32 = 0; start < GROUPS; start++) {
    let length: u32 = 0;
    while (start + length < GROUPS && group(at, start + length) == 0) length++;
    if (length > 1 && length > (best & 0xff)) best = (start << 8) | length;
  }
  return best;
}

function group(at: usize, index: u32): u32 {
  return bswap<u16>(load<u16>(at + (index << 1)));
}

/** In lower case, without leading zeroes. */
function writeGroup(to: usize, value: u32): usize {
  for (let shift: i32 = value == 0 ? 0 : (31 - clz(value)) & ~3; shift >= 0; shift -= 4) {
    const digit = (value >> shift) & 0xf;
    store<u8>(to++, <u8>(digit < 10 ? 0x30 + digit : 0x57 + digit));
  }
  return to;
}
