/** Any segmentation, order, repetition and loss of a stream: each byte once, in its place, what is missing exact. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createReplayCounters } from '../../host/replay/counters.ts';
import { HoldBudget, Stream } from '../../host/replay/reassembly.ts';
import { Run } from '../../host/replay/run.ts';

interface Part {
  start: number;
  length: number;
}

/** A stream of which byte i is i % 251, and where its sequence numbers start. */
const LENGTH = 2000;
const BYTES = Uint8Array.from({ length: LENGTH }, (_, i) => i % 251);
const origins = fc.oneof(
  fc.integer({ min: 0, max: 0xffffffff }),
  fc.integer({ min: 0xffffffff - LENGTH, max: 0xffffffff }),
);
const parts = fc.record({ start: fc.nat(LENGTH - 1), length: fc.integer({ min: 1, max: 400 }) });

/** Takes what leaves a stream, and insists that it leaves in order. */
class Receiver {
  readonly received = new Uint8Array(LENGTH);
  readonly seen = new Uint8Array(LENGTH);
  ended: number | undefined;
  next = 0;
  readonly counters = createReplayCounters();
  readonly budget: HoldBudget;
  readonly stream: Stream;
  readonly #origin: number;

  constructor(origin: number, budget = new HoldBudget(1e9, 1e9)) {
    this.#origin = origin;
    this.budget = budget;
    this.stream = new Stream(0, this, budget, this.counters);
    this.stream.setOrigin(origin);
  }

  data(_stream: Stream, run: Run): void {
    const offset = (run.position - this.#origin) >>> 0;
    expect(offset).toBeGreaterThanOrEqual(this.next);
    expect(run.captured).toBe(run.length);
    this.received.set(run.bytes.subarray(run.at, run.at + run.captured), offset);
    this.seen.fill(1, offset, offset + run.length);
    this.next = offset + run.length;
  }

  end(_stream: Stream, position: number): void {
    expect(this.ended).toBeUndefined();
    this.ended = (position - this.#origin) >>> 0;
  }

  push({ start, length }: Part): void {
    const run = new Run();
    run.position = (this.#origin + start) >>> 0;
    run.length = Math.min(length, LENGTH - start);
    run.bytes = BYTES;
    run.at = start;
    run.captured = run.length;
    this.stream.push(run);
  }

  finish(): void {
    this.stream.finish((this.#origin + LENGTH) >>> 0);
  }
}

/** Parts that cover the whole stream, cut at any places. */
function whole(cuts: readonly number[]): Part[] {
  const borders = [0, ...[...new Set(cuts)].sort((a, b) => a - b).filter((cut) => cut > 0), LENGTH];
  return borders.slice(1).map((end, index) => ({ start: borders[index]!, length: end - borders[index]! }));
}

describe('a stream', () => {
  it('comes out whole from any segmentation, order, repetition and overlap', () => {
    const cuts = fc.array(fc.nat(LENGTH - 1), { maxLength: 60 });
    const scenario = fc
      .tuple(origins, cuts, fc.array(parts, { maxLength: 40 }))
      .chain(([origin, at, extra]) => fc.tuple(fc.constant(origin), shuffled([...whole(at), ...extra]), fc.nat(200)));
    fc.assert(
      fc.property(scenario, ([origin, sent, finishAt]) => {
        const receiver = new Receiver(origin);
        sent.forEach((part, index) => {
          if (index === finishAt) receiver.finish();
          receiver.push(part);
        });
        receiver.finish();
        expect(Buffer.from(receiver.received).equals(BYTES)).toBe(true);
        expect(receiver.next).toBe(LENGTH);
        expect(receiver.ended).toBe(LENGTH);
        expect(receiver.counters.gaps).toBe(0);
        expect(receiver.budget.used).toBe(0);
      }),
      { numRuns: 500 },
    );
  });

  it('with losses has every byte that was sent, and gaps for exactly the others', () => {
    fc.assert(
      fc.property(origins, fc.array(parts, { minLength: 1, maxLength: 40 }), (origin, sent) => {
        const receiver = new Receiver(origin);
        const expected = new Uint8Array(LENGTH);
        for (const part of sent) {
          receiver.push(part);
          expected.fill(1, part.start, part.start + part.length);
        }
        receiver.finish();
        receiver.stream.flush();
        expect(receiver.seen).toEqual(expected);
        expect(receiver.received).toEqual(BYTES.map((byte, index) => (expected[index] ? byte : 0)));
        expect(receiver.counters.bytes_gap).toBe(expected.filter((seen) => !seen).length);
        expect(receiver.ended).toBe(LENGTH);
        expect(receiver.budget.used).toBe(0);
      }),
      { numRuns: 500 },
    );
  });

  it('never holds more than its budget, never repeats a byte, whatever is sent and acknowledged', () => {
    const acknowledgement = fc.record({ acknowledge: fc.integer({ min: -100, max: LENGTH }), answers: fc.boolean() });
    const steps = fc.array(fc.oneof(parts, acknowledgement), { maxLength: 80 });
    fc.assert(
      fc.property(origins, steps, fc.integer({ min: 0, max: 3000 }), (origin, sequence, limit) => {
        const receiver = new Receiver(origin, new HoldBudget(limit, limit));
        for (const step of sequence) {
          if ('start' in step) receiver.push(step);
          else receiver.stream.acknowledge((origin + step.acknowledge) >>> 0, step.answers);
          expect(receiver.budget.used).toBeLessThanOrEqual(limit);
        }
        receiver.stream.flush();
        expect(receiver.budget.used).toBe(0);
        const sent = sequence.reduce(
          (sum, step) => sum + ('start' in step ? Math.min(step.length, LENGTH - step.start) : 0),
          0,
        );
        const delivered = receiver.seen.reduce((sum, seen) => sum + seen, 0);
        expect(delivered + receiver.counters.bytes_repeated).toBe(sent);
        expect(delivered + receiver.counters.bytes_gap).toBe(receiver.next);
      }),
      { numRuns: 500 },
    );
  });
});

function shuffled<T>(items: readonly T[]): fc.Arbitrary<T[]> {
  return fc.shuffledSubarray([...items], { minLength: items.length, maxLength: items.length });
}
