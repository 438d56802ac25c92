/**
 * One captured read in a hundred is lost, through the whole pipeline: at least 95 % of the exchanges that were captured
 * whole come out right, and no span is wrong. The capture is the client's, where commands sent ahead show: a server
 * reads the next one only when it has answered those before.
 *
 * A client that keeps commands under way all the time leaves no turn to find the way back by: of it little comes out
 * after a loss, until there is silence, but nothing that is wrong. Its handshake is not lost: joined later, it cannot be
 * told from a client that waits for each answer.
 */
import { readFileSync } from 'node:fs';
import { beforeAll, describe, expect, test } from 'vitest';
import { admitModule, type ParserModule } from '../../host/wasm/admit.ts';
import { type BuiltParser, buildParsers } from '../../parsers/build.ts';
import { createRig, expectBalanced, type Rig } from '../host/rig.ts';
import { Conversation } from '../host/scripted-source.ts';
import { error, greeting, login, ok, query, result } from './mysql-packets.ts';

const CONNECTIONS = 100;
const EXCHANGES = 200;
const LOST_OF = 100;
const SILENCE_NS = 2_000_000_000;

interface Exchange {
  readonly number: number;
  readonly table: string;
  sentNs: number;
  endedNs: number;
  isWhole: boolean;
}

interface Client {
  readonly title: string;
  /** Commands under way at most. */
  readonly depth: number;
  /** Sends on as soon as one is answered, not when all are. */
  readonly refills: boolean;
  /** Exchanges between two silences. */
  readonly burst: number;
  readonly right: number;
}

const CLIENTS: readonly Client[] = [
  { title: 'one after the other', depth: 1, refills: false, burst: EXCHANGES, right: 0.95 },
  { title: 'two at a time', depth: 2, refills: false, burst: 40, right: 0.95 },
  { title: 'four at a time', depth: 4, refills: false, burst: 40, right: 0.9 },
  { title: 'always three under way, with silences', depth: 3, refills: true, burst: 20, right: 0.75 },
  { title: 'always three under way', depth: 3, refills: true, burst: EXCHANGES, right: 0.25 },
];

/** One connection: what its client does, and what of it is captured. */
class Talk {
  readonly exchanges: Exchange[] = [];
  readonly #conversation: Conversation;
  readonly #client: Client;
  readonly #slot: number;
  readonly #random: () => number;
  readonly #waiting: Exchange[] = [];
  #nowNs: number;

  constructor(rig: Rig, slot: number, client: Client) {
    this.#conversation = new Conversation(rig.source, slot, { isServer: false, remotePort: 3306 });
    this.#client = client;
    this.#slot = slot;
    this.#random = generator(slot * 7919 + client.depth);
    this.#nowNs = 1_000_000 * (slot + 1);
    const isLost = () => !client.refills && this.#isLost();
    this.#conversation.answer(greeting(), this.#tick(), isLost());
    this.#conversation.ask(login(), this.#tick(), isLost());
    this.#conversation.answer(ok(2), this.#tick(), isLost());
  }

  run(): void {
    const { depth, refills, burst } = this.#client;
    while (this.exchanges.length < EXCHANGES) {
      if (this.exchanges.length % burst === 0) this.#nowNs += SILENCE_NS;
      while (this.#waiting.length < depth) this.#send();
      do {
        this.#answer();
        if (refills && this.exchanges.length % burst !== 0) this.#send();
      } while (this.#waiting.length > 0 && this.exchanges.length < EXCHANGES);
    }
    while (this.#waiting.length > 0) this.#answer();
    this.#conversation.close(this.#tick());
  }

  #send(): void {
    const number = this.exchanges.length;
    const exchange = { number, table: `t${this.#slot}_${number}`, sentNs: this.#tick(), endedNs: 0, isWhole: true };
    const isLost = this.#isLost(exchange);
    this.#conversation.ask(query(`${verbOf(number)} ${exchange.table}`), exchange.sentNs, isLost);
    this.exchanges.push(exchange);
    this.#waiting.push(exchange);
  }

  /** Long ones come in two reads. */
  #answer(): void {
    const exchange = this.#waiting.shift()!;
    const bytes = responseTo(exchange.number);
    const cut = exchange.number % 6 === 1 ? bytes.length >> 1 : bytes.length;
    for (const piece of [bytes.subarray(0, cut), bytes.subarray(cut)]) {
      if (piece.length === 0) continue;
      exchange.endedNs = this.#tick();
      this.#conversation.answer(piece, exchange.endedNs, this.#isLost(exchange));
    }
  }

  #isLost(exchange?: Exchange): boolean {
    const isLost = this.#random() < 1 / LOST_OF;
    if (isLost && exchange) exchange.isWhole = false;
    return isLost;
  }

  #tick(): number {
    this.#nowNs += 1000 + Math.floor(this.#random() * 100_000);
    return this.#nowNs;
  }
}

describe('one read in a hundred lost', () => {
  let mysql: ParserModule | undefined;

  beforeAll(async () => {
    const [built] = (await buildParsers(['mysql'])) as [BuiltParser];
    mysql = admitModule(new Uint8Array(readFileSync(built.file)));
  }, 60_000);

  test.each(CLIENTS)('$title', ({ right, ...client }) => {
    const rig = createRig([mysql!]);
    const talks = Array.from({ length: CONNECTIONS }, (_, slot) => {
      const talk = new Talk(rig, slot, { right, ...client });
      talk.run();
      rig.run();
      return talk;
    });
    const { whole, found, wrong } = compare(talks, rig);
    expectBalanced(rig);
    expect(wrong.slice(0, 10)).toEqual([]);
    expect(rig.source.lost).toBeGreaterThan(CONNECTIONS);
    expect(whole).toBeGreaterThan(CONNECTIONS * EXCHANGES * 0.9);
    expect(found / whole).toBeGreaterThanOrEqual(right);
  });
});

/** Spans of exchanges, by all that tells them: statement, times, result. */
function compare(talks: readonly Talk[], rig: Rig) {
  const exchanges = talks.flatMap((talk) => talk.exchanges);
  const truth = new Map(exchanges.map((one) => [truthOf(one), one]));
  expect(truth.size).toBe(exchanges.length);
  const spans = rig.finish().filter(({ name }) => !/LOGIN|QUIT/.test(name));
  const said = spans.map(
    ({ name, startTimeUnixNano: start, endTimeUnixNano: end, attributes }) =>
      `${name} ${Number(end - start)} ns, ${attributes['db.response.returned_rows'] ?? '-'} rows, ` +
      `${attributes['mysql.response.affected_rows'] ?? '-'} affected, ${attributes['error.type'] ?? 'ok'}`,
  );
  const wrong = said.filter((line) => !truth.has(line));
  const found = said.filter((line) => truth.get(line)?.isWhole).length;
  return { whole: exchanges.filter(({ isWhole }) => isWhole).length, found, wrong };
}

function truthOf({ number, table, sentNs, endedNs }: Exchange): string {
  const kind = kindOf(number);
  const rows = kind === 'rows' ? rowsOf(number).length : '-';
  const affected = kind === 'count' ? number : '-';
  const name = `${verbOf(number).split(' ')[0]} ${table}`;
  return `${name} ${endedNs - sentNs} ns, ${rows} rows, ${affected} affected, ${kind === 'error' ? '1146' : 'ok'}`;
}

function kindOf(number: number): 'rows' | 'count' | 'error' {
  if (number % 11 === 5) return 'error';
  return number % 3 === 0 ? 'count' : 'rows';
}

function verbOf(number: number): string {
  return kindOf(number) === 'count' ? 'DELETE FROM' : 'SELECT id FROM';
}

function rowsOf(number: number): string[] {
  return Array.from({ length: number % 7 }, (_, row) => `row ${row} of ${number}`);
}

function responseTo(number: number): Buffer {
  const kind = kindOf(number);
  if (kind === 'error') return error(1, 1146, '42S02', 'no such table');
  return kind === 'count' ? ok(1, number) : result(rowsOf(number));
}

/** Numbers from 0 to 1, the same for the same seed. */
function generator(seed: number): () => number {
  let state = (seed | 0) + 0x9e3779b9;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 0x1_0000_0000;
  };
}
