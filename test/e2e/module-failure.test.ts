/**
 * A new version of a module fails on real traffic: its failures cost what docs/abi.md says, until the version before
 * runs again and spans come as before. The new version is the same code, but for a trap in run.
 */

import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { freePorts, Program, untilListening } from '../../examples/demo/programs.ts';
import { compileParser } from '../../parsers/build.ts';
import { until } from '../export/fixtures.ts';
import { accountingErrors } from './support/accounting.ts';
import { type Span, startAgent, stopAgent } from './support/agent.ts';
import { describeLive } from './support/live.ts';
import { ModuleFolder } from './support/modules.ts';

const EXAMPLE = fileURLToPath(new URL('../../examples/parser-ask', import.meta.url));
/** Four pauses, of 1, 2, 4 and 8 seconds, and time to spare. */
const TIMEOUT_MS = 40_000;

await describeLive('a version that fails', () => {
  test('is retired, and the version before runs again', { timeout: 150_000 }, async () => {
    const good = await compileParser(EXAMPLE);
    const bad = await failing();
    const [port] = (await freePorts(1)) as [number];
    await using server = new Program('ask server', process.execPath, [`${EXAMPLE}/server.ts`, '--port', String(port)]);
    await untilListening(server, port);
    using modules = new ModuleFolder();
    modules.put('ask.wasm', good);
    const spans: Span[] = [];
    const agent = await startAgent(
      ['--open-port', String(port), '--printer', 'json', '--modules', modules.path, '--module-trust', 'off'],
      (span) => spans.push(span),
    );
    await using client = new Program('ask client', process.execPath, [
      `${EXAMPLE}/client.ts`,
      ...['--port', String(port), '--requests', '10000000', '--connections', '4', '--depth', '1', '--bytes', '100'],
    ]);
    const count = (message: string) => agent.log.filter(({ msg }) => msg === message).length;
    await until(() => spans.length > 100, 'spans of the first version', TIMEOUT_MS);

    modules.put('ask.wasm', bad);
    await until(() => count('parser failed') >= 6, 'the second version to be retired', TIMEOUT_MS);
    const before = spans.length;
    await until(() => spans.length > before + 100, 'spans after the rollback', TIMEOUT_MS);
    const actions = agent.log.filter(({ msg }) => msg === 'parser failed').map(({ action }) => action);
    expect(actions).toEqual(['recover', 'pause', 'pause', 'pause', 'pause', 'retire']);
    await client.stop();
    const counters = await stopAgent(agent);
    expect(counters.host.parser_traps).toBe(6);
    expect(accountingErrors(counters)).toEqual([]);
  });
});

/** The next version of the example, whose run traps, without the cases that would give it away. */
async function failing(): Promise<Uint8Array> {
  const folder = mkdtempSync(join(tmpdir(), 'spanwire-failing-'));
  try {
    cpSync(EXAMPLE, folder, { recursive: true, filter: (path) => !path.endsWith('.md') });
    const index = readFileSync(join(folder, 'index.ts'), 'utf8');
    const start = /^export function run\(.*{$/m;
    if (!start.test(index)) throw new Error('the example has no run');
    writeFileSync(join(folder, 'index.ts'), index.replace(start, '$& if (end > 0) unreachable();'));
    const manifest = JSON.parse(readFileSync(join(folder, 'manifest.json'), 'utf8'));
    writeFileSync(join(folder, 'manifest.json'), JSON.stringify({ ...manifest, version: '1.1.0' }));
    return await compileParser(folder);
  } finally {
    rmSync(folder, { recursive: true });
  }
}
