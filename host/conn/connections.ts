/**
 * The connection table: columns by connection number (the slot number that the record source gave it).
 * A number is free until its first record and again after `free`; the source hands it out anew only after that.
 */
import {
  DIRECTION_IN,
  DIRECTION_OUT,
  FLAG_ORIGIN_KNOWN,
  FLAG_ROLE_CLIENT,
  FLAG_ROLE_SERVER,
  RECORD,
} from '../kernel/layout.ts';
import { grown } from '../spans/messages.ts';
import { Resources } from '../spans/resources.ts';
import type { Resource } from '../spans/span.ts';

/** What is done with a connection's bytes. */
export const FREE = 0;
/** Buffered until a protocol claims them. */
export const IDENTIFYING = 1;
/** Given to a parser. */
export const PARSED = 2;
/** Counted only: no protocol claimed them, or the parser gave up. */
export const IGNORED = 3;
/** Ended; waits for the parser to see its last chunks. */
export const CLOSING = 4;

/** Which side of the connection the socket's owner is. */
export const ROLE_UNKNOWN = 0;
export const ROLE_CLIENT = 1;
export const ROLE_SERVER = 2;

/** Bits of `stream`: a position is known; the direction has ended; what came before its next record was not wanted. */
export const STARTED = 1;
export const ENDED = 2;
export const RESUMED = 4;

/** Local and remote address, 16 bytes each. */
const ADDRESS_BYTES = 32;
const FIRST_CONNECTIONS = 256;

/** What the table asks about the process that owns a socket; cached by whoever answers. */
export interface ProcessFacts {
  /** What all spans of the process share. */
  resourceOf(tgid: number): Resource;
  /** Whether the process's network has a listener on this port: its connections from there are accepted ones. */
  listensOn?(tgid: number, port: number): boolean | undefined;
}

export class Connections {
  state = new Uint8Array(FIRST_CONNECTIONS);
  role = new Uint8Array(FIRST_CONNECTIONS);
  /** The record direction in which the client's bytes travel; a belief until identified. */
  clientDirection = new Uint8Array(FIRST_CONNECTIONS);
  /** 1 when the stream was joined at an unknown place. */
  midStream = new Uint8Array(FIRST_CONNECTIONS);
  /** Times a parser gave up on it. */
  givenUp = new Uint8Array(FIRST_CONNECTIONS);
  /** Second in which it became IGNORED because nobody knew it, by the caller's clock, plus one; 0 otherwise. */
  unknownSince = new Float64Array(FIRST_CONNECTIONS);
  /** Index of the parser instance, when PARSED or CLOSING; -1 for none. */
  parser = new Int16Array(FIRST_CONNECTIONS);
  /** By connection * 2 + direction: sequence number of stream offset 0, next expected offset, and what is known. */
  base = new Uint32Array(FIRST_CONNECTIONS * 2);
  next = new Float64Array(FIRST_CONNECTIONS * 2);
  stream = new Uint8Array(FIRST_CONNECTIONS * 2);
  /** By connection * 2 + direction: bytes before this offset are of no use to the parser. */
  skip = new Float64Array(FIRST_CONNECTIONS * 2);
  tgid = new Uint32Array(FIRST_CONNECTIONS);
  cookieLow = new Uint32Array(FIRST_CONNECTIONS);
  cookieHigh = new Uint32Array(FIRST_CONNECTIONS);
  localPort = new Uint16Array(FIRST_CONNECTIONS);
  remotePort = new Uint16Array(FIRST_CONNECTIONS);
  family = new Uint8Array(FIRST_CONNECTIONS);
  addresses = new Uint8Array(FIRST_CONNECTIONS * ADDRESS_BYTES);
  /** Second of the last record, by the caller's clock. */
  lastSecond = new Float64Array(FIRST_CONNECTIONS);
  /** Connections that are not FREE. */
  open = 0;
  /** Number of what its process's spans share, in `resources`. */
  resource = new Uint32Array(FIRST_CONNECTIONS);
  readonly resources = new Resources();
  readonly #processes: ProcessFacts;

  constructor(processes: ProcessFacts) {
    this.#processes = processes;
  }

  get capacity(): number {
    return this.state.length;
  }

  /** Fills the row of a connection from its first record, which begins at byte `at`. */
  begin(connection: number, u32: Uint32Array, u16: Uint16Array, u8: Uint8Array, at: number): void {
    this.#reserve(connection);
    const flags = u16[(at + RECORD.flags) >>> 1]!;
    this.open++;
    this.state[connection] = IDENTIFYING;
    this.midStream[connection] = (flags & FLAG_ORIGIN_KNOWN) !== 0 ? 0 : 1;
    this.givenUp[connection] = 0;
    this.unknownSince[connection] = 0;
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
    for (let i = 0; i < ADDRESS_BYTES; i++) {
      this.addresses[connection * ADDRESS_BYTES + i] = u8[at + RECORD.local + i]!;
    }
    // Asked for now, while the process is surely alive; the answer is cached per process.
    this.resource[connection] = this.resources.acquire(this.#processes.resourceOf(this.tgid[connection]!));
  }

  /** An ignored connection is wanted again, from whatever comes next. */
  resume(connection: number): void {
    this.state[connection] = IDENTIFYING;
    this.unknownSince[connection] = 0;
    this.midStream[connection] = 1;
    this.#beginStreams(connection, RESUMED);
  }

  #beginStreams(connection: number, bits: number): void {
    this.stream.fill(bits, connection * 2, connection * 2 + 2);
    this.next.fill(0, connection * 2, connection * 2 + 2);
    this.skip.fill(0, connection * 2, connection * 2 + 2);
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

  #reserve(connection: number): void {
    if (connection < this.state.length) return;
    const size = Math.max(connection + 1, this.state.length * 2);
    this.state = grown(this.state, size);
    this.role = grown(this.role, size);
    this.clientDirection = grown(this.clientDirection, size);
    this.midStream = grown(this.midStream, size);
    this.givenUp = grown(this.givenUp, size);
    this.unknownSince = grown(this.unknownSince, size);
    this.parser = grown(this.parser, size);
    this.base = grown(this.base, size * 2);
    this.next = grown(this.next, size * 2);
    this.stream = grown(this.stream, size * 2);
    this.skip = grown(this.skip, size * 2);
    this.tgid = grown(this.tgid, size);
    this.cookieLow = grown(this.cookieLow, size);
    this.cookieHigh = grown(this.cookieHigh, size);
    this.localPort = grown(this.localPort, size);
    this.remotePort = grown(this.remotePort, size);
    this.family = grown(this.family, size);
    this.addresses = grown(this.addresses, size * ADDRESS_BYTES);
    this.lastSecond = grown(this.lastSecond, size);
    this.resource = grown(this.resource, size);
  }
}

function handshakeRole(flags: number): number {
  if ((flags & FLAG_ROLE_SERVER) !== 0) return ROLE_SERVER;
  return (flags & FLAG_ROLE_CLIENT) !== 0 ? ROLE_CLIENT : ROLE_UNKNOWN;
}
