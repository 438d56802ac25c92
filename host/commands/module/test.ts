/** `spanwire module test`: golden cases and properties on parsers; exit code 1 when one of them does not hold. */
import { Command } from 'commander';
import type { Finding } from '../../modules/trial/examine.ts';
import { UsageError } from '../../usage-error.ts';

const HELP = `
A target is a parser folder, the name of a parser of this source tree, or a .wasm file with its golden cases inside.
A property that fails shows the smallest counterexample it found, and the seed that finds it again.

Examples:
  spanwire module test parsers/redis
  spanwire module test build/mine.wasm --runs 5000
  spanwire module test mine --seed 1234567`;

interface Options {
  readonly cases?: string;
  readonly runs?: string;
  readonly seed?: string;
}

/** Lines of a failure that are shown: enough for a counterexample, not for a case of 64 KiB. */
const FAILURE_LINES = 60;
const FAILURE_WIDTH = 2000;

export function testCommand(): Command {
  return new Command('test')
    .description('run the golden cases and all properties')
    .argument('<target...>', 'parser folders, names or .wasm files')
    .option('--cases <dir>', 'golden cases to use, instead of those in the target')
    .option('--runs <n>', 'runs of each property (default: 60 to 400, as it needs)')
    .option('--seed <n>', 'begin the random choices here')
    .addHelpText('after', HELP)
    .action(async (targets: string[], options: Options) => {
      process.exitCode = await testTargets(targets, options);
    });
}

async function testTargets(targets: readonly string[], options: Options): Promise<number> {
  const effort = {
    runs: wholeNumber('--runs', options.runs, 1),
    seed: wholeNumber('--seed', options.seed, -(2 ** 31)),
  };
  const { loadOthers, loadTarget } = await import('../../modules/trial/target.ts');
  const { examine } = await loadExamine();
  let failures = 0;
  for (const target of targets) {
    const parser = await loadTarget(target, options.cases);
    const { name, manifest, bytes, cases } = parser;
    write(`${name} ${manifest.version}: ${(bytes.length / 1024).toFixed(1)} KiB, ${cases.length} cases`);
    for (const finding of examine(parser, loadOthers(name), effort)) {
      write(render(finding));
      if (finding.failure !== undefined) failures++;
    }
  }
  write(failures === 0 ? 'all hold' : `${failures} ${failures === 1 ? 'does' : 'do'} not hold`);
  return failures === 0 ? 0 : 1;
}

async function loadExamine() {
  const { withRemedy } = await import('../../modules/trial/compile.ts');
  try {
    return await import('../../modules/trial/examine.ts');
  } catch (error) {
    throw withRemedy(error);
  }
}

function wholeNumber(option: string, text: string | undefined, least: number): number | undefined {
  if (text === undefined) return undefined;
  const value = Number(text);
  if (Number.isInteger(value) && value >= least && value < 2 ** 31) return value;
  throw new UsageError(`${option}: "${text}" is not a whole number from ${least} to ${2 ** 31 - 1}`);
}

function render({ title, ms, remark, failure }: Finding): string {
  const lines = [`  ${failure === undefined ? 'ok  ' : 'FAIL'}  ${title} (${ms.toFixed(0)} ms)`];
  if (remark !== undefined) lines.push(`        ${remark}`);
  if (failure !== undefined) lines.push(...indented(failure));
  return lines.join('\n');
}

function indented(text: string): string[] {
  const lines = text.split('\n').map((line) => `        ${line.slice(0, FAILURE_WIDTH)}`);
  const hidden = lines.length - FAILURE_LINES;
  return hidden > 0 ? [...lines.slice(0, FAILURE_LINES), `        … and ${hidden} lines more`] : lines;
}

function write(line: string): void {
  process.stdout.write(`${line}\n`);
}
