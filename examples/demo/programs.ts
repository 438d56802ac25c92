/**
 * Programs as child processes. The rule: what is started here is ended here, by its own process group, whether the
 * caller returns, throws or is interrupted.
 */
import { type ChildProcess, type SpawnOptions, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { type AddressInfo, connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

const STOP_MS = 8000;
const READY_MS = 10_000;
const POLL_MS = 20;
/** Last words of a program that are kept for an error message. */
const WORDS_MAX = 4000;

export interface Exit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

const running = new Set<Program>();
const folders = new Set<Folder>();
process.on('exit', () => {
  for (const program of running) program.kill('SIGKILL');
  for (const folder of folders) folder[Symbol.dispose]();
});

/** Ends every program that runs, also those whose start nobody has awaited yet. */
export async function endAll(): Promise<void> {
  await Promise.all([...running].map((program) => program.stop()));
}

export class Program implements AsyncDisposable {
  readonly name: string;
  readonly child: ChildProcess;
  /** Settles when the program ended and its output was read to the end. */
  readonly exited: Promise<Exit>;
  #words = '';
  #stopped: Promise<Exit> | undefined;

  /** Its standard error is kept for error messages; its standard output is the caller's. */
  constructor(name: string, command: string, args: readonly string[], options: SpawnOptions = {}) {
    this.name = name;
    // nginx lies in /usr/sbin, which a user's PATH may lack. A group of its own: Ctrl-C reaches only us, who then end
    // all of them in order, workers included.
    const env = { ...(options.env ?? process.env), PATH: `${process.env.PATH}:/usr/sbin:/sbin` };
    this.child = spawn(command, args, { stdio: ['ignore', 'ignore', 'pipe'], ...options, env, detached: true });
    running.add(this);
    this.child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.#words = (this.#words + text).slice(-WORDS_MAX);
    });
    this.exited = new Promise((resolve) => {
      this.child.once('error', (error) => {
        this.#words += error.message;
        running.delete(this);
        resolve({ code: 127, signal: null });
      });
      this.child.once('close', (code, signal) => {
        running.delete(this);
        resolve({ code, signal });
      });
    });
  }

  get pid(): number {
    return this.child.pid ?? 0;
  }

  get ended(): boolean {
    return !running.has(this);
  }

  /** The end of what it wrote to standard error. */
  get words(): string {
    return this.#words.trim();
  }

  /** Sends a signal to the program and all that it started. */
  kill(signal: NodeJS.Signals): void {
    if (this.child.pid === undefined) return;
    try {
      process.kill(-this.child.pid, signal);
    } catch {
      // It ended in the meantime.
    }
  }

  /** Asks the program itself to end, once, and after a while ends the whole group. */
  stop(signal: NodeJS.Signals = 'SIGTERM', patienceMs = STOP_MS): Promise<Exit> {
    this.#stopped ??= this.#stop(signal, patienceMs);
    return this.#stopped;
  }

  async #stop(signal: NodeJS.Signals, patienceMs: number): Promise<Exit> {
    if (!this.ended) this.child.kill(signal);
    const timer = setTimeout(() => this.kill('SIGKILL'), patienceMs);
    const exit = await this.exited;
    clearTimeout(timer);
    return exit;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }
}

/** Resolves when the program accepts connections on a loopback port; throws its last words when it ended instead. */
export async function untilListening(program: Program, port: number, withinMs = READY_MS): Promise<void> {
  for (const deadline = Date.now() + withinMs; Date.now() < deadline; await sleep(POLL_MS)) {
    if (program.ended) throw new Error(`${program.name} did not start: ${program.words || 'it said nothing'}`);
    if (await accepts(port)) return;
  }
  throw new Error(`${program.name} does not listen on port ${port} after ${withinMs} ms: ${program.words}`);
}

function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1', () => resolve(true));
    socket.on('error', () => resolve(false));
    socket.on('connect', () => socket.destroy());
  });
}

/** Ports that were free a moment ago, all different. */
export async function freePorts(count: number): Promise<number[]> {
  const servers = await Promise.all(Array.from({ length: count }, listenAnywhere));
  const ports = servers.map((server) => (server.address() as AddressInfo).port);
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
  return ports;
}

function listenAnywhere(): Promise<ReturnType<typeof createServer>> {
  return new Promise((resolve, reject) => {
    const server = createServer().once('error', reject);
    server.listen(0, '127.0.0.1', () => resolve(server));
  });
}

/** A temporary folder that is removed with all its contents. */
export class Folder implements Disposable {
  readonly path = mkdtempSync(join(tmpdir(), 'spanwire-demo-'));

  constructor() {
    folders.add(this);
  }

  [Symbol.dispose](): void {
    folders.delete(this);
    rmSync(this.path, { recursive: true, force: true });
  }
}
