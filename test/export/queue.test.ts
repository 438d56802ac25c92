/** The queue's rules, with a sink that does as the test says. Each test ends with the accounting equation. */
import { afterEach, describe, expect, it, vi } from 'vitest';
import { Backoff } from '../../host/export/backoff.ts';
import { JoinedSpans, READ_SPANS } from '../../host/export/joined-spans.ts';
import { ExportQueue, type QueueOptions } from '../../host/export/queue.ts';
import { C } from '../../host/self/counters.ts';
import type { ExportOutcome, Offer, SpanSink, Spans } from '../../host/spans/span.ts';
import { batch, imbalance, numbered, offerOf, producer, span, TestLog, tally, until } from './fixtures.ts';

type Script = (spans: Spans, signal: AbortSignal) => ExportOutcome | Promise<ExportOutcome>;

const OK: Script = () => ({ ok: true });
const BUSY: Script = () => ({ ok: false, retry: true, reason: 'busy' });
const REFUSED: Script = () => ({ ok: false, retry: false, reason: 'refused' });
const HANG: Script = () => new Promise(() => {});
const UNTIL_ABORT: Script = (_spans, signal) =>
  new Promise((resolve) => {
    signal.addEventListener('abort', () => resolve({ ok: false, retry: true, reason: signal.reason.message }));
  });

class ScriptedSink implements SpanSink<Spans> {
  readonly name = 'scripted';
  readonly join = READ_SPANS.join;
  /** Ids of the spans of each attempt. */
  readonly attempts: number[][] = [];
  readonly delivered: number[] = [];
  readonly times: number[] = [];
  script: Script[];
  inFlight = 0;
  mostInFlight = 0;

  constructor(...script: Script[]) {
    this.script = script;
  }

  take(offer: Offer): Spans {
    return READ_SPANS.take(offer);
  }

  async export(spans: Spans, signal: AbortSignal): Promise<ExportOutcome> {
    const act = this.script[Math.min(this.attempts.length, this.script.length - 1)]!;
    const ids = Array.from({ length: spans.length }, (_, i) => Number.parseInt(spans.read(i).spanId, 16) - 1);
    this.attempts.push(ids);
    this.times.push(performance.now());
    this.mostInFlight = Math.max(this.mostInFlight, ++this.inFlight);
    const outcome = await act(spans, signal);
    this.inFlight--;
    if (outcome.ok) this.delivered.push(...ids);
    return outcome;
  }

  async shutdown(): Promise<void> {}
}

const FAST: Partial<QueueOptions> = { backoff: { firstMs: 5, maxMs: 20, factor: 2, jitter: 0 } };

function setUp(sink: ScriptedSink, options: Partial<QueueOptions> = {}) {
  const log = new TestLog();
  const { counters, push } = producer({ push: (spans) => queue.push(offerOf(spans.seal())) });
  const queue = new ExportQueue(sink, counters, log, { ...FAST, ...options });
  live.push({ queue, counters });
  return { queue, counters, push, log };
}

const live: { queue: ExportQueue<Spans>; counters: ReturnType<typeof producer>['counters'] }[] = [];

afterEach(async () => {
  for (const { queue, counters } of live.splice(0)) {
    expect(imbalance(counters)).toBe(0);
    await queue.flush(0);
    expect(imbalance(counters)).toBe(0);
    expect(counters[C.spans_queued]).toBe(0);
    expect(queue.queued).toBe(0);
  }
});

describe('delivery', () => {
  it('exports what is pushed, in order, one export at a time', async () => {
    const sink = new ScriptedSink(async () => {
      await new Promise((resolve) => setTimeout(resolve, 2));
      return { ok: true };
    });
    const { push, counters } = setUp(sink);
    for (let i = 0; i < 50; i++) push(numbered(3, i * 3));
    await until(() => sink.delivered.length === 150, 'all spans');
    expect(sink.delivered).toEqual(Array.from({ length: 150 }, (_, i) => i));
    expect(sink.mostInFlight).toBe(1);
    expect(tally(counters)).toMatchObject({ spans_made: 150, spans_exported: 150 });
  });

  it('joins batches that wait, up to the export size, and never splits one', async () => {
    const gate = Promise.withResolvers<void>();
    const sink = new ScriptedSink(async () => {
      await gate.promise;
      return { ok: true };
    }, OK);
    const { push } = setUp(sink, { exportSpans: 10 });
    for (const [count, first] of [
      [1, 0],
      [4, 1],
      [6, 5],
      [25, 11],
      [1, 36],
    ] as const)
      push(numbered(count, first));
    gate.resolve();
    await until(() => sink.delivered.length === 37, 'all spans');
    expect(sink.attempts.map((ids) => ids.length)).toEqual([1, 10, 25, 1]);
  });

  it('joins no more than a request may hold', async () => {
    const gate = Promise.withResolvers<void>();
    const sink = new ScriptedSink(async () => {
      await gate.promise;
      return { ok: true };
    }, OK);
    const { push } = setUp(sink, { exportBytes: 2 * numbered(5).bytes });
    for (let i = 0; i < 6; i++) push(numbered(5, i * 5));
    gate.resolve();
    await until(() => sink.delivered.length === 30, 'all spans');
    expect(sink.attempts.map((ids) => ids.length)).toEqual([5, 10, 10, 5]);
  });

  it('takes an empty batch for nothing', async () => {
    const sink = new ScriptedSink(OK);
    const { push, counters } = setUp(sink);
    push(batch());
    await new Promise((resolve) => setTimeout(resolve, 5));
    expect(tally(counters)).toEqual({});
  });
});

describe('failures', () => {
  it('retries the same spans after growing pauses, then goes on', async () => {
    const sink = new ScriptedSink(BUSY, BUSY, BUSY, OK);
    const { push, counters } = setUp(sink, { backoff: { firstMs: 20, maxMs: 1000, factor: 2, jitter: 0 } });
    push(numbered(2));
    await until(() => sink.delivered.length === 2, 'delivery');
    expect(sink.attempts).toEqual([
      [0, 1],
      [0, 1],
      [0, 1],
      [0, 1],
    ]);
    const pauses = sink.times.slice(1).map((time, i) => time - sink.times[i]!);
    for (const [i, least] of [19, 39, 79].entries()) expect(pauses[i]).toBeGreaterThanOrEqual(least);
    expect(tally(counters)).toEqual({ spans_made: 2, spans_exported: 2, export_attempts: 4, export_failures: 3 });
  });

  it('keeps to Retry-After instead of its own pause', async () => {
    const sink = new ScriptedSink(() => ({ ok: false, retry: true, reason: 'later', retryAfterMs: 120 }), OK);
    const { push } = setUp(sink);
    push(numbered(1));
    await until(() => sink.delivered.length === 1, 'delivery');
    expect(sink.times[1]! - sink.times[0]!).toBeGreaterThanOrEqual(119);
  });

  it('bounds Retry-After', async () => {
    const sink = new ScriptedSink(() => ({ ok: false, retry: true, reason: 'never', retryAfterMs: 1_000_000 }), OK);
    const { push } = setUp(sink, { maxRetryAfterMs: 30 });
    push(numbered(1));
    await until(() => sink.delivered.length === 1, 'delivery');
    expect(sink.attempts).toHaveLength(2);
  });

  it('drops what is refused, at once, and says so', async () => {
    const sink = new ScriptedSink(REFUSED, OK);
    const { push, counters, log } = setUp(sink);
    push(numbered(3));
    await until(() => counters[C.spans_dropped_export_failed] === 3, 'the drop');
    push(numbered(1, 3));
    await until(() => sink.delivered.length === 1, 'the next batch');
    expect(sink.delivered).toEqual([3]);
    expect(log.lines).toEqual(['warn scripted: refused', 'info scripted: exporting again after 0 s']);
  });

  it('counts a partial success by parts', async () => {
    const sink = new ScriptedSink(() => ({ ok: false, retry: false, reason: 'some rejected', delivered: 7 }));
    const { push, counters } = setUp(sink);
    push(numbered(10));
    await until(() => counters[C.spans_queued] === 0, 'the outcome');
    expect(tally(counters)).toMatchObject({ spans_exported: 7, spans_dropped_export_failed: 3 });
  });

  it.each([-5, 11])('does not believe a partial success of %d of 10', async (delivered) => {
    const sink = new ScriptedSink(() => ({ ok: false, retry: false, reason: 'odd', delivered }));
    const { push, counters } = setUp(sink);
    push(numbered(10));
    await until(() => counters[C.spans_queued] === 0, 'the outcome');
    expect(imbalance(counters)).toBe(0);
  });

  it('gives a batch up that was retried for too long, and tries the next', async () => {
    const poison: Script = (spans) => (spans.read(0).name === 'poison' ? BUSY : OK)(spans, AbortSignal.any([]));
    const sink = new ScriptedSink(poison);
    const { push, counters } = setUp(sink, { giveUpMs: 60, exportSpans: 1 });
    push(batch(span(0, { name: 'poison' })));
    push(numbered(1, 1));
    await until(() => sink.delivered.length === 1, 'the batch behind');
    expect(sink.delivered).toEqual([1]);
    expect(tally(counters)).toMatchObject({ spans_exported: 1, spans_dropped_export_failed: 1 });
  });

  it('survives a batch that a sink cannot take', async () => {
    const sink = new ScriptedSink(OK);
    const { push, counters, log } = setUp(sink);
    vi.spyOn(sink, 'take').mockImplementationOnce(() => {
      throw new Error('too long');
    });
    push(numbered(2));
    expect(counters[C.spans_dropped_export_failed]).toBe(2);
    push(numbered(1, 2));
    await until(() => sink.delivered.length === 1, 'the next batch');
    expect(log.lines[0]).toContain('a batch cannot be exported: Error: too long');
  });

  it('survives a sink that throws', async () => {
    const sink = new ScriptedSink(() => {
      throw new Error('bug');
    }, OK);
    const { push, counters, log } = setUp(sink);
    push(numbered(2));
    await until(() => counters[C.spans_dropped_export_failed] === 2, 'the drop');
    expect(log.lines[0]).toContain('the exporter failed: Error: bug');
  });

  it('aborts an attempt that takes too long and retries', async () => {
    const sink = new ScriptedSink(UNTIL_ABORT, OK);
    const { push, log } = setUp(sink, { attemptTimeoutMs: 30 });
    push(numbered(2));
    await until(() => sink.delivered.length === 2, 'delivery');
    expect(log.lines[0]).toBe('warn scripted: no answer within 30 ms');
  });

  it('goes on even when a sink ignores its abort', async () => {
    const sink = new ScriptedSink(HANG, OK);
    const { push } = setUp(sink, { attemptTimeoutMs: 10 });
    push(numbered(2));
    await until(() => sink.delivered.length === 2, 'delivery');
  });

  it('logs a long outage in a line per half minute, not per attempt', async () => {
    let time = 0;
    const sink = new ScriptedSink(() => {
      time += 1000;
      return { ok: false, retry: true, reason: 'connection refused' };
    });
    const { push, log } = setUp(sink, { now: () => time, backoff: { firstMs: 1, maxMs: 1, factor: 1, jitter: 0 } });
    push(numbered(1));
    await until(() => sink.attempts.length >= 95, 'attempts');
    expect(log.lines.length).toBeLessThanOrEqual(5);
    expect(log.lines.every((line) => line === 'warn scripted: connection refused')).toBe(true);
  });
});

describe('overflow', () => {
  it('drops the oldest waiting batches, never the one in flight', async () => {
    const gate = Promise.withResolvers<void>();
    const sink = new ScriptedSink(async () => {
      await gate.promise;
      return { ok: true };
    }, OK);
    const { queue, push, counters, log } = setUp(sink, { capacitySpans: 100, exportSpans: 10 });
    for (let i = 0; i < 30; i++) push(numbered(10, i * 10));
    expect(queue.queued).toBe(100);
    expect(tally(counters)).toMatchObject({ spans_made: 300, spans_dropped_queue_full: 200, spans_queued: 100 });
    gate.resolve();
    await until(() => queue.queued === 0, 'the rest');
    const ids = (from: number, to: number) => Array.from({ length: to - from }, (_, i) => from + i);
    expect(sink.delivered).toEqual([...ids(0, 10), ...ids(210, 300)]);
    expect(log.lines).toEqual([
      'warn scripted: queue of 100 spans overflows: the sink is down or slower than the spans come',
    ]);
  });

  it('bounds the number of batches too', () => {
    const { queue, push } = setUp(new ScriptedSink(UNTIL_ABORT), { capacityBatches: 5 });
    for (let i = 0; i < 20; i++) push(numbered(1, i));
    expect(queue.queued).toBe(6);
  });

  it('drops a batch larger than the queue', async () => {
    const sink = new ScriptedSink(OK);
    const { push, counters } = setUp(sink, { capacitySpans: 10 });
    push(numbered(11));
    push(numbered(1, 11));
    await until(() => sink.delivered.length === 1, 'the small batch');
    expect(tally(counters)).toMatchObject({ spans_dropped_queue_full: 11, spans_exported: 1 });
  });
});

describe('flush', () => {
  it('exports all that is queued', async () => {
    const sink = new ScriptedSink(OK);
    const { queue, push, counters } = setUp(sink, { exportSpans: 10 });
    for (let i = 0; i < 20; i++) push(numbered(10, i * 10));
    await queue.flush(5000);
    expect(tally(counters)).toMatchObject({ spans_made: 200, spans_exported: 200 });
  });

  it('ends a back-off pause at once', async () => {
    const sink = new ScriptedSink(BUSY, OK);
    const { queue, push, counters } = setUp(sink, {
      backoff: { firstMs: 60_000, maxMs: 60_000, factor: 1, jitter: 0 },
    });
    push(numbered(1));
    await until(() => sink.inFlight === 0 && sink.attempts.length === 1, 'the first attempt');
    await queue.flush(5000);
    expect(tally(counters)).toMatchObject({ spans_exported: 1 });
  });

  it('tries again soon, however long the pauses had become', async () => {
    const sink = new ScriptedSink(BUSY, BUSY, BUSY, OK);
    const { queue, push } = setUp(sink, { backoff: { firstMs: 10, maxMs: 60_000, factor: 1000, jitter: 0 } });
    push(numbered(1));
    await until(() => sink.inFlight === 0 && sink.attempts.length === 2, 'the long pause');
    await queue.flush(5000);
    expect(sink.attempts).toHaveLength(4);
    expect(sink.delivered).toEqual([0]);
  });

  it('does not sit out a pause that outlasts the deadline', async () => {
    const sink = new ScriptedSink(BUSY);
    const { queue, push, counters } = setUp(sink, {
      backoff: { firstMs: 60_000, maxMs: 60_000, factor: 1, jitter: 0 },
    });
    push(numbered(3));
    const before = performance.now();
    await queue.flush(4000);
    expect(performance.now() - before).toBeLessThan(2000);
    expect(tally(counters)).toMatchObject({ spans_dropped_shutdown: 3 });
  });

  it('waits for a Retry-After within the deadline', async () => {
    const sink = new ScriptedSink(() => ({ ok: false, retry: true, reason: 'later', retryAfterMs: 150 }), OK);
    const { queue, push } = setUp(sink);
    push(numbered(1));
    await until(() => sink.inFlight === 0 && sink.attempts.length === 1, 'the first attempt');
    await queue.flush(5000);
    expect(sink.delivered).toEqual([0]);
    expect(sink.times[1]! - sink.times[0]!).toBeGreaterThanOrEqual(149);
  });

  it('does not wait for a Retry-After beyond the deadline, nor break it', async () => {
    const sink = new ScriptedSink(() => ({ ok: false, retry: true, reason: 'later', retryAfterMs: 60_000 }), OK);
    const { queue, push, counters } = setUp(sink);
    push(numbered(4));
    await until(() => sink.inFlight === 0 && sink.attempts.length === 1, 'the first attempt');
    const before = performance.now();
    await queue.flush(5000);
    expect(performance.now() - before).toBeLessThan(2000);
    expect(sink.attempts).toHaveLength(1);
    expect(tally(counters)).toMatchObject({ spans_dropped_shutdown: 4 });
  });

  it.each([
    ['hangs', UNTIL_ABORT],
    ['ignores its abort', HANG],
    ['is always busy', BUSY],
  ])('ends at the deadline when the sink %s, and counts the rest', async (_title, script) => {
    const sink = new ScriptedSink(script);
    const { queue, push, counters } = setUp(sink);
    push(numbered(5));
    push(numbered(5, 5));
    const before = performance.now();
    await queue.flush(100);
    expect(performance.now() - before).toBeLessThan(2000);
    expect(tally(counters)).toMatchObject({ spans_made: 10, spans_dropped_shutdown: 10 });
  });

  it('counts what is delivered while the deadline passes', async () => {
    const late: Script = (_spans, signal) =>
      new Promise((resolve) => signal.addEventListener('abort', () => resolve({ ok: true })));
    const { queue, push, counters } = setUp(new ScriptedSink(late), { exportSpans: 1 });
    push(numbered(5));
    push(numbered(5, 5));
    await queue.flush(20);
    expect(tally(counters)).toMatchObject({ spans_exported: 5, spans_dropped_shutdown: 5 });
  });

  it('takes nothing more afterwards, and can be called twice', async () => {
    const sink = new ScriptedSink(OK);
    const { queue, push, counters } = setUp(sink);
    await Promise.all([queue.flush(100), queue.flush(100)]);
    push(numbered(3));
    expect(tally(counters)).toEqual({ spans_made: 3, spans_dropped_shutdown: 3 });
    expect(sink.attempts).toEqual([]);
  });

  it('counts each span once, wherever the deadline falls', async () => {
    for (let deadline = 0; deadline < 25; deadline++) {
      let turn = 0;
      const moody: Script = async () => {
        await new Promise((resolve) => setTimeout(resolve, turn % 3));
        const outcomes: ExportOutcome[] = [
          { ok: true },
          { ok: false, retry: true, reason: 'busy' },
          { ok: false, retry: false, reason: 'refused', delivered: 1 },
        ];
        return outcomes[turn++ % 3]!;
      };
      const { queue, push, counters } = setUp(new ScriptedSink(moody), { exportSpans: 4, capacitySpans: 40 });
      for (let i = 0; i < 20; i++) push(numbered(3, i * 3));
      await queue.flush(deadline);
      expect(imbalance(counters)).toBe(0);
      expect(counters[C.spans_queued]).toBe(0);
    }
  });
});

it('backs off exponentially, within bounds, with jitter', () => {
  const options = { firstMs: 1000, maxMs: 5000, factor: 2, jitter: 0.2 };
  const waits = (random: number) => {
    const backoff = new Backoff(options, () => random);
    return [1, 2, 3, 4, 5].map(() => Math.round(backoff.next()));
  };
  expect(waits(0.5)).toEqual([1000, 2000, 4000, 5000, 5000]);
  expect(waits(0)).toEqual([800, 1600, 3200, 4000, 4000]);
  expect(waits(1)).toEqual([1200, 2400, 4800, 5000, 5000]);
});

it('reads joined batches in any order', () => {
  const joined = new JoinedSpans([numbered(2), numbered(1, 2), numbered(3, 3)]);
  const id = (index: number) => Number.parseInt(joined.read(index).spanId, 16) - 1;
  expect(joined.length).toBe(6);
  expect([0, 1, 2, 3, 4, 5].map(id)).toEqual([0, 1, 2, 3, 4, 5]);
  expect([5, 0, 3, 2, 4, 1].map(id)).toEqual([5, 0, 3, 2, 4, 1]);
  expect(() => joined.read(6)).toThrow(RangeError);
  expect(() => joined.read(-1)).toThrow(RangeError);
});
