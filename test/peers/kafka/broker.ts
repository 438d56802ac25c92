/**
 * A broker of Apache Kafka of the tests' own, in KRaft mode, from build/peers/kafka (setup.sh peers), in a folder that goes
 * away with it. It writes down every request that it serves, whole, so that spans can be compared with it one by one.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { freePorts, Program, untilListening } from '../../../examples/demo/programs.ts';

const JARS = fileURLToPath(new URL('../../../build/peers/kafka/lib', import.meta.url));
/** A Java machine on a busy one. */
const READY_MS = 120_000;
const CLIENT_MS = 180_000;
const CLUSTER_ID = 'AAAAAAAAAAAAAAAAAAAAAA';

/** Why there can be no broker here; empty where there can. */
export function kafkaMissing(): string {
  if (spawnSync('java', ['-version'], { stdio: 'ignore' }).error) return 'Java is not installed';
  return existsSync(JARS) ? '' : 'build/peers/kafka is not there: `sh setup.sh peers` makes it, with Maven';
}

/** A line of the broker's log, as far as it is of interest: fields as in Kafka's message schemas, in their order. */
export interface Served {
  /** It came to this listener within an Envelope, and to another one before. */
  readonly isForwarded: boolean;
  readonly requestHeader: {
    readonly requestApiKey: number;
    readonly requestApiVersion: number;
    readonly correlationId: number;
    readonly clientId: string;
    readonly requestApiKeyName: string;
  };
  readonly request: Readonly<Record<string, unknown>>;
  readonly response: Readonly<Record<string, unknown>> | null;
  /** `LOCAL ADDRESS:PORT-REMOTE ADDRESS:PORT-number…` */
  readonly connection: string;
}

export interface Ports {
  readonly broker: number;
  readonly controller: number;
}

export class KafkaBroker implements AsyncDisposable {
  readonly ports: Ports;
  readonly folder: string;
  readonly #program: Program;

  /** @param advertisedPort where clients are told to connect to; the broker's own unless given */
  static async start(advertisedPort?: (broker: number) => Promise<number>): Promise<KafkaBroker> {
    const folder = mkdtempSync(join(tmpdir(), 'spanwire-kafka-'));
    const [broker, controller] = (await freePorts(2)) as [number, number];
    const advertised = (await advertisedPort?.(broker)) ?? broker;
    writeFileSync(join(folder, 'broker.properties'), settings(folder, broker, controller, advertised));
    writeFileSync(join(folder, 'log4j2.properties'), logSettings(folder));
    const format = ['format', '-t', CLUSTER_ID, '-c', join(folder, 'broker.properties')];
    await runJava(['kafka.tools.StorageTool', ...format], '');
    const log = `-Dlog4j2.configurationFile=${folder}/log4j2.properties`;
    const main = ['kafka.Kafka', join(folder, 'broker.properties')];
    const program = new Program('the broker', 'java', ['-Xmx512m', log, '-cp', `${JARS}/*`, ...main]);
    const started = new KafkaBroker(folder, { broker, controller }, program);
    await untilListening(program, broker, READY_MS);
    return started;
  }

  private constructor(folder: string, ports: Ports, program: Program) {
    this.folder = folder;
    this.ports = ports;
    this.#program = program;
  }

  /** What it has served so far, in the order in which it was done with it. */
  served(): Served[] {
    const lines = readFileSync(join(this.folder, 'requests.log'), 'utf8').split('\n');
    return lines.filter(Boolean).map((line) => JSON.parse(line.slice(line.indexOf('{'))) as Served);
  }

  async stop(): Promise<void> {
    await this.#program.stop('SIGTERM', READY_MS);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
    rmSync(this.folder, { recursive: true, force: true });
  }
}

/** Runs a class of Kafka's to its end; resolves with what it printed, throws with its words when it failed. */
export async function runJava(args: readonly string[], input: string): Promise<string> {
  return await runClient('java', ['-Xmx128m', '-cp', `${JARS}/*`, ...args], input);
}

/** The same of any program. */
export async function runClient(command: string, args: readonly string[], input: string): Promise<string> {
  await using program = new Program(command, command, args, { stdio: ['pipe', 'pipe', 'pipe'] });
  const timer = setTimeout(() => program.kill('SIGKILL'), CLIENT_MS);
  let printed = '';
  program.child.stdout!.setEncoding('utf8').on('data', (text: string) => {
    printed += text;
  });
  program.child.stdin!.on('error', () => {}).end(input);
  const { code, signal } = await program.exited;
  clearTimeout(timer);
  if (code === 0) return printed;
  throw new Error(`${command} ${args.join(' ')} ended with ${signal ?? code}: ${program.words}`);
}

function settings(folder: string, broker: number, controller: number, advertised: number): string {
  return `process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:${controller}
listeners=PLAINTEXT://127.0.0.1:${broker},CONTROLLER://127.0.0.1:${controller}
advertised.listeners=PLAINTEXT://127.0.0.1:${advertised}
controller.listener.names=CONTROLLER
log.dirs=${folder}/data
offsets.topic.replication.factor=1
offsets.topic.num.partitions=1
transaction.state.log.replication.factor=1
transaction.state.log.num.partitions=1
transaction.state.log.min.isr=1
group.initial.rebalance.delay.ms=0
auto.create.topics.enable=false
`;
}

/** Requests to a file of their own; errors to where Program keeps last words. */
function logSettings(folder: string): string {
  return `status=error
appender.requests.type=File
appender.requests.name=requests
appender.requests.fileName=${folder}/requests.log
appender.requests.layout.type=PatternLayout
appender.requests.layout.pattern=%m%n
appender.words.type=Console
appender.words.name=words
appender.words.target=SYSTEM_ERR
appender.words.layout.type=PatternLayout
appender.words.layout.pattern=%p %c %m%n
logger.requests.name=kafka.request.logger
logger.requests.level=debug
logger.requests.additivity=false
logger.requests.appenderRef.requests.ref=requests
rootLogger.level=error
rootLogger.appenderRef.words.ref=words
`;
}
