/** The command line: what each command takes and what it calls. Exit codes: 0 done, 1 failure, 2 usage. */
import { Command, CommanderError, Option } from 'commander';
import { moduleCommand } from './commands/module/index.ts';
import { type RawConfig, readConfig } from './config.ts';
import { TRUST_POLICIES } from './modules/trust.ts';
import { LOG_LEVELS } from './self/log.ts';
import { SAMPLERS } from './spans/sampler.ts';
import { UsageError } from './usage-error.ts';
import { VERSION } from './version.ts';

export const EXIT_FAILURE = 1;
export const EXIT_USAGE = 2;

const ENVIRONMENT_HELP = `
Environment (command line wins):
  OTEL_EBPF_OPEN_PORT, BEYLA_OPEN_PORT         as --open-port
  OTEL_EBPF_TARGET_PID, BEYLA_TARGET_PID       as --pid
  OTEL_EBPF_TRACE_PRINTER                      as --printer
  OTEL_INSTRUMENTATION_HTTP_SERVER_CAPTURE_REQUEST_HEADERS and its like of responses and clients
                                               as --capture-request-headers and --capture-response-headers
  OTEL_TRACES_SAMPLER, OTEL_TRACES_SAMPLER_ARG as --sampler and --sampler-arg
  OTEL_METRICS_EXPORTER                        as --metrics-exporter
  OTEL_METRIC_EXPORT_INTERVAL, …_TIMEOUT       as --metrics-interval, --metrics-timeout
  OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE
                                               as --metrics-temporality
  OTEL_EXPORTER_OTLP_ENDPOINT and the other OTEL_EXPORTER_OTLP_* variables, OTEL_SERVICE_NAME,
  OTEL_RESOURCE_ATTRIBUTES                     as OpenTelemetry defines them

Examples:
  spanwire run --open-port 80,8000-9000 --printer text
  spanwire run --exe nginx --otlp-endpoint http://localhost:4318
  spanwire run --pid 4242 --printer json | jq .attributes`;

const REPLAY_HELP = `
Examples:
  spanwire replay capture.pcap
  tcpdump -w - 'tcp port 80' > web.pcap && spanwire replay web.pcap --printer json`;

export function createProgram(): Command {
  const program = new Command('spanwire')
    .description('Traces from the wire: watches socket traffic with eBPF and emits OpenTelemetry spans.')
    .version(VERSION, '-V, --version')
    .showHelpAfterError('(run with --help for the options)')
    .exitOverride();
  addMetricsOptions(addOutputOptions(addRunOptions(program.command('run'))))
    .description('capture from the kernel until SIGINT or SIGTERM')
    .addHelpText('after', ENVIRONMENT_HELP)
    .action(async (options: RawConfig) => {
      const { runAgent } = await import('./commands/run.ts');
      process.exitCode = await runAgent(readConfig(options, process.env));
    });
  addOutputOptions(program.command('replay'))
    .argument('<file...>', 'captures: pcap or pcapng')
    .description('make spans of recorded traffic, through the same pipeline')
    .addHelpText('after', REPLAY_HELP)
    .action(async (files: string[], options: RawConfig) => {
      const { replayFiles } = await import('./commands/replay.ts');
      process.exitCode = await replayFiles(files, readConfig({ printer: 'text', ...options }, {}));
    });
  program.addCommand(moduleCommand());
  program
    .command('doctor')
    .description('tell what this kernel and these capabilities allow, with the remedy for each no')
    .action(async () => {
      const { examine } = await import('./commands/doctor.ts');
      process.exitCode = await examine();
    });
  return program;
}

/** Runs the program on arguments as in process.argv; sets process.exitCode. */
export async function main(argv: readonly string[]): Promise<void> {
  try {
    await createProgram().parseAsync(argv);
  } catch (error) {
    process.exitCode = explain(error);
  }
}

function explain(error: unknown): number {
  // Commander has printed its own words: help and version end well, everything else is a usage error.
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : EXIT_USAGE;
  process.stderr.write(`spanwire: ${error instanceof Error ? error.message : error}\n`);
  if (process.env.SPANWIRE_LOG_LEVEL === 'debug') process.stderr.write(`${(error as Error).stack}\n`);
  return error instanceof UsageError ? EXIT_USAGE : EXIT_FAILURE;
}

function addRunOptions(command: Command): Command {
  return command
    .optionsGroup('What is captured (nothing chosen: every process but this one):')
    .option('--open-port <ports>', 'processes that listen on these ports, such as 80,8000-9000')
    .option('--pid <pids>', 'these processes and their children')
    .option('--exe <globs>', 'processes by executable, such as nginx,/opt/*/bin/*')
    .option('--payload <size>', 'bytes kept of each call, at most 16KiB (default 4KiB)')
    .option('--ring <size>', 'ring buffer of each shard, a power of two (default 16MiB)')
    .option('--shards <number>', 'worker threads (default: one for every four cores)')
    .optionsGroup('Parser modules of your own:')
    .option('--modules <folders>', 'folders watched for .wasm files, comma-separated')
    .option('--module-interval <ms>', 'how often they are looked at (default 200)')
    .addOption(
      new Option('--module-trust <policy>', 'what a module needs a signature or digest for (default enforce)').choices([
        ...TRUST_POLICIES,
      ]),
    )
    .option('--module-keys <keys>', 'minisign public keys, or files with one')
    .option('--module-digests <digests>', 'SHA-256 of modules to trust without a signature')
    .option('--module-minimum <list>', 'lowest versions, such as redis@1.2.0');
}

function addMetricsOptions(command: Command): Command {
  return command
    .optionsGroup('RED metrics of all spans (with an OTLP endpoint, also by default):')
    .addOption(
      new Option('--metrics-exporter <name>', 'where metrics go (default otlp)').choices(['otlp', 'console', 'none']),
    )
    .option('--metrics-interval <ms>', 'time between two exports (default 60000)')
    .option('--metrics-timeout <ms>', 'how long one export may take (default 30000)')
    .addOption(
      new Option('--metrics-temporality <name>', 'what points count from (default cumulative)').choices([
        'cumulative',
        'delta',
        'lowmemory',
      ]),
    )
    .option('--metrics-series <number>', 'series of each shard at most, 4096 or less (default 2000)');
}

function addOutputOptions(command: Command): Command {
  return command
    .optionsGroup('Where spans go:')
    .addOption(
      new Option('--printer <format>', 'print spans to stdout').choices([
        'text',
        'json',
        'json_indent',
        'counter',
        'disabled',
      ]),
    )
    .option('--otlp-endpoint <url>', 'OTLP endpoint, such as http://localhost:4318')
    .addOption(
      new Option('--otlp-protocol <name>', 'OTLP protocol (default http/protobuf)').choices([
        'http/protobuf',
        'http/json',
        'grpc',
      ]),
    )
    .option('--service-name <name>', 'service.name of all spans (default: the executable)')
    .option('--attributes <names>', 'opt-in attributes to report as well, comma-separated')
    .option('--capture-request-headers <names>', 'header fields of requests to report, comma-separated')
    .option('--capture-response-headers <names>', 'the same of responses; of gRPC both are metadata')
    .addOption(
      new Option('--sampler <name>', 'which spans are kept (default parentbased_always_on)').choices([...SAMPLERS]),
    )
    .option('--sampler-arg <ratio>', 'share of traces that the traceidratio samplers keep, from 0 to 1 (default 1)')
    .option('--batch <spans>', 'spans of a batch at most, reached under load (default 8192)')
    .option('--batch-timeout <ms>', 'how long a batch may wait to fill (default 1000)')
    .option('--queue <spans>', 'spans that may wait for export (default 32768)')
    .option('--shutdown-timeout <ms>', 'how long to export what is left at the end (default 10000)')
    .optionsGroup('Logs (to stderr):')
    .addOption(new Option('--log-level <level>').choices([...LOG_LEVELS]))
    .addOption(new Option('--log-format <format>').choices(['text', 'json']));
}
