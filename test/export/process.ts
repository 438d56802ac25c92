/** Runs a script with sinks in a process of its own: how it ends, and what it uses, only shows there. */
import { spawn } from 'node:child_process';

export interface Ran {
  output: string;
  errors: string;
  code: number | null;
}

export interface RunOptions {
  /** The reader of standard output goes after the first bytes. */
  readonly leaveEarly?: boolean;
  readonly inWorker?: boolean;
}

/** The script has `sinks` (a JSON printer unless `otlp` is given), `counters`, `C`, `filled` and `numbered`. */
export function run(script: string, otlp?: object, options: RunOptions = {}): Promise<Ran> {
  const source = options.inWorker
    ? inWorker(preamble({ printer: 'json' }) + script)
    : preamble(sinkConfig(otlp)) + script;
  const child = spawn(process.execPath, ['--expose-gc', '--input-type=module', '-e', source], { timeout: 60_000 });
  const ran: Ran = { output: '', errors: '', code: null };
  child.stdout.on('data', (text) => {
    ran.output += text;
    if (options.leaveEarly) child.stdout.destroy();
  });
  child.stderr.on('data', (text) => {
    ran.errors += text;
  });
  return new Promise((resolve) => child.on('close', (code) => resolve({ ...ran, code })));
}

function sinkConfig(otlp: object | undefined): object {
  return otlp === undefined ? { printer: 'json' } : { otlp };
}

function preamble(config: object): string {
  const at = (path: string) => JSON.stringify(new URL(path, import.meta.url).href);
  return `
    import { filled, numbered, TestLog } from ${at('fixtures.ts')};
    import { createSinks } from ${at('../../host/export/sinks.ts')};
    import { C, createCounters } from ${at('../../host/self/counters.ts')};
    const counters = createCounters();
    const sinks = createSinks(${JSON.stringify(config)}, { counters, log: new TestLog(), version: '0' });
  `;
}

function inWorker(source: string): string {
  const url = `data:text/javascript,${encodeURIComponent(source)}`;
  return `
    import { Worker } from 'node:worker_threads';
    const worker = new Worker(new URL(${JSON.stringify(url)}));
    // A worker with output that nobody can take any more does not end by itself.
    process.stdout.on('error', () => worker.once('message', () => process.exit()));
  `;
}
