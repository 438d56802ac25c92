/** `spanwire module bench`: throughput of parsers on their golden cases, and what metering costs. */
import { Command } from 'commander';
import type { ModuleBench } from '../../modules/trial/bench.ts';
import { UsageError } from '../../usage-error.ts';

const HELP = `
A target is a parser folder, the name of a parser of this source tree, or a .wasm file with its golden cases inside.
Fuel is counted for each KiB that a call is paid for (docs/abi.md): limits.fuelPerKiB of the manifest should be at least
twice the most that was used.

Examples:
  spanwire module bench redis http1
  spanwire module bench build/mine.wasm --json | jq .nsPerMessage`;

interface Options {
  readonly cases?: string;
  readonly json?: boolean;
  readonly seconds: string;
}

export function benchCommand(): Command {
  return new Command('bench')
    .description('measure throughput and fuel on the golden cases')
    .argument('<target...>', 'parser folders, names or .wasm files')
    .option('--cases <dir>', 'golden cases to use, instead of those in the target')
    .option('--seconds <n>', 'how long to measure each target', '2')
    .option('--json', 'print a JSON object for each target')
    .addHelpText('after', HELP)
    .action(benchTargets);
}

async function benchTargets(targets: readonly string[], options: Options): Promise<void> {
  const durationMs = Number(options.seconds) * 1000;
  if (!(durationMs > 0 && durationMs <= 600_000)) throw new UsageError('--seconds: must be more than 0, at most 600');
  const { loadTarget } = await import('../../modules/trial/target.ts');
  const { benchModule } = await import('../../modules/trial/bench.ts');
  for (const target of targets) {
    const result = benchModule(await loadTarget(target, options.cases), { durationMs });
    process.stdout.write(`${options.json ? JSON.stringify(result) : render(result)}\n`);
  }
}

function render(result: ModuleBench): string {
  const { typical, most, asked } = result.fuelPerKib;
  const million = (value: number) => (value / 1e6).toFixed(value < 1e7 ? 2 : 0);
  return [
    `${result.name}: ${result.cases} cases, median of ${result.rounds} rounds`,
    `  ${million(result.messagesPerSecond)} million messages/s, ${million(result.bytesPerSecond)} MB/s, ` +
      `${result.nsPerMessage.toFixed(0)} ns per message`,
    `  metering: ${((result.meteredRatio - 1) * 100).toFixed(1)} % more time than without`,
    `  fuel per KiB: ${Math.ceil(typical)} over all cases, ${Math.ceil(most)} for the costliest, ${asked} asked for ` +
      `(${((most / asked) * 100).toFixed(0)} %)`,
  ].join('\n');
}
