/**
 * What goes in equals what comes out plus what is counted (host/self/counters.ts):
 * records in = delivered + lost; messages = paired + counted reasons; spans = exported + counted reasons.
 */
import fc from 'fast-check';
import { beforeAll, expect, test } from 'vitest';
import { READ_SPANS } from '../../host/export/joined-spans.ts';
import { ExportQueue } from '../../host/export/queue.ts';
import { C, sumCounters } from '../../host/self/counters.ts';
import type { ExportOutcome } from '../../host/spans/span.ts';
import type { ParserModule } from '../../host/wasm/admit.ts';
import { offerOf } from '../export/fixtures.ts';
import { lineModule } from './line-protocol.ts';
import { createRig, expectBalanced, SILENT } from './rig.ts';
import { Conversation } from './scripted-source.ts';

let line: ParserModule;

beforeAll(async () => {
  line = await lineModule();
}, 60_000);

const CONNECTIONS = 6;

const step = fc.record({
  connection: fc.nat({ max: CONNECTIONS - 1 }),
  action: fc.oneof(
    { weight: 12, arbitrary: fc.constant('turn' as const) },
    { weight: 4, arbitrary: fc.constantFrom('ask' as const, 'answer' as const, 'oneway' as const, 'push' as const) },
    { weight: 2, arbitrary: fc.constantFrom('close' as const, 'poll' as const, 'cut' as const) },
    { weight: 1, arbitrary: fc.constantFrom('trap' as const, 'give up' as const, 'noise' as const, 'sweep' as const) },
  ),
  lines: fc.integer({ min: 1, max: 5 }),
  lost: fc.tuple(fc.nat({ max: 9 }), fc.nat({ max: 9 })).map(([a, b]) => [a === 0, b === 0] as const),
});

type Step = typeof step extends fc.Arbitrary<infer T> ? T : never;

interface Talk {
  conversation: Conversation;
  /** Next request's number. */
  asked: number;
  answered: number;
}

/** Plays the steps; each request's line and its answer carry the same number, so that a wrong pair shows. */
function play(rig: ReturnType<typeof createRig>, steps: readonly Step[]): void {
  const talks: (Talk | undefined)[] = [];
  let slots = 0;
  let time = 0;
  const say = (kind: string, from: number, lines: number) =>
    Array.from({ length: lines }, (_, i) => `${kind} ${from + i}\n`).join('');
  for (const { connection, action, lines, lost } of steps) {
    time += 1000;
    talks[connection] ??= {
      conversation: new Conversation(rig.source, slots++, { midStream: connection % 2 === 1 }),
      asked: 0,
      answered: 0,
    };
    const talk = talks[connection]!;
    const { conversation } = talk;
    switch (action) {
      case 'turn':
        // The client waits: whatever is owed is answered before the next batch.
        if (talk.answered < talk.asked) {
          conversation.answer(say('A', talk.answered, talk.asked - talk.answered), time, lost[0]);
        }
        conversation.ask(say('Q', talk.asked, lines), time + 10, lost[0]);
        talk.asked += lines;
        conversation.answer(say('A', talk.asked - lines, lines), time + 500, lost[1]);
        talk.answered = talk.asked;
        break;
      case 'ask':
        if (talk.answered < talk.asked) break;
        conversation.ask(say('Q', talk.asked, lines), time, lost[0]);
        talk.asked += lines;
        break;
      case 'answer':
        if (talk.answered === talk.asked) break;
        conversation.answer(say('A', talk.answered, talk.asked - talk.answered), time, lost[1]);
        talk.answered = talk.asked;
        break;
      case 'oneway':
        conversation.ask(say('N', 0, lines), time, lost[0]);
        break;
      case 'push':
        conversation.answer(say('P', 0, lines), time, lost[0]);
        break;
      case 'cut':
        conversation.move(1, 'P cut', time, false, 500);
        break;
      case 'trap':
        conversation.ask('!t\n', time);
        break;
      case 'give up':
        conversation.ask('!x\n', time);
        break;
      case 'noise':
        conversation.ask(new Uint8Array([0, 1, 2, 3]), time);
        break;
      case 'close':
        if (lost[0]) rig.source.lose();
        else conversation.close(time);
        talks[connection] = undefined;
        break;
      case 'sweep':
        rig.run();
        rig.pipeline.sweep(performance.now() + 3_600_000, 600);
        for (const slot of rig.source.released) {
          for (const [index, other] of talks.entries()) {
            if (other?.conversation.slot === slot) talks[index] = undefined;
          }
        }
        break;
      case 'poll':
        rig.run();
        expectBalanced(rig);
        break;
    }
  }
}

test('any traffic, any losses: the equations hold, and no pair is wrong', { timeout: 60_000 }, () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 120 }), fc.constantFrom(0, 5), (steps, reorderMs) => {
      const rig = createRig([line], { reorderMs });
      play(rig, steps);
      rig.finish();
      expectBalanced(rig);
      const c = sumCounters([rig.counters]);
      expect(c.messages_pending).toBe(0);
      expect(c.pairs_held).toBe(0);
      expect(c.connections_opened).toBe(c.connections_closed);
      expect(rig.pipeline.connections.open).toBe(0);
      expect(new Set(rig.source.released).size).toBe(rig.source.released.length);
      for (const { attributes } of rig.spans) {
        if (attributes['rpc.reply'] !== undefined) expect(attributes['rpc.reply']).toBe(attributes['rpc.method']);
      }
    }),
    { numRuns: 200 },
  );
});

test('spans made are exported, dropped for a counted reason, or queued', async () => {
  const outcomes: ExportOutcome[] = [
    { ok: true },
    { ok: false, retry: false, reason: 'refused' },
    { ok: false, retry: false, reason: 'partial', delivered: 3 },
    { ok: true },
  ];
  let calls = 0;
  const sink = {
    name: 'scripted',
    ...READ_SPANS,
    export: async () => outcomes[calls++ % outcomes.length]!,
    shutdown: async () => {},
  };
  const rig = createRig([line]);
  const queue = new ExportQueue(sink, rig.counters, SILENT, { capacitySpans: 300, exportSpans: 10 });
  const { counters } = rig;
  const exporting = createRig([line], { counters, batchSpans: 20, emit: (batch) => queue.push(offerOf(batch.seal())) });
  const expectSettled = () => {
    const c = sumCounters([counters]);
    const dropped = c.spans_dropped_queue_full + c.spans_dropped_export_failed + c.spans_dropped_shutdown;
    expect(c.spans_made).toBe(c.spans_exported + dropped + c.spans_queued);
  };
  const talk = new Conversation(exporting.source, 0);
  for (let round = 1; round <= 40; round++) {
    for (let i = 0; i < 25; i++) {
      talk.ask(`Q ${i}\n`, round);
      talk.answer(`A ${i}\n`, round);
    }
    exporting.run();
    expectSettled();
    if (round % 3 === 0) await new Promise((resolve) => setImmediate(resolve));
  }
  exporting.pipeline.finish();
  await queue.flush(1000);
  expectSettled();
  expect(counters[C.spans_made]).toBe(1000);
  expect(counters[C.spans_queued]).toBe(0);
  expect(counters[C.spans_exported]).toBeGreaterThan(0);
  expect(counters[C.spans_dropped_export_failed]).toBeGreaterThan(0);
});
