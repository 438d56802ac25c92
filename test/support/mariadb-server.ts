/** A MariaDB server of the tests' own, from Debian's package, in a folder that goes away with it. */
import { type ChildProcess, execFile, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { type AddressInfo, connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';

const PROGRAMS = ['mariadbd', 'mariadb', 'mariadb-install-db', 'mariadb-slap'] as const;
const READY_ATTEMPTS = 300;

/** Why there can be no server here; empty where there can. */
export function mariadbMissing(): string {
  return PROGRAMS.filter((one) => spawnSync(one, ['--help'], { stdio: 'ignore' }).error)
    .map((one) => `${one} is not installed`)
    .join(', ');
}

export class MariadbServer implements AsyncDisposable {
  readonly port: number;
  /** A folder that goes away with the server. */
  readonly folder: string;
  readonly #child: ChildProcess;

  static async start(): Promise<MariadbServer> {
    const folder = mkdtempSync(join(tmpdir(), 'spanwire-mysql-'));
    const port = await freePort();
    const data = [`--datadir=${folder}/data`, ...(process.getuid?.() === 0 ? ['--user=root'] : [])];
    const install = [...data, '--auth-root-authentication-method=normal', '--skip-test-db'];
    await promisify(execFile)('mariadb-install-db', ['--no-defaults', ...install]);
    const options = [...data, `--port=${port}`, '--bind-address=127.0.0.1', `--socket=${folder}/socket`];
    const log = ['--skip-log-bin', '--local-infile=1', '--max-allowed-packet=64M', '--skip-name-resolve'];
    const child = spawn('mariadbd', ['--no-defaults', ...options, ...log], { stdio: 'ignore' });
    const server = new MariadbServer(folder, port, child);
    await untilListening(port);
    return server;
  }

  private constructor(folder: string, port: number, child: ChildProcess) {
    this.folder = folder;
    this.port = port;
    this.#child = child;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.kill('SIGKILL');
    await once(this.#child, 'exit');
    rmSync(this.folder, { recursive: true, force: true });
  }
}

/** Runs mariadb, mariadb-slap … against a port; resolves with what it printed. */
export async function runMariadbProgram(
  program: string,
  port: number,
  parameters: readonly string[],
  input = '',
): Promise<string> {
  const where = ['--no-defaults', '-h127.0.0.1', `-P${port}`, '--protocol=tcp'];
  const user = parameters.some((one) => one.startsWith('-u')) ? [] : ['-uroot'];
  const child = promisify(execFile)(program, [...where, ...user, ...parameters], { maxBuffer: 1 << 28 });
  child.child.stdin?.on('error', () => {}).end(input);
  return (await child).stdout;
}

async function freePort(): Promise<number> {
  const probe = createServer();
  await new Promise<void>((resolve) => probe.listen(0, '127.0.0.1', resolve));
  const { port } = probe.address() as AddressInfo;
  await new Promise((resolve) => probe.close(resolve));
  return port;
}

async function untilListening(port: number): Promise<void> {
  for (let attempt = 0; attempt < READY_ATTEMPTS; attempt++) {
    const open = await new Promise<boolean>((resolve) => {
      const socket = connect(port, '127.0.0.1', () => resolve(true)).on('error', () => resolve(false));
      socket.on('connect', () => socket.destroy());
    });
    if (open) return;
    await sleep(100);
  }
  throw new Error(`mariadbd does not listen on ${port}`);
}
