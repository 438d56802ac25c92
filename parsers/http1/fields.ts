/**
 * Header fields: which names matter, told apart by their first byte and words of eight, and where a value lies.
 * https://www.rfc-editor.org/rfc/rfc9110#section-5
 *
 * `| 0x20` on a letter gives lower case and is one-to-one; on "-" it changes nothing, so a name is compared exactly,
 * but for control characters that no name holds.
 */

import { findByte, isBlank, trimEnd } from '../sdk/bytes';
import { Names } from '../sdk/names';

/** Ids: also bit numbers of Head.seen. */
export const OTHER: u32 = 0;
export const HOST: u32 = 1;
export const USER_AGENT: u32 = 2;
export const CONTENT_LENGTH: u32 = 4;
export const TRANSFER_ENCODING: u32 = 5;
export const UPGRADE: u32 = 6;
export const TRACEPARENT: u32 = 7;
export const TRACESTATE: u32 = 8;

/**
 * One bit for each byte, of its low five bits, that a line which matters begins with: the names' c h t u, a folded line's
 * SP HT, the empty line's CR LF.
 */
export const BEGINNINGS: u32 =
  (1 << 0x03) | (1 << 0x08) | (1 << 0x14) | (1 << 0x15) | (1 << 0x00) | (1 << 0x09) | (1 << 0x0d) | (1 << 0x0a);

/** Bytes that decide whether a line matters to us: the longest name and the byte behind it. */
export const NAME_DECIDES: usize = 18;

export const LOWER_4: u32 = 0x20202020;
const LOWER_8: u64 = 0x2020202020202020;

export const WORD_CONT: u32 = 0x746e6f63; // cont(ent-)
const WORD_USER: u32 = 0x72657375; // user(-agent)
const WORD_TRAC: u32 = 0x63617274; // trac(eparent)
const WORD_TRAN: u32 = 0x6e617274; // tran(sfer-)
export const WORD_HOST: u32 = 0x74736f68; // host
export const WORD_CONTENT: u64 = 0x2d746e65746e6f63; // content-
const WORD_LENGTH: u32 = 0x676e656c; // leng(th)
const WORD_TRANSFER: u64 = 0x726566736e617274; // transfer
const WORD_ENCODING: u64 = 0x6e69646f636e652d; // -encodin(g)
const WORD_TRACEPAR: u64 = 0x7261706563617274; // tracepar(ent)
const WORD_ENT: u32 = 0x746e6572; // rent
const WORD_TRACESTA: u64 = 0x6174736563617274; // tracesta(te)
const WORD_USER_AGE: u64 = 0x6567612d72657375; // user-age(nt)
const WORD_UPGR: u32 = 0x72677075; // upgr(ade)
const WORD_RADE: u32 = 0x65646172; // rade

/** Whether a line may be of interest, which ends with the LF at `lf`: false is certain. */
export function mayMatter(line: usize, lf: usize): bool {
  if (lf - line < 5) return true;
  const word = load<u32>(line) | LOWER_4;
  if (word == WORD_CONT) return lf - line > 14 && word4(line + 8) == WORD_LENGTH;
  if (word == WORD_HOST || word == WORD_USER || word == WORD_TRAC || word == WORD_TRAN || word == WORD_UPGR)
    return true;
  return load<u8>(line) <= 0x20;
}

/** How far the length of the name lies above the id in what `fieldAt` returns. */
export const NAME_LENGTH_SHIFT: u32 = 8;
/** The id in what `fieldAt` returns. */
export const FIELD_ID: u32 = 0xff;

/**
 * Id of the field whose line starts at `line`, and above it the length of its name, behind which there is a colon or a
 * blank. OTHER when the line is of another field, or shorter than the name and one byte.
 */
export function fieldAt(line: usize, end: usize): u32 {
  const length = end - line;
  if (length < 5) return OTHER;
  switch (load<u8>(line) | 0x20) {
    case 0x63:
      return length > 14 && isContentLength(line) ? named(CONTENT_LENGTH, 14) : OTHER;
    case 0x68:
      return word4(line) == WORD_HOST && closes(line + 4) ? named(HOST, 4) : OTHER;
    case 0x74:
      return length > 10 ? traceOrTransfer(line, length) : OTHER;
    case 0x75:
      return length > 7 ? userAgentOrUpgrade(line, length) : OTHER;
  }
  return OTHER;
}

/** Bytes that decide whether a line matters to anybody. */
export function nameDecides(wanted: Names): usize {
  return max<usize>(NAME_DECIDES, wanted.longest + 1);
}

/** The name, of those wanted, whose line starts at `line`; 0 when it is none. No more is looked at than decides. */
export function wantedAt(wanted: Names, line: usize, end: usize): usize {
  if (wanted.count == 0) return 0;
  const limit = min(end, line + wanted.longest + 1);
  const colon = findByte(line, limit, 0x3a);
  return colon == limit ? 0 : wanted.find(line, trimEnd(line, colon) - line);
}

/** At least 15 bytes. */
export function isContentLength(line: usize): bool {
  if (word8(line) != WORD_CONTENT || word4(line + 8) != WORD_LENGTH) return false;
  return (load<u16>(line, 12) | 0x2020) == 0x6874 && closes(line + 14);
}

function traceOrTransfer(line: usize, length: usize): u32 {
  const word = word8(line);
  if (word == WORD_TRANSFER) {
    if (length <= 17 || word8(line + 8) != WORD_ENCODING) return OTHER;
    return (load<u8>(line, 16) | 0x20) == 0x67 && closes(line + 17) ? named(TRANSFER_ENCODING, 17) : OTHER;
  }
  if (word == WORD_TRACEPAR) {
    return length > 11 && word4(line + 7) == WORD_ENT && closes(line + 11) ? named(TRACEPARENT, 11) : OTHER;
  }
  if (word != WORD_TRACESTA) return OTHER;
  return (load<u16>(line, 8) | 0x2020) == 0x6574 && closes(line + 10) ? named(TRACESTATE, 10) : OTHER;
}

/** At least 11 bytes. */
export function isUserAgent(line: usize): bool {
  return word8(line) == WORD_USER_AGE && (load<u16>(line, 8) | 0x2020) == 0x746e && closes(line + 10);
}

function userAgentOrUpgrade(line: usize, length: usize): u32 {
  if (word4(line) == WORD_UPGR) return word4(line + 3) == WORD_RADE && closes(line + 7) ? named(UPGRADE, 7) : OTHER;
  return length > 10 && isUserAgent(line) ? named(USER_AGENT, 10) : OTHER;
}

function named(field: u32, nameLength: u32): u32 {
  return field | (nameLength << NAME_LENGTH_SHIFT);
}

function word4(at: usize): u32 {
  return load<u32>(at) | LOWER_4;
}

function word8(at: usize): u64 {
  return load<u64>(at) | LOWER_8;
}

/** Whether a name ends here. */
function closes(at: usize): bool {
  const byte = load<u8>(at);
  return byte == 0x3a || isBlank(byte);
}
