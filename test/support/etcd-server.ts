/** An etcd of the tests' own, from Debian's packages, in a folder that goes away with it. */
import { execFile, spawnSync } from 'node:child_process';
import { promisify } from 'node:util';
import { Folder, freePorts, Program, untilListening } from '../../examples/demo/programs.ts';
import { until } from '../export/fixtures.ts';

const ENVIRONMENT = { ...process.env, ETCDCTL_API: '3' };

/** Why there can be none here; empty where there can. */
export function etcdMissing(): string {
  const missing = ['etcd', 'etcdctl'].filter((program) => spawnSync(program, ['--help']).error !== undefined);
  return missing.length === 0 ? '' : `${missing.join(' and ')} is not installed`;
}

export class EtcdServer implements AsyncDisposable {
  readonly port: number;
  readonly #program: Program;
  readonly #folder: Folder;

  static async start(): Promise<EtcdServer> {
    const folder = new Folder();
    const [port, peerPort] = (await freePorts(2)) as [number, number];
    const [client, peer] = [port, peerPort].map((one) => `http://127.0.0.1:${one}`) as [string, string];
    const program = new Program('etcd', 'etcd', [
      ...['--data-dir', folder.path, '--name', 'one', '--initial-cluster', `one=${peer}`],
      ...['--listen-client-urls', client, '--advertise-client-urls', client],
      ...['--listen-peer-urls', peer, '--initial-advertise-peer-urls', peer],
      ...['--log-level', 'error'],
    ]);
    await untilListening(program, port);
    return new EtcdServer(folder, port, program);
  }

  private constructor(folder: Folder, port: number, program: Program) {
    this.#folder = folder;
    this.port = port;
    this.#program = program;
  }

  /** Runs etcdctl; resolves with what it printed. */
  async ctl(parameters: readonly string[], input = ''): Promise<string> {
    const child = promisify(execFile)('etcdctl', this.#options(parameters), { env: ENVIRONMENT });
    child.child.stdin?.end(input);
    return (await child).stdout;
  }

  /** Starts a command that goes on, lets `work` be done once it has printed something `first`, and interrupts it. */
  async during(
    parameters: readonly string[],
    first: RegExp,
    work: (said: () => string) => Promise<void>,
  ): Promise<void> {
    await using program = new Program('etcdctl', 'etcdctl', this.#options(parameters), {
      env: ENVIRONMENT,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let text = '';
    program.child.stdout!.setEncoding('utf8').on('data', (part: string) => {
      text += part;
    });
    await until(() => first.test(text), `etcdctl ${parameters.join(' ')}`);
    await work(() => text);
    await program.stop('SIGINT');
  }

  #options(parameters: readonly string[]): string[] {
    return ['--endpoints', `127.0.0.1:${this.port}`, ...parameters];
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#program.stop();
    this.#folder[Symbol.dispose]();
  }
}
