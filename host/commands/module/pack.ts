/** `spanwire module pack`: manifest and golden cases into a module that was written in C, Rust, Zig or another language. */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Command } from 'commander';
import { RefusedError } from '../../wasm/refusal.ts';
import { packModule } from './packing.ts';

const HELP = `
Example:
  clang --target=wasm32 -nostdlib -Wl,--no-entry,--export-dynamic -O2 -o orders.raw.wasm orders.c
  spanwire module pack orders.raw.wasm --manifest manifest.json --cases cases -o orders.wasm`;

interface Options {
  readonly manifest: string;
  readonly cases?: string;
  readonly output: string;
}

export function packCommand(): Command {
  return new Command('pack')
    .description('put manifest and golden cases into a module, and check it')
    .argument('<file>', 'the module as its compiler made it')
    .requiredOption('--manifest <file>', 'manifest.json')
    .option('--cases <folder>', 'folder of golden cases, *.md')
    .requiredOption('-o, --output <file>', 'the module to write')
    .addHelpText('after', HELP)
    .action((file: string, options: Options) => {
      const packed = pack(file, options);
      process.stdout.write(`${options.output}: ${(packed.length / 1024).toFixed(1)} KiB\n`);
    });
}

/** Writes the packed module, and returns it. A refusal names the file it is about. */
export function pack(file: string, { manifest, cases, output }: Options): Uint8Array {
  const texts = [readFileSync(manifest, 'utf8'), cases === undefined ? '' : readCases(cases)] as const;
  try {
    const packed = packModule(readFileSync(file), ...texts);
    writeFileSync(output, packed);
    return packed;
  } catch (error) {
    if (error instanceof RefusedError) throw new Error(`${file}: ${error.message}`, { cause: error });
    throw error;
  }
}

/** All golden cases of a folder as one text, in name order. */
export function readCases(folder: string): string {
  const files = readdirSync(folder).filter((file) => file.endsWith('.md'));
  return files
    .sort()
    .map((file) => `${readFileSync(join(folder, file), 'utf8').trimEnd()}\n`)
    .join('\n');
}
