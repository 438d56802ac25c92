/**
 * What no parser claims: one record of each connection is enough to know so, and from then on the kernel copies nothing
 * of it, however much it still says.
 */
import { expect, it } from 'vitest';
import { loadParsers } from '../../fuzz/parsers.ts';
import { Pipeline } from '../../host/pipeline.ts';
import { C, createCounters } from '../../host/self/counters.ts';
import { SILENT } from '../host/rig.ts';
import { describeKernel, Session, startTraffic } from './harness.ts';

const parsers = await loadParsers();
/** What `send` moves: out and in at one end of the connection, in and out at the other. */
const CALLS = 4;
const SENDS = 50;
const NOBODYS = '\u0001\u0002 nobody speaks like this';

function pipelineOver({ ring, capture }: Session) {
  const counters = createCounters();
  const pipeline = new Pipeline(ring, {
    modules: parsers,
    counters,
    log: SILENT,
    processes: { resourceOf: () => ({ attributes: {} }) },
    optIn: new Set(),
    batchSpans: 64,
    batchMs: 0,
    reorderMs: 0,
    emit: () => expect.unreachable(),
    verdict: (low, high, ignored) => capture.ignoreConnection(low, high, ignored),
    retired: () => expect.unreachable(),
  });
  const poll = () => {
    while (pipeline.poll(performance.now()) > 0);
  };
  return { pipeline, counters, poll };
}

describeKernel('what no parser claims', () => {
  it('is captured once, and then no more while the application goes on', async () => {
    using session = new Session();
    const { pipeline, counters, poll } = pipelineOver(session);
    const child = startTraffic();
    session.capture.selectProcess(child.pid, true);
    await child.ask(`open ${await child.ask('listen')}`);
    await child.ask(`send ${NOBODYS}`);
    poll();
    expect(counters[C.connections_opened]).toBe(2);
    expect(counters[C.connections_unknown]).toBe(2);
    const before = session.capture.counters();
    expect(before.bytes_captured).toBe(counters[C.bytes_captured]);
    expect(before.bytes_captured).toBe(CALLS * Buffer.byteLength(NOBODYS, 'utf8'));

    for (let sent = 0; sent < SENDS; sent++) await child.ask(`send ${NOBODYS}`);
    poll();
    const after = session.capture.counters();
    expect(after.bytes_captured).toBe(before.bytes_captured);
    expect(after.records_tried).toBe(before.records_tried);
    expect(after.filtered_verdict - before.filtered_verdict).toBe(CALLS * SENDS);

    await child.end();
    poll();
    expect(counters[C.connections_closed]).toBe(2);
    pipeline.finish();
  });
});
