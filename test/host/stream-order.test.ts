/** The rule: what is delivered and what is named a gap tile each direction's stream exactly, and the bytes are right. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Connections } from '../../host/conn/connections.ts';
import { type ChunkSink, StreamOrder } from '../../host/conn/stream-order.ts';
import { Engine } from '../../host/engine/engine.ts';
import { FLAG_ORIGIN_KNOWN, KIND_CLOSE, KIND_DATA, KIND_EOF, RECORD_SIZE } from '../../host/kernel/layout.ts';
import { createCounters, sumCounters } from '../../host/self/counters.ts';
import { createRecord, type RecordFields } from './scripted-source.ts';

const PATIENCE_MS = 5;
const IN = 0;
const OUT = 1;

type Event =
  | { kind: 'data'; direction: number; offset: number; text: string; wireLength: number; time: number }
  | { kind: 'gap'; direction: number; offset: number; wireLength: number }
  | { kind: 'end'; direction: number; offset: number; time: number };

class Rig implements ChunkSink {
  readonly events: Event[] = [];
  readonly counters = createCounters();
  readonly engine = new Engine();
  readonly connections = new Connections({ resourceOf: () => ({ attributes: {} }) }, this.engine);
  readonly order: StreamOrder;
  #batch: Uint8Array = new Uint8Array(0);

  constructor(patienceMs = PATIENCE_MS) {
    this.order = new StreamOrder(this.connections, this, this.counters, patienceMs);
  }

  record(fields: Omit<RecordFields, 'slot'> & { slot?: number }): void {
    const bytes = createRecord({ slot: 0, ...fields });
    const u32 = new Uint32Array(bytes.buffer);
    const slot = fields.slot ?? 0;
    const known = ((fields.flags ?? 0) & FLAG_ORIGIN_KNOWN) !== 0;
    this.#batch = bytes;
    if (this.connections.state[slot] === 0) {
      this.connections.begin(slot, u32, new Uint16Array(bytes.buffer), bytes, 0);
    }
    if (fields.kind === KIND_DATA) this.order.data(slot, fields.direction ?? IN, u32, bytes, 0, known);
    else if (fields.kind === KIND_EOF) this.order.end(slot, fields.direction ?? IN, u32, 0, known);
    else this.order.close(slot, u32, 0, known);
  }

  bytes(position: number, text: string, more: Partial<RecordFields> = {}): void {
    this.record({ kind: KIND_DATA, position: position >>> 0, payload: Buffer.from(text, 'latin1'), ...more });
  }

  expire(): void {
    this.order.expire(performance.now() + PATIENCE_MS + 1);
  }

  get told(): string[] {
    return this.events.map((event) => {
      const place = `${event.direction === IN ? 'in' : 'out'}@${event.offset}`;
      if (event.kind === 'data') return `${place} ${event.text}`;
      return event.kind === 'gap' ? `${place} gap ${event.wireLength}` : `${place} end`;
    });
  }

  count(name: keyof ReturnType<typeof sumCounters>): number {
    return sumCounters([this.counters])[name];
  }

  data(
    _: number,
    direction: number,
    source: number,
    length: number,
    wireLength: number,
    time: number,
    ...rest: number[]
  ) {
    expect(source).toBe(RECORD_SIZE);
    const text = Buffer.from(this.#batch.subarray(source, source + length)).toString('latin1');
    this.events.push({ kind: 'data', direction, offset: rest[1]!, text, wireLength, time });
  }

  held(_: number, direction: number, bytes: Uint8Array, wireLength: number, time: number, __: number, offset: number) {
    const text = Buffer.from(bytes).toString('latin1');
    this.events.push({ kind: 'data', direction, offset, text, wireLength, time });
  }

  gap(_: number, direction: number, wireLength: number, offset: number) {
    this.events.push({ kind: 'gap', direction, offset, wireLength });
  }

  end(_: number, direction: number, time: number, __: number, offset: number) {
    this.events.push({ kind: 'end', direction, offset, time });
  }
}

describe('StreamOrder', () => {
  test('records in order pass at once', () => {
    const rig = new Rig();
    rig.bytes(1000, 'abc');
    rig.bytes(1003, 'de');
    rig.bytes(70, 'XY', { direction: OUT });
    expect(rig.told).toEqual(['in@0 abc', 'in@3 de', 'out@0 XY']);
    expect(rig.count('gaps')).toBe(0);
  });

  test('a record ahead waits for the one before it', () => {
    const rig = new Rig();
    rig.bytes(1000, 'abc');
    rig.bytes(1005, 'fg');
    expect(rig.told).toEqual(['in@0 abc']);
    rig.bytes(1003, 'de');
    expect(rig.told).toEqual(['in@0 abc', 'in@3 de', 'in@5 fg']);
    expect(rig.order.holes).toBe(0);
    expect(rig.count('chunks_reordered')).toBe(1);
  });

  test('a hole that does not fill becomes a gap of just its bytes', () => {
    const rig = new Rig();
    rig.bytes(1000, 'abc');
    rig.bytes(1010, 'xyz', { timeNs: 77 });
    rig.order.expire(performance.now());
    expect(rig.order.holes).toBe(1);
    rig.expire();
    expect(rig.told).toEqual(['in@0 abc', 'in@3 gap 7', 'in@10 xyz']);
    expect(rig.count('bytes_gap_lost')).toBe(7);
  });

  test('without patience a hole is a gap at once', () => {
    const rig = new Rig(0);
    rig.bytes(1000, 'abc');
    rig.bytes(1010, 'xyz');
    expect(rig.told).toEqual(['in@0 abc', 'in@3 gap 7', 'in@10 xyz']);
  });

  test('what was seen already is cut off', () => {
    const rig = new Rig();
    rig.bytes(1000, 'abcdef');
    rig.bytes(1003, 'defghi');
    rig.bytes(1001, 'bc');
    expect(rig.told).toEqual(['in@0 abcdef', 'in@6 ghi']);
    expect(rig.count('bytes_overlap')).toBe(5);
  });

  test('of an overlapped record whose captured bytes were all seen, only the gap is left', () => {
    const rig = new Rig();
    rig.bytes(1000, 'abcdef');
    rig.bytes(1004, 'ef', { moved: 10 });
    expect(rig.events.at(-1)).toMatchObject({ offset: 6, text: '', wireLength: 8 });
  });

  test('positions wrap at 2^32, offsets do not', () => {
    const rig = new Rig();
    rig.bytes(0xfffffffe, 'abcd');
    rig.bytes(2, 'ef');
    rig.bytes(10, 'xy');
    rig.expire();
    expect(rig.told).toEqual(['in@0 abcd', 'in@4 ef', 'in@6 gap 6', 'in@12 xy']);
  });

  test('a stream beyond 4 GiB keeps its offsets', () => {
    const rig = new Rig();
    for (let i = 0; i < 3; i++) rig.bytes(i * 0x80000000, 'a', { moved: 0x80000000 });
    expect(rig.events.map(({ offset }) => offset)).toEqual([0, 2 ** 31, 2 ** 32]);
  });

  test('a loss of more than 2 GiB is ahead, not behind', () => {
    const rig = new Rig(0);
    rig.bytes(0, 'abc');
    rig.bytes(0xb0000000, 'xyz');
    expect(rig.told).toEqual(['in@0 abc', `in@3 gap ${0xb0000000 - 3}`, `in@${0xb0000000} xyz`]);
  });

  test('with a known origin, first bytes that are missing are a gap', () => {
    const rig = new Rig();
    rig.bytes(1010, 'xyz', { origin: 1000, flags: FLAG_ORIGIN_KNOWN });
    rig.expire();
    expect(rig.told).toEqual(['in@0 gap 10', 'in@10 xyz']);
  });

  test('while a hole waits so does the other direction: a response must not overtake its request', () => {
    const rig = new Rig();
    rig.bytes(0, 'Q1');
    rig.bytes(0, 'A1', { direction: OUT });
    rig.bytes(4, 'Q3');
    rig.bytes(2, 'A3', { direction: OUT });
    rig.bytes(4, 'A4', { direction: OUT });
    rig.expire();
    expect(rig.told.slice(2)).toEqual(['in@2 gap 2', 'in@4 Q3', 'out@2 A3', 'out@4 A4']);
  });

  test('a hole that fills sets both directions free in the order they came', () => {
    const rig = new Rig();
    rig.bytes(0, 'Q1');
    rig.bytes(0, 'A1', { direction: OUT });
    rig.bytes(4, 'Q3');
    rig.bytes(2, 'A3', { direction: OUT });
    rig.bytes(6, 'Q4');
    rig.bytes(2, 'Q2');
    expect(rig.told.slice(2)).toEqual(['in@2 Q2', 'in@4 Q3', 'out@2 A3', 'in@6 Q4']);
    expect(rig.order.holes).toBe(0);
  });

  test('the end of a direction comes once, after what is missing before it', () => {
    const rig = new Rig();
    rig.bytes(1000, 'abc');
    rig.record({ kind: KIND_EOF, position: 1008 });
    rig.record({ kind: KIND_EOF, position: 1008 });
    expect(rig.told).toEqual(['in@0 abc', 'in@3 gap 5', 'in@8 end']);
    expect(rig.order.ended(0, IN)).toBe(true);
    expect(rig.order.ended(0, OUT)).toBe(false);
  });

  test('the end closes a hole before it', () => {
    const rig = new Rig();
    rig.bytes(1000, 'abc');
    rig.bytes(1005, 'fg');
    rig.record({ kind: KIND_EOF, position: 1007 });
    expect(rig.told).toEqual(['in@0 abc', 'in@3 gap 2', 'in@5 fg', 'in@7 end']);
  });

  test('close names what both streams had beyond what was seen', () => {
    const rig = new Rig();
    rig.bytes(1000, 'abc');
    rig.bytes(70, 'XY', { direction: OUT });
    rig.record({ kind: KIND_CLOSE, direction: OUT, position: 82, endIn: 1004 });
    expect(rig.told.slice(2)).toEqual(['out@2 gap 10', 'in@3 gap 1']);
  });

  test('close of a connection of which nothing else was seen invents nothing', () => {
    const rig = new Rig();
    rig.record({ kind: KIND_CLOSE, direction: OUT, position: 82, endIn: 1004 });
    expect(rig.told).toEqual([]);
  });

  test('close with a known origin names a stream that was lost whole', () => {
    const rig = new Rig();
    const flags = FLAG_ORIGIN_KNOWN;
    rig.record({ kind: KIND_CLOSE, direction: OUT, position: 82, origin: 70, endIn: 1004, flags });
    expect(rig.told).toEqual(['out@0 gap 12']);
  });

  test('what waits behind a hole is bounded in records and in bytes', () => {
    const records = new Rig();
    records.bytes(0, 'a');
    for (let i = 0; i < 64; i++) records.bytes(10 + i, 'x');
    expect(records.order.holes).toBe(0);
    expect(records.count('gaps')).toBe(1);

    const bytes = new Rig();
    const payload = 'x'.repeat(16384);
    bytes.bytes(0, 'a');
    for (let i = 0; i < 32; i++) bytes.bytes(10 + i * 16384, payload);
    expect(bytes.order.holes).toBe(0);
    expect(bytes.count('gaps')).toBe(1);
  });

  test('all holes together are bounded', () => {
    const rig = new Rig();
    const payload = 'x'.repeat(16384);
    for (let slot = 0; slot < 200; slot++) {
      rig.bytes(0, 'a', { slot });
      for (let i = 0; i < 20; i++) rig.bytes(10 + i * 16384, payload, { slot });
    }
    // 32 MiB of 200 × 320 KiB.
    expect(rig.order.holes).toBeLessThanOrEqual((32 * 1024) / 320 + 1);
    expect(rig.count('gaps')).toBeGreaterThan(90);
  });

  test('any order within a window, any losses: deliveries and gaps tile the streams', () => {
    const piece = fc.record({
      direction: fc.constantFrom(IN, OUT),
      length: fc.integer({ min: 1, max: 40 }),
      uncaptured: fc.constantFrom(0, 0, 0, 5),
      lost: fc.boolean().chain((maybe) => (maybe ? fc.boolean() : fc.constant(false))),
      delay: fc.constantFrom(0, 0, 0, 1, 2, 3),
    });
    const origin = fc.constantFrom(0, 1000, 0xfffffff0);
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 60 }), origin, fc.boolean(), (pieces, first, expireOften) => {
        const rig = new Rig();
        const length = [0, 0];
        const sent = pieces.map(({ direction, length: captured, uncaptured, lost, delay }, index) => {
          const offset = length[direction]!;
          length[direction]! += captured + uncaptured;
          return { direction, offset, captured, moved: captured + uncaptured, lost, rank: index + delay };
        });
        const arriving = sent.filter(({ lost }) => !lost).sort((a, b) => a.rank - b.rank);
        for (const { direction, offset, captured, moved } of arriving) {
          const text = Array.from({ length: captured }, (_, i) => String.fromCharCode((offset + i) % 251)).join('');
          rig.bytes(first + offset, text, { direction, moved, origin: first, flags: FLAG_ORIGIN_KNOWN });
          if (expireOften) rig.expire();
        }
        rig.record({
          kind: KIND_EOF,
          direction: IN,
          position: (first + length[IN]!) >>> 0,
          origin: first,
          flags: FLAG_ORIGIN_KNOWN,
        });
        rig.record({
          kind: KIND_CLOSE,
          direction: OUT,
          position: (first + length[OUT]!) >>> 0,
          origin: first,
          endIn: (first + length[IN]!) >>> 0,
          flags: FLAG_ORIGIN_KNOWN,
        });
        const next = [0, 0];
        for (const event of rig.events) {
          expect(event.offset).toBe(next[event.direction]);
          if (event.kind === 'end') continue;
          next[event.direction]! += event.wireLength;
          if (event.kind !== 'data') continue;
          expect(event.text.length).toBeLessThanOrEqual(event.wireLength);
          for (let i = 0; i < event.text.length; i++) {
            expect(event.text.charCodeAt(i)).toBe((event.offset + i) % 251);
          }
        }
        expect(next).toEqual(length);
        expect(rig.order.holes).toBe(0);
        const lost = sent.filter((one) => one.lost).reduce((sum, { moved }) => sum + moved, 0);
        if (!expireOften) expect(rig.count('bytes_gap_lost')).toBe(lost);
        rig.engine.release();
      }),
      { numRuns: 300 },
    );
  });
});
