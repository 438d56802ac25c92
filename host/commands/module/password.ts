/** The password of a secret key: from a file, the environment, or the terminal without echo. */
import { readFileSync } from 'node:fs';
import { createInterface } from 'node:readline/promises';
import { Writable } from 'node:stream';
import { UsageError } from '../../usage-error.ts';

export const PASSWORD_VARIABLE = 'SPANWIRE_KEY_PASSWORD';
export const PASSWORD_FILE_HELP = `file with the password (default: ${PASSWORD_VARIABLE}, then the terminal is asked)`;

/** The rest of the file's first line, or what the environment or the terminal says. */
export async function readPassword(file: string | undefined): Promise<string> {
  if (file !== undefined) return readFileSync(file, 'utf8').split(/\r?\n/)[0]!;
  const given = process.env[PASSWORD_VARIABLE];
  if (given !== undefined) return given;
  if (process.stdin.isTTY) return askTerminal('Password: ');
  throw new UsageError(`the key has a password: give --password-file or ${PASSWORD_VARIABLE}, there is no terminal`);
}

/** For a new key: asked twice on a terminal. */
export async function choosePassword(file: string | undefined): Promise<string> {
  const password = await readPassword(file);
  if (password === '') throw new UsageError('the password is empty: choose one, or say --no-password');
  const asked = file === undefined && process.env[PASSWORD_VARIABLE] === undefined;
  if (asked && (await askTerminal('Once more: ')) !== password) throw new UsageError('the passwords differ');
  return password;
}

async function askTerminal(question: string): Promise<string> {
  process.stderr.write(question);
  const nowhere = new Writable({ write: (_chunk, _encoding, done) => done() });
  const terminal = createInterface({ input: process.stdin, output: nowhere, terminal: true });
  try {
    return await new Promise<string>((resolve, reject) => {
      terminal.once('SIGINT', () => reject(new Error('no password was given')));
      terminal.once('close', () => reject(new Error('no password was given')));
      terminal.question('').then(resolve, reject);
    });
  } finally {
    terminal.close();
    process.stderr.write('\n');
  }
}
