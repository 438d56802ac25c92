/**
 * The slot of a connection: what is known of it between two chunks.
 *
 * Responses are told apart by what was asked, so both directions have to be followed from the same place on: they are
 * `aligned`. Bytes that are lost, and an answer to nothing, end that: DESYNC, and nothing is reported until the server
 * has said ReadyForQuery and the client begins to speak after it.
 */
import { FROM_CLIENT, FROM_SERVER, OPEN_MID_STREAM } from '../sdk/abi';
import { ConnectionState } from '../sdk/connection';
import { Resync } from '../sdk/resync';
import { NONE, QUEUE_SIZE, Queue } from './queue';

/** Bytes of a message that are looked at: of a client's, names and the longest text that is reported. */
const CLIENT_AREA: u32 = 2176;
const SERVER_AREA: u32 = 128;
/** PostgreSQL's names have 63 bytes at most; a longer one is left out. */
export const NAMESPACE_MAX: u32 = 64;
/** Named portals whose statement is remembered. */
export const PORTALS_MAX: u32 = 8;
const PORTALS_SIZE: u32 = PORTALS_MAX * 16;
const HALF_FIELDS: u32 = 48;
const FIELDS: u32 = 176;
/** As in manifest.json. */
const SLOT_SIZE: u32 = 3328;

/** Any name may have been parsed unseen. */
export const ANY_NAME: u64 = -1;

// Reasons of a DESYNC.
export const LOST_BYTES: u32 = 1;
export const BAD_BYTES: u32 = 2;
/** An answer to what was not asked, or more asked than can be remembered. */
export const OUT_OF_ORDER: u32 = 3;

/** One direction; its area lies behind its fields. */
@unmanaged
export class Half extends Resync {
  get area(): usize {
    return changetype<usize>(this) + HALF_FIELDS;
  }
}

export function areaSize(isClient: bool): u32 {
  return isClient ? CLIENT_AREA : SERVER_AREA;
}

@unmanaged
export class Connection extends ConnectionState {
  /** The client's next packet has no type; the code of the one that the server answers with a byte. */
  isUntyped: bool;
  aligned: bool;
  /** Not aligned: the server has said ReadyForQuery, and nobody has spoken since. */
  idle: bool;
  /** The server passes over what comes before the next Sync. */
  failed: bool;
  /** Data is copied in by an Execute. */
  copying: bool;
  /** A named statement was parsed, and the server may still refuse the name. */
  parsing: bool;
  /** One of these names may have been there before: then its old text counts on if the server passes over the new one. */
  renaming: bool;
  namespaceLength: u8;
  portalNext: u8;
  // The response that is being read.
  responding: bool;
  isError: bool;
  isPartial: bool;
  hasRows: bool;
  hasAffected: bool;
  asked: u32;
  /** Of all that is known of statements, part of their keys: forgetting them is counting on. */
  epoch: u32;
  unnamedStatement: u32;
  startBytes: u32;
  unnamedPortal: u64;
  /** SQLSTATE: five characters, 0 for none. */
  code: u64;
  responseFirst: u64;
  responseBytes: u64;
  responseBody: u64;
  rows: u64;
  affected: u64;
  startFirst: u64;
  startLast: u64;
  /** Which names were parsed so far: of each a bit, which it may share with others. */
  names: u64;

  @inline
  static at(slot: usize): Connection {
    return changetype<Connection>(slot);
  }

  half(direction: u32): Half {
    const at = changetype<usize>(this) + FIELDS;
    return changetype<Half>(direction == FROM_CLIENT ? at : at + HALF_FIELDS + CLIENT_AREA);
  }

  get queue(): Queue {
    return changetype<Queue>(changetype<usize>(this) + QUEUE_AT);
  }

  /** NAMESPACE_MAX bytes. */
  get namespace(): usize {
    return changetype<usize>(this) + NAMESPACE_AT;
  }

  /** PORTALS_MAX times the hash of a name and the key of its statement. */
  get portals(): usize {
    return changetype<usize>(this) + PORTALS_AT;
  }

  open(flags: u32): void {
    this.isUntyped = (flags & OPEN_MID_STREAM) == 0;
    this.aligned = this.isUntyped;
    this.unnamedStatement = 1;
    if (this.isUntyped) return;
    this.names = ANY_NAME;
    this.half(FROM_CLIENT).lost();
    this.half(FROM_SERVER).lost();
  }

  /** Nothing is reported from here on, until both directions are followed from the same place. */
  lose(reason: u32): void {
    if (this.aligned) this.desync(reason);
    this.aligned = false;
    this.idle = false;
  }

  /** The client begins to speak where the server is idle. */
  align(half: Half): void {
    this.idle = false;
    if (half.isSearching) half.trial(1);
    else if (half.taken > 0) return;
    this.aligned = true;
    this.failed = false;
    this.copying = false;
    this.responding = false;
    this.queue.clear();
  }

  /** Remembers what the client has asked for. */
  ask(unit: u32): void {
    if (this.aligned && !this.queue.push(unit)) this.lose(OUT_OF_ORDER);
  }

  /** What the server answers next. */
  get due(): u32 {
    return this.aligned ? this.queue.head : NONE;
  }
}

const QUEUE_AT: u32 = FIELDS + 2 * HALF_FIELDS + CLIENT_AREA + SERVER_AREA;
const NAMESPACE_AT: u32 = QUEUE_AT + ((QUEUE_SIZE + 7) & ~7);
const PORTALS_AT: u32 = NAMESPACE_AT + NAMESPACE_MAX;

if (offsetof<Half>() > HALF_FIELDS || offsetof<Connection>() > FIELDS || PORTALS_AT + PORTALS_SIZE > SLOT_SIZE) {
  ERROR('the state of a connection exceeds its slot');
}
