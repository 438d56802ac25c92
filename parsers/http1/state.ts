/**
 * The state of one HTTP/1 connection, as it lies in the slot:
 *
 *   0        Connection: counts of requests and responses, kinds of the unanswered requests
 *   56       Direction of the client, Direction of the server
 *   112      area of the client, then area of the server: [Head, Message][carried bytes]
 *
 * An area is empty between messages. It holds the unfinished message of its direction (facts of the head, then the
 * output record so far) and behind it the start of a line that the next chunk continues. How the space is divided
 * depends on the slot's size, so after a move the server's area is shifted once (`settle`).
 */

import { FROM_CLIENT, FROM_SERVER } from '../sdk/abi';
import { Carry } from '../sdk/accumulate';
import { SlotHeader } from '../sdk/chunk';

/**
 * Slot classes, as in manifest.json. The smallest serves idle connections and those whose requests come whole: its one
 * area holds a response without attributes while its body is awaited.
 */
export const SLOT_SMALL: u32 = 192;
/** Both areas hold the longest message record and a line of 400 bytes, or the shortest and a line of 8 KiB. */
export const SLOT_LARGE: u32 = 17408;

const DIRECTIONS: u32 = 56;
const DIRECTION_SIZE: u32 = 28;
const AREAS: u32 = 112;

// ── states of a direction ────────────────────────────────────────────────────────────────────────────────────────
/** Between messages, or inside a start line (carried). */
export const START: u8 = 0;
/** Inside a head, behind its start line. */
export const HEADERS: u8 = 1;
/** `remaining` bytes of body to come. */
export const BODY: u8 = 2;
/** Inside the digits of a chunk size; `remaining` is its value so far. */
export const CHUNK_SIZE_LINE: u8 = 3;
/** Between a chunk's size and the end of its line. */
export const CHUNK_EXTENSION: u8 = 4;
/** `remaining` bytes of the chunk to come. */
export const CHUNK_BODY: u8 = 5;
/** The line end behind a chunk's bytes. */
export const CHUNK_END: u8 = 6;
/** Trailer section, up to its empty line. */
export const TRAILERS: u8 = 7;
/** The body ends with the connection. */
export const UNTIL_CLOSE: u8 = 8;
/** Lost: looking for the next head. */
export const SEARCHING: u8 = 9;
/** The client speaks something else while a switch of protocols is unanswered: the response decides. */
export const HOLDING: u8 = 10;
/** Nothing more is read: tunnel, upgraded, ended, given up, or a request whose length nobody can tell. */
export const IGNORING: u8 = 11;
/** A chunked response whose sizes were not captured: its end shows when the client's next request is answered. */
export const UNSEEN: u8 = 12;

// ── flags of a direction ─────────────────────────────────────────────────────────────────────────────────────────
/** The rest of the line is of no interest. */
export const SKIP_LINE: u32 = 1;
/** The last byte was CR. */
export const AFTER_CR: u32 = 2;
/** The last byte was LF (searching: a head of any method may begin here). */
export const AFTER_LF: u32 = 4;
/** The response's request is unknown: if the next bytes are a status line, this response had no body. */
export const MAYBE_BODYLESS: u32 = 8;
/** The line has bytes other than its end. */
export const LINE_HAS_TEXT: u32 = 16;
/** UNSEEN: the client has asked again, and the server has begun to answer; `count` is of its first bytes. */
export const ANSWERS_NEXT: u32 = 32;

@unmanaged
export class Direction extends Carry {
  state: u8;
  flags: u8;
  /** Bytes of the area that the unfinished message takes; carried bytes follow it. 0 when none is kept. */
  kept: u16;
  /** Bytes of body or chunk to come; SEARCHING: bytes searched in vain since the direction was lost. */
  remaining: u64;
  /** Timestamp of a carried start line's first byte. */
  firstAt: u64;
  /** Digits of the chunk size read; bytes of a status line matched (MAYBE_BODYLESS, UNSEEN). */
  count: u8;

  @inline
  is(flag: u32): bool {
    return (this.flags & flag) != 0;
  }

  @inline
  set(flag: u32): void {
    this.flags |= <u8>flag;
  }

  @inline
  unset(flag: u32): void {
    this.flags &= ~(<u8>flag);
  }

  /** Forgets the message and the bytes in the area. */
  drop(state: u8): void {
    this.length = 0;
    this.kept = 0;
    this.flags = 0;
    this.count = 0;
    this.state = state;
  }
}

// ── kinds of requests that change how their response is framed ───────────────────────────────────────────────────
export const ORDINARY: u32 = 0;
export const HEAD: u32 = 1;
export const CONNECT: u32 = 2;
/** Asks for another protocol by an Upgrade header. */
export const UPGRADING: u32 = 3;

/** Unanswered requests whose kind is remembered: one bit of each of `kindsLow` and `kindsHigh`. */
const DEPTH = 64;

@unmanaged
export class Connection extends SlotHeader {
  /** Size of the slot the areas are laid out for. */
  laidOut: u32;
  /** Heads of requests seen, heads of final responses seen; their difference is what is unanswered. */
  requests: u32;
  responses: u32;
  /** 1 + number of the first special request that came when DEPTH others were unanswered; 0: none. */
  forgotten: u32;
  /** Bit `n % DEPTH`: kind of request n, while it is unanswered. */
  kindsLow: u64;
  kindsHigh: u64;
  /** Requests and responses are known to count from the same exchange. */
  aligned: bool;
  /** Exchanges in a row, since alignment was lost, that began with nothing unanswered. */
  calm: u8;
  /** Grows with garbage, shrinks with messages. */
  strikes: u8;
  /** Messages in a row that the smallest slot would have held. */
  small: u8;

  @inline
  direction(from: u32): Direction {
    return changetype<Direction>(changetype<usize>(this) + DIRECTIONS + from * DIRECTION_SIZE);
  }

  @inline
  get address(): u32 {
    return <u32>changetype<usize>(this);
  }

  @inline
  area(from: u32): usize {
    return changetype<usize>(this) + AREAS + <usize>(from == FROM_SERVER ? areaOfClient(this.size) : <u32>0);
  }

  @inline
  capacity(from: u32): u32 {
    const client = areaOfClient(this.size);
    return from == FROM_CLIENT ? client : this.size - AREAS - client;
  }

  /** What the direction has in the smallest slot. */
  smallCapacity(from: u32): u32 {
    const client = areaOfClient(SLOT_SMALL);
    return from == FROM_CLIENT ? client : SLOT_SMALL - AREAS - client;
  }

  /** Brings the server's area to where this slot's size puts it. */
  settle(): void {
    const server = this.direction(FROM_SERVER);
    const used = server.kept + server.length;
    const from = changetype<usize>(this) + AREAS + areaOfClient(this.laidOut);
    if (used > 0) memory.copy(this.area(FROM_SERVER), from, used);
    this.laidOut = this.size;
  }

  get idle(): bool {
    const client = this.direction(FROM_CLIENT);
    const server = this.direction(FROM_SERVER);
    return (client.kept | client.length | server.kept | server.length) == 0;
  }

  /** A request's head has been read. */
  asked(kind: u32): void {
    const number = this.requests++;
    const waiting = <i32>(number - this.responses);
    if (!this.aligned) this.judge(waiting);
    if (kind == ORDINARY || waiting < 0) return;
    if (waiting < DEPTH) {
      const bit = (<u64>1) << (number & (DEPTH - 1));
      if (kind & 1) this.kindsLow |= bit;
      if (kind & 2) this.kindsHigh |= bit;
    } else if (this.forgotten == 0) this.forgotten = number + 1;
  }

  /** Whether the request of the next response has been seen. */
  get knowsNext(): bool {
    return this.aligned && <i32>(this.requests - this.responses) > 0;
  }

  /** Kind of the request that the next response answers. */
  get nextKind(): u32 {
    return this.aligned ? this.kindOf(this.responses) : ORDINARY;
  }

  /** Kind of the last request, if it is unanswered. */
  get lastKind(): u32 {
    return <i32>(this.requests - this.responses) > 0 ? this.kindOf(this.requests - 1) : ORDINARY;
  }

  /** Whether the client has begun a request that is not answered. */
  get hasNext(): bool {
    const client = this.direction(FROM_CLIENT);
    return this.requests != this.responses || client.state == HEADERS || client.length > 0;
  }

  /** Whether the next response answers the request whose kind could not be remembered. */
  get nextIsForgotten(): bool {
    return this.forgotten != 0 && this.responses == this.forgotten - 1;
  }

  /** A final response's head has been read. Without alignment, one that nobody asked for belongs to the time before. */
  answered(): void {
    if (!this.aligned && this.requests == this.responses) return;
    const bit = (<u64>1) << (this.responses++ & (DEPTH - 1));
    this.kindsLow &= ~bit;
    this.kindsHigh &= ~bit;
  }

  /** Forgets what was asked: responses can no longer be told apart. */
  unalign(): void {
    this.requests = 0;
    this.responses = 0;
    this.forgotten = 0;
    this.kindsLow = 0;
    this.kindsHigh = 0;
    this.aligned = false;
    this.calm = 0;
  }

  /** A client that asks only when all is answered cannot be out of step with what we count. */
  private judge(waiting: i32): void {
    this.calm = waiting == 0 ? this.calm + 1 : 0;
    if (this.calm >= CALM_ENOUGH) this.aligned = true;
  }

  private kindOf(number: u32): u32 {
    const shift = number & (DEPTH - 1);
    return <u32>((this.kindsLow >> shift) & 1) | ((<u32>((this.kindsHigh >> shift) & 1)) << 1);
  }
}

/** One exchange could be chance: two requests may have crossed the place where we joined. */
const CALM_ENOUGH: u8 = 3;

/**
 * Requests carry more than responses, but in the smallest class they must come whole; in the largest class both hold the
 * longest message.
 */
function areaOfClient(size: u32): u32 {
  if (size == SLOT_SMALL) return 0;
  const areas = size - AREAS;
  return size == SLOT_LARGE ? areas >> 1 : ((areas >> 3) * 5) & ~7;
}

if (offsetof<Connection>() > DIRECTIONS || offsetof<Direction>() > DIRECTION_SIZE) {
  ERROR('state outgrows its place in the slot');
}
