/** The loop around a pipeline: what was captured when it is told to stop is still taken, then everything is ended. */
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, test, vi } from 'vitest';
import type { Pipeline } from '../../host/pipeline.ts';
import { Shard, type ShardOptions } from '../../host/shard.ts';

/** Stands for a pipeline: hands out the given amounts of bytes, one per poll, and writes down what is asked of it. */
function scripted(amounts: number[]) {
  const calls: string[] = [];
  const pipeline = {
    poll: () => {
      calls.push('poll');
      return amounts.shift() ?? 0;
    },
    tick: () => calls.push('tick'),
    sweep: () => calls.push('sweep'),
    finish: () => calls.push('finish'),
    setClockOffset: (low: number, high: number) => calls.push(`clock ${low} ${high}`),
  };
  return { pipeline: pipeline as unknown as Pipeline, calls, amounts };
}

const RING_BYTES = 1 << 20;

function shardOf(pipeline: Pipeline, options: Partial<ShardOptions> = {}): Shard {
  return new Shard({
    pipeline,
    ringBytes: RING_BYTES,
    mayPoll: () => true,
    pending: () => 0,
    clockOffset: () => [1, 2],
    ...options,
  });
}

const later = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

describe('Shard', () => {
  test('polls until there is nothing, ticks, and ends with finish', async () => {
    const { pipeline, calls, amounts } = scripted([100, 100, 100]);
    const shard = shardOf(pipeline);
    const done = shard.run();
    await later(20);
    expect(amounts).toEqual([]);
    expect(calls).toContain('clock 1 2');
    expect(calls.indexOf('tick')).toBeGreaterThan(calls.indexOf('clock 1 2'));
    shard.stop();
    await done;
    expect(calls.at(-1)).toBe('finish');
    expect(calls.filter((call) => call === 'finish')).toHaveLength(1);
  });

  test('held, it takes nothing; stopped, it takes all that waits', async () => {
    const { pipeline, calls, amounts } = scripted([]);
    const shard = shardOf(pipeline);
    shard.hold(true);
    const done = shard.run();
    amounts.push(10, 10, 10);
    await later(30);
    expect(calls).toEqual([]);
    shard.stop();
    await done;
    expect(amounts).toEqual([]);
    expect(calls.at(-1)).toBe('finish');
  });

  test('a ring that never empties leaves the event loop its share', async () => {
    let polls = 0;
    let stopped = false;
    const { pipeline } = scripted([]);
    const poll = () => {
      polls++;
      return stopped ? 0 : RING_BYTES;
    };
    const shard = shardOf(Object.assign(pipeline, { poll }));
    const done = shard.run();
    const start = performance.now();
    await later(1);
    expect(performance.now() - start).toBeLessThan(500);
    stopped = true;
    shard.stop();
    await done;
    expect(polls).toBeGreaterThan(10);
  });

  test('a lagging exporter is waited for until the ring is half full', async () => {
    const { pipeline, calls } = scripted([]);
    let pending = RING_BYTES / 4;
    const shard = shardOf(pipeline, { mayPoll: () => false, pending: () => pending });
    const done = shard.run();
    await later(30);
    expect(calls).toEqual([]);
    pending = RING_BYTES / 2;
    await later(100);
    expect(calls).toContain('poll');
    shard.stop();
    await done;
  });

  test('sleeps by timers that are set again: a turn makes none of its own', async () => {
    const { pipeline, calls } = scripted([]);
    const setTimer = vi.spyOn(globalThis, 'setTimeout');
    try {
      const shard = shardOf(pipeline);
      const done = shard.run();
      while (calls.filter((call) => call === 'poll').length < 20) await sleep(10);
      shard.stop();
      await done;
      expect(setTimer.mock.calls.length).toBeLessThan(5);
    } finally {
      setTimer.mockRestore();
    }
  });

  test('what a turn throws ends the run', async () => {
    const { pipeline } = scripted([]);
    const shard = shardOf(Object.assign(pipeline, { poll: () => expect.unreachable('a bug') }));
    await expect(shard.run()).rejects.toThrow('a bug');
  });

  test('stop ends a sleep at once', async () => {
    const { pipeline } = scripted([]);
    const shard = shardOf(pipeline);
    const done = shard.run();
    await later(200);
    const start = performance.now();
    shard.stop();
    await done;
    expect(performance.now() - start).toBeLessThan(30);
  });
});
