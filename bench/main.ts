/** `npm run bench`: which bench, and with which options. Figures are medians, comparisons are ratios of the same run. */
import { Command, InvalidArgumentError, Option } from 'commander';
import { PART_NAMES } from './suite/parts.ts';

const HELP = `
Examples:
  npm run bench
  npm run bench -- --json > before.json
  npm run bench -- --compare before.json
  npm run bench -- --quick --json
  npm run bench -- --only memory
  npm run bench -- live --soak 60 --json
  npm run bench -- sandbox --only http --rounds 101
  npm run bench -- parsers --only HPACK`;

const program = new Command('npm run bench --')
  .description('Measures Spanwire on this machine. Progress goes to stderr, the result to stdout.')
  .showHelpAfterError('(run with --help for the options)')
  .addHelpText('after', HELP);
program
  .command('suite', { isDefault: true })
  .description('throughput, memory and start-up, against the floor of this machine (the default)')
  .option('--quick', 'the headline figures, in less than a minute')
  .option('--only <part>', `one part: ${PART_NAMES.join(', ')}`)
  .option('--compare <file>', 'a result of --json: what has changed since')
  .addOption(
    new Option('--rounds <n>', 'rounds of each scenario (default: 15, with --quick 7)').argParser(wholeNumber(1)),
  )
  .option('--json', 'the result as JSON')
  .showHelpAfterError('(run with --help for the options)')
  .action(async (options) => (await import('./suite/suite.ts')).benchSuite(options));
addCommon(program.command('live'), 'pairs of rounds', 3)
  .description('what the agent costs an nginx under full load')
  .addOption(whole('--seconds <n>', 'length of a round, in seconds', 5, 1))
  .addOption(whole('--soak <n>', 'then so many seconds with the agent, memory sampled every second; 0: none', 0))
  .action(async (options) => (await import('./live.ts')).benchLive(options));
program
  .command('memory')
  .description('what the agent takes of memory: idle, with many live connections, under requests')
  .addOption(whole('--connections <n>', 'keep-alive connections', 10_000, 1))
  .addOption(whole('--requests <n>', 'requests over all of them', 100_000, 1))
  .addOption(whole('--seconds <n>', 'then they are held so long', 30))
  .option('--dist', 'the compiled agent in dist/ instead of the source')
  .option('--json', 'the result as JSON')
  .showHelpAfterError('(run with --help for the options)')
  .action(async (options) => (await import('./memory-live.ts')).benchMemory(options));
addCommon(program.command('sandbox'), 'rounds of each variant', 45)
  .description('what fuel costs the pipeline, for every parser there is')
  .option('--only <text>', 'traffic whose name contains this')
  .action(async (options) => (await import('./sandbox.ts')).benchSandbox(options));
addCommon(program.command('parsers'), 'rounds of each side', 61)
  .description('our parsers against the reference parsers of their protocols, on the same bytes')
  .option('--only <text>', 'comparisons whose name contains this')
  .action(async (options) => (await import('./parsers.ts')).benchParsers(options));
try {
  await program.parseAsync();
} catch (error) {
  process.stderr.write(`bench: ${(error as Error).message}\n`);
  process.exitCode = 1;
}

function addCommon(command: Command, rounds: string, byDefault: number): Command {
  return command
    .addOption(whole('--rounds <n>', rounds, byDefault, 1))
    .option('--json', 'the result as JSON')
    .showHelpAfterError('(run with --help for the options)');
}

function whole(flags: string, description: string, byDefault: number, least = 0): Option {
  return new Option(flags, description).default(byDefault).argParser(wholeNumber(least));
}

function wholeNumber(least: number): (text: string) => number {
  return (text) => {
    if (/^\d{1,6}$/.test(text) && Number(text) >= least) return Number(text);
    throw new InvalidArgumentError(`Must be a whole number of at least ${least}.`);
  };
}
