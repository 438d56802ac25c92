/**
 * Messages become pairs, each connection in the way its module's manifest names (host/engine/assembly/pairing.ts). The
 * engine does it; here is how the rest of the host asks it to.
 */
import { randomFillSync } from 'node:crypto';
import type { Engine } from '../engine/engine.ts';
import { MESSAGES_MAX, SLAB_BYTES_MAX } from '../engine/layout/messages.ts';
import { DEFINITION_SLAB_BYTES_MAX, FIFO, KEY, KEY_SECRET, NONE } from '../engine/layout/pairing.ts';
import type { Protocol } from '../wasm/manifest.ts';

/** The mode behind a manifest's `protocols[…].pairing`, which all protocols of a module share. */
export const PAIRING_MODES: Readonly<Record<Protocol['pairing'], number>> = { fifo: FIFO, key: KEY, none: NONE };

export interface PairingLimits {
  readonly messages: number;
  readonly attributeBytes: number;
  readonly definitionBytes: number;
}

/** As much as the engine's memory has room for. */
export const PAIRING_LIMITS: PairingLimits = {
  messages: MESSAGES_MAX,
  attributeBytes: SLAB_BYTES_MAX,
  definitionBytes: DEFINITION_SLAB_BYTES_MAX,
};

/** Once for an engine, before it pairs anything. */
export function beginPairing(engine: Engine, limits: Partial<PairingLimits> = {}): void {
  const { messages, attributeBytes, definitionBytes } = { ...PAIRING_LIMITS, ...limits };
  const secret = randomFillSync(engine.column(Uint32Array, KEY_SECRET, 3));
  for (let i = 0; i < secret.length; i++) secret[i]! |= 1;
  engine.exports.initPairing!(messages, attributeBytes, definitionBytes, performance.now());
}

type Call = (...values: number[]) => number;

export class Pairing {
  readonly #calls: Readonly<Record<string, Call>>;

  constructor(engine: Engine) {
    this.#calls = engine.exports as unknown as Readonly<Record<string, Call>>;
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
