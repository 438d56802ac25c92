/**
 * `spanwire module new`: a parser to begin with, copied from parsers/template. Rule: what it makes speaks a protocol of
 * its own, so that it and its template, or two copies of it, are never taken for each other: the mark that the made-up
 * protocols carry on the wire is derived from the name.
 */
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join, relative, sep } from 'node:path';
import { Command, Option } from 'commander';
import { UsageError } from '../../usage-error.ts';

/** The templates, and the mark each of them has wherever it is written: sources, cases, manifest. */
const MARKS = { line: 'TLIN', length: 'TLEN', delimiter: 'TDEL' } as const;

export type Framing = keyof typeof MARKS;

/** As the manifest wants it, and what else lies in parsers/. */
const NAME = /^[a-z][a-z0-9-]{0,31}$/;
const TAKEN = ['sdk', 'template'];
/** Made anew by the build. */
const GENERATED = 'attributes.ts';

const HELP = `
  line        commands and answers, a line each
  length      frames that begin with their length and carry a request id
  delimiter   records that end with a byte of your choice

Examples:
  spanwire module new orders --framing length
  spanwire module new orders --framing length --into ~/parsers`;

interface Options {
  readonly framing: Framing;
  readonly into?: string;
}

export function newCommand(): Command {
  return new Command('new')
    .description('begin a parser: a small one that works, with golden cases, to be changed step by step')
    .argument('<name>', 'of the parser and its protocol: lower case, digits and dashes')
    .addOption(
      new Option('--framing <kind>', 'how the protocol cuts its bytes')
        .choices(Object.keys(MARKS))
        .makeOptionMandatory(),
    )
    .option('--into <folder>', "where the parser's folder goes (default: parsers/ of the repository)")
    .addHelpText('after', HELP)
    .action((name: string, { framing, into }: Options) => {
      const folder = createModule(name, framing, into ?? ownParsers());
      process.stdout.write(nextSteps(shown(folder)));
    });
}

/** Makes the folder `name` in `into`; returns its path. Throws UsageError when that cannot be. */
export function createModule(name: string, framing: Framing, into: string): string {
  if (!NAME.test(name)) throw new UsageError(`"${name}" must be lower case, digits and dashes, 32 characters at most`);
  if (TAKEN.includes(name)) throw new UsageError(`"${name}" is not free: choose another name`);
  const folder = join(into, name);
  if (existsSync(folder)) throw new UsageError(`${folder} is there already: choose another name or folder`);
  const template = join(sourceTree(), 'parsers', 'template', framing);
  for (const file of readdirSync(template, { recursive: true, encoding: 'utf8' })) {
    if (!/\.(ts|json|md)$/.test(file) || file === GENERATED) continue;
    const target = join(folder, file);
    mkdirSync(dirname(target), { recursive: true });
    writeFileSync(target, adapt(readFileSync(join(template, file), 'utf8'), file, name, framing));
  }
  return folder;
}

function adapt(text: string, file: string, name: string, framing: Framing): string {
  const marked = text.replaceAll(MARKS[framing], markOf(name));
  if (file === 'manifest.json') return marked.replaceAll(`"${framing}"`, `"${name}"`);
  if (file === 'README.md') return marked.replace(/^# .*$/m, `# ${name}`);
  // A template lies one folder deeper than a parser.
  return marked.replaceAll("'../../sdk/", "'../sdk/");
}

const LETTERS = 'BCDFGHJKLMNPQRSTVWXZ';

/** Four letters made of the name; the first does not come again, as the search for a mark wants it. */
export function markOf(name: string): string {
  const digest = createHash('sha256').update(name).digest();
  const first = LETTERS[digest[0]! % LETTERS.length]!;
  const others = LETTERS.replace(first, '');
  return first + [1, 2, 3].map((index) => others[digest[index]! % others.length]).join('');
}

/** parsers/ of the repository that the command runs in. */
function ownParsers(): string {
  const root = sourceTree();
  if (!`${process.cwd()}${sep}`.startsWith(root + sep)) {
    throw new UsageError('say with --into where the parser goes: this is not the repository of Spanwire');
  }
  return join(root, 'parsers');
}

/** The nearest folder above this file that has the templates: of the source tree as of dist/. */
function sourceTree(): string {
  for (let folder = import.meta.dirname; folder !== dirname(folder); folder = dirname(folder)) {
    if (existsSync(join(folder, 'parsers', 'template'))) return folder;
  }
  throw new Error('the templates are not there: run it from the source tree of Spanwire');
}

/** As the user would name it. */
function shown(folder: string): string {
  const path = relative('', folder);
  return path.startsWith('..') ? folder : path;
}

function nextSteps(folder: string): string {
  return `${folder}: a parser that works, for a protocol that is made up. Make it yours:
  1. README.md    describe the wire format, with its specification
  2. cases/*.md   write down what goes over the wire, and which messages it is
  3. the sources  until the cases pass: spanwire module test ${folder}
Then:
  spanwire module bench ${folder}
  spanwire module try ${folder} CAPTURE.pcap --watch
  node parsers/build.ts ${folder}
`;
}
