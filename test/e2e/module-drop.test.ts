/**
 * A module is dropped into the watched folder while programs talk a protocol that nobody knows yet: their connections,
 * opened long before, have spans from then on; and `spanwire module ls` tells what runs.
 */
import { execFile } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { freePorts, Program, untilListening } from '../../examples/demo/programs.ts';
import { compileParser } from '../../parsers/build.ts';
import { until } from '../export/fixtures.ts';
import { accountingErrors } from './support/accounting.ts';
import { type Span, startAgent, stopAgent } from './support/agent.ts';
import { describeLive } from './support/live.ts';
import { ModuleFolder } from './support/modules.ts';

const EXAMPLE = fileURLToPath(new URL('../../examples/parser-ask', import.meta.url));
const MAIN = fileURLToPath(new URL('../../host/main.ts', import.meta.url));
const SPANS_TIMEOUT_MS = 15_000;

await describeLive('a module dropped into the watched folder', () => {
  test('connections that nobody knew have spans from then on', { timeout: 120_000 }, async () => {
    const bytes = await compileParser(EXAMPLE);
    const [port] = (await freePorts(1)) as [number];
    await using server = new Program('ask server', process.execPath, [`${EXAMPLE}/server.ts`, '--port', String(port)]);
    await untilListening(server, port);
    using modules = new ModuleFolder();
    const spans: Span[] = [];
    const agent = await startAgent(
      ['--open-port', String(port), '--printer', 'json', '--modules', modules.path, '--module-trust', 'off'],
      (span) => spans.push(span),
    );
    await using client = new Program('ask client', process.execPath, [
      `${EXAMPLE}/client.ts`,
      ...['--port', String(port), '--requests', '1000000', '--connections', '4', '--depth', '1', '--bytes', '100'],
    ]);
    await sleep(2000);
    expect(spans).toEqual([]);
    expect(await list(agent.program.pid)).not.toContain('ask');

    const dropped = performance.now();
    modules.put('ask.wasm', bytes);
    await until(() => spans.length > 0, 'the first span', SPANS_TIMEOUT_MS);
    const first = performance.now() - dropped;
    const ports = () => new Set(spans.map(({ attributes }) => attributes['client.port'])).size;
    await until(() => ports() === 4, 'spans of every connection', SPANS_TIMEOUT_MS);
    process.stderr.write(`module drop: first span after ${Math.round(first)} ms\n`);
    const listed = await list(agent.program.pid);
    expect(listed).toMatch(/^ask +1\.0\.0 +running +4 /m);
    await client.stop();
    const counters = await stopAgent(agent);
    expect(new Set(spans.map(({ protocol, kind }) => `${protocol} ${kind}`))).toEqual(new Set(['ask server']));
    expect(new Set(spans.map(({ name }) => name))).toEqual(new Set(['echo', 'late']));
    expect(counters.host.connections_revived).toBeGreaterThanOrEqual(4);
    expect(accountingErrors(counters)).toEqual([]);
  });
});

async function list(pid: number): Promise<string> {
  const { stdout } = await promisify(execFile)(process.execPath, [MAIN, 'module', 'ls', '--pid', String(pid)]);
  return stdout;
}
