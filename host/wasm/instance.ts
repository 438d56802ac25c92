/**
 * One running parser module: its memory, its arenas, its slots. A shard has one instance per module for its traffic.
 *
 * The rule: chunks are pushed, `flush` runs the module over all of them. Each run's output goes to the engine, which pairs
 * its messages; what a connection is to become the consumer hears.
 * Everything the module says is untrusted (output.ts), every call has a fuel budget (guest.ts), and slots are addresses
 * that only the host allocates (slots.ts). When a call traps, a new instance takes the place of the old one,
 * with all slots but those of the connections that were at work: these are lost, the others go on.
 */
import * as abi from '../../parsers/sdk/abi.ts';
import type { ParserModule } from './admit.ts';
import { type HeldChunk, INPUT_BYTES, InputArena } from './arena.ts';
import type { Failure, OutputConsumer } from './consumer.ts';
import { Guest } from './guest.ts';
import type { Manifest } from './manifest.ts';
import { OutputCheck, type OutputSink } from './output.ts';
import { NO_SETTINGS, type Settings } from './settings.ts';
import { SlotAllocator } from './slots.ts';
import { Staging } from './staging.ts';

/** Runs that end in the chunk they began with: a GROW for each class, and one more for so many bytes of the chunk. */
const RETURNS_MAX = 8;
const RETURN_BYTES_SHIFT = 5;
/**
 * Records that a flush may put out: one for each captured byte, and so many more. Fuel does not bound them, because a
 * module can leave its output where it is and return again. What counts how much: host/engine/assembly/consume.ts.
 */
const RECORDS_BASE = 1024;
const RECORDS_PER_CHUNK = 64;

export class ParserInstance {
  readonly parser: ParserModule;
  readonly manifest: Manifest;
  /** Position in the shard's list of instances. */
  readonly index: number;
  runs = 0;
  readonly #check: OutputCheck;
  readonly #settings: Settings;
  readonly #staging: Staging;
  /** Connection, type and value of each GROW, SHRINK and UPGRADE of a run: done after it, its other records name the slot. */
  readonly #changes: number[] = [];
  /** Who takes the output of this run. */
  #consumer: OutputConsumer | undefined;
  readonly #sink: OutputSink = (connection, type, value) => {
    if (type === abi.GIVE_UP) this.#consumer!.gaveUp(connection);
    else this.#changes.push(connection, type, value);
  };
  #guest: Guest;
  #slots: SlotAllocator;
  readonly #arena: InputArena;
  #flushing = false;
  #migrates = true;

  constructor(parser: ParserModule, index: number, settings: Settings = NO_SETTINGS, staging = new Staging()) {
    this.parser = parser;
    this.manifest = parser.manifest;
    this.index = index;
    this.#settings = settings;
    this.#staging = staging;
    this.#guest = new Guest(parser, settings);
    this.#arena = new InputArena(this.#guest.memory, this.#guest.input, staging);
    this.#check = new OutputCheck(this.manifest, settings, staging, this.#arena.area);
    this.#slots = this.#newSlots(this.#guest);
  }

  /** Where its chunks gather. */
  get area(): number {
    return this.#arena.area;
  }

  /** Gives back what it has of the engine's memory: it is done. */
  dispose(): void {
    this.#slots.dispose();
    this.#staging.giveArea(this.#arena.area);
  }

  /** Messages that it has put out. */
  get messages(): number {
    return this.#check.messages;
  }

  get memoryBytes(): number {
    return this.#guest.memory.bytes;
  }

  /** Slots in use. */
  get slots(): number {
    return this.#slots.used;
  }

  /** Chunks that wait for the next flush. */
  get waiting(): number {
    return this.#arena.count;
  }

  /** Attributes the manifest has not, or of the wrong length. */
  get attributesRefused(): number {
    return this.#check.refused;
  }

  /** A fresh slot for a connection, opened; 0 when the module's memory limit is reached or it failed. */
  open(connection: number, flags: number, consumer: OutputConsumer): number {
    const slot = this.#slots.take(0, connection, flags);
    if (slot === 0) return 0;
    return this.#call(consumer, connection, () => this.#guest.exports.open(slot, flags)) ? slot : 0;
  }

  /** Only between flushes, when no chunk of the slot waits. */
  close(connection: number, consumer: OutputConsumer): void {
    const slot = this.slotOf(connection);
    if (slot === 0) return;
    if (this.#call(consumer, connection, () => this.#guest.exports.close(slot))) this.#slots.give(slot);
  }

  /** True when a chunk with `length` bytes of payload fits before the next flush. */
  hasRoom(length: number): boolean {
    return this.#arena.hasRoom(length);
  }

  /** Where the connection's state lies now, 0 for nowhere: GROW, SHRINK and failures change it during a flush. */
  slotOf(connection: number): number {
    return this.#slots.slotOf(connection);
  }

  /** Every connection with a slot. */
  connections(): number[] {
    return this.#slots.connections();
  }

  /** Adds a chunk; its payload is at address `source` of the engine's memory. Call hasRoom() first. */
  push(
    slot: number,
    kind: number,
    direction: number,
    source: number,
    length: number,
    wireLength: number,
    timeLow: number,
    timeHigh: number,
    offset: number,
  ): void {
    this.#arena.describe(slot, kind, direction, source, length, wireLength, timeLow, timeHigh, offset);
  }

  /** The same for a chunk that is not in the batch: copied at once. */
  pushHeld(slot: number, { kind, direction, bytes, wireLength, timeLow, timeHigh, offset }: HeldChunk): void {
    const data = this.#arena.describe(slot, kind, direction, 0, bytes.length, wireLength, timeLow, timeHigh, offset);
    this.#guest.memory.u8.set(bytes, data);
  }

  /** Adds a chunk that identify() is to be asked about; false when it does not fit. */
  show(chunk: Omit<HeldChunk, 'kind'>, direction: number): boolean {
    return this.#arena.show(chunk, direction);
  }

  /** Runs everything pushed. */
  flush(consumer: OutputConsumer): void {
    if (this.#flushing) throw new Error('flush called from within a flush');
    if (this.#arena.count === 0) return;
    this.#flushing = true;
    try {
      this.#arena.deliver();
      this.#guest.refuel(this.#arena.bytes, this.#arena.count);
      this.#check.allow(this.#arena.bytes + this.#arena.count * RECORDS_PER_CHUNK + RECORDS_BASE);
      this.#runAll(consumer);
    } finally {
      this.#arena.clear();
      this.#changes.length = 0;
      this.#flushing = false;
    }
  }

  /** Asks the module about the chunks shown (of one connection), then forgets them. */
  identify(): number | Failure {
    const { shown, shownBytes } = this.#arena;
    this.#arena.forgetShown();
    this.#guest.refuel(shownBytes, shown);
    let why: unknown = 'identify grew the memory';
    try {
      const verdict = this.#guest.exports.identify(shown) >>> 0;
      if (!this.#guest.memory.isStale) return verdict;
    } catch (error) {
      why = error;
    }
    const failure = this.#describe(why, []);
    const slots = this.#slots;
    this.#restart();
    slots.dispose();
    return failure;
  }

  /** Throws away memory and slots and starts anew. */
  clear(): void {
    const slots = this.#slots;
    this.#start();
    this.#arena.clear();
    slots.dispose();
  }

  /** Takes over every slot of another instance as it is; false when memory does not suffice. This one must be empty. */
  adopt(other: ParserInstance): boolean {
    return this.#slots.adopt(other.#slots);
  }

  /**
   * Takes over one connection of another version of the module: its state in a class that holds it, converted by
   * `migrate` when the state version differs. False when that cannot be: the connection stays where it is.
   */
  takeOver(other: ParserInstance, connection: number): boolean {
    const old = other.slotOf(connection);
    const slot = this.#slots.copyFrom(other.#slots, connection);
    if (slot === 0) return false;
    const isDone = this.manifest.stateVersion === other.manifest.stateVersion || this.#migrate(slot, other);
    const [keeps, gives] = isDone ? [this, other] : [other, this];
    gives.#slots.give(isDone ? old : slot);
    keeps.#slots.bind(isDone ? slot : old, connection);
    return isDone;
  }

  /** One that failed is not asked again: each time may take all its fuel. */
  #migrate(slot: number, from: ParserInstance): boolean {
    if (!this.#migrates) return false;
    this.#guest.refuelShortCall();
    try {
      const isDone = this.#guest.exports.migrate?.(slot, from.manifest.stateVersion) === 1;
      this.#migrates = !this.#guest.memory.isStale;
      return isDone && this.#migrates;
    } catch {
      this.#migrates = false;
      return false;
    } finally {
      this.#guest.memory.refreshIfStale();
    }
  }

  /** A guest anew, with nothing in its slots; the chunks that wait are its own. Throws when there is no memory. */
  #start(): void {
    const guest = new Guest(this.parser, this.#settings);
    this.#slots = this.#newSlots(guest);
    this.#guest = guest;
    this.#arena.moveTo(guest.memory, guest.input);
    this.#changes.length = 0;
  }

  #newSlots({ slots, memory }: Guest): SlotAllocator {
    return new SlotAllocator(slots, this.manifest.slots, memory, this.#staging, this.#arena.area);
  }

  #runAll(consumer: OutputConsumer): void {
    let first = 0;
    let returns = this.#returnsFor(0);
    while (first < this.#arena.count) {
      const guest = this.#guest;
      const next = this.#run(first, this.#arena.count, consumer);
      if (next < 0) return;
      if (guest !== this.#guest) {
        // It recovered: the chunk at fault is gone.
        returns = this.#returnsFor(next);
        first = next;
        continue;
      }
      const { outputLength } = this.#guest;
      if (this.#changes.length > 0) this.#change(next, consumer);
      returns = next > first ? this.#returnsFor(next) : returns - 1;
      if (returns < 0 || (next === first && outputLength === 0)) {
        this.#failAll(first, 'run makes no progress', consumer);
        return;
      }
      first = next;
    }
  }

  /** One run: the chunk to go on with, or -1 when nothing is left to run. */
  #run(first: number, end: number, consumer: OutputConsumer): number {
    this.#guest.reset();
    this.runs++;
    let next: number;
    try {
      next = this.#guest.exports.run(first, end) >>> 0;
    } catch (error) {
      return this.#recover(error, first, end, consumer);
    }
    if (this.#guest.memory.isStale) return this.#failAll(first, 'run grew the memory', consumer);
    if (next < first || next > end) {
      return this.#failAll(first, `run returned ${next} of [${first}, ${end})`, consumer);
    }
    const wrong = this.#consume(consumer);
    return wrong === undefined ? next : this.#failAll(first, wrong, consumer);
  }

  /** How often a run may end in this chunk and begin there again. */
  #returnsFor(chunk: number): number {
    return RETURNS_MAX + (Math.min(this.#arena.lengthOf(chunk), INPUT_BYTES) >>> RETURN_BYTES_SHIFT);
  }

  /** Has the output taken; says what is wrong with the first record that is. */
  #consume(consumer: OutputConsumer): string | undefined {
    const { output, outputBytes, outputLength, memory } = this.#guest;
    if (outputLength > outputBytes) return `${outputLength} bytes of output in an arena of ${outputBytes}`;
    if (outputLength === 0) return undefined;
    this.#consumer = consumer;
    return this.#check.take(memory.u8.subarray(output, output + outputLength), this.#sink);
  }

  /** Does what GROW, SHRINK and UPGRADE asked for; `next` is the first chunk that is still to run. */
  #change(next: number, consumer: OutputConsumer): void {
    for (let i = 0; i < this.#changes.length; i += 3) {
      const connection = this.#changes[i]!;
      const type = this.#changes[i + 1]!;
      const slot = this.#slots.slotOf(connection);
      if (slot === 0) continue;
      if (type === abi.UPGRADE) this.#leave(slot, connection, this.#changes[i + 2]!, next, consumer);
      else this.#move(slot, connection, type, next, consumer);
    }
    this.#changes.length = 0;
  }

  /** The connection speaks another protocol from its next chunk on. */
  #leave(slot: number, connection: number, protocol: number, next: number, consumer: OutputConsumer): void {
    const rest: HeldChunk[] = [];
    this.#arena.withdraw(slot, next, rest);
    this.#slots.give(slot);
    consumer.upgraded(this, connection, protocol, rest);
  }

  /** Moves a slot to the next class or back to the first; a connection that cannot grow leaves the module. */
  #move(slot: number, connection: number, type: number, next: number, consumer: OutputConsumer): void {
    const sizeClass = this.#slots.classOf(slot);
    const wanted = type === abi.GROW ? sizeClass + 1 : 0;
    const target = wanted === sizeClass ? slot : this.#slots.move(slot, connection, wanted);
    if (target !== 0) {
      if (target !== slot) this.#arena.rename(slot, target, next);
      consumer.moved(type);
    } else if (type === abi.GROW) {
      this.#arena.withdraw(slot, next);
      this.#slots.give(slot);
      consumer.refused(connection);
    }
  }

  // ── failures ──

  /** A trap in a run: output up to the chunk at work counts, its connection is lost, the run goes on behind it. */
  #recover(error: unknown, first: number, end: number, consumer: OutputConsumer): number {
    const { current } = this.#guest;
    const isKnown = current >= first && current < end && !this.#guest.memory.isStale;
    if (!isKnown || this.#consume(consumer) !== undefined) return this.#failAll(first, error, consumer);
    if (this.#changes.length > 0) this.#change(current, consumer);
    // A change takes chunks out of the table; the one at work is still where the module said, or has gone with them.
    if (current >= this.#arena.count) return this.#failAll(current, error, consumer);
    const slot = this.#arena.slotOf(current);
    const connection = this.#slots.connectionAt(slot);
    const failure = this.#describe(error, connection < 0 ? [] : [connection]);
    if (connection >= 0) this.#arena.withdraw(slot, current);
    return this.#replace(failure, consumer) ? current : -1;
  }

  /** A failure that cannot be pinned on one chunk: every connection with a chunk from `first` on is lost. Returns -1. */
  #failAll(first: number, why: unknown, consumer: OutputConsumer): number {
    this.#guest.memory.refreshIfStale();
    const lost = new Set<number>();
    for (let i = first; i < this.#arena.count; i++) {
      const connection = this.#slots.connectionAt(this.#arena.slotOf(i));
      if (connection >= 0) lost.add(connection);
    }
    this.#arena.clear();
    const failure = this.#describe(why, [...lost]);
    this.#replace(failure, consumer);
    return -1;
  }

  /** A new instance takes over: the slots but those of the lost connections, and the chunks that wait. */
  #replace(failure: Failure, consumer: OutputConsumer): boolean {
    const slots = this.#slots;
    this.#guest.memory.refreshIfStale();
    for (const connection of failure.connections) slots.give(slots.slotOf(connection));
    const goesOn = this.#restart() && this.#slots.adopt(slots);
    const lost = [...failure.connections, ...slots.connections()];
    slots.dispose();
    if (!goesOn) this.#arena.clear();
    this.#guest.refuel(this.#arena.bytes, this.#arena.count);
    return consumer.failed(this, { ...failure, connections: lost }) && goesOn;
  }

  /** False where there is no memory for another instance: then this one goes on, with nothing in its slots. */
  #restart(): boolean {
    try {
      this.#start();
      return true;
    } catch {
      this.#guest.memory.refreshIfStale();
      this.#arena.clear();
      this.#slots = this.#newSlots(this.#guest);
      return false;
    }
  }

  /** A call outside of a run. False when it failed: the connection is lost. */
  #call(consumer: OutputConsumer, connection: number, enter: () => void): boolean {
    this.#guest.refuelShortCall();
    let why: unknown = 'the module grew its memory';
    try {
      enter();
      if (!this.#guest.memory.isStale) return true;
    } catch (error) {
      why = error;
    }
    this.#replace(this.#describe(why, [connection]), consumer);
    return false;
  }

  #describe(why: unknown, connections: readonly number[]): Failure {
    if (typeof why === 'string') return { kind: 'output', reason: why, connections };
    return { ...this.#guest.explain(why), connections };
  }
}
