/**
 * What a head says about framing, gathered line by line while its attributes go into the message, and the decision
 * where the message ends: RFC 9112 section 6.3, https://www.rfc-editor.org/rfc/rfc9112#section-6.3.
 *
 * There is one Head at work, in static memory; with an unfinished message it moves into the slot and back.
 */

import { FROM_CLIENT, UPGRADE_HTTP2, UPGRADE_TUNNEL, UPGRADE_WEBSOCKET } from '../sdk/abi';
import { copy, equalIgnoreCase, isBlank, trimEnd } from '../sdk/bytes';
import { CONTENT_LENGTH, OTHER } from './fields';
import { BODY, CHUNK_SIZE_LINE, CONNECT, HEAD, IGNORING, ORDINARY, START, UNTIL_CLOSE, UPGRADING } from './state';

// ── facts ────────────────────────────────────────────────────────────────────────────────────────────────────────
const LENGTH_SEEN: u32 = 1;
/** The field's value is empty so far; a folded line may still bring it. */
const LENGTH_EMPTY: u32 = 2;
const LENGTH_INVALID: u32 = 4;
const CODING_SEEN: u32 = 8;
/** The last transfer coding is "chunked". */
const CODING_CHUNKED: u32 = 16;
/** The list of codings is empty or ends with a comma: a folded line goes on with a whole element. */
const CODING_OPEN: u32 = 32;
const VERSION_1_0: u32 = 64;
/** Not what the specification allows, in a way known from attacks. */
const SUSPECT: u32 = 128;
const LENGTH_NUMBER: u32 = 256;
/** The target names host and port; the Host field does not count. */
const HOST_IN_TARGET: u32 = 512;

/** Lengths above this are attempts at an overflow: no peer sends 8 EiB. */
const LENGTH_MAX: u64 = 0x7fffffffffffffff;
/** Digits that cannot make as much. */
const SAFE_DIGITS: usize = 18;

const ASCII_ZEROES: u64 = 0x3030303030303030;
const HIGH_HALVES: u64 = 0xf0f0f0f0f0f0f0f0;
const SIXES: u64 = 0x0606060606060606;

export const HEAD_BYTES: u32 = 16;
const memoryOfHead: usize = memory.data(HEAD_BYTES, 8);

const CR: u8 = 0x0d;
const CHUNKED: usize = memory.data<u8>([0x63, 0x68, 0x75, 0x6e, 0x6b, 0x65, 0x64]);
const WEBSOCKET: usize = memory.data<u8>([0x77, 0x65, 0x62, 0x73, 0x6f, 0x63, 0x6b, 0x65, 0x74]);
const H2C: usize = memory.data<u8>([0x68, 0x32, 0x63]);

@unmanaged
export class Head {
  contentLength: u64;
  facts: u16;
  /** Bit n: the field with id n has been seen. */
  seen: u16;
  /** Id of the field that a folded line would continue. */
  lastField: u8;
  /** Kind of request (state.ts), ORDINARY in a response. */
  kind: u8;
  /** UPGRADE number of the first protocol in the Upgrade field; 0 without the field. */
  upgrade: u8;
  /** The empty line has been read. */
  done: bool;

  @inline
  static get current(): Head {
    return changetype<Head>(memoryOfHead);
  }

  reset(): void {
    store<u64>(memoryOfHead, 0);
    store<u64>(memoryOfHead, 0, 8);
  }

  restore(from: usize): void {
    copy(memoryOfHead, from, HEAD_BYTES);
  }

  keep(to: usize): void {
    copy(to, memoryOfHead, HEAD_BYTES);
  }

  @inline
  is(fact: u32): bool {
    return (this.facts & fact) != 0;
  }

  @inline
  private set(fact: u32): void {
    this.facts |= <u16>fact;
  }

  @inline
  private unset(fact: u32): void {
    this.facts &= ~(<u16>fact);
  }

  suspect(): void {
    this.set(SUSPECT);
  }

  get isSuspect(): bool {
    return this.is(SUSPECT);
  }

  old(): void {
    this.set(VERSION_1_0);
  }

  takeHostFromTarget(): void {
    this.set(HOST_IN_TARGET);
  }

  get hostInTarget(): bool {
    return this.is(HOST_IN_TARGET);
  }

  /** The empty line: CR LF, or LF alone. */
  endsAt(line: usize, lf: usize): void {
    if (line == lf) this.suspect();
    this.done = true;
  }

  /** A field of no interest ends at `lf`. */
  passes(lf: usize): void {
    if (load<u8>(lf - 1) != CR) this.suspect();
    this.lastField = <u8>OTHER;
  }

  /** Notes a field; false when it is there for the second time. */
  first(field: u32): bool {
    const bit = (<u16>1) << (<u16>field);
    const again = (this.seen & bit) != 0;
    this.seen |= bit;
    return !again;
  }

  /** Notes a field that a folded line may continue, unless it has been seen. */
  @inline
  isFirst(field: u32): bool {
    const seen = this.seen;
    const bit = (<u32>1) << field;
    if ((seen & bit) != 0) return false;
    this.seen = <u16>(seen | bit);
    this.lastField = <u8>field;
    return true;
  }

  /** Content-Length as it nearly always is: the first, of a few digits. False: it is not, and nothing has been done. */
  @inline
  plainLength(from: usize, end: usize): bool {
    const count = end - from;
    if (count > 7 || this.is(LENGTH_SEEN)) return false;
    if (count > 1 && load<u8>(from) == 0x30) return false;
    // The digits become eight, with zeroes in front; then neighbours are added up, three times.
    const shift = <u64>(64 - count * 8);
    const digits = ((load<u64>(end - 8) >> shift) << shift) | (ASCII_ZEROES >> <u64>(count * 8));
    if ((((digits & HIGH_HALVES) ^ ASCII_ZEROES) | (((digits + SIXES) & HIGH_HALVES) ^ ASCII_ZEROES)) != 0)
      return false;
    let value = digits & ~HIGH_HALVES;
    value = (value * 10 + (value >> 8)) & 0x00ff00ff00ff00ff;
    value = (value * 100 + (value >> 16)) & 0x0000ffff0000ffff;
    this.contentLength = (value * 10000 + (value >> 32)) & 0xffffffff;
    this.set(LENGTH_SEEN | LENGTH_NUMBER);
    this.seen |= (<u16>1) << (<u16>CONTENT_LENGTH);
    this.lastField = <u8>CONTENT_LENGTH;
    return true;
  }

  /** Content-Length: a number, or a list of equal numbers. */
  length(from: usize, end: usize): void {
    if (this.is(LENGTH_SEEN)) this.set(SUSPECT);
    if (this.is(LENGTH_EMPTY)) this.set(LENGTH_INVALID);
    this.set(LENGTH_SEEN);
    if (from == end) this.set(this.is(LENGTH_NUMBER) ? LENGTH_INVALID : LENGTH_EMPTY);
    else this.lengthElements(from, end);
  }

  private lengthElements(from: usize, end: usize): void {
    while (from < end) {
      from = this.lengthElement(from, end);
      while (from < end && isBlank(load<u8>(from))) from++;
      if (from == end) return;
      if (load<u8>(from++) != 0x2c) break;
      this.set(SUSPECT);
      while (from < end && isBlank(load<u8>(from))) from++;
    }
    this.set(SUSPECT | LENGTH_INVALID);
  }

  /** Returns the address behind the digits. */
  private lengthElement(from: usize, end: usize): usize {
    let value: u64 = 0;
    let valid = false;
    let at = from;
    for (; at < end; at++) {
      const digit: u64 = load<u8>(at) - 0x30;
      if (digit > 9) break;
      valid = at - from < SAFE_DIGITS || (valid && value <= (LENGTH_MAX - digit) / 10);
      value = value * 10 + digit;
    }
    if (at - from > 1 && load<u8>(from) == 0x30) this.set(SUSPECT);
    const differs = this.is(LENGTH_NUMBER) && value != this.contentLength;
    if (!valid || differs) this.set(SUSPECT | LENGTH_INVALID);
    this.contentLength = value;
    this.set(LENGTH_NUMBER);
    this.unset(LENGTH_EMPTY);
    return at;
  }

  /** Transfer-Encoding: only whether the last coding is "chunked" matters to us. */
  codings(from: usize, end: usize): void {
    if (this.is(CODING_SEEN)) this.set(SUSPECT);
    this.set(CODING_SEEN | CODING_OPEN);
    this.codingElements(from, end);
  }

  private codingElements(from: usize, end: usize): void {
    while (from < end) {
      while (from < end && (isBlank(load<u8>(from)) || load<u8>(from) == 0x2c)) from++;
      if (from == end) return;
      let comma = from;
      while (comma < end && load<u8>(comma) != 0x2c) comma++;
      this.coding(from, trimEnd(from, comma));
      if (comma < end) this.set(CODING_OPEN);
      from = comma;
    }
  }

  private coding(from: usize, end: usize): void {
    // Nothing may follow "chunked", itself least of all.
    if (this.is(CODING_CHUNKED)) this.set(SUSPECT);
    this.unset(CODING_CHUNKED | CODING_OPEN);
    if (is(from, end, CHUNKED, 7)) this.set(CODING_CHUNKED);
  }

  /** A folded line goes on with the length. */
  foldLength(from: usize, end: usize): void {
    if (from == end) return;
    if (this.is(LENGTH_EMPTY)) this.lengthElements(from, end);
    else this.set(LENGTH_INVALID);
  }

  /** A folded line goes on with the codings: a new element, or more text of the last one, which spoils it. */
  foldCodings(from: usize, end: usize): void {
    if (from == end) return;
    if (!this.is(CODING_OPEN) && load<u8>(from) != 0x2c) this.unset(CODING_CHUNKED);
    else this.codingElements(from, end);
  }

  /** Upgrade: the first protocol of the list. */
  upgradeTo(from: usize, end: usize): void {
    let comma = from;
    while (comma < end && load<u8>(comma) != 0x2c) comma++;
    comma = trimEnd(from, comma);
    this.upgrade = <u8>UPGRADE_TUNNEL;
    if (is(from, comma, WEBSOCKET, 9)) this.upgrade = <u8>UPGRADE_WEBSOCKET;
    else if (is(from, comma, H2C, 3)) this.upgrade = <u8>UPGRADE_HTTP2;
  }

  /** Kind of this request as its response will need it. */
  get requestKind(): u32 {
    if (this.kind == ORDINARY && this.upgrade != 0) return UPGRADING;
    return this.kind;
  }

  /** The state that follows the head; START: the message is complete. `kind`: of the request answered. */
  framing(from: u32, status: u32, kind: u32): u8 {
    this.check();
    if (from != FROM_CLIENT && hasNoBody(status, kind)) return START;
    if (this.is(CODING_SEEN)) {
      if (this.is(CODING_CHUNKED)) return CHUNK_SIZE_LINE;
      // A request that cannot be delimited is answered with 400 and a close.
      if (from == FROM_CLIENT) this.suspect();
      return from == FROM_CLIENT ? IGNORING : UNTIL_CLOSE;
    }
    if (this.is(LENGTH_INVALID)) return from == FROM_CLIENT ? IGNORING : UNTIL_CLOSE;
    if (this.is(LENGTH_SEEN)) return this.contentLength > 0 ? BODY : START;
    return from == FROM_CLIENT ? START : UNTIL_CLOSE;
  }

  /** What can be judged only when the head is complete. */
  private check(): void {
    if (this.is(LENGTH_EMPTY)) this.set(SUSPECT | LENGTH_INVALID);
    if (this.is(CODING_OPEN)) this.suspect();
    if (this.is(CODING_SEEN) && (this.facts & (LENGTH_SEEN | VERSION_1_0)) != 0) this.suspect();
  }
}

/** Responses without a body, whatever their fields say. */
function hasNoBody(status: u32, kind: u32): bool {
  if (kind == HEAD || status < 200 || status == 204 || status == 304) return true;
  return kind == CONNECT && status < 300;
}

function is(from: usize, end: usize, lower: usize, length: usize): bool {
  return end - from == length && equalIgnoreCase(from, lower, length);
}

if (offsetof<Head>() != HEAD_BYTES) ERROR('Head differs from HEAD_BYTES');
