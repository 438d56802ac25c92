/** Batches grow under load, up to what is allowed, and shrink again when it is over. */
import { describe, expect, test } from 'vitest';
import { C, createCounters } from '../../host/self/counters.ts';
import { BatchSize, ORDINARY_SPANS } from '../../host/spans/batch-size.ts';

const MAX = 8192;

function sizeOf(max: number) {
  const counters = createCounters();
  return { counters, size: new BatchSize(max, counters) };
}

describe('BatchSize', () => {
  test('begins with an ordinary batch, and stays with it at a low rate', () => {
    const { size } = sizeOf(MAX);
    expect(size.limit).toBe(ORDINARY_SPANS);
    size.flushed(ORDINARY_SPANS, 1000);
    size.flushed(300, 2000);
    expect(size.limit).toBe(ORDINARY_SPANS);
  });

  test('grows when spans come fast, and shrinks when they no longer do', () => {
    const { size } = sizeOf(MAX);
    size.flushed(1, 0);
    size.flushed(ORDINARY_SPANS, 50);
    expect(size.limit).toBe(MAX);
    size.flushed(MAX, 50 + 300);
    expect(size.limit).toBe(MAX);
    size.flushed(MAX, 350 + 1000);
    expect(size.limit).toBe(ORDINARY_SPANS);
  });

  test('grows when the exporter lags, at whatever rate', () => {
    const { counters, size } = sizeOf(MAX);
    counters[C.spans_queued] = 5000;
    size.flushed(100, 1000);
    expect(size.limit).toBe(MAX);
    counters[C.spans_queued] = 100;
    size.flushed(100, 2000);
    expect(size.limit).toBe(ORDINARY_SPANS);
  });

  test('never goes beyond what is allowed', () => {
    const { counters, size } = sizeOf(256);
    expect(size.limit).toBe(256);
    counters[C.spans_queued] = 1_000_000;
    size.flushed(256, 0);
    expect(size.limit).toBe(256);
  });
});
