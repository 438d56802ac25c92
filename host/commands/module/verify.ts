/** `spanwire module verify`: whether an agent with these keys would take a file, and who signed it. */
import { readFileSync } from 'node:fs';
import { Command } from 'commander';
import { SIGNATURE_EXTENSION, verifySignature } from '../../modules/minisign.ts';
import { readKeys } from '../../modules/trust.ts';
import { UsageError } from '../../usage-error.ts';
import { readModule } from './sign.ts';

const HELP = `
Exit code 0 when FILE.wasm.minisig is a signature of one of the keys for these bytes and the module is admitted.

Example:
  spanwire module verify redis.wasm --key modules.pub`;

interface VerifyOptions {
  readonly key: readonly string[];
}

export function verifyCommand(): Command {
  return new Command('verify')
    .description("check a module's signature, and that the agent would admit it")
    .argument('<file>', 'the module')
    .requiredOption('--key <key>', 'public key, as a file or as base64; may be repeated', repeat)
    .addHelpText('after', HELP)
    .action(verify);
}

function repeat(value: string, before: readonly string[] = []): readonly string[] {
  return [...before, value];
}

function verify(file: string, { key }: VerifyOptions): void {
  const keys = readPublicKeys(key);
  const { keyId, comment } = check(file, () =>
    verifySignature(readFileSync(file), readFileSync(file + SIGNATURE_EXTENSION), keys),
  );
  const { name, version } = readModule(file).module.manifest;
  process.stdout.write(`${file}: ${name} ${version}, signed by ${keyId}\n  ${comment}\n`);
}

function readPublicKeys(list: readonly string[]) {
  try {
    return readKeys(list);
  } catch (error) {
    throw new UsageError(`--key ${(error as Error).message}`, { cause: error });
  }
}

function check<Value>(file: string, action: () => Value): Value {
  try {
    return action();
  } catch (error) {
    throw new Error(`${file}: ${(error as Error).message}`, { cause: error });
  }
}
