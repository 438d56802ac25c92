/** `spanwire module inspect`: what a module file says of itself, and whether the agent would take it: exit code 1 if not. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { Command } from 'commander';
import type { ModuleFacts } from '../../modules/trial/facts.ts';
import type { Manifest, Protocol } from '../../wasm/manifest.ts';

const HELP = `
A module that the agent refuses ends with exit code 1 and the reason. Nothing of the module is run.

Examples:
  spanwire module inspect redis
  spanwire module inspect build/mine.wasm
  spanwire module inspect build/mine.wasm --json | jq .manifest.limits`;

export function inspectCommand(): Command {
  return new Command('inspect')
    .description('show the manifest, limits, exports and attributes of a module')
    .argument('<module>', 'a .wasm file, or the name of a module that ships with Spanwire')
    .option('--json', 'print one JSON object')
    .addHelpText('after', HELP)
    .action(inspect);
}

async function inspect(module: string, { json }: { json?: boolean }): Promise<void> {
  const { factsOf } = await import('../../modules/trial/facts.ts');
  const { RefusedError } = await import('../../wasm/refusal.ts');
  const file = await findModule(module);
  try {
    const facts = factsOf(file);
    process.stdout.write(`${json ? JSON.stringify(facts) : render(facts)}\n`);
  } catch (error) {
    if (!(error instanceof RefusedError)) throw error;
    const { message } = error;
    process.stdout.write(`${json ? JSON.stringify({ file, refused: message }) : `${file}: refused: ${message}`}\n`);
    process.exitCode = 1;
  }
}

async function findModule(module: string): Promise<string> {
  if (existsSync(module)) return module;
  const { shippedModuleFolder } = await import('../../wasm/load.ts');
  const shipped = join(shippedModuleFolder(), `${module}.wasm`);
  if (/^[a-z0-9-]+$/.test(module) && existsSync(shipped)) return shipped;
  throw new Error(
    `${module}: neither a file nor the name of a module that ships with Spanwire (of a parser folder: build it first)`,
  );
}

function render({ file, bytes, sha256, signature, exports, cases, manifest }: ModuleFacts): string {
  const { name, version, abi, stateVersion, slots, limits } = manifest;
  const outside: [string, unknown][] = [
    ['file', `${file}, ${(bytes / 1024).toFixed(1)} KiB`],
    ['sha256', sha256],
    ['signature', signature ? 'beside it' : 'none'],
    ['golden cases', cases],
    ['ABI', `${abi.major}.${abi.minor}`],
  ];
  const inside: [string, unknown][] = [
    ['slots', `${slots.join(', ')} bytes; state version ${stateVersion}`],
    ['memory', `${limits.memoryPages} pages (${limits.memoryPages / 16} MiB)`],
    ['fuel', `${limits.fuelPerKiB} per KiB`],
    ['output', `${limits.outputPerCall} bytes per call`],
    ['asked', asked(manifest)],
    ['accepts', manifest.accepts.join(', ') || 'no upgrades'],
  ];
  return [
    `${name} ${version}`,
    ...outside.concat(inside).map(([label, value]) => `  ${label.padEnd(14)}${value}`),
    section('protocols', manifest.protocols.map(describeProtocol)),
    section('attributes', table(manifest.attributes.map(describeAttribute))),
    section('exports', table(Object.entries(exports))),
  ].join('\n');
}

/** When the host asks identify(). */
function asked({ magic, minBytes, ports }: Manifest): string {
  const bytes = magic.filter((prefix) => prefix.length === 1).join('');
  const longer = magic.filter((prefix) => prefix.length > 1).map((prefix) => JSON.stringify(prefix));
  const prefixes = [...(bytes === '' ? [] : [`a byte of ${JSON.stringify(bytes)}`]), ...longer].join(', or ');
  const when = magic.length === 0 ? 'about every connection' : `about what begins with ${prefixes}`;
  return `${when}, from ${minBytes} bytes on; ports ${ports.join(', ') || 'none'}`;
}

function describeProtocol({ name, kind, pairing, spanName, spanNameFallback, constants }: Protocol): string {
  const fixed = Object.entries(constants).map(([key, value]) => `, ${key}=${value}`);
  return `${name}: ${kind}, pairing ${pairing}, span "${spanName}" or "${spanNameFallback}"${fixed.join('')}`;
}

function describeAttribute({ id, name, type, role, redaction, optIn }: Manifest['attributes'][number]): string[] {
  const notes = [role, redaction && `redacted as ${redaction}`, optIn && 'opt-in'].filter(Boolean);
  return [String(id), name, type, notes.join(', ')];
}

function section(title: string, lines: readonly string[]): string {
  return `${title}\n${lines.map((line) => `  ${line}`).join('\n')}`;
}

function table(rows: readonly (readonly string[])[]): string[] {
  const width = (column: number) => Math.max(0, ...rows.map((row) => row[column]!.length));
  return rows.map((row) =>
    row
      .map((cell, column) => cell.padEnd(width(column)))
      .join('  ')
      .trimEnd(),
  );
}
