/** `spanwire module sign`: writes FILE.wasm.minisig, by which agents that have the public key trust the module. */
import { readFileSync, writeFileSync } from 'node:fs';
import { Command } from 'commander';
import { SIGNATURE_EXTENSION } from '../../modules/minisign.ts';
import { openSecretKey, signBytes } from '../../modules/minisign-key.ts';
import { admitModule, type ParserModule } from '../../wasm/admit.ts';
import { PASSWORD_FILE_HELP, readPassword } from './password.ts';

const HELP = `
Writes FILE.wasm.minisig; keep it beside the module. \`minisign -V\` and \`spanwire module verify\` check it.

Example:
  spanwire module sign redis.wasm --key modules.key --comment 'build 812'`;

interface SignOptions {
  readonly key: string;
  readonly comment?: string;
  readonly passwordFile?: string;
}

export function signCommand(): Command {
  return new Command('sign')
    .description('sign a module, so that agents with the public key take it')
    .argument('<file>', 'the module')
    .requiredOption('--key <file>', 'secret key of `spanwire module keygen` or `minisign -G`')
    .option('--comment <text>', 'added to the signed comment, which has name, version and time')
    .option('--password-file <file>', PASSWORD_FILE_HELP)
    .addHelpText('after', HELP)
    .action(sign);
}

async function sign(file: string, { key, comment, passwordFile }: SignOptions): Promise<void> {
  const { bytes, module } = readModule(file);
  const secret = await about(key, () => openSecretKey(readFileSync(key, 'utf8'), () => readPassword(passwordFile)));
  const { name, version } = module.manifest;
  const facts = [
    `name=${name}`,
    `version=${version}`,
    `time=${new Date().toISOString()}`,
    ...(comment ? [comment] : []),
  ];
  writeFileSync(file + SIGNATURE_EXTENSION, signBytes(bytes, secret, facts.join(' ')));
  process.stdout.write(`${file}${SIGNATURE_EXTENSION}: ${name} ${version}, signed by ${secret.id}\n`);
}

/** A file that the agent would admit; throws with its name and the reason otherwise. */
export function readModule(file: string): { bytes: Uint8Array<ArrayBuffer>; module: ParserModule } {
  const bytes = new Uint8Array(readFileSync(file));
  try {
    return { bytes, module: admitModule(bytes) };
  } catch (error) {
    throw new Error(`${file}: ${(error as Error).message}`, { cause: error });
  }
}

async function about<Value>(path: string, action: () => Promise<Value>): Promise<Value> {
  try {
    return await action();
  } catch (error) {
    (error as Error).message = `${path}: ${(error as Error).message}`;
    throw error;
  }
}
