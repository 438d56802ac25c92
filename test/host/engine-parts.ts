/**
 * The engine's pairing (host/engine/assembly), part by part, as tests ask it. Whoever makes one of these has the engine
 * for itself, until the next is made.
 */
import { takeCounters } from '../../host/engine/counters.ts';
import { Engine } from '../../host/engine/engine.ts';
import { MERGED, QUEUE_SHIFT, QUEUES } from '../../host/engine/layout/pairing.ts';
import { type Counters, createCounters, sumCounters } from '../../host/self/counters.ts';
import { Messages as Columns, MESSAGE_LIMITS, type MessageLimits } from '../../host/spans/messages.ts';
import { copyRecord } from '../../host/spans/pairing.ts';
import { MESSAGE_MAX } from '../../parsers/sdk/abi.ts';

type PairSink = (connection: number, request: number, response: number) => void;

function call({ exports }: Engine, name: string, ...values: number[]): number {
  return (exports[name] as unknown as (...values: number[]) => number)(...values);
}

/** What the engine's global says. */
function told({ exports }: Engine, name: string): number {
  return (exports[name] as unknown as WebAssembly.Global).value as number;
}

const NOBODY: PairSink = () => {};
/** More connections than any test of these has. */
const CONNECTIONS = 4096;

let sink = NOBODY;
let engine: Engine | undefined;
let users = 0;

/** The engine, with nothing in it: V8 collects all garbage for each that is made, and properties make hundreds. */
function emptyEngine(): Engine {
  users++;
  sink = NOBODY;
  engine ??= new Engine({ pair: (...ids: Parameters<PairSink>) => sink(...ids) });
  call(engine, 'tellPairs', 1);
  for (let connection = 0; connection < CONNECTIONS; connection++) call(engine, 'close', connection);
  engine.u8.fill(0, QUEUES, QUEUES + (CONNECTIONS << QUEUE_SHIFT));
  takeCounters(engine, createCounters());
  return engine;
}

export class Messages extends Columns {
  readonly engine: Engine;
  readonly slab: Slab;
  readonly #user: number;

  constructor(limits: Partial<MessageLimits>, pair = NOBODY) {
    const own = emptyEngine();
    super(own, limits);
    this.engine = own;
    this.#user = users;
    sink = pair;
    this.slab = new Slab(limits.attributeBytes ?? MESSAGE_LIMITS.attributeBytes, this);
  }

  /** Messages in use. */
  get used(): number {
    this.#expectOwn();
    return told(this.engine, 'messagesUsed');
  }

  take(memory: Uint32Array, at: number, connection: number): number {
    return call(this.engine, 'takeMessage', copyRecord(this.engine.u32, memory, at), connection);
  }

  give(m: number): void {
    call(this.engine, 'giveMessage', m);
  }

  hasShare(connection: number): boolean {
    return call(this.engine, 'hasShare', connection) !== 0;
  }

  nsFromLastToFirst(b: number, a: number): number {
    return call(this.engine, 'nsFromLastToFirst', b, a);
  }

  /** The counters, with what the engine has counted. */
  count(counters: Counters): ReturnType<typeof sumCounters> {
    this.#expectOwn();
    takeCounters(this.engine, counters);
    return sumCounters([counters]);
  }

  #expectOwn(): void {
    if (this.#user !== users) throw new Error('the engine is another’s by now');
  }
}

/** That of the messages. */
export class Slab {
  readonly words: Uint32Array;
  readonly #engine: Engine;

  constructor(attributeBytes: number, { engine, words }: Messages = new Messages({ attributeBytes })) {
    this.#engine = engine;
    this.words = words;
  }

  get limit(): number {
    return call(this.#engine, 'slabLimit');
  }

  get freeWords(): number {
    return call(this.#engine, 'slabFree');
  }

  take(count: number): number {
    return call(this.#engine, 'slabTake', count);
  }

  give(at: number): void {
    call(this.#engine, 'slabGive', at);
  }
}

/** That of the messages that wait for their keys. */
export class KeyTable {
  readonly #engine = new Messages({}).engine;

  get size(): number {
    return call(this.#engine, 'keysKept');
  }

  get(owner: number, low: number, high: number): number {
    return call(this.#engine, 'keyGet', owner, low, high);
  }

  put(owner: number, low: number, high: number, number: number): number {
    return call(this.#engine, 'keyPut', owner, low, high, number);
  }

  remove(owner: number, low: number, high: number): number {
    return call(this.#engine, 'keyRemove', owner, low, high);
  }
}

export class Definitions {
  readonly messages: Messages;
  readonly merged: Uint32Array;
  readonly #engine: Engine;
  readonly #counters: Counters;

  constructor(counters: Counters, definitionBytes?: number) {
    this.messages = new Messages(definitionBytes === undefined ? {} : { definitionBytes });
    this.#engine = this.messages.engine;
    this.#counters = counters;
    this.merged = this.#engine.column(Uint32Array, MERGED, MESSAGE_MAX >>> 2);
  }

  get size(): number {
    return call(this.#engine, 'definitionsKept');
  }

  get mergedWords(): number {
    return told(this.#engine, 'mergedWords');
  }

  get isPartial(): boolean {
    return told(this.#engine, 'isPartial') !== 0;
  }

  define(connection: number, memory: Uint32Array, at: number): void {
    this.#ask('define', connection, copyRecord(this.#engine.u32, memory, at));
  }

  undefine(connection: number, memory: Uint32Array, at: number): void {
    this.#ask('undefine', connection, copyRecord(this.#engine.u32, memory, at));
  }

  forget(connection: number): void {
    this.#ask('forget', connection);
  }

  /** Of a record: `count` attributes from its word `word` on. */
  merge(connection: number, memory: Uint32Array, word: number, count: number): void {
    this.#ask('merge', connection, copyRecord(this.#engine.u32, memory, 0) + word * 4, count);
  }

  #ask(name: string, ...values: number[]): void {
    call(this.#engine, name, ...values);
    takeCounters(this.#engine, this.#counters);
  }
}
