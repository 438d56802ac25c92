/**
 * Golden cases: what went over the wire and which messages it must become, as Markdown that people read.
 *
 *     # A title                          one or more per file
 *     The reason, in prose.
 *     mid-stream                         a line of its own: the host joined the connection at an unknown place
 *     upgraded                           a line of its own: another protocol handed the connection over
 *     unidentified                       a line of its own: identify() may refuse this stream
 *     lookalike                          a line of its own: values hold what looks like messages, so that nobody could
 *                                        tell them apart after a loss; left out of the properties about loss
 *     settings: http.request.header=a,b  a line of its own: what the module is told (docs/abi.md, "Settings")
 *     ```client                          bytes of that direction; or `server`, each with any of the words
 *     GET / HTTP/1.1\r\n                   gap=N  N bytes follow that were not captured
 *     ```                                  eof    the direction ends in order; reset: at an unknown place
 *     ```messages
 *     {"type":"request","http.request.method":"GET"}
 *     ```
 *
 * In bytes, \r \n \t \\ and \xNN are escapes and a real line break is no byte. Keys absent from an expected message are
 * not compared; number and order of the messages are.
 */
import {
  DATA,
  EOF,
  FROM_CLIENT,
  FROM_SERVER,
  GAP,
  OPEN_MID_STREAM,
  OPEN_UPGRADED,
  RESET,
} from '../../../parsers/sdk/abi.ts';
import { joinSettings, type Settings } from '../../wasm/settings.ts';
import type { Subject } from './guest.ts';
import type { Step } from './steps.ts';

export type Expected = { readonly type: string } & Readonly<Record<string, unknown>>;

export interface Case {
  readonly title: string;
  readonly file: string;
  readonly midStream: boolean;
  readonly upgraded: boolean;
  readonly unidentified: boolean;
  readonly lookalike: boolean;
  readonly settings: Settings;
  readonly steps: readonly Step[];
  readonly messages: readonly Expected[];
}

interface Block {
  readonly words: readonly string[];
  readonly lines: string[];
}

/** Longest gap: a chunk's wire length is a u32. */
const GAP_MAX = 0x7fff_ffff;
const SETTINGS = /^settings: /;
const FENCE = /^```\s*(.*)$/;

export function parseCases(text: string, file: string): Case[] {
  const parts = splitByTitle(text);
  if (parts.length === 0) throw new Error(`${file}: no "# title"`);
  return parts.map(({ title, lines }) => {
    try {
      return parseCase(title, lines, file);
    } catch (error) {
      throw new Error(`${file}: "${title}": ${(error as Error).message}`, { cause: error });
    }
  });
}

/** The flags that open() gets for the case. */
export function openFlags({ midStream, upgraded }: Case): number {
  return (midStream ? OPEN_MID_STREAM : 0) | (upgraded ? OPEN_UPGRADED : 0);
}

/** The module as the case wants it told. */
export function under<S extends Subject>(subject: S, { settings }: Pick<Case, 'settings'>): S {
  return { ...subject, settings };
}

/** The module told what any of the cases wants: where the bytes are nobody's case. */
export function underAll<S extends Subject>(subject: S, cases: readonly Case[]): S {
  return under(subject, { settings: joinSettings(cases.map(({ settings }) => settings)) });
}

/** `settings: name=value,value name=value` */
function parseSettings(line: string): Settings {
  const entries = line.replace(SETTINGS, '').trim().split(/\s+/);
  return new Map(
    entries.map((entry) => {
      const [, name, values] = /^([^=]+)=([^=]+)$/.exec(entry) ?? [];
      if (name === undefined) throw new Error(`setting "${entry}" is not of the form name=value,value`);
      return [name, values!.split(',')];
    }),
  );
}

/** A `#` inside a fence is content, not a title. */
function splitByTitle(text: string): { title: string; lines: string[] }[] {
  const parts: { title: string; lines: string[] }[] = [];
  let fenced = false;
  for (const line of text.split('\n')) {
    if (FENCE.test(line)) fenced = !fenced;
    const title = fenced ? null : /^# +(.+)$/.exec(line);
    if (title) parts.push({ title: title[1]!, lines: [] });
    else parts.at(-1)?.lines.push(line);
  }
  return parts;
}

function parseCase(title: string, lines: readonly string[], file: string): Case {
  const { blocks, prose } = splitBlocks(lines);
  const expected = blocks.filter(({ words }) => words[0] === 'messages');
  if (expected.length !== 1) throw new Error(`has ${expected.length} blocks "messages", must have one`);
  const streams = blocks.filter(({ words }) => words[0] !== 'messages');
  if (streams.length === 0) throw new Error('has no block "client" or "server"');
  return {
    title,
    file,
    midStream: prose.includes('mid-stream'),
    upgraded: prose.includes('upgraded'),
    unidentified: prose.includes('unidentified'),
    lookalike: prose.includes('lookalike'),
    settings: joinSettings(prose.filter((line) => SETTINGS.test(line)).map(parseSettings)),
    steps: streams.flatMap((block, index) => parseSteps(block, (index + 1) * 1000)),
    messages: expected[0]!.lines.filter((line) => line.trim() !== '').map(parseExpected),
  };
}

function splitBlocks(lines: readonly string[]): { blocks: Block[]; prose: string[] } {
  const blocks: Block[] = [];
  const prose: string[] = [];
  let open: Block | undefined;
  for (const line of lines) {
    const fence = FENCE.exec(line);
    if (open && fence) open = undefined;
    else if (open) open.lines.push(line);
    else if (fence) {
      open = { words: fence[1]!.trim().split(/\s+/), lines: [] };
      blocks.push(open);
    } else prose.push(line.trim());
  }
  if (open) throw new Error(`block "${open.words.join(' ')}" is not closed`);
  return { blocks, prose };
}

function parseExpected(line: string): Expected {
  const message = JSON.parse(line) as Expected;
  if (typeof message.type !== 'string') throw new Error(`expected message without a type: ${line}`);
  return message;
}

function parseSteps({ words, lines }: Block, timestamp: number): Step[] {
  const [side, ...options] = words;
  if (side !== 'client' && side !== 'server') throw new Error(`unknown block "${words.join(' ')}"`);
  const direction = side === 'client' ? FROM_CLIENT : FROM_SERVER;
  const bytes = unescapeBytes(lines.join(''));
  const steps: Step[] = [];
  const gap = gapOf(options);
  if (bytes.length > 0) {
    steps.push({ kind: DATA, direction, bytes, wireLength: bytes.length + gap, timestamp });
  } else if (gap > 0) {
    steps.push({ kind: GAP, direction, bytes, wireLength: gap, timestamp });
  }
  if (options.includes('eof')) steps.push(ending(EOF, direction, timestamp));
  if (options.includes('reset')) steps.push(ending(RESET, direction, timestamp));
  if (steps.length === 0) throw new Error(`block "${words.join(' ')}" is empty`);
  return steps;
}

function gapOf(options: readonly string[]): number {
  let gap = 0;
  for (const option of options) {
    const match = /^gap=(\d+)$/.exec(option);
    if (match) gap = Number(match[1]);
    if (gap > GAP_MAX) throw new Error(`a gap of ${gap} bytes is longer than ${GAP_MAX}`);
    if (match) continue;
    if (option !== 'eof' && option !== 'reset') throw new Error(`unknown word "${option}" after the direction`);
  }
  return gap;
}

function ending(kind: number, direction: number, timestamp: number): Step {
  return { kind, direction, bytes: new Uint8Array(0), wireLength: 0, timestamp };
}

const ESCAPES: Readonly<Record<string, number>> = { r: 0x0d, n: 0x0a, t: 0x09, '\\': 0x5c };

function unescapeBytes(text: string): Uint8Array {
  const pieces: Buffer[] = [];
  for (const [whole, hex, letter] of text.matchAll(/\\x([0-9a-fA-F]{2})|\\(.?)|[^\\]+/g)) {
    if (hex !== undefined) pieces.push(Buffer.from(hex, 'hex'));
    else if (letter === undefined) pieces.push(Buffer.from(whole, 'utf8'));
    else if (letter in ESCAPES) pieces.push(Buffer.of(ESCAPES[letter]!));
    else throw new Error(`unknown escape ${whole}`);
  }
  return new Uint8Array(Buffer.concat(pieces));
}

/** Steps as the blocks of a case, so that what was found by chance can become a golden case. */
export function formatSteps(steps: readonly Step[]): string {
  return steps
    .map(({ kind, direction, bytes, wireLength }) => {
      const gap = wireLength > bytes.length ? ` gap=${wireLength - bytes.length}` : '';
      const ending = kind === EOF ? ' eof' : kind === RESET ? ' reset' : '';
      const side = direction === FROM_CLIENT ? 'client' : 'server';
      return `\`\`\`${side}${gap}${ending}\n${bytes.length > 0 ? `${escapeBytes(bytes)}\n` : ''}\`\`\``;
    })
    .join('\n');
}

const ESCAPED: Readonly<Record<string, string>> = { '\r': '\\r', '\n': '\\n', '\t': '\\t', '\\': '\\\\' };

function escapeBytes(bytes: Uint8Array): string {
  return Buffer.from(bytes)
    .toString('latin1')
    .replace(/[^ -~]|\\/g, (one) => ESCAPED[one] ?? `\\x${one.charCodeAt(0).toString(16).padStart(2, '0')}`);
}
