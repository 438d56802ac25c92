/** A MariaDB server of the tests' own, from Debian's package, in a folder that goes away with it. */
import { execFile, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { freePorts, Program, untilListening } from '../../examples/demo/programs.ts';

const PROGRAMS = ['mariadbd', 'mariadb', 'mariadb-install-db', 'mariadb-slap'] as const;

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
  readonly #program: Program;

  static async start(): Promise<MariadbServer> {
    const folder = mkdtempSync(join(tmpdir(), 'spanwire-mysql-'));
    const [port] = (await freePorts(1)) as [number];
    const data = [`--datadir=${folder}/data`, ...(process.getuid?.() === 0 ? ['--user=root'] : [])];
    const install = [...data, '--auth-root-authentication-method=normal', '--skip-test-db'];
    await promisify(execFile)('mariadb-install-db', ['--no-defaults', ...install]);
    const options = [...data, `--port=${port}`, '--bind-address=127.0.0.1', `--socket=${folder}/socket`];
    const log = ['--skip-log-bin', '--local-infile=1', '--max-allowed-packet=64M', '--skip-name-resolve'];
    const program = new Program('mariadbd', 'mariadbd', ['--no-defaults', ...options, ...log]);
    await untilListening(program, port);
    return new MariadbServer(folder, port, program);
  }

  private constructor(folder: string, port: number, program: Program) {
    this.folder = folder;
    this.port = port;
    this.#program = program;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#program.stop();
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
