/**
 * Ten megabytes of random bytes before all shipped parsers at once, on each parser's own port: nobody claims a
 * connection of them, and what has been claimed on good grounds is given up instead of believed when they come.
 */
import { describe, expect, test } from 'vitest';
import type { Case } from '../host/modules/trial/cases.ts';
import type { Step } from '../host/modules/trial/steps.ts';
import { sumCounters } from '../host/self/counters.ts';
import { DATA } from '../parsers/sdk/abi.ts';
import { createRig, expectBalanced, type Rig } from '../test/host/rig.ts';
import { Conversation } from '../test/host/scripted-source.ts';
import { loadParsers, type Parser } from './parsers.ts';

const TOTAL = 10 * 1024 * 1024;
const CHUNK_MAX = 4096;
const PORT_OF_NOBODY = 4;

const parsers = await loadParsers();

/** The same random numbers in every run (xorshift32). */
class Random {
  #state = 0x2545f491;

  below(limit: number): number {
    this.#state ^= this.#state << 13;
    this.#state ^= this.#state >>> 17;
    this.#state ^= this.#state << 5;
    return (this.#state >>> 0) % limit;
  }

  bytes(length: number): Uint8Array {
    return Uint8Array.from({ length }, () => this.below(0x1_0000_0000) >>> 24);
  }
}

describe('nobody claims them', () => {
  const ports = [...new Set([PORT_OF_NOBODY, ...parsers.flatMap(({ manifest }) => manifest.ports)])];
  const share = Math.ceil(TOTAL / ports.length);

  test.each(ports)('on port %i', (localPort) => {
    const random = new Random();
    const rig = createRig(parsers);
    let connections = 0;
    for (let sent = 0; sent < share; connections++) {
      const conversation = new Conversation(rig.source, connections, { localPort, midStream: random.below(4) === 0 });
      for (let chunks = 1 + random.below(40); chunks > 0; chunks--) {
        const bytes = random.bytes(1 + random.below(random.below(4) === 0 ? CHUNK_MAX : 64));
        conversation.move(random.below(2), bytes, 1 + sent);
        sent += bytes.length;
      }
      conversation.close(1 + sent);
      rig.run();
    }
    rig.finish();
    expectBalanced(rig);
    expect(rig.spans).toEqual([]);
    const { connections_opened, connections_identified, messages_in } = sumCounters([rig.counters]);
    expect({ connections_opened, connections_identified, messages_in }).toEqual({
      connections_opened: connections,
      connections_identified: 0,
      messages_in: 0,
    });
  });
});

describe('who was claimed on good grounds says nothing of them', () => {
  // Some are never claimed by their bytes, but handed over.
  const claimed = parsers.filter(({ manifest, cases }) => manifest.accepts.length === 0 || cases.some(isClaimed));

  test.each(claimed)('$name', (parser) => {
    const random = new Random();
    const exchanges = parser.cases.filter(isQuiet(parser));
    expect(exchanges.length).toBeGreaterThan(5);
    for (const { title, steps } of exchanges) {
      const rig = createRig(parsers);
      const conversation = play(rig, steps);
      const before = sumCounters([rig.counters]);
      for (let sent = 0; sent < TOTAL / exchanges.length; ) {
        const bytes = random.bytes(1 + random.below(CHUNK_MAX));
        conversation.move(random.below(2), bytes, 2 + sent);
        sent += bytes.length;
        if (random.below(16) === 0) rig.run();
      }
      rig.finish();
      expectBalanced(rig);
      const { messages_in, spans_made, parser_traps } = sumCounters([rig.counters]);
      expect({ title, messages_in, spans_made, parser_traps }).toEqual({
        title,
        messages_in: before.messages_in,
        spans_made: before.spans_made,
        parser_traps: 0,
      });
    }
  });
});

function play(rig: Rig, steps: readonly Step[]): Conversation {
  const conversation = new Conversation(rig.source, 0);
  for (const { direction, bytes } of steps) conversation.move(direction, bytes, 1);
  rig.run();
  return conversation;
}

function isClaimed({ steps }: Case): boolean {
  const rig = createRig(parsers);
  play(rig, steps);
  return rig.count('connections_identified') > 0;
}

/** Of whole captures: those after which the connection is open and nothing is owed. */
function isQuiet(parser: Parser): (one: Case) => boolean {
  return ({ steps }) => {
    if (steps.some(({ kind, bytes, wireLength }) => kind !== DATA || bytes.length !== wireLength)) return false;
    const rig = createRig([parser]);
    play(rig, steps);
    const counters = sumCounters([rig.counters]);
    return (
      counters.spans_made > 0 &&
      counters.messages_pending + counters.pairs_held === 0 &&
      counters.connections_upgraded === 0
    );
  };
}
