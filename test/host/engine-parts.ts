/**
 * The engine's pairing (host/engine/assembly), part by part, as tests ask it. Whoever makes one of these has the engine
 * for itself, until the next is made.
 */
import { takeCounters } from '../../host/engine/counters.ts';
import { Engine } from '../../host/engine/engine.ts';
import {
  MESSAGE_ATTRIBUTE_COUNT,
  MESSAGE_BODY,
  MESSAGE_FIRST_TIME,
  MESSAGE_FLAG_BITS,
  MESSAGE_LAST_TIME,
  MESSAGE_PROTOCOL_INDEX,
  MESSAGE_STATUS_CODE,
  MESSAGE_WORDS,
  MESSAGE_WORDS_AT,
  SLAB,
} from '../../host/engine/layout/messages.ts';
import { MERGED, QUEUE_SHIFT, QUEUES, RECORD, RECORD_MAX } from '../../host/engine/layout/pairing.ts';
import { type Counters, createCounters, sumCounters } from '../../host/self/counters.ts';
import { beginPairing, Pairing as HostPairing, PAIRING_LIMITS, type PairingLimits } from '../../host/spans/pairing.ts';
import { MESSAGE_MAX, OUT_LENGTH } from '../../parsers/sdk/abi.ts';

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

/** Columns by message number. */
class Columns {
  /** Nanoseconds: two words each, the lower half first; so are the bytes of the body. */
  readonly first: Uint32Array;
  readonly last: Uint32Array;
  readonly bodyBytes: Uint32Array;
  readonly status: Uint32Array;
  readonly flags: Uint16Array;
  readonly protocol: Uint8Array;
  /** First word in `words`, length in words, number of attributes. */
  readonly attributesAt: Uint32Array;
  readonly attributesWords: Uint32Array;
  readonly attributes: Uint16Array;
  /** Attributes of all messages. */
  readonly words: Uint32Array<ArrayBuffer>;

  constructor(engine: Engine, limits: Partial<PairingLimits> = {}) {
    const { messages, attributeBytes } = { ...PAIRING_LIMITS, ...limits };
    beginPairing(engine, limits);
    this.first = engine.column(Uint32Array, MESSAGE_FIRST_TIME, messages * 2);
    this.last = engine.column(Uint32Array, MESSAGE_LAST_TIME, messages * 2);
    this.bodyBytes = engine.column(Uint32Array, MESSAGE_BODY, messages * 2);
    this.status = engine.column(Uint32Array, MESSAGE_STATUS_CODE, messages);
    this.flags = engine.column(Uint16Array, MESSAGE_FLAG_BITS, messages);
    this.protocol = engine.column(Uint8Array, MESSAGE_PROTOCOL_INDEX, messages);
    this.attributesAt = engine.column(Uint32Array, MESSAGE_WORDS_AT, messages);
    this.attributesWords = engine.column(Uint32Array, MESSAGE_WORDS, messages);
    this.attributes = engine.column(Uint16Array, MESSAGE_ATTRIBUTE_COUNT, messages);
    this.words = engine.column(Uint32Array, SLAB, attributeBytes >>> 2);
  }
}

export class Messages extends Columns {
  readonly engine: Engine;
  readonly slab: Slab;
  readonly #user: number;

  constructor(limits: Partial<PairingLimits>, pair = NOBODY) {
    const own = emptyEngine();
    super(own, limits);
    this.engine = own;
    this.#user = users;
    sink = pair;
    this.slab = new Slab(limits.attributeBytes ?? PAIRING_LIMITS.attributeBytes, this);
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

/** Pairing that also takes records: bytes of a parser's memory at `at`. In the agent the engine takes them itself. */
export class Pairing extends HostPairing {
  readonly #engine: Engine;

  constructor(engine: Engine) {
    super(engine);
    this.#engine = engine;
  }

  message(connection: number, type: number, flags: number, memory: Uint32Array, at: number): void {
    call(this.#engine, 'message', connection, type, flags, copyRecord(this.#engine.u32, memory, at));
  }

  define(connection: number, memory: Uint32Array, at: number): void {
    call(this.#engine, 'define', connection, copyRecord(this.#engine.u32, memory, at));
  }

  undefine(connection: number, memory: Uint32Array, at: number): void {
    call(this.#engine, 'undefine', connection, copyRecord(this.#engine.u32, memory, at));
  }
}

/** Puts the record at byte `at` of a parser's memory where the engine can read it; returns that address. */
function copyRecord(words: Uint32Array, memory: Uint32Array, at: number): number {
  const from = at >>> 2;
  const length = Math.min(memory[from + (OUT_LENGTH >>> 2)]!, RECORD_MAX) >>> 2;
  for (let w = 0; w < length; w++) words[(RECORD >>> 2) + w] = memory[from + w]!;
  return RECORD;
}
