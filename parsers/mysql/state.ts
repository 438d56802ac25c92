/**
 * The slot of a connection: two halves (packet.ts), the commands that wait for their response, and how much of the
 * first one's response has gone by.
 *
 *   small slot   fields │ server half, 224 bytes │ client half, 256 bytes
 *   large slot   fields │ server half, 224 bytes │ client half, 2,112 bytes │ the statement being prepared
 *
 * A large slot is asked for by the first PREPARE, whose text is kept until the server says its id, and by the first
 * query that does not lie whole in its chunk.
 */
import { FROM_CLIENT, GROW, OPEN_MID_STREAM } from '../sdk/abi';
import { ConnectionState, partOf } from '../sdk/connection';
import { hint } from '../sdk/output';
import { CHANGE_USER, LOGIN } from './commands';
import { Half } from './packet';

/** Bytes of a frame that are looked at: of the server's, of a command, of a command with a text. */
export const SERVER_AREA: u32 = 224;
export const CLIENT_AREA: u32 = 256;
export const TEXT_AREA: u32 = 2112;
const HALF_FIELDS: u32 = 56;
const SMALL_SLOT: u32 = 1152;
const LARGE_SLOT: u32 = 5120;
const FIELDS: u32 = 256;

/** Commands that may wait for their responses; of one more all are dropped. */
const WAITING_MAX: u32 = 64;
/** So many wait only where a client sends ahead: one that does not has two at most, when a lost response lies between. */
const AHEAD: u8 = 3;
/** Neither side has said anything for so long: nothing is under way. The host believes its pairs after as long. */
const SILENCE_NS: u64 = 1_000_000_000;
export const NAME_MAX: u32 = 64;
/** `Connection.databaseLength`: nobody knows which. */
export const UNKNOWN: u8 = 255;
/** Turns in vain, and bytes of one direction, before the connection is given up. */
const FAILURES_MAX: u8 = 64;
const SEARCH_MAX: u32 = 16 << 20;

// Reasons of a DESYNC.
export const LOST_BYTES: u32 = 1;
export const BAD_BYTES: u32 = 2;
/** What follows is compressed, and given up. */
export const COMPRESSED: u32 = 3;
/** What follows are events of a replication, and given up. */
export const REPLICATION: u32 = 4;

// Connection.phase
/** The server's greeting comes next. */
export const GREETING: u8 = 0;
/** The client's answer to it. */
export const GREETED: u8 = 1;
/** Commands and responses. */
export const COMMANDS: u8 = 2;

// Connection.turn: what the last bytes were.
export const CLIENT_BYTES: u8 = 0;
export const SERVER_BYTES: u8 = 1;
export const LOST: u8 = 2;

// Connection.eofMode: whether an EOF packet ends a list of columns.
export const EOF_UNKNOWN: u8 = 0;
export const EOF_SENT: u8 = 1;
export const EOF_DEPRECATED: u8 = 2;

// Connection.system
export const SYSTEM_UNKNOWN: u8 = 0;
export const MYSQL_SERVER: u8 = 1;
export const MARIADB_SERVER: u8 = 2;

// Connection.compression
export const PLAIN: u8 = 0;
export const ZLIB: u8 = 1;
export const ZSTD: u8 = 2;

// Connection.tracked: what the OKs of a response have said of the session.
export const UNTRACKED: u8 = 0;
/** They have named the database, which is known by now. */
export const NAMED: u8 = 1;
/** They may have, in more bytes than are kept. */
export const CUT_SHORT: u8 = 2;
/** They may have, in bytes that were lost. */
export const LOST_NAME: u8 = 3;

// Connection.step: what comes next of the response.
export const FIRST: u8 = 0;
export const COLUMNS: u8 = 1;
export const AFTER_COLUMNS: u8 = 2;
export const ROWS: u8 = 3;
export const PARAMETERS: u8 = 4;
export const AFTER_PARAMETERS: u8 = 5;
export const PREPARED_COLUMNS: u8 = 6;
export const AFTER_PREPARED: u8 = 7;

/** A command that waits for its response. */
@unmanaged
export class Waiting {
  command: u8;
  /** Sequence number of its response. */
  sequence: u8;
  /** EXECUTE: a cursor was asked for. QUERY: its unseen part may change the database. */
  flag: bool;
  reserved: u8;
}

@unmanaged
export class Connection extends ConnectionState {
  phase: u8;
  turn: u8;
  eofMode: u8;
  system: u8;
  compression: u8;
  step: u8;
  /** The server takes a file: what the client sends is no command until an empty packet. */
  isInfile: bool;
  /** The client's last packet belonged to no command: sequence numbers of more than 255 of them begin anew. */
  isAside: bool;
  /** Sequence number of the server's next packet, and whether it is known. */
  sequence: u8;
  isSequenced: bool;
  /** The greeting's capabilities were seen. */
  hasFlags: bool;
  /** The handshake was seen; it says whether queries have attributes. */
  isAgreed: bool;
  hasAttributes: bool;
  hasRows: bool;
  hasAffected: bool;
  hasMore: bool;
  waitingFirst: u8;
  waitingCount: u8;
  databaseLength: u8;
  nextLength: u8;
  /** Commands under way that will change the database. */
  changes: u8;
  failures: u8;
  tracked: u8;
  /** Bytes were lost, or never seen: an answer too many may be that of a command of before. */
  hasLost: bool;
  /** A response has ended, and other commands wait. */
  isAhead: bool;
  /** The client has sent on at that moment, it seems. */
  isRefilled: bool;
  /** It has: it may always have commands under way. */
  refills: bool;
  /** The client has waited for all that it sent ahead. */
  drains: bool;
  /** After a loss: only silence proves that nothing is under way. */
  isDoubtful: bool;
  /** Commands that were passed over since the server has spoken. */
  passed: u8;
  /** The text kept of a PREPARE, and whether it goes on. */
  preparedCut: bool;
  hasPrepared: bool;
  preparing: u8;
  preparedLength: u16;
  /** Columns or parameters to come. */
  left: u32;
  preparedColumns: u32;
  serverFlags: u32;
  // The response so far.
  first: u64;
  /** When the last bytes went by, of either direction. */
  lastNs: u64;
  bytes: u64;
  body: u64;
  rows: u64;
  affected: u64;

  @inline
  static at(slot: usize): Connection {
    return changetype<Connection>(slot);
  }

  get server(): Half {
    return changetype<Half>(changetype<usize>(this) + FIELDS + WAITING_MAX * 4);
  }

  get client(): Half {
    return changetype<Half>(changetype<usize>(this.server) + HALF_FIELDS + SERVER_AREA);
  }

  half(direction: u32): Half {
    return direction == FROM_CLIENT ? this.client : this.server;
  }

  get isLarge(): bool {
    return this.size >= LARGE_SLOT;
  }

  /** TEXT_AREA bytes of a large slot. */
  get prepared(): usize {
    return changetype<usize>(this) + LARGE_SLOT - TEXT_AREA;
  }

  get database(): usize {
    return partOf(this, 0, 0);
  }

  /** What the database will be when the server agrees. */
  get nextDatabase(): usize {
    return partOf(this, 1, NAME_MAX);
  }

  open(flags: u32): void {
    this.turn = LOST;
    if ((flags & OPEN_MID_STREAM) == 0) return;
    this.joinMidway();
    // The first bytes of all may be a command: identify has seen what they are.
    this.turn = SERVER_BYTES;
  }

  joinMidway(): void {
    this.phase = COMMANDS;
    this.databaseLength = UNKNOWN;
    this.hasLost = true;
    this.client.lost();
    this.server.lost();
  }

  // ── loss ────────────────────────────────────────────────────────────────────────────────────────────────────────

  /** Nobody knows any more which response belongs to which command. */
  lose(reason: u32): void {
    if (this.server.isSynced || this.client.isSynced || this.reported != 0) this.desync(reason);
    if (this.refills || (this.isFarAhead && !this.drains)) this.doubt();
    this.passed = 0;
    this.hasLost = true;
    this.isAhead = false;
    this.isRefilled = false;
    this.server.lost();
    this.server.forget();
    this.phase = COMMANDS;
    this.databaseLength = UNKNOWN;
    this.changes = 0;
    this.waitingCount = 0;
    this.isInfile = false;
    this.hasPrepared = false;
    this.preparing = 0;
    this.step = FIRST;
    this.bytes = 0;
  }

  /**
   * The turn tells that nothing is under way, but not of a client that sends on before all is answered: the response
   * that comes next may be that of a command of before.
   */
  private doubt(): void {
    this.isDoubtful = true;
    this.client.lost();
    this.client.forget();
    this.isAside = false;
  }

  /** It is sending ahead, and nobody has seen yet whether it waits for all of it. */
  private suspect(): void {
    if (!this.drains) this.doubt();
  }

  /** Commands that are passed over, and want a response: of two the second is sent ahead. */
  passCommands(count: u8): void {
    this.passed = <u8>min<u32>(<u32>this.passed + count, AHEAD);
    if (this.passed > 1) this.suspect();
  }

  private get isFarAhead(): bool {
    return this.waitingCount >= AHEAD + (this.isDialogue ? 1 : 0);
  }

  /** Both sides talk, of users or files: what the client says is no command. */
  private get isDialogue(): bool {
    return this.isInfile || this.head.command == LOGIN || this.head.command == CHANGE_USER;
  }

  /** Whether what the client says now is its turn: all of before has been answered. */
  isClientsTurn(now: u64): bool {
    if (this.turn != SERVER_BYTES) return false;
    if (this.isDoubtful && now - this.lastNs < SILENCE_NS) return false;
    this.isDoubtful = false;
    return true;
  }

  /** The same, and the client's next command has to be found. */
  loseClient(reason: u32): void {
    // What was lost was sent while a command waited.
    if (reason == LOST_BYTES && this.waitingCount > 0 && !this.isDialogue) this.suspect();
    this.lose(reason);
    this.client.lost();
    this.client.forget();
    this.isAside = false;
  }

  fail(): void {
    if (++this.failures >= FAILURES_MAX) this.giveUp();
  }

  pass(half: Half, bytes: u32): void {
    // Who waits for silence searches nothing; to begin anew would be to forget the doubt.
    if (this.isDoubtful) return;
    half.spend(bytes);
    if (half.isSpent(SEARCH_MAX)) this.giveUp();
  }

  // ── what waits ──────────────────────────────────────────────────────────────────────────────────────────────────

  get head(): Waiting {
    return this.waitingAt(this.waitingFirst);
  }

  /** False when too many wait. */
  wait(command: u32, sequence: u8, flag: bool): bool {
    if (this.waitingCount == WAITING_MAX) return false;
    this.isRefilled = this.isAhead;
    const one = this.waitingAt((<u32>this.waitingFirst + this.waitingCount) % WAITING_MAX);
    one.command = <u8>command;
    one.sequence = sequence;
    one.flag = flag;
    this.waitingCount++;
    return true;
  }

  answered(): void {
    this.waitingFirst = <u8>((<u32>this.waitingFirst + 1) % WAITING_MAX);
    this.waitingCount--;
    // Not before: the response may as well have been lost, as the gap will tell that comes with the next one.
    if (this.isRefilled) this.refills = true;
    else if (this.isAhead && this.waitingCount == 0) this.drains = true;
    this.isRefilled = false;
    this.isAhead = this.waitingCount > 0;
    this.step = FIRST;
    this.bytes = 0;
  }

  private waitingAt(index: u32): Waiting {
    return changetype<Waiting>(changetype<usize>(this) + FIELDS + index * 4);
  }

  /** Tells the host, which then moves the connection. */
  grow(): void {
    hint(this.slot, GROW);
  }
}

const END: u32 = FIELDS + WAITING_MAX * 4 + 2 * HALF_FIELDS + SERVER_AREA;
if (offsetof<Half>() > HALF_FIELDS || offsetof<Waiting>() != 4) ERROR('a part of the state exceeds its place');
if (<u32>offsetof<Connection>() + 7 + 2 * NAME_MAX > FIELDS) ERROR('the fields of a connection exceed their place');
if (END + CLIENT_AREA > SMALL_SLOT || END + 2 * TEXT_AREA > LARGE_SLOT) ERROR('the state exceeds its slot');
