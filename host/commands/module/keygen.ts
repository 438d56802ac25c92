/** `spanwire module keygen`: a key pair to sign modules with, in minisign's formats. */
import { existsSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Command } from 'commander';
import { createSecretKey, formatPublicKey, formatSecretKey } from '../../modules/minisign-key.ts';
import { UsageError } from '../../usage-error.ts';
import { choosePassword, PASSWORD_FILE_HELP } from './password.ts';

const DEFAULT_NAME = 'spanwire.key';
const OWNER_ONLY = 0o600;

const HELP = `
Writes the secret key and, beside it, the public key with .pub for .key. Existing files are not overwritten.

Examples:
  spanwire module keygen --out ~/keys/modules.key
  spanwire module keygen --no-password --out /run/secrets`;

interface KeygenOptions {
  readonly out: string;
  readonly passwordFile?: string;
  readonly password: boolean;
}

export function keygenCommand(): Command {
  return new Command('keygen')
    .description('make a key pair to sign modules with (minisign reads it, too)')
    .option('--out <path>', 'file of the secret key, or a folder for it', DEFAULT_NAME)
    .option('--password-file <file>', PASSWORD_FILE_HELP)
    .option('--no-password', 'leave the secret key unencrypted')
    .addHelpText('after', HELP)
    .action(generate);
}

async function generate({ out, passwordFile, password }: KeygenOptions): Promise<void> {
  if (!password && passwordFile !== undefined) throw new UsageError('--no-password and --password-file: choose one');
  const secretPath = isFolder(out) ? join(out, DEFAULT_NAME) : out;
  const publicPath = `${secretPath.replace(/\.key$/, '')}.pub`;
  refuseExisting(secretPath);
  refuseExisting(publicPath);
  const chosen = password ? await choosePassword(passwordFile) : undefined;
  const key = createSecretKey();
  writeFileSync(secretPath, formatSecretKey(key, chosen), { flag: 'wx', mode: OWNER_ONLY });
  writeFileSync(publicPath, formatPublicKey(key), { flag: 'wx' });
  const encoded = formatPublicKey(key).split('\n')[1];
  process.stdout.write(
    `secret key   ${secretPath}${password ? '' : ' (unencrypted: whoever reads it can sign)'}\n` +
      `public key   ${publicPath}\nkey id       ${key.id}\n\nGive it to the agent with --module-keys ${encoded}\n`,
  );
}

function isFolder(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false;
}

function refuseExisting(path: string): void {
  if (existsSync(path)) throw new Error(`${path} exists and is not overwritten: choose another name with --out`);
}
