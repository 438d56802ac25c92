/**
 * A parser module as a host runs it, in the simplest way that is right: no copy tables, no pools. It honours GROW,
 * SHRINK and UPGRADE, keeps definitions, can move a connection to another address or another instance, and makes two
 * kinds of trespass visible: slots have guard bytes behind them, and payload is followed by poison instead of zeroes.
 * It also runs modules that nobody knows yet: whatever they do, a call here ends, with an OutputError when it is wrong.
 * Contract: docs/abi.md.
 */
import * as abi from '../../../parsers/sdk/abi.ts';
import { decodeOutput, OutputError, type OutputRecord } from './decode.ts';
import { type Definitions, define, resolve } from './definitions.ts';
import { Guest, type Subject } from './guest.ts';
import { capturedLength, type Step, splitEvery } from './steps.ts';

export interface HarnessOptions {
  readonly inputBytes?: number;
  readonly outputBytes?: number;
  /** Byte that fills what lies behind the payload of a chunk. */
  readonly poison?: number;
  /** Of performance.now(): no run begins after it. */
  readonly deadline?: number;
}

/** A message, definition or hint of a connection; slot maintenance (grow, shrink) and skip are not among them. */
export type Output = Omit<OutputRecord, 'slot' | 'references' | 'attributeBytes'>;

interface Connection {
  slot: number;
  sizeClass: number;
  /** False after close and after an UPGRADE: what still comes is not for this module. */
  isOpen: boolean;
  readonly offsets: [number, number];
  /** Stream offsets by direction before which SKIP said that no bytes are needed. */
  readonly skips: [number, number];
  readonly definitions: Definitions;
  readonly output: Output[];
}

interface Arrival {
  readonly connection: Connection;
  readonly step: Step;
}

const GUARD = 64;
const GUARD_BYTE = 0xa5;
/** Fills a slot that was given back: a module that kept its address will show. */
const STALE_BYTE = 0xee;
/** Runs that may end in the chunk they began with and consume nothing of it: a GROW for each class, and some more. */
const STALLS = 8;
/** Bytes between the payloads of two chunks. */
const APART = 1;

export class Harness {
  readonly guest: Guest;
  /** Messages, definitions and hints so far. */
  records = 0;
  readonly #subject: Subject;
  readonly #poison: number;
  readonly #deadline: number;
  readonly #connections: Connection[] = [];
  readonly #bySlot = new Map<number, Connection>();
  /** Addresses of slots that were given back, by class. */
  readonly #free: number[][];
  #top: number;

  constructor(subject: Subject, options: HarnessOptions = {}) {
    const { inputBytes = 65536, outputBytes = 65536, poison = 0x24, deadline = Number.POSITIVE_INFINITY } = options;
    this.#subject = subject;
    this.guest = new Guest(subject, inputBytes, outputBytes);
    this.#poison = poison;
    this.#deadline = deadline;
    this.#free = subject.manifest.slots.map(() => []);
    this.#top = this.guest.slots;
  }

  /** Opens a connection and returns its number. */
  open(flags = 0): number {
    const slot = this.#allocate(0, flags);
    this.guest.open(slot, flags);
    return this.#add({
      slot,
      sizeClass: 0,
      isOpen: true,
      offsets: [0, 0],
      skips: [0, 0],
      definitions: new Map(),
      output: [],
    });
  }

  /** Closes a connection; its slot goes to the next one. */
  close(connection: number): void {
    const one = this.#connections[connection]!;
    if (one.isOpen) this.#close(one);
  }

  /** Everything the module said of the connection so far. */
  output(connection: number): readonly Output[] {
    return this.#connections[connection]!.output;
  }

  /** Size class of the connection's slot: 0 is the smallest. */
  sizeClass(connection: number): number {
    return this.#connections[connection]!.sizeClass;
  }

  /** Stream offsets by direction before which the module needs no bytes. */
  skips(connection: number): readonly [number, number] {
    return this.#connections[connection]!.skips;
  }

  /** Feeds steps of one connection, in as few runs as the input arena allows. */
  feed(connection: number, steps: readonly Step[]): void {
    this.feedAll(steps.map((step) => ({ connection, step })));
  }

  /** Feeds steps of many connections in the order given. */
  feedAll(all: readonly { connection: number; step: Step }[]): void {
    let batch: Arrival[] = [];
    let used = 0;
    for (const { connection, step } of all) {
      for (const piece of splitEvery([step], this.guest.inputBytes >> 2)) {
        const need = spaceFor(piece);
        if (used + need > this.guest.inputBytes) {
          this.#runBatch(batch);
          batch = [];
          used = 0;
        }
        batch.push({ connection: this.#connections[connection]!, step: piece });
        used += need;
      }
    }
    this.#runBatch(batch);
  }

  /** Asks identify() about the steps, as the first of a connection; about as many as the input arena holds. */
  identify(steps: readonly Step[]): number {
    let room = this.guest.inputBytes;
    const seen = steps.filter((step) => {
      room -= spaceFor(step);
      return room >= 0;
    });
    const offsets: [number, number] = [0, 0];
    this.#write(seen.map((step) => ({ slot: 0, offsets, step })));
    const verdict = this.guest.identify(seen.length, capturedLength(seen));
    const isScore = (verdict & ~abi.IDENTIFY_SWAPPED) <= abi.IDENTIFY_SCORE_MAX;
    if (!isScore || verdict < 0) throw new OutputError(`identify returned ${verdict}`);
    return verdict;
  }

  /** Moves the connection's slot to a new address of `target`, as snapshot and hot swap do; returns its number there. */
  moveTo(target: Harness, connection: number): number {
    const from = this.#connections[connection]!;
    if (!from.isOpen) return target.#add({ ...from });
    const slot = target.#allocate(from.sizeClass, 0);
    target.guest.bytes.set(this.guest.bytes.subarray(from.slot, from.slot + this.#sizeOf(from)), slot);
    this.#give(from);
    return target.#add({ ...from, slot, isOpen: true });
  }

  #add(connection: Connection): number {
    if (connection.isOpen) this.#bySlot.set(connection.slot, connection);
    return this.#connections.push(connection) - 1;
  }

  #close(connection: Connection): void {
    this.guest.close(connection.slot);
    this.#give(connection);
  }

  #runBatch(arrivals: readonly Arrival[]): void {
    const batch = arrivals.filter(({ connection }) => connection.isOpen);
    if (batch.length === 0) return;
    this.#write(batch.map(({ connection: { slot, offsets }, step }) => ({ slot, offsets, step })));
    this.guest.pay(capturedLength(batch.map(({ step }) => step)), batch.length);
    let end = batch.length;
    let stalls = 0;
    for (let first = 0; first < end; ) {
      if (performance.now() > this.#deadline) throw new OutputError('takes too long');
      const left = this.#wireLength(first);
      const next = this.guest.run(first, end);
      const isSame = next === first && this.#wireLength(first) >= left;
      stalls = isSame ? stalls + 1 : 0;
      const hadOutput = this.guest.outputLength > 0;
      if (isSame && (!hadOutput || stalls > STALLS)) throw new OutputError(`run(${first}, ${end}) makes no progress`);
      end = this.#takeOutput(next, end);
      first = next;
    }
    this.#checkGuards();
  }

  /** Reads the output of a run and follows its hints; returns the end of the chunks that are left. */
  #takeOutput(next: number, end: number): number {
    const { view, output, outputLength } = this.guest;
    const records = decodeOutput(view, output, output + outputLength, this.#subject);
    this.records += records.length;
    const owners = records.map(({ slot }) => this.#owner(slot));
    for (const [index, record] of records.entries()) end = this.#take(owners[index]!, record, next, end);
    return end;
  }

  #take(connection: Connection, record: OutputRecord, next: number, end: number): number {
    const { definitions, output, skips } = connection;
    if (!connection.isOpen) throw new OutputError(`${record.type} after UPGRADE, which ends the run`);
    if (record.type === 'skip') skips[record.status] = Math.max(skips[record.status]!, Number(record.key));
    else if (record.type === 'grow') this.#move(connection, connection.sizeClass + 1, next, end);
    else if (record.type === 'shrink') this.#move(connection, 0, next, end);
    else output.push(withoutSlot(resolve(definitions, record)));
    if (record.type === 'define' || record.type === 'undefine') define(definitions, record);
    return record.type === 'upgrade' ? this.#leave(connection, next, end) : end;
  }

  #owner(slot: number): Connection {
    const owner = this.#bySlot.get(slot);
    if (!owner) throw new OutputError(`output for ${slot}, which is no slot`);
    return owner;
  }

  #move(connection: Connection, sizeClass: number, next: number, end: number): void {
    if (sizeClass >= this.guest.manifest.slots.length) throw new OutputError('GROW in the largest slot class');
    const { slot: old, sizeClass: from } = connection;
    const keep = Math.min(this.guest.manifest.slots[sizeClass]!, this.#sizeOf(connection));
    const slot = this.#allocate(sizeClass, this.guest.word(old + abi.SLOT_OPEN_FLAGS));
    this.guest.bytes.copyWithin(slot + abi.SLOT_OPEN_FLAGS + 4, old + abi.SLOT_OPEN_FLAGS + 4, old + keep);
    this.#give({ ...connection, slot: old, sizeClass: from });
    Object.assign(connection, { slot, sizeClass });
    this.#bySlot.set(slot, connection);
    const { view } = this.guest;
    for (let index = next; index < end; index++) {
      const at = this.#chunkAddress(index) + abi.CHUNK_SLOT;
      if (view.getUint32(at, true) === old) view.setUint32(at, slot, true);
    }
  }

  /** The connection speaks something else from here on: its chunks go out of the table. Returns the table's new end. */
  #leave(connection: Connection, next: number, end: number): number {
    const { slot } = connection;
    this.#close(connection);
    let kept = next;
    for (let index = next; index < end; index++) {
      const at = this.#chunkAddress(index);
      if (this.guest.word(at + abi.CHUNK_SLOT) === slot) continue;
      this.guest.bytes.copyWithin(this.#chunkAddress(kept++), at, at + abi.CHUNK_SIZE);
    }
    return kept;
  }

  #allocate(sizeClass: number, flags: number): number {
    const size = this.guest.manifest.slots[sizeClass]!;
    const slot = this.#free[sizeClass]!.pop() ?? this.#top;
    if (slot === this.#top) this.#top += size + GUARD;
    this.guest.growTo(this.#top);
    this.guest.bytes.fill(0, slot, slot + size).fill(GUARD_BYTE, slot + size, slot + size + GUARD);
    const { view } = this.guest;
    view.setUint32(slot + abi.SLOT_SIZE, size, true);
    view.setUint32(slot + abi.SLOT_OPEN_FLAGS, flags, true);
    return slot;
  }

  #give(connection: Connection): void {
    const { slot, sizeClass } = connection;
    connection.isOpen = false;
    this.#checkGuard(connection);
    this.guest.bytes.fill(STALE_BYTE, slot, slot + this.#sizeOf(connection));
    this.#bySlot.delete(slot);
    this.#free[sizeClass]!.push(slot);
  }

  #sizeOf({ sizeClass }: Connection): number {
    return this.guest.manifest.slots[sizeClass]!;
  }

  #checkGuards(): void {
    for (const connection of this.#bySlot.values()) this.#checkGuard(connection);
  }

  #checkGuard(connection: Connection): void {
    const memory = this.guest.bytes;
    const end = connection.slot + this.#sizeOf(connection);
    for (let at = end; at < end + GUARD; at++) {
      if (memory[at] !== GUARD_BYTE) throw new OutputError(`wrote ${at - end} bytes behind the end of its slot`);
    }
  }

  #write(chunks: readonly { slot: number; offsets: [number, number]; step: Step }[]): void {
    const { input, inputBytes, bytes: memory } = this.guest;
    memory.fill(this.#poison, input, input + inputBytes);
    let data = input + chunks.length * abi.CHUNK_SIZE;
    for (const [index, { slot, offsets, step }] of chunks.entries()) {
      memory.set(step.bytes, data);
      this.#writeChunk(this.#chunkAddress(index), slot, step, data, offsets[step.direction]!);
      offsets[step.direction]! += step.wireLength;
      data += step.bytes.length + APART;
    }
  }

  #writeChunk(at: number, slot: number, step: Step, data: number, offset: number): void {
    const { view } = this.guest;
    view.setUint32(at + abi.CHUNK_SLOT, slot, true);
    view.setUint8(at + abi.CHUNK_KIND, step.kind);
    view.setUint8(at + abi.CHUNK_DIRECTION, step.direction);
    view.setUint16(at + abi.CHUNK_FLAGS, 0, true);
    view.setUint32(at + abi.CHUNK_DATA, data, true);
    view.setUint32(at + abi.CHUNK_LENGTH, step.bytes.length, true);
    view.setUint32(at + abi.CHUNK_WIRE_LENGTH, step.wireLength, true);
    view.setUint32(at + abi.CHUNK_RESERVED, 0, true);
    view.setBigUint64(at + abi.CHUNK_TIMESTAMP, BigInt(step.timestamp), true);
    view.setBigUint64(at + abi.CHUNK_OFFSET, BigInt(offset), true);
  }

  /** Bytes of the chunk that are not consumed: they get fewer or the module makes no progress. */
  #wireLength(index: number): number {
    return this.guest.word(this.#chunkAddress(index) + abi.CHUNK_WIRE_LENGTH);
  }

  #chunkAddress(index: number): number {
    return this.guest.input + index * abi.CHUNK_SIZE;
  }
}

function spaceFor({ bytes }: Step): number {
  return abi.CHUNK_SIZE + bytes.length + 24;
}

function withoutSlot({ slot: _, references: __, attributeBytes: ___, ...output }: OutputRecord): Output {
  return output;
}

/** What a fresh connection of a fresh instance makes of the steps. */
export function parse(subject: Subject, steps: readonly Step[], flags = 0, options: HarnessOptions = {}): Output[] {
  const harness = new Harness(subject, options);
  const connection = harness.open(flags);
  harness.feed(connection, steps);
  return [...harness.output(connection)];
}
