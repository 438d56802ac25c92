/**
 * One shipped module at work on open connections, lap after lap, as the host drives it: metered, and its output walked
 * through. Only the bytes and the table that says where they are stand there already, as they do for the parser it is
 * compared with: each lap has the same ones at the same addresses.
 */
import type { Parser } from '../host/modules/trial/parser.ts';
import type { Step } from '../host/modules/trial/steps.ts';
import { InputArena } from '../host/wasm/arena.ts';
import { Guest } from '../host/wasm/guest.ts';
import { SlotAllocator } from '../host/wasm/slots.ts';
import * as abi from '../parsers/sdk/abi.ts';
import type { ParserTraffic } from './parser-traffic.ts';

interface Connection {
  slot: number;
  readonly offsets: [number, number];
}

/** Chunks that are handed over together, as the table had them before the module saw it. */
interface Laid {
  readonly first: number;
  readonly end: number;
  readonly bytes: number;
  readonly table: Uint32Array;
}

export interface GuestRunOptions {
  readonly connections?: number;
  /** Clock for `serverNs`; a run is then of one turn of one side, on all connections. */
  readonly now?: () => number;
}

const TIME_STEP_NS = 1000;
const CHUNK_WORDS = abi.CHUNK_SIZE >>> 2;

export class GuestRun {
  requests = 0;
  responses = 0;
  /** Time spent on what servers said. */
  serverNs = 0;
  readonly #guest: Guest;
  readonly #arena: InputArena;
  readonly #slots: SlotAllocator;
  readonly #connections: Connection[];
  readonly #turns: readonly (readonly Step[])[];
  readonly #now: (() => number) | undefined;
  #time = TIME_STEP_NS;
  /** By turn of a lap. */
  #laid: Laid[] = [];

  constructor(parser: Parser, { prologue, lap }: ParserTraffic, { connections = 1, now }: GuestRunOptions = {}) {
    this.#guest = new Guest({ ...parser, digest: '' });
    this.#arena = new InputArena(this.#guest.memory, this.#guest.input);
    this.#slots = new SlotAllocator(this.#guest.slots, parser.manifest.slots, this.#guest.memory);
    this.#connections = Array.from({ length: connections }, (_, number) => this.#open(number));
    this.#now = now;
    this.#lap(turnsOf(prologue), true);
    this.#turns = now ? turnsOf(lap) : [lap];
    this.#lap(this.#turns, true);
    this.requests = 0;
    this.responses = 0;
  }

  run(laps: number): void {
    for (let lap = 0; lap < laps; lap++) this.#lap(this.#turns, false);
  }

  #open(connection: number): Connection {
    const slot = this.#slots.take(0, connection, 0);
    this.#guest.refuelShortCall();
    this.#guest.exports.open(slot, 0);
    return { slot, offsets: [0, 0] };
  }

  #lap(turns: readonly (readonly Step[])[], isNew: boolean): void {
    if (isNew) this.#layOut(turns);
    for (const [turn, steps] of turns.entries()) {
      const before = this.#now?.() ?? 0;
      this.#turn(this.#laid[turn]!);
      if (this.#now && steps[0]?.direction === abi.FROM_SERVER) this.serverNs += this.#now() - before;
    }
  }

  #layOut(turns: readonly (readonly Step[])[]): void {
    const arena = this.#arena;
    arena.clear();
    this.#laid = turns.map((steps) => {
      const { count: first, bytes } = arena;
      for (const connection of this.#connections) for (const step of steps) this.#push(connection, step);
      const { count: end } = arena;
      arena.deliver();
      const table = this.#guest.memory.u32.slice(arena.at(first) >>> 2, arena.at(end) >>> 2);
      return { first, end, bytes: arena.bytes - bytes, table };
    });
  }

  #turn({ first, end, bytes, table }: Laid): void {
    this.#guest.memory.u32.set(table, this.#arena.at(first) >>> 2);
    this.#guest.refuel(bytes, end - first);
    for (let next = first; next < end; ) {
      this.#guest.reset();
      next = this.#guest.exports.run(next, end) >>> 0;
      this.#takeOutput(next);
    }
  }

  #push({ slot, offsets }: Connection, { kind, direction, bytes, wireLength }: Step): void {
    const { length } = bytes;
    if (!this.#arena.hasRoom(length)) throw new Error('a lap is larger than the input arena');
    const offset = offsets[direction as 0 | 1];
    offsets[direction as 0 | 1] = offset + wireLength;
    this.#time += TIME_STEP_NS;
    const at = this.#arena.describe(slot, kind, direction, 0, length, wireLength, this.#time >>> 0, 0, offset);
    this.#guest.memory.u8.set(bytes, at);
  }

  #takeOutput(next: number): void {
    const { u32 } = this.#guest.memory;
    const end = this.#guest.output + this.#guest.outputLength;
    for (let at = this.#guest.output; at < end; at += u32[at >>> 2]!) {
      const type = u32[(at >>> 2) + 2]! & 0xffff;
      if (type === abi.REQUEST) this.requests++;
      else if (type === abi.RESPONSE) this.responses++;
      else if (type === abi.GROW || type === abi.SHRINK) this.#move(u32[(at >>> 2) + 1]!, type, next);
      else if (type === abi.DESYNC || type === abi.GIVE_UP) throw new Error(`the parser lost its place (hint ${type})`);
    }
  }

  #move(slot: number, type: number, next: number): void {
    const number = this.#slots.connectionAt(slot);
    const target = this.#slots.move(slot, number, type === abi.GROW ? this.#slots.classOf(slot) + 1 : 0);
    if (target === 0) throw new Error('the parser outgrew its slots');
    this.#arena.rename(slot, target, next);
    this.#connections[number]!.slot = target;
    for (const { table } of this.#laid) {
      for (let word = 0; word < table.length; word += CHUNK_WORDS) if (table[word] === slot) table[word] = target;
    }
  }
}

/** What one side says until the other does. */
function turnsOf(steps: readonly Step[]): Step[][] {
  const turns: Step[][] = [];
  for (const step of steps) {
    const last = turns.at(-1);
    if (last?.[0]?.direction === step.direction) last.push(step);
    else turns.push([step]);
  }
  return turns;
}
