/** A PostgreSQL server of the tests' own, from Debian's package, in a folder that goes away with it. */
import { type ChildProcess, execFile, execFileSync, spawnSync } from 'node:child_process';
import { chmodSync, existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { freePorts } from '../../examples/demo/programs.ts';

const bin = findBin();
/** The server refuses to run as root; this account comes with Debian's package. */
const account = process.getuid?.() === 0 ? accountOf('postgres') : {};

/** Why there can be no server here; empty where there can. */
export function postgresMissing(): string {
  if (!bin) return 'no PostgreSQL server is installed';
  return process.getuid?.() === 0 && !('uid' in account) ? 'the server does not run as root' : '';
}

export class PostgresServer implements Disposable {
  readonly port: number;
  readonly #folder: string;

  static async start(): Promise<PostgresServer> {
    const folder = mkdtempSync(join(tmpdir(), 'spanwire-postgres-'));
    chmodSync(folder, 0o777);
    const [port] = (await freePorts(1)) as [number];
    asServer('initdb', ['-D', join(folder, 'data'), '-U', 'app', '-A', 'trust', '--no-sync']);
    const options = `-p ${port} -k ${folder} -c listen_addresses=127.0.0.1 -c fsync=off`;
    asServer('pg_ctl', ['-D', join(folder, 'data'), '-l', join(folder, 'log'), '-w', '-o', options, 'start']);
    return new PostgresServer(folder, port);
  }

  private constructor(folder: string, port: number) {
    this.#folder = folder;
    this.port = port;
  }

  [Symbol.dispose](): void {
    asServer('pg_ctl', ['-D', join(this.#folder, 'data'), '-m', 'immediate', 'stop']);
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

/** Starts psql, pgbench … against a port. */
export function startPostgresProgram(program: string, port: number, parameters: readonly string[]): ChildProcess {
  return execFile(...command(program, port, parameters), () => {});
}

/** Runs psql, pgbench … against a port; resolves with what it printed. */
export async function runPostgresProgram(
  program: string,
  port: number,
  parameters: readonly string[],
  input = '',
): Promise<string> {
  const child = promisify(execFile)(...command(program, port, parameters));
  child.child.stdin?.end(input);
  return (await child).stdout;
}

function command(
  program: string,
  port: number,
  parameters: readonly string[],
): [string, string[], { env: NodeJS.ProcessEnv }] {
  const options = ['-h', '127.0.0.1', '-p', String(port), '-U', 'app', ...parameters];
  return [join(bin, program), options, { env: { ...process.env, PGSSLMODE: 'prefer', PGGSSENCMODE: 'disable' } }];
}

function findBin(): string {
  const root = '/usr/lib/postgresql';
  const versions = existsSync(root) ? readdirSync(root).sort((a, b) => Number(b) - Number(a)) : [];
  return versions.map((one) => join(root, one, 'bin')).find((one) => existsSync(join(one, 'initdb'))) ?? '';
}

function accountOf(name: string): { uid?: number; gid?: number } {
  const [uid, gid] = ['-u', '-g'].map((which) => Number(spawnSync('id', [which, name]).stdout?.toString() || 'NaN'));
  return Number.isInteger(uid) && uid! > 0 ? { uid: uid!, gid: gid! } : {};
}

function asServer(program: string, parameters: string[]): void {
  execFileSync(join(bin, program), parameters, { ...account, cwd: tmpdir(), stdio: 'ignore' });
}
