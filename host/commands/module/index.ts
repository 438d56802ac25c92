/** `spanwire module …`: write, check, sign, try and list parser modules. One file each. */
import { Command } from 'commander';
import { benchCommand } from './bench.ts';
import { inspectCommand } from './inspect.ts';
import { keygenCommand } from './keygen.ts';
import { lsCommand } from './ls.ts';
import { newCommand } from './new.ts';
import { packCommand } from './pack.ts';
import { signCommand } from './sign.ts';
import { testCommand } from './test.ts';
import { tryCommand } from './try.ts';
import { verifyCommand } from './verify.ts';

export function moduleCommand(): Command {
  const module = new Command('module')
    .description('write, check, sign, try and list parser modules')
    .showHelpAfterError('(run with --help for the options)')
    .exitOverride();
  const commands = [
    newCommand(),
    testCommand(),
    benchCommand(),
    inspectCommand(),
    tryCommand(),
    packCommand(),
    lsCommand(),
    keygenCommand(),
    signCommand(),
    verifyCommand(),
  ];
  // addCommand hands nothing down, and cli.ts explains only what is thrown.
  for (const command of commands) module.addCommand(command.copyInheritedSettings(module));
  return module;
}
