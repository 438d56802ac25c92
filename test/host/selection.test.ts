/** Which processes are selected, told by a capture that only remembers; the processes are real ones. */

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { type AddressInfo, createServer, type Server } from 'node:net';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Processes } from '../../host/discovery/processes.ts';
import { Selection, type SelectionRules, selectsEverything } from '../../host/discovery/selection.ts';
import { SILENT } from './rig.ts';

const NONE: SelectionRules = { ports: [], pids: [], executables: [] };
const OTHER = 1;

let child: ChildProcess;
let server: Server;
let port: number;

beforeAll(async () => {
  child = spawn('/bin/sh', ['-c', 'sleep 60 & echo ready; wait'], { stdio: ['ignore', 'pipe', 'ignore'] });
  await once(child.stdout!, 'data');
  server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  port = (server.address() as { port: number }).port;
});

afterAll(async () => {
  child.kill();
  server.close();
});

function select(rules: Partial<SelectionRules>, ownTgid = OTHER) {
  const processes: number[] = [];
  const ports: unknown[] = [];
  const warnings: object[] = [];
  const capture = {
    selectProcess: (tgid: number, selected: boolean) => {
      expect(selected).toBe(true);
      processes.push(tgid);
    },
    selectPorts: (ranges: unknown) => ports.push(ranges),
  };
  const log = { ...SILENT, warn: (fields: object) => warnings.push(fields) };
  return { selection: new Selection({ ...NONE, ...rules }, capture, ownTgid, log), processes, ports, warnings };
}

describe('Selection', () => {
  test('no rule selects everything, and nothing one by one', () => {
    const { selection, processes, ports } = select({});
    selection.announcePorts();
    expect(selectsEverything(NONE)).toBe(true);
    expect(selection.scan()).toBe(0);
    expect([processes, ports]).toEqual([[], []]);
  });

  test('a process by its id, with its descendants', () => {
    const { selection, processes, warnings } = select({ pids: [child.pid!] });
    expect(selection.scan()).toBe(processes.length);
    expect(processes).toContain(child.pid);
    expect(processes.length).toBeGreaterThanOrEqual(2);
    expect(processes).not.toContain(process.pid);
    expect(warnings).toEqual([]);
  });

  test('a process that is not there is told of', () => {
    const { selection, warnings } = select({ pids: [2 ** 22 + 1] });
    expect(selection.scan()).toBe(0);
    expect(warnings).toEqual([{ pid: 2 ** 22 + 1 }]);
  });

  test('a process by the port it listens on', () => {
    const { selection, processes, ports } = select({ ports: [[port, port]] });
    selection.announcePorts();
    selection.scan();
    expect(ports).toEqual([[[port, port]]]);
    expect(processes).toContain(process.pid);
    expect(processes).toContain(child.pid);
  });

  test('never the agent itself', () => {
    const { selection, processes } = select({ pids: [process.pid], executables: ['*'] }, process.pid);
    selection.scan();
    selection.executed(process.pid, '/usr/bin/anything');
    expect(processes.length).toBeGreaterThan(0);
    expect(processes).not.toContain(process.pid);
  });

  test.each([
    ['sleep', '/usr/bin/sleep', true],
    ['sl*p', '/usr/bin/sleep', true],
    ['/usr/*/sleep', '/usr/bin/sleep', true],
    ['/opt/**', '/opt/app/bin/server', true],
    ['sleep', '/usr/bin/sleeper', false],
    ['/bin/sleep', '/usr/bin/sleep', false],
    ['bin', '/usr/bin/sleep', false],
  ])('--exe %s with %s: %s', (glob, path, expected) => {
    const { selection, processes } = select({ executables: [glob] });
    selection.executed(4242, path);
    expect(processes).toEqual(expected ? [4242] : []);
  });
});

describe('Processes', () => {
  test('a resource is made once and tells of the executable', () => {
    const processes = new Processes({ attributes: { 'deployment.environment.name': 'test' } });
    const resource = processes.resourceOf(process.pid);
    expect(processes.resourceOf(process.pid)).toBe(resource);
    expect(resource.attributes).toMatchObject({
      'service.name': expect.stringContaining('node'),
      'process.pid': process.pid,
      'deployment.environment.name': 'test',
      'telemetry.sdk.name': 'spanwire',
    });
    processes.started(process.pid, '/bin/other');
    expect(processes.resourceOf(process.pid)).not.toBe(resource);
  });

  test('a process that was gone before it was looked at gets its name from its exec event, in place', () => {
    const processes = new Processes({ attributes: {} });
    const gone = 2 ** 22 + 2;
    const resource = processes.resourceOf(gone);
    processes.started(gone, '/opt/short-lived');
    expect(processes.resourceOf(gone)).toBe(resource);
    expect(resource.attributes).toMatchObject({ 'service.name': 'short-lived', 'process.pid': gone });
  });

  test('a listener makes the connections of its port accepted ones, all others opened ones', async () => {
    const server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    const processes = new Processes({ attributes: {} });
    expect(processes.listensOn(process.pid, port)).toBe(true);
    expect(processes.listensOn(process.pid, port === 1 ? 2 : 1)).toBe(false);
    expect(processes.listensOn(0, port)).toBeUndefined();
    expect(processes.listensOn(2 ** 22 + 3, port)).toBeUndefined();
    server.close();
  });

  test('processes that start are remembered within bounds', () => {
    const processes = new Processes({ attributes: {} });
    for (let tgid = 2 ** 23; tgid < 2 ** 23 + 200_000; tgid++) processes.started(tgid, '/bin/x');
    expect(processes.size).toBe(0);
  });

  test('a process that is gone has a name all the same', () => {
    const { attributes } = new Processes({ attributes: {} }).resourceOf(2 ** 22 + 1);
    expect(attributes['service.name']).toBe(`unknown_service:${2 ** 22 + 1}`);
  });

  test('no process (a replayed capture) has no process attributes', () => {
    const { attributes } = new Processes({ serviceName: 'shop', attributes: {} }).resourceOf(0);
    expect(attributes['service.name']).toBe('shop');
    expect(Object.keys(attributes).filter((name) => /^(process|host)\./.test(name))).toEqual([]);
  });
});
