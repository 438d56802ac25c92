/**
 * The slot of a connection: what is known of it between two chunks. Two halves, one for each direction (frame.ts), the
 * command being read, and the few requests whose response changes how the connection is read from then on.
 *
 * To tell which response belongs to such a request, requests and responses are counted; that works only as long as
 * none was missed. `aligned` says so. It is lost with any byte that matters, and regained by a clean turn: a new
 * request when every request since has had its response. Without it, the database is unknown rather than guessed.
 */
import { DESYNC, FROM_CLIENT, GIVE_UP, OPEN_MID_STREAM } from '../sdk/abi';
import { SlotHeader } from '../sdk/chunk';
import { hint } from '../sdk/output';
import { EXEC, HELLO, RESET, SELECT } from './command';
import { HALF_SIZE, Half } from './frame';

/** "CLIENT SETNAME": two names and a space. */
export const OPERATION_MAX: u32 = 65;
const OPERATION_AREA: u32 = 72;
const EXPECTED_MAX: u32 = 12;
/** Invalid bytes found this often, without a whole request in between: it is no RESP after all. */
const FAILURES_MAX: u8 = 8;
/** Replies after which the host's belief of who the client is stands, when none has said anything against it. */
const DOUBT_MAX: u8 = 64;
/** Bytes of one direction searched in vain before the connection is given up. */
const SEARCH_MAX: u32 = 16 * 1024 * 1024;

export const UNKNOWN: i32 = -1;
/** No SELECT waits for EXEC; one that does may be of an UNKNOWN database. */
export const NOTHING_QUEUED: i32 = -2;

// Reasons of a DESYNC.
export const LOST_BYTES: u32 = 1;
export const BAD_BYTES: u32 = 2;

// Connection.replyMode: what CLIENT REPLY has set.
export const REPLY_ON: u8 = 0;
export const REPLY_OFF: u8 = 1;
export const REPLY_SKIP: u8 = 2;

// Connection.reported: what was reported since the last DESYNC.
export const REPORTED_REQUEST: u8 = 1;
export const REPORTED_RESPONSE: u8 = 2;

/** A request whose response matters: SELECT, HELLO, SUBSCRIBE … */
@unmanaged
export class Expected {
  ordinal: u32;
  kind: u8;
  reserved: u8;
  argument: u16;
}

@unmanaged
export class Connection extends SlotHeader {
  dead: u8;
  lastDirection: u8;
  replyMode: u8;
  aligned: u8;
  reported: u8;
  subscribed: u8;
  monitoring: u8;
  failures: u8;
  /** RESP version agreed by HELLO; 0 before. */
  protocol: u8;
  // The command being read.
  kind: u8;
  operationLength: u8;
  hasSubcommand: u8;
  argument: u16;
  /** What of the command's first arguments was lost in a gap. */
  lost: u8;
  expectedFirst: u8;
  expectedCount: u8;
  /** Replies for which it may still turn out that the server is the client (doubt.ts); 0 when it is certain. */
  doubt: u8;
  /** In doubt: the client's last request had the name of a command. */
  asked: u8;
  /** The client was found in the middle of its stream, by an array: it sends no inline requests. */
  found: u8;
  /** The server has spoken since the client did. */
  turned: u8;
  /** The client is searched where it begins to speak after the server. */
  atTurn: u8;
  /** What the client seems to ask may be the text of a value, or its replies may be preceded by others: not reported. */
  unsure: u8;
  database: i32;
  /** What a SELECT inside MULTI will set once EXEC comes through. */
  queuedDatabase: i32;
  requests: u32;
  responses: u32;
  /** Confirmations still to come for a SUBSCRIBE that has had its first. */
  confirmations: u32;
  searched: u32;

  @inline
  static at(slot: usize): Connection {
    return changetype<Connection>(slot);
  }

  @inline
  get slot(): u32 {
    return <u32>changetype<usize>(this);
  }

  @inline
  half(direction: u32): Half {
    return changetype<Half>(changetype<usize>(this) + offsetof<Connection>() + direction * HALF_SIZE);
  }

  /** OPERATION_MAX bytes: the name of the command being read. */
  @inline
  get operation(): usize {
    return changetype<usize>(this) + offsetof<Connection>() + 2 * HALF_SIZE;
  }

  open(flags: u32): void {
    const known = (flags & OPEN_MID_STREAM) == 0;
    this.aligned = known ? 1 : 0;
    this.doubt = known ? 0 : DOUBT_MAX;
    this.database = known ? 0 : UNKNOWN;
    this.queuedDatabase = NOTHING_QUEUED;
    this.lastDirection = 1;
    this.turned = 1;
    for (let direction: u32 = 0; direction < 2; direction++) {
      this.half(direction).searching = known ? 0 : 1;
      this.half(direction).atStart = direction == FROM_CLIENT ? 1 : 0;
    }
  }

  /** The host must not pair across this point. */
  desync(reason: u32): void {
    hint(this.slot, DESYNC, reason);
    this.reported = 0;
    this.misalign();
  }

  /** Requests and responses can no longer be told apart by counting. */
  misalign(): void {
    this.aligned = 0;
    this.database = UNKNOWN;
    this.queuedDatabase = NOTHING_QUEUED;
    this.protocol = 0;
    this.expectedCount = 0;
    this.confirmations = 0;
    this.requests = 0;
    this.responses = 0;
  }

  /** One direction has lost its place. */
  search(half: Half, atStart: bool): void {
    half.clear();
    half.searching = 1;
    half.trial = 0;
    half.atStart = atStart ? 1 : 0;
    half.lastByte = 0;
    half.remaining = 0;
  }

  /** Counts a failure to read; returns whether there is still hope. */
  fail(): bool {
    if (++this.failures < FAILURES_MAX) return true;
    this.giveUp();
    return false;
  }

  countSearched(bytes: u32): void {
    this.searched += bytes;
    if (this.searched > SEARCH_MAX) this.giveUp();
  }

  giveUp(): void {
    hint(this.slot, GIVE_UP);
    this.dead = 1;
  }

  /** Remembers that the response to the request just counted will matter. */
  expect(kind: u8, argument: u32): void {
    if (this.aligned == 0) return;
    if (this.expectedCount == EXPECTED_MAX) {
      this.misalign();
      return;
    }
    const expected = this.expectedAt((<u32>this.expectedFirst + this.expectedCount) % EXPECTED_MAX);
    expected.ordinal = this.requests;
    expected.kind = kind;
    expected.argument = <u16>argument;
    this.expectedCount++;
  }

  /** What the response that comes next was asked for; null when it is an ordinary one. */
  get due(): Expected | null {
    while (this.expectedCount > 0) {
      const expected = this.expectedAt(this.expectedFirst);
      if (expected.ordinal == this.responses) return expected;
      if (<i32>(expected.ordinal - this.responses) > 0) return null;
      // Its response was counted before the request was: what it did is not known.
      if (expected.kind == SELECT || expected.kind == RESET || expected.kind == EXEC) this.database = UNKNOWN;
      if (expected.kind == HELLO) this.protocol = 0;
      this.dropExpected();
    }
    return null;
  }

  dropExpected(): void {
    this.expectedFirst = <u8>((<u32>this.expectedFirst + 1) % EXPECTED_MAX);
    this.expectedCount--;
  }

  private expectedAt(index: u32): Expected {
    return changetype<Expected>(this.operation + OPERATION_AREA + index * offsetof<Expected>());
  }
}

/** The manifest's slot class must hold it all. */
export const STATE_SIZE: u32 = 64 + 2 * HALF_SIZE + OPERATION_AREA + EXPECTED_MAX * 8;
if (offsetof<Connection>() > 64 || STATE_SIZE > 512) ERROR('the state of a connection exceeds its slot');
