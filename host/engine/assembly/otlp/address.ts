/**
 * Text of a socket's address from its bytes, as addressText of host/spans/endpoint.ts has it.
 * https://www.rfc-editor.org/rfc/rfc5952
 */
import { ADDRESS_TEXT_BITS, ADDRESS_TEXT_SIZE, ADDRESS_TEXTS } from '../../layout/otlp';

/** Longest text (39 characters), and what a copy of whole blocks takes. */
export const ADDRESS_MAX: i32 = 48;

const INET: u32 = 2;
const INET6: u32 = 10;

const GROUPS: u32 = 8;
const DOT: u32 = 0x2e;
const COLON: u8 = 0x3a;

// A kept text: the address (16 bytes), the text (39 at most), its length, 0 where there is none.
const TEXT: usize = 16;
const LENGTH: usize = 56;

/** Of each octet its digits and a dot, the first in the lowest byte; and how many bytes that is. */
const octets: usize = memory.data(1024, 4);
const octetLengths: usize = memory.data(256);

for (let octet: u32 = 0; octet < 256; octet++) {
  const ones = 0x30 + (octet % 10);
  const tens = 0x30 + ((octet / 10) % 10);
  const hundreds = 0x30 + octet / 100;
  const length: u32 = octet < 10 ? 2 : octet < 100 ? 3 : 4;
  const digits = length == 2 ? ones : length == 3 ? tens | (ones << 8) : hundreds | (tens << 8) | (ones << 16);
  store<u32>(octets + (octet << 2), digits | (DOT << ((length - 1) << 3)));
  store<u8>(octetLengths + octet, <u8>length);
}

/** Whether addresses of the family have a text. */
export function isKnown(family: u32): bool {
  return family == INET || family == INET6;
}

/** Writes the text of an address of a known family; returns its length. It touches ADDRESS_MAX bytes. */
export function putAddress(to: usize, at: usize, family: u32): usize {
  if (family == INET) return putInet(to, at);
  return load<u64>(at) == 0 && load<u32>(at, 8) == 0xffff_0000 ? putInet(to, at + 12) : putInet6(to, at);
}

/** In one store: it is copied at once, which a store of parts would hold up. */
function putInet(to: usize, at: usize): usize {
  const lengths = octetLength(load<u8>(at)) + octetLength(load<u8>(at, 1));
  const start = <u64>octet(load<u8>(at)) | ((<u64>octet(load<u8>(at, 1))) << (octetLength(load<u8>(at)) << 3));
  const third = octetLength(load<u8>(at, 2));
  const end = <u64>octet(load<u8>(at, 2)) | ((<u64>octet(load<u8>(at, 3))) << (third << 3));
  // Of the first eight bytes, 4 to 8 are the start's.
  const low = start | ((end << (lengths << 2)) << (lengths << 2));
  v128.store(to, i64x2.replace_lane(i64x2.splat(low), 1, end >> (64 - (lengths << 3))));
  return <usize>(lengths + third + octetLength(load<u8>(at, 3))) - 1;
}

function octet(value: u32): u32 {
  return load<u32>(octets + (value << 2));
}

function octetLength(value: u32): u64 {
  return load<u8>(octetLengths + value);
}

/**
 * Clients are fewer than connections, and to write such a text takes far longer than to find it; so it is kept with the
 * address that it is of, until another one needs the place.
 */
function putInet6(to: usize, at: usize): usize {
  const mixed = (load<u64>(at) * 0x9e37_79b9_7f4a_7c15) ^ load<u64>(at, 8);
  const place = <u32>((mixed * 0xbf58_476d_1ce4_e5b9) >> (64 - ADDRESS_TEXT_BITS));
  const kept: usize = ADDRESS_TEXTS + place * ADDRESS_TEXT_SIZE;
  const address = v128.load(at);
  if (load<u8>(kept, LENGTH) == 0 || !i8x16.all_true(i8x16.eq(v128.load(kept), address))) {
    v128.store(kept, address);
    store<u8>(kept, <u8>(writeInet6(kept + TEXT, at) - kept - TEXT), LENGTH);
  }
  v128.store(to, v128.load(kept, TEXT));
  v128.store(to, v128.load(kept, TEXT + 16), 16);
  v128.store(to, v128.load(kept, TEXT + 32), 32);
  return load<u8>(kept, LENGTH);
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
