/** `spanwire module ls`: what the running agents have loaded, refused and put aside. */
import { Command } from 'commander';
import type { ModuleLine, ModuleReport } from '../../modules/service.ts';
import { askAgent, findAgents, socketFolder } from '../../self/control-socket.ts';

const HELP = `
Examples:
  spanwire module ls
  spanwire module ls --json | jq '.[].modules[] | select(.state == "refused")'`;

interface Options {
  readonly pid?: string;
  readonly json?: true;
}

const COLUMNS: readonly (readonly [title: string, value: (line: ModuleLine) => string])[] = [
  ['NAME', ({ name }) => name],
  ['VERSION', ({ version }) => version || '-'],
  ['STATE', ({ state, paused }) => (paused ? 'paused' : state)],
  ['CONNECTIONS', ({ connections }) => String(connections)],
  ['MESSAGES', ({ messages }) => String(messages)],
  ['FAILURES', ({ failures }) => String(failures)],
  ['MEMORY', ({ memoryBytes }) => `${(memoryBytes / 2 ** 20).toFixed(1)} MiB`],
  ['TRUST', ({ trust }) => trust],
  ['DIGEST', ({ digest }) => digest.slice(0, 12) || '-'],
  ['ORIGIN', ({ origin }) => origin],
];

export function lsCommand(): Command {
  return new Command('ls')
    .description('list the modules of the running agents: versions, state, counters')
    .option('--pid <pid>', 'only of this agent')
    .option('--json', 'as JSON')
    .addHelpText('after', HELP)
    .action(async (options: Options) => {
      process.exitCode = await list(options);
    });
}

async function list({ pid, json }: Options): Promise<number> {
  const agents = findAgents().filter((one) => pid === undefined || one === Number(pid));
  if (agents.length === 0) {
    const which = pid === undefined ? 'no agent runs here' : `no agent with pid ${pid} runs here`;
    process.stderr.write(`${which} (looked in ${socketFolder()}): start one with \`spanwire run\`, ask as its user\n`);
    return 1;
  }
  const answers = await Promise.all(
    agents.map(async (agent) => ({ agent, ...((await askAgent(agent, '/modules')) as ModuleReport) })),
  );
  if (json) process.stdout.write(`${JSON.stringify(answers, undefined, 2)}\n`);
  else for (const { agent, ...report } of answers) process.stdout.write(`agent ${agent}\n${render(report)}`);
  return 0;
}

function render({ modules, counts }: ModuleReport): string {
  const { loaded, refused, quarantined, rolledBack } = counts;
  return `${table(modules)}loaded ${loaded}, refused ${refused}, quarantined ${quarantined}, rolled back ${rolledBack}\n`;
}

function table(lines: readonly ModuleLine[]): string {
  const row = (line: ModuleLine) => COLUMNS.map(([, value]) => printable(value(line)));
  const cells = [COLUMNS.map(([title]) => title), ...lines.map(row)];
  const widths = COLUMNS.map((_, column) => Math.max(...cells.map((row) => row[column]!.length)));
  const text = cells.map((row) =>
    row
      .map((cell, column) => cell.padEnd(widths[column]!))
      .join('  ')
      .trimEnd(),
  );
  return text.map((row, index) => `${row}\n${reasonOf(lines[index - 1])}`).join('');
}

function reasonOf(line: ModuleLine | undefined): string {
  return line?.reason === undefined ? '' : `  ↳ ${printable(line.reason)}\n`;
}

/** Names of files are whatever somebody made them: nothing of them steers a terminal. */
function printable(text: string): string {
  return text.replace(/\p{Cc}/gu, '?');
}
