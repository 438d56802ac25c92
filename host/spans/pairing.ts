/**
 * Messages become pairs, each connection in the way its module's manifest names (host/engine/assembly/pairing.ts). The
 * engine does it; here is how the rest of the host asks it to.
 */
import { OUT_LENGTH } from '../../parsers/sdk/abi.ts';
import type { Engine } from '../engine/engine.ts';
import { RECORD, RECORD_MAX } from '../engine/layout/pairing.ts';
import type { Protocol } from '../wasm/manifest.ts';

/** How the messages of a connection pair. */
export const FIFO = 0;
export const KEY = 1;
export const NONE = 2;

/** The mode behind a manifest's `protocols[…].pairing`, which all protocols of a module share. */
export const PAIRING_MODES: Readonly<Record<Protocol['pairing'], number>> = { fifo: FIFO, key: KEY, none: NONE };

type Call = (...values: number[]) => number;

export class Pairing {
  readonly #words: Uint32Array;
  readonly #calls: Readonly<Record<string, Call>>;
  readonly #message: Call;

  constructor(engine: Engine) {
    this.#words = engine.u32;
    this.#calls = engine.exports as unknown as Readonly<Record<string, Call>>;
    this.#message = this.#calls.message!;
  }

  /** The time of what comes next, by the clock of `settle`. */
  setNow(nowMs: number): void {
    this.#calls.setNow!(nowMs);
  }

  /**
   * Starts a connection; `inSync` when its first byte was seen. One that was open must be desynchronised or closed.
   * Connections of equal `scope` share definitions.
   */
  open(connection: number, inSync: boolean, mode = FIFO, scope = 0): void {
    this.#calls.open!(connection, inSync ? 1 : 0, mode, scope);
  }

  /** Takes the message at byte `at` of a parser's memory, which passed wasm/output.ts. */
  message(connection: number, type: number, flags: number, memory: Uint32Array, at: number): void {
    this.#message(connection, type, flags, copyRecord(this.#words, memory, at));
  }

  /** Takes the DEFINE record at byte `at` of a parser's memory. */
  define(connection: number, memory: Uint32Array, at: number): void {
    this.#calls.define!(connection, copyRecord(this.#words, memory, at));
  }

  /** Takes the UNDEFINE record at byte `at` of a parser's memory. */
  undefine(connection: number, memory: Uint32Array, at: number): void {
    this.#calls.undefine!(connection, copyRecord(this.#words, memory, at));
  }

  /** Nothing seen before pairs with anything after. Definitions stay: they say nothing of time. */
  desync(connection: number): void {
    this.#calls.desync!(connection);
  }

  /** Ends a connection. */
  close(connection: number): void {
    this.#calls.close!(connection);
  }

  /** What time alone brings about. Call now and then. */
  settle(nowMs: number): void {
    this.#calls.settle!(nowMs);
  }

  /** Records were lost, of whatever connection: a response too many may be among them, and its absence proves nothing. */
  distrustSilence(): void {
    this.#calls.distrustSilence!();
  }
}

/** Puts the record at byte `at` of a parser's memory where the engine can read it; returns that address. */
export function copyRecord(words: Uint32Array, memory: Uint32Array, at: number): number {
  const from = at >>> 2;
  const length = Math.min(memory[from + (OUT_LENGTH >>> 2)]!, RECORD_MAX) >>> 2;
  for (let w = 0; w < length; w++) words[(RECORD >>> 2) + w] = memory[from + w]!;
  return RECORD;
}
