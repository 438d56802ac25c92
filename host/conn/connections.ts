/**
 * The connection table: columns by connection number (the slot number that the record source gave it), in the engine's
 * memory.
 * A number is free until its first record and again after `free`; the source hands it out anew only after that.
 */
import { Engine } from '../engine/engine.ts';
import * as layout from '../engine/layout/connections.ts';
import {
  DIRECTION_IN,
  DIRECTION_OUT,
  FLAG_ORIGIN_KNOWN,
  FLAG_ROLE_CLIENT,
  FLAG_ROLE_SERVER,
  RECORD,
} from '../kernel/layout.ts';
import { Resources } from '../spans/resources.ts';
import type { Resource } from '../spans/span.ts';

/** What is done with a connection's bytes. */
export const FREE = 0;
/** Buffered until a protocol claims them. */
export const IDENTIFYING = 1;
/** Given to a parser. */
export const PARSED = layout.STATE_PARSED;
/** Counted only: no protocol claimed them, or the parser gave up. */
export const IGNORED = layout.STATE_IGNORED;
/** Ended; waits for the parser to see its last chunks. */
export const CLOSING = 4;

/** Which side of the connection the socket's owner is. */
export const ROLE_UNKNOWN = 0;
export const ROLE_CLIENT = 1;
export const ROLE_SERVER = 2;

/** Bits of `stream`: a position is known; the direction has ended; what came before its next record was not wanted. */
export const STARTED = layout.STARTED;
export const ENDED = 2;
export const RESUMED = layout.RESUMED;

/** Local and remote address, 16 bytes each. */
const ADDRESS_BYTES = 32;
const ADDRESS_WORDS = ADDRESS_BYTES >>> 2;

/** The second at which the caller's clock stands at 0. */
const CLOCK_BEGINS = 1 << 20;

/** What the table asks about the process that owns a socket; cached by whoever answers. */
export interface ProcessFacts {
  /** What all spans of the process share. */
  resourceOf(tgid: number): Resource;
  /** Whether the process's network has a listener on this port: its connections from there are accepted ones. */
  listensOn?(tgid: number, port: number): boolean | undefined;
}

export class Connections {
  readonly engine: Engine;
  readonly state: Uint8Array;
  readonly role: Uint8Array;
  /** The record direction in which the client's bytes travel; a belief until identified. */
  readonly clientDirection: Uint8Array;
  /** 1 when the stream was joined at an unknown place. */
  readonly midStream: Uint8Array;
  /** Times a parser gave up on it. */
  readonly givenUp: Uint8Array;
  /** 1 while a hole in one of its streams waits for its bytes. */
  readonly hole: Uint8Array;
  /** Second in which it became IGNORED because nobody knew it, by the caller's clock, plus one; 0 otherwise. */
  readonly unknownSince: Uint32Array;
  /** Index of the parser instance, when PARSED or CLOSING; -1 for none. */
  readonly parser: Int16Array;
  /** By connection * 2 + direction: sequence number of stream offset 0, next expected offset, and what is known. */
  readonly base: Uint32Array;
  readonly next: Float64Array;
  readonly stream: Uint8Array;
  /** By connection * 2 + direction: bytes before this offset are of no use to the parser. */
  readonly skip: Float64Array;
  readonly tgid: Uint32Array;
  readonly cookieLow: Uint32Array;
  readonly cookieHigh: Uint32Array;
  readonly localPort: Uint16Array;
  readonly remotePort: Uint16Array;
  readonly family: Uint8Array;
  readonly addresses: Uint8Array;
  readonly #addressWords: Uint32Array;
  /** Second of the last record, by the caller's clock. */
  readonly lastSecond: Uint32Array;
  /** Connections that are not FREE. */
  open = 0;
  /** Number of what its process's spans share, in `resources`. */
  readonly resource: Uint32Array;
  readonly resources = new Resources();
  readonly #processes: ProcessFacts;
  readonly #ports: [number, number] = [0, 0];
  #capacity = 0;

  constructor(processes: ProcessFacts, engine = new Engine()) {
    this.#processes = processes;
    this.engine = engine;
    const bytes = (at: number, each = 1) => engine.column(Uint8Array, at, each * layout.CONNECTIONS_MAX);
    const ports = (at: number) => engine.column(Uint16Array, at, layout.CONNECTIONS_MAX);
    const words = (at: number, each = 1) => engine.column(Uint32Array, at, each * layout.CONNECTIONS_MAX);
    const offsets = (at: number) => engine.column(Float64Array, at, 2 * layout.CONNECTIONS_MAX);
    this.state = bytes(layout.STATE);
    this.role = bytes(layout.ROLE);
    this.clientDirection = bytes(layout.CLIENT_DIRECTION);
    this.midStream = bytes(layout.MID_STREAM);
    this.givenUp = bytes(layout.GIVEN_UP);
    this.hole = bytes(layout.HOLE);
    this.unknownSince = words(layout.UNKNOWN_SINCE);
    this.parser = engine.column(Int16Array, layout.PARSER, layout.CONNECTIONS_MAX);
    this.base = words(layout.BASE, 2);
    this.next = offsets(layout.NEXT);
    this.stream = bytes(layout.STREAM, 2);
    this.skip = offsets(layout.SKIP);
    this.tgid = words(layout.TGID);
    this.cookieLow = words(layout.COOKIE_LOW);
    this.cookieHigh = words(layout.COOKIE_HIGH);
    this.localPort = ports(layout.LOCAL_PORT);
    this.remotePort = ports(layout.REMOTE_PORT);
    this.family = bytes(layout.FAMILY);
    this.addresses = bytes(layout.ADDRESSES, ADDRESS_BYTES);
    this.#addressWords = words(layout.ADDRESSES, ADDRESS_WORDS);
    this.lastSecond = words(layout.LAST_SECOND);
    this.resource = words(layout.RESOURCE);
  }

  /** Beyond the highest number there was: all numbers from here on are FREE. */
  get capacity(): number {
    return this.#capacity;
  }

  /** Fills the row of a connection from its first record, which begins at byte `at`. */
  begin(connection: number, u32: Uint32Array, u16: Uint16Array, u8: Uint8Array, at: number): void {
    if (connection >= this.#capacity) this.#capacity = connection + 1;
    const flags = u16[(at + RECORD.flags) >>> 1]!;
    this.open++;
    this.state[connection] = IDENTIFYING;
    if ((flags & FLAG_ORIGIN_KNOWN) !== 0) clear(this.midStream, connection);
    else this.midStream[connection] = 1;
    clear(this.givenUp, connection);
    clear(this.hole, connection);
    clear(this.unknownSince, connection);
    this.parser[connection] = -1;
    this.#beginStreams(connection, 0);
    this.tgid[connection] = u32[(at + RECORD.tgid) >>> 2]!;
    this.cookieLow[connection] = u32[(at + RECORD.connection) >>> 2]!;
    this.cookieHigh[connection] = u32[(at + RECORD.connection + 4) >>> 2]!;
    this.localPort[connection] = u16[(at + RECORD.localPort) >>> 1]!;
    this.remotePort[connection] = u16[(at + RECORD.remotePort) >>> 1]!;
    this.family[connection] = u8[at + RECORD.family]!;
    const role = handshakeRole(flags) || this.#guessRole(connection);
    this.role[connection] = role;
    this.clientDirection[connection] = role === ROLE_CLIENT ? DIRECTION_OUT : DIRECTION_IN;
    const from = (at + RECORD.local) >>> 2;
    for (let i = 0; i < ADDRESS_WORDS; i++) this.#addressWords[connection * ADDRESS_WORDS + i] = u32[from + i]!;
    // Asked for now, while the process is surely alive; the answer is cached per process.
    this.resource[connection] = this.resources.acquire(this.#processes.resourceOf(this.tgid[connection]!));
  }

  /** Both ports; good until the next call. */
  portsOf(connection: number): readonly [number, number] {
    this.#ports[0] = this.localPort[connection]!;
    this.#ports[1] = this.remotePort[connection]!;
    return this.#ports;
  }

  /** An ignored connection is wanted again, from whatever comes next. */
  resume(connection: number): void {
    this.state[connection] = IDENTIFYING;
    this.unknownSince[connection] = 0;
    this.midStream[connection] = 1;
    this.#beginStreams(connection, RESUMED);
  }

  #beginStreams(connection: number, bits: number): void {
    for (let key = connection * 2; key < connection * 2 + 2; key++) {
      this.stream[key] = bits;
      clear(this.next, key);
      clear(this.skip, key);
    }
  }

  free(connection: number): void {
    this.state[connection] = FREE;
    this.resources.release(this.resource[connection]!);
    this.open--;
  }

  /** Of a connection older than the agent: an accepted one has the port of a listener. */
  #guessRole(connection: number): number {
    const listens = this.#processes.listensOn?.(this.tgid[connection]!, this.localPort[connection]!);
    return listens === undefined ? ROLE_UNKNOWN : listens ? ROLE_SERVER : ROLE_CLIENT;
  }
}

/** Columns are large: a page of one in which nothing but zeros was ever written takes no memory if it is not written. */
function clear(column: Uint8Array | Uint32Array | Float64Array, at: number): void {
  if (column[at] !== 0) column[at] = 0;
}

/** A second of the table's columns, which hold no negative ones: the caller's clock may have begun a moment ago. */
export function secondOf(nowMs: number): number {
  return Math.floor(nowMs / 1000) + CLOCK_BEGINS;
}

function handshakeRole(flags: number): number {
  if ((flags & FLAG_ROLE_SERVER) !== 0) return ROLE_SERVER;
  return (flags & FLAG_ROLE_CLIENT) !== 0 ? ROLE_CLIENT : ROLE_UNKNOWN;
}
