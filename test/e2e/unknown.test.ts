/** The agent tells the kernel of a connection that no parser claims, and the kernel stops copying it. */
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { startTraffic } from '../kernel/harness.ts';
import { accountingErrors } from './support/accounting.ts';
import { startAgent, stopAgent } from './support/agent.ts';
import { describeLive } from './support/live.ts';

/** For seconds, which is much longer than a verdict takes, also where eight programs want one CPU. */
const SENDS = 400;
const PAUSE_MS = 10;
/** At either end. */
const CALLS = 2;
const NOBODYS = '\u0001\u0002 nobody speaks like this';

await describeLive('what no parser claims', () => {
  test('is not copied for long', { timeout: 60_000 }, async () => {
    const child = startTraffic();
    const port = await child.ask('listen');
    const agent = await startAgent(['--pid', String(child.pid), '--printer', 'json'], () => expect.unreachable());
    await child.ask(`open ${port}`);
    for (let sent = 0; sent < SENDS; sent++) {
      await child.ask(`send ${NOBODYS}`);
      await sleep(PAUSE_MS);
    }
    const counters = await stopAgent(agent);
    await child.end();
    const { kernel, host } = counters;
    expect(host.connections_unknown).toBe(2);
    expect(kernel.bytes_captured).toBeGreaterThan(0);
    expect(kernel.filtered_verdict).toBeGreaterThan(0);
    const records = 2 * CALLS * SENDS;
    expect(host.records_data + kernel.filtered_verdict).toBe(records);
    expect(kernel.bytes_captured).toBe(host.records_data * Buffer.byteLength(NOBODYS));
    expect(kernel.records_lost).toBe(0);
    expect(accountingErrors(counters)).toEqual([]);
  });
});
