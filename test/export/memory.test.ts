/** 300,000 spans towards an endpoint that takes none: memory stays flat, and every span is accounted for. */
import { afterEach, expect, it } from 'vitest';
import { run } from './process.ts';
import { hang, httpReceiver, type Receiver, refuse } from './receivers.ts';

const receivers: Receiver[] = [];

afterEach(async () => {
  for (const receiver of receivers.splice(0)) await receiver.close();
});

/** A batch is some 28 KB, encoded. Kept, all of them would be 84 MB; the queue holds at most 4.6 MB. */
const SCRIPT = `
  const one = numbered(100);
  const held = () => {
    gc();
    const { heapUsed, arrayBuffers, rss } = process.memoryUsage();
    return { used: heapUsed + arrayBuffers, rss };
  };
  let warm, most = 0;
  for (let i = 0; i < 3000; i++) {
    sinks.push(filled(one));
    counters[C.spans_made] += 100;
    if (i % 10 === 0) await new Promise((resolve) => setTimeout(resolve, 5));
    if (i === 1000) warm = held();
    most = Math.max(most, counters[C.spans_queued]);
  }
  const last = held();
  const lost = counters[C.spans_dropped_queue_full];
  const attempts = counters[C.export_attempts];
  await sinks.shutdown(100);
  const balance = counters[C.spans_made] - counters[C.spans_exported] - counters[C.spans_dropped_queue_full]
    - counters[C.spans_dropped_shutdown] - counters[C.spans_dropped_export_failed] - counters[C.spans_queued];
  console.log(JSON.stringify({ usedGrowth: last.used - warm.used, rssGrowth: last.rss - warm.rss, most, lost, attempts, balance }));
`;

it.each(['dead', 'hanging', 'busy'])(
  'endpoint %s',
  async (state) => {
    const receiver = await httpReceiver(state === 'hanging' ? [hang] : [refuse(503)]);
    if (state === 'dead') await receiver.close();
    else receivers.push(receiver);
    const { output, code, errors } = await run(SCRIPT, { endpoint: receiver.url, timeoutMs: 200 });
    expect(code, errors).toBe(0);
    const { usedGrowth, rssGrowth, most, lost, attempts, balance } = JSON.parse(output);
    expect(balance).toBe(0);
    expect(most).toBeLessThanOrEqual(16_384);
    expect(lost).toBeGreaterThan(280_000);
    expect(attempts).toBeGreaterThanOrEqual(1);
    expect(usedGrowth).toBeLessThan(10e6);
    expect(rssGrowth).toBeLessThan(30e6);
  },
  30_000,
);
