/**
 * Whose traffic is captured: processes by number with their children, processes by the port they serve, and never the
 * agent or what answers it. And what the control ring says about processes.
 */

import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import { expect, it } from 'vitest';
import { KIND_CLOSE, KIND_DATA, KIND_EXEC, KIND_EXIT, KIND_LISTEN } from '../../host/kernel/layout.ts';
import { describeKernel, drainAll, type Seen, Session, startTraffic } from './harness.ts';

const data = (records: readonly Seen[]) => records.filter((record) => record.kind === KIND_DATA);
const tgids = (records: readonly Seen[]) => [...new Set(data(records).map((record) => record.tgid))].sort();
const texts = (records: readonly Seen[]) => data(records).map((record) => record.payload.toString('latin1'));

describeKernel('selection', () => {
  it('captures a process from when it is selected until it is not, and counts the rest', async () => {
    using session = new Session();
    const child = startTraffic();
    await child.ask(`open ${await child.ask('listen')}`);
    await child.ask('send before');
    expect(session.records()).toEqual([]);
    expect(session.capture.counters().filtered_process).toBeGreaterThanOrEqual(4);

    session.capture.selectProcess(child.pid, true);
    await child.ask('send during');
    expect(texts(session.records())).toEqual(['during', 'during', 'during', 'during']);

    session.capture.selectProcess(child.pid, false);
    await child.ask('send after');
    expect(session.records()).toEqual([]);
    await child.end();
  });

  it('selects the children a selected process has from then on', async () => {
    using session = new Session();
    const child = startTraffic();
    session.capture.selectProcess(child.pid, true);
    const grandchild = Number(await child.ask('child-pid'));
    const port = await child.ask('child listen');
    await child.ask(`exchange ${port} 1 10`);
    expect(tgids(session.records())).toEqual([child.pid, grandchild].sort());
    await child.end();
  });

  it('selects by port the process that serves it, and not the one that uses it', async () => {
    using session = new Session();
    const server = startTraffic();
    const client = startTraffic();
    const port = Number(await server.ask('listen'));
    await client.ask(`open ${port}`);
    session.capture.selectPorts([[port, port]]);
    await client.ask('send an older connection');
    const older = session.records();
    expect(tgids(older)).toEqual([server.pid]);
    expect(texts(older)).toEqual(['an older connection', 'an older connection']);

    await client.ask(`exchange ${port} 3 10`);
    expect(tgids(session.records())).toEqual([server.pid]);
    await client.end();
    await server.end();
  });

  it('selects by port a process that listens later, with everything else it does', async () => {
    using session = new Session();
    const other = startTraffic();
    const server = startTraffic();
    const free = Number(await other.ask('listen'));
    const port = await reserve();
    session.capture.selectPorts([[port, port]]);
    await server.ask(`listen ${port}`);
    await server.ask(`exchange ${free} 1 10`);
    expect(tgids(session.records())).toEqual([server.pid]);
    await server.end();
    await other.end();
  });

  it('takes a port in a range for that of a server only', async () => {
    using session = new Session();
    const server = startTraffic();
    const client = startTraffic();
    const port = await server.ask('listen');
    const from = await reserve();
    session.capture.selectPorts([
      [1, 1],
      [from, from],
    ]);
    await client.ask(`open ${port} ${from}`);
    await client.ask('send from a selected port');
    expect(session.records()).toEqual([]);
    await client.end();
    await server.end();
  });

  it('stops at a connection that is ignored, until it is wanted again, and still says when it closes', async () => {
    using session = new Session();
    const child = startTraffic();
    session.capture.selectProcess(child.pid, true);
    const port = await child.ask('listen');
    await child.ask(`open ${port}`);
    await child.ask('send first');
    const first = session.records();
    const ids = new Set(first.map((record) => record.connection));
    expect(ids.size).toBe(2);
    for (const id of ids) session.capture.ignoreConnection(Number(id & 0xffffffffn), Number(id >> 32n), true);

    await child.ask('send second');
    expect(session.records()).toEqual([]);
    expect(session.capture.counters().filtered_verdict).toBe(4);
    await child.ask(`exchange ${port} 1 10`);
    expect(data(session.records()).every((record) => !ids.has(record.connection))).toBe(true);

    for (const id of ids) session.capture.ignoreConnection(Number(id & 0xffffffffn), Number(id >> 32n), false);
    await child.ask('send third');
    expect(new Set(data(session.records()).map((record) => record.connection))).toEqual(ids);
    for (const id of ids) session.capture.ignoreConnection(Number(id & 0xffffffffn), Number(id >> 32n), true);
    await child.ask('send fourth');
    expect(session.records()).toEqual([]);
    await child.end();
    const closed = session.records().filter((record) => ids.has(record.connection));
    expect(closed.map((record) => record.kind)).toEqual([KIND_CLOSE, KIND_CLOSE]);
  });

  it('never captures the agent, nor the far end of its connections', async () => {
    using session = new Session({ everyProcess: true });
    const collector = startTraffic();
    const port = Number(await collector.ask('listen'));
    const socket = connect(port, '127.0.0.1');
    await once(socket, 'connect');
    socket.write('an export');
    await once(socket, 'data');
    const after = session.capture.counters();
    await collector.ask(`exchange ${port} 1 10`);
    const records = session.records().filter((record) => record.tgid === collector.pid);
    expect(texts(records).join()).not.toContain('an export');
    expect(data(records)).toHaveLength(4);
    expect(after.filtered_own).toBe(2);
    expect(data(session.records()).some((record) => record.tgid === process.pid)).toBe(false);
    socket.destroy();
    await collector.end();
  });
});

describeKernel('control ring', () => {
  it('tells exec with its path, listen with its port, and exit', async () => {
    using session = new Session();
    const child = startTraffic();
    const port = Number(await child.ask('listen'));
    const program = Number(await child.ask('run /bin/true'));
    await child.end();
    const control = drainAll(session.control);
    const about = (pid: number) =>
      control
        .filter((record) => record.tgid === pid)
        .map((record) => [record.kind, record.kind === KIND_LISTEN ? record.localPort : record.payload.toString()]);
    expect(about(program)).toEqual([
      [KIND_EXEC, '/bin/true'],
      [KIND_EXIT, ''],
    ]);
    const [exec, ...others] = about(child.pid);
    expect(exec).toEqual([KIND_EXEC, expect.stringMatching(/node$/)]);
    expect(others).toEqual([
      [KIND_LISTEN, port],
      [KIND_EXIT, ''],
    ]);
    expect(control.map((record) => record.sequence)).toEqual(control.map((_, index) => BigInt(index)));
    expect(control.every((record) => record.slot === 0xffffffff)).toBe(true);
    expect(session.control.connections).toBe(0);
    expect(session.capture.counters().control_lost).toBe(0);
  });

  it('counts what it had no room for', async () => {
    using session = new Session({ controlBytes: 4096 });
    const child = startTraffic();
    for (let index = 0; index < 30; index++) await child.ask('run /bin/true');
    await child.end();
    const control = drainAll(session.control);
    const lost = session.capture.counters().control_lost;
    expect(control.length).toBeLessThan(30);
    expect(lost).toBeGreaterThan(30);
  });
});

/** A port that is free right now. */
async function reserve(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as { port: number };
  server.close();
  await once(server, 'close');
  return port;
}
