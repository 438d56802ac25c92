/** `spanwire module …` as a process of its own. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { onTestFinished } from 'vitest';

const ROOT = join(import.meta.dirname, '..', '..');
export const CAPTURE: string = join(ROOT, 'examples/demo/capture.pcap');

export interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export async function runModule(...args: string[]): Promise<Ended> {
  const child = startModule(...args);
  const [stdout, stderr, [code]] = await Promise.all([text(child.stdout!), text(child.stderr!), once(child, 'exit')]);
  return { code, stdout, stderr };
}

/** Ends with the test at the latest. */
export function startModule(...args: string[]): ChildProcess {
  const child = spawn(process.execPath, ['host/main.ts', 'module', ...args], { cwd: ROOT });
  onTestFinished(() => void child.kill('SIGKILL'));
  return child;
}
