/**
 * `spanwire module try`: a capture through the pipeline with a module that is being written; with --watch again each time
 * it is saved. A mistake is shown and waited past; SIGINT and SIGTERM end the watch.
 */
import { once } from 'node:events';
import { existsSync, watch } from 'node:fs';
import { basename, dirname } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Command, Option } from 'commander';
import type { Rehearsal, SpanFormat } from '../../modules/trial/rehearsal.ts';
import type { Target } from '../../modules/trial/target.ts';

const HELP = `
The module is tried beside those that ship with Spanwire; one of the same name takes the place of that. Opt-in attributes
of the module are shown. Exit code 1 when the module failed on the way.

Examples:
  spanwire module try build/mine.wasm traffic.pcap
  spanwire module try parsers/mine traffic.pcap --watch`;

/** An editor saves in several steps, and this long after the first all of them are done. */
const SETTLE_MS = 30;
const CLEAR = '\x1b[2J\x1b[3J\x1b[H';

interface Options {
  readonly printer: SpanFormat;
  readonly watch?: boolean;
}

export function tryCommand(): Command {
  return new Command('try')
    .description('make spans of a capture with a module that is not installed')
    .argument('<module>', 'a .wasm file, a parser folder, or the name of a parser')
    .argument('<capture>', 'pcap or pcapng')
    .addOption(new Option('--printer <format>', 'how spans are shown').choices(['text', 'json']).default('text'))
    .option('--watch', 'do it again whenever the module is saved')
    .addHelpText('after', HELP)
    .action(async (module: string, capture: string, options: Options) => {
      const { findTarget } = await import('../../modules/trial/target.ts');
      const target = findTarget(module);
      if (!existsSync(capture)) throw new Error(`${capture}: there is no such capture`);
      process.stdout.on('error', () => process.exit(0));
      if (options.watch) await watchTarget(target, () => attempt(target, capture, options.printer));
      else process.exitCode = (await runOnce(target, capture, options.printer)) ? 0 : 1;
    });
}

/** False when the module failed on the way. */
async function runOnce(target: Target, capture: string, format: SpanFormat): Promise<boolean> {
  const { readTarget } = await import('../../modules/trial/target.ts');
  const { admitModule } = await import('../../wasm/admit.ts');
  const { rehearse } = await import('../../modules/trial/rehearsal.ts');
  const start = performance.now();
  const bytes = await readTarget(target);
  const module = named(target.given, () => admitModule(bytes));
  const result = await rehearse(module, capture, format, print);
  const { name, version } = module.manifest;
  await print(summary(`${name} ${version}`, result, performance.now() - start), process.stderr);
  return result.failures.size === 0 && result.damage === undefined;
}

async function attempt(target: Target, capture: string, format: SpanFormat): Promise<void> {
  if (process.stdout.isTTY) process.stdout.write(CLEAR);
  try {
    await runOnce(target, capture, format);
  } catch (error) {
    process.stderr.write(`${(error as Error).message}\n`);
  }
}

/** What is wrong with the module is said with its name. */
function named<T>(given: string, attempt: () => T): T {
  try {
    return attempt();
  } catch (error) {
    throw new Error(`${given}: ${(error as Error).message}`, { cause: error });
  }
}

async function print(text: string, stream: NodeJS.WriteStream = process.stdout): Promise<void> {
  if (!stream.write(text)) await once(stream, 'drain');
}

function summary(module: string, result: Rehearsal, ms: number): string {
  const { spans, own, connections, unknown, failures, damage } = result;
  const lines = [
    `${module}: ${own} of ${spans} spans; ${unknown} of ${connections} connections unknown (${ms.toFixed(0)} ms)`,
    ...[...failures].map(([reason, times]) => `  failed ${times === 1 ? 'once' : `${times} times`}: ${reason}`),
    ...(damage === undefined ? [] : [`  the capture is damaged: ${damage}`]),
  ];
  return `${lines.join('\n')}\n`;
}

/** Runs now and after each change, one run at a time, until a signal comes. */
async function watchTarget(target: Target, run: () => Promise<void>): Promise<void> {
  const folder = target.isFolder ? target.path : dirname(target.path);
  const stop = new AbortController();
  let changed = Promise.withResolvers<void>();
  const watcher = watch(folder, { recursive: target.isFolder }, (_, file) => {
    if (target.isFolder || file === basename(target.path)) changed.resolve();
  });
  watcher.on('error', (error) => stop.abort(error));
  const end = () => stop.abort(undefined);
  stop.signal.addEventListener('abort', () => changed.resolve());
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, end);
  try {
    while (!stop.signal.aborted) {
      changed = Promise.withResolvers<void>();
      await run();
      process.stderr.write(`waiting for changes in ${target.given}\n`);
      await changed.promise;
      await sleep(SETTLE_MS);
    }
    if (stop.signal.reason instanceof Error && stop.signal.reason.name !== 'AbortError') throw stop.signal.reason;
  } finally {
    watcher.close();
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.off(signal, end);
  }
}
