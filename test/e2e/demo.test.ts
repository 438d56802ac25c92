/** The demo ends well, says what it saw, checks itself, and leaves nothing behind, whether it is let run or not. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { Folder, Program } from '../../examples/demo/programs.ts';
import { describeLive } from './support/live.ts';

const MAIN = fileURLToPath(new URL('../../examples/demo/main.ts', import.meta.url));

test('shows the recorded capture', { timeout: 30_000 }, async () => {
  using folder = new Folder();
  const demo = startDemo(folder, ['--replay']);
  const [text, { code }] = [await demo.text, await demo.program.exited];
  expect(demo.program.words).not.toContain('failed');
  expect(code).toBe(0);
  expect(text).toMatch(/^nginx +server +http +\d+/m);
  expect(text).toMatch(/^node +server +http +\d+/m);
  expect(text).toMatch(/^redis-server +server +redis +\d+/m);
  expect(text).toMatch(/\d+ requests recorded, \d+ spans/);
  expect(text).not.toContain('\u001b');
});

test.runIf(process.getuid?.() === 0)('falls back to it where eBPF is refused', { timeout: 30_000 }, async () => {
  using folder = new Folder();
  const demo = startDemo(folder, [], WITHOUT_EBPF);
  const [text, { code }] = [await demo.text, await demo.program.exited];
  expect(demo.program.words).toMatch(/eBPF is refused here[\s\S]*needs root or these capabilities/);
  expect(text).toMatch(/\d+ requests recorded, \d+ spans/);
  expect(code).toBe(0);
  expect(readdirSync(folder.path)).toEqual([]);
});

await describeLive('the demo, live', () => {
  test('sees nginx, node and redis', { timeout: 60_000 }, async () => {
    using folder = new Folder();
    const demo = startDemo(folder);
    const [text, { code }] = [await demo.text, await demo.program.exited];
    expect(demo.program.words).not.toContain('failed');
    expect(code).toBe(0);
    for (const row of ['nginx +client +http', 'nginx +server +http', 'node +server +http', 'node +client +redis']) {
      expect(text).toMatch(new RegExp(`^${row} +\\d+`, 'm'));
    }
    expect(text).toMatch(/^redis-server +server +redis +\d+/m);
    expect(text).toMatch(/390 requests sent, \d+ spans, 0 bytes lost, agent CPU \d+ ms/);
    expect(readdirSync(folder.path)).toEqual([]);
  });

  test.each(['starting redis', 'starting the agent', 'sending', 'stopping'])(
    'leaves nothing when ended at: %s',
    { timeout: 60_000 },
    async (moment) => {
      using folder = new Folder();
      const { program } = startDemo(folder);
      await said(program, moment);
      const started = descendants(program.pid);
      if (moment !== 'starting redis') expect(started.length).toBeGreaterThan(2);
      const { code } = await program.stop('SIGINT');
      expect(program.words).toContain('ended by SIGINT');
      expect(code).toBe(1);
      expect(started.filter((pid) => existsSync(`/proc/${pid}`))).toEqual([]);
      expect(readdirSync(folder.path)).toEqual([]);
    },
  );
});

/** Root, but not allowed to load BPF programs. */
const WITHOUT_EBPF = ['setpriv', '--bounding-set', '-bpf,-perfmon,-sys_admin'];

/** All that the demo puts into temporary folders goes into this one. */
function startDemo(folder: Folder, args: readonly string[] = [], prefix: readonly string[] = []) {
  const env = { ...process.env, TMPDIR: folder.path };
  const [command, ...rest] = [...prefix, process.execPath, MAIN, ...args];
  const program = new Program('the demo', command!, rest, { stdio: ['ignore', 'pipe', 'pipe'], env });
  const output = program.child.stdout!.setEncoding('utf8');
  return { program, text: output.toArray().then((parts) => parts.join('')) };
}

function said(program: Program, words: string): Promise<void> {
  return new Promise((resolve, reject) => {
    program.child.stderr!.on('data', () => program.words.includes(words) && resolve());
    program.exited.then(() => reject(new Error(`the demo never said "${words}": ${program.words}`)));
  });
}

function descendants(pid: number): number[] {
  const children = readdirSync(`/proc/${pid}/task`).flatMap((task) => {
    const text = readFileSync(`/proc/${pid}/task/${task}/children`, 'utf8');
    return text
      .split(' ')
      .filter((one) => one !== '')
      .map(Number);
  });
  return children.flatMap((child) => [child, ...descendants(child)]);
}
