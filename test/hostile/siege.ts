/**
 * A hostile module on the same shard as the shipped HTTP/1 and Redis parsers. Its traffic alternates, batch by batch,
 * with exchanges on long and on short connections of theirs, and each of those must come out as exactly one span with its
 * own times, whatever the module does.
 */
import { expect } from 'vitest';
import type { CounterId } from '../../host/self/counters.ts';
import type { ParserModule } from '../../host/wasm/admit.ts';
import { loadModules, shippedModuleFolder } from '../../host/wasm/load.ts';
import type { ModuleStatus } from '../../host/wasm/modules.ts';
import { NO_SETTINGS, type Settings } from '../../host/wasm/settings.ts';
import { createRig, expectBalanced, type Rig } from '../host/rig.ts';
import { Conversation } from '../host/scripted-source.ts';

const LONG = 8;
const ATTACKERS = 4;
const PAGE = 65_536;
/** Whatever begins before this is of the attack. */
const FIRST_NS = 1000;

export const shipped = loadModules(shippedModuleFolder());

export interface Siege extends Rig {
  /** Connections of the hostile protocol, known and with one exchange behind them. */
  readonly attackers: readonly Conversation[];
  /** One exchange on every other connection, and the attack in the middle of it. */
  round(attack?: (attackers: readonly Conversation[]) => void): void;
  /** Of all, but for the slots of the others that had to grow: each of HTTP/1, which asks in pieces. */
  count(name: CounterId): number;
  /** The hostile module as `module ls` shows it. */
  status(): ModuleStatus;
  /** The spans of the hostile protocol. */
  stolen(): Rig['spans'];
  /** Ends all and demands that nobody but the attackers lost anything. */
  expectHeld(): void;
}

export function besiege(
  hostile: ParserModule,
  modules: readonly ParserModule[] = shipped,
  settings: Settings = NO_SETTINGS,
): Siege {
  const rig = createRig([...modules, hostile], { settings });
  const neighbours = createNeighbours(rig);
  const attackers = Array.from({ length: ATTACKERS }, (_, i) => new Conversation(rig.source, i, { cookie: 9000 + i }));
  const { name, limits } = hostile.manifest;
  const status = () => rig.pipeline.modules(performance.now()).find((one) => one.name === name)!;
  const round = (attack = (_: readonly Conversation[]) => {}) => {
    neighbours.begin();
    attack(attackers);
    neighbours.middle();
    rig.run();
    neighbours.end();
    rig.run();
    expect(status().memoryBytes).toBeLessThanOrEqual(limits.memoryPages * PAGE);
  };
  const expectHeld = () => {
    for (let i = 0; i < 2; i++) round();
    rig.finish();
    neighbours.expectWhole();
    expectBalanced(rig);
  };
  round((all) => {
    for (const one of all) one.ask('E hello', 1);
    for (const one of all) one.answer('E hello', 2);
  });
  const stolen = () => rig.spans.filter(({ protocol }) => protocol === 'hostile');
  const count: Rig['count'] = (name) => rig.count(name) - (name === 'slots_grown' ? neighbours.grown() : 0);
  return { ...rig, count, attackers, round, status, stolen, expectHeld };
}

/** HTTP/1 and Redis as their clients and servers speak it, in pieces, each exchange at a time of its own. */
function createNeighbours(rig: Rig) {
  const web = Array.from({ length: LONG }, (_, i) => new Conversation(rig.source, 10 + i));
  const cache = Array.from({ length: LONG }, (_, i) => new Conversation(rig.source, 30 + i, { localPort: 6379 }));
  const expected: string[] = [];
  let time = FIRST_NS;
  let cookie = 100_000;
  let grown = LONG;
  let open: { talk: Conversation; name: string; from: number; rest: string; answer: string }[] = [];

  function ask(talk: Conversation, name: string, request: string, answer: string) {
    time += 1000;
    talk.ask(request.slice(0, 9), time);
    open.push({ talk, name, from: time, rest: request.slice(9), answer });
  }

  function begin() {
    grown++;
    const webNow = [...web, new Conversation(rig.source, 50, { cookie: cookie++ })];
    const cacheNow = [...cache, new Conversation(rig.source, 51, { cookie: cookie++, localPort: 6379 })];
    for (const talk of webNow) {
      const path = `/item-${time}`;
      ask(
        talk,
        path,
        `GET ${path} HTTP/1.1\r\nHost: shop.example\r\n\r\n`,
        'HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello',
      );
    }
    for (const talk of cacheNow) ask(talk, 'GET', '*2\r\n$3\r\nGET\r\n$4\r\nitem\r\n', '$5\r\nhello\r\n');
  }

  function middle() {
    for (const { talk, from, rest } of open) talk.ask(rest, from + 100);
  }

  function end() {
    for (const { talk, name, from, answer } of open) {
      talk.answer(answer.slice(0, 6), from + 200);
      talk.answer(answer.slice(6), from + 300);
      expected.push(`${name} ${from}-${from + 300}`);
      if (talk.slot >= 50) talk.close(from + 400);
    }
    open = [];
  }

  function expectWhole() {
    const spans = rig.spans.filter(
      ({ startTimeUnixNano, protocol }) => startTimeUnixNano >= FIRST_NS && protocol !== 'hostile',
    );
    const found = spans.map(
      ({ name, attributes, startTimeUnixNano, endTimeUnixNano }) =>
        `${attributes['url.path'] ?? name} ${startTimeUnixNano}-${endTimeUnixNano}`,
    );
    expect(found.sort()).toEqual(expected.toSorted());
  }

  return { begin, middle, end, expectWhole, grown: () => grown };
}
