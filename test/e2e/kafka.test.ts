/**
 * Kafka through real eBPF: kcat with librdkafka's mock brokers, which live in the same process and answer over loopback.
 * Both ends of each connection are seen: every record that is produced is in one batch of each side.
 */
import { execFile, spawnSync } from 'node:child_process';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { sayUnavailable } from '../support/unavailable.ts';
import { accountingErrors } from './support/accounting.ts';
import { type Span, startAgent, stopAgent } from './support/agent.ts';
import { describeLive } from './support/live.ts';

const RECORDS = 500;

const reason = spawnSync('kcat', ['-V'], { stdio: 'ignore' }).error ? 'kcat is not installed' : '';
if (reason) sayUnavailable('Kafka through eBPF', reason);

await describeLive('Kafka', () => {
  test.skipIf(reason !== '').each(['none', 'gzip'])('produced records, compression %s: none missing', async (codec) => {
    const spans: Span[] = [];
    const agent = await startAgent(['--printer', 'json'], (span) => spans.push(span));
    const mock = ['-b', 'x', '-X', 'test.mock.num.brokers=1', '-X', `compression.codec=${codec}`];
    const child = promisify(execFile)('kcat', [...mock, '-P', '-t', 'orders', '-q']);
    child.child.stdin?.end(Array.from({ length: RECORDS }, (_, i) => `order number ${i}\n`).join(''));
    await child;
    const counters = await stopAgent(agent);
    const sends = spans.filter(({ protocol, name }) => protocol === 'kafka' && name === 'send orders');
    for (const kind of ['producer', 'server']) {
      const batches = sends.filter((span) => span.kind === kind);
      const records = batches.map(({ attributes }) => Number(attributes['messaging.batch.message_count'] ?? 1));
      expect(records.reduce((sum, one) => sum + one, 0)).toBe(RECORDS);
    }
    expect(new Set(sends.map(({ attributes }) => attributes['messaging.destination.name']))).toEqual(
      new Set(['orders']),
    );
    expect(new Set(sends.map(({ status }) => status))).toEqual(new Set(['unset']));
    expect(accountingErrors(counters)).toEqual([]);
  });
});
