/** The runner that decides whether a module may have traffic: what it takes, what it refuses, and that it ends. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { loadParsers } from '../../fuzz/parsers.ts';
import { formatSteps, parseCases } from '../../host/modules/trial/cases.ts';
import { withRemedy } from '../../host/modules/trial/compile.ts';
import { Harness, parse } from '../../host/modules/trial/harness.ts';
import { casesTextOf, type Parser } from '../../host/modules/trial/parser.ts';
import { replayCases } from '../../host/modules/trial/replay.ts';
import { loseFront, type Step } from '../../host/modules/trial/steps.ts';
import type { ParserModule } from '../../host/wasm/admit.ts';
import { DATA, FROM_CLIENT, GAP } from '../../parsers/sdk/abi.ts';
import { lineModule } from '../host/line-protocol.ts';
import { trialModule } from './trial-module.ts';

const QUICK = { warmUpMs: 0 } as const;

let line: ParserModule;
let trial: ParserModule;
let redis: Parser;

beforeAll(async () => {
  [line, trial] = await Promise.all([lineModule(), trialModule()]);
  redis = (await loadParsers()).find(({ name }) => name === 'redis')!;
}, 120_000);

/** One case of one client block. */
function oneCase(client: string, messages: readonly object[], words = 'unidentified'): string {
  const expected = messages.map((message) => JSON.stringify(message)).join('\n');
  return `# The case\n\n${words}\n\`\`\`client\n${client}\n\`\`\`\n\`\`\`messages\n${expected}\n\`\`\`\n`;
}

function client(text: string): Step {
  const bytes = new Uint8Array(Buffer.from(text));
  return { kind: DATA, direction: FROM_CLIENT, bytes, wireLength: bytes.length, timestamp: 1 };
}

describe('golden cases decide about a module', () => {
  test('a module that does what its own say passes', () => {
    expect(replayCases(redis, casesTextOf(redis.bytes))).toBeUndefined();
  });

  test('the first message that is not as expected is shown with what was expected', () => {
    const wrong = casesTextOf(redis.bytes).replace('"db.operation.name":"PING"', '"db.operation.name":"PONG"');
    const reason = replayCases(redis, wrong, QUICK);
    expect(reason).toContain('"db.operation.name":"PING"');
    expect(reason).toContain('expected {"type":"request","db.operation.name":"PONG"');
  });

  test('a message too many and one too few', () => {
    expect(replayCases(trial, oneCase('Qa\\n', []), QUICK)).toContain('expected none');
    expect(replayCases(trial, oneCase('Qa\\n', [{ type: 'request' }, { type: 'request' }]), QUICK)).toContain(
      'message 2 is missing',
    );
  });

  test('a stream that identify does not take', () => {
    const reason = replayCases(line, oneCase('A x\\n', [{ type: 'response' }], ''), QUICK);
    expect(reason).toBe('"The case": identify() takes the client for the server');
  });

  test.each([
    ['a trap', '!t', 'run trapped: unreachable at chunk 0'],
    ['a record of no length', '!z', 'record of 0 bytes'],
    ['a slot that is not there', '!f', 'is no slot'],
    ['an attribute that runs over its end', '!a', 'attribute 1 is cut off'],
    ['more attributes than there are', '!c', 'attributes'],
    ['a protocol that the manifest has not', '!p', 'protocol 7'],
    ['output longer than its arena', '!o', 'bytes of output in 65536'],
    ['no progress', '!n', 'makes no progress'],
    ['messages without progress', '!e', 'makes no progress'],
    ['a result beyond the chunks', '!r', 'returned 100001'],
    ['a GROW too many', '!G', 'GROW in the largest slot class'],
    ['an open that traps', '!O\\n# Next', 'open trapped'],
  ])('%s', (_, command, reason) => {
    const [first, next] = command.split('\\n# ');
    const text = oneCase(`${first}\\n`, []) + (next === undefined ? '' : oneCase('Q a\\n', [{ type: 'request' }]));
    expect(replayCases(line, text, QUICK)).toContain(reason);
  });

  test.each([
    ['an endless loop', 'L', 'run trapped: fuel used up at chunk 0'],
    ['bytes behind its slot', 'W', 'wrote 0 bytes behind the end of its slot'],
    ['a boolean of two bytes', 'Bxx', 'attribute trial.flag (boolean) of 2 bytes'],
    ['an upgrade, and then another', 'VV', 'upgrade after UPGRADE'],
  ])('%s', (_, command, reason) => {
    expect(replayCases(trial, oneCase(`${command}\\n`, [{ type: 'request' }]), QUICK)).toContain(reason);
  });

  test('cases that are no cases, and gaps that no chunk can have', () => {
    expect(replayCases(trial, 'nothing')).toContain('no "# title"');
    const text = oneCase('Qa\\n', []).replace('```client', '```client gap=99999999999');
    expect(replayCases(trial, text)).toContain('is longer than');
  });

  test('a reason is short, whatever the cases say', () => {
    const text = oneCase('Qa\\n', [{ type: 'request', 'trial.text': 'x'.repeat(10_000) }]);
    expect(replayCases(trial, text)!.length).toBeLessThanOrEqual(1001);
  });

  test('more than there is time for', () => {
    expect(replayCases(trial, oneCase('Qa\\n', [{ type: 'request' }]), { limitMs: 0 })).toContain('takes too long');
  });
});

describe('a connection under trial', () => {
  test('a message gets the attributes of what it refers to, and is partial when there is nothing', () => {
    const messages = parse(trial, [client('D7SELECT\nR7\nU7\nR7\n')]);
    expect(messages).toMatchObject([
      { type: 'define', key: 7n, attributes: { 'trial.text': 'SELECT' } },
      { type: 'request', flags: [], attributes: { 'trial.text': 'SELECT' } },
      { type: 'undefine', key: 7n },
      { type: 'request', flags: ['partial'], attributes: {} },
    ]);
  });

  test('definitions are of one connection, and move with it', () => {
    const [here, there] = [new Harness(trial), new Harness(trial)];
    const [one, two] = [here.open(), here.open()];
    here.feed(one, [client('D1x\n')]);
    here.feed(two, [client('R1\n')]);
    expect(here.output(two)).toMatchObject([{ flags: ['partial'] }]);
    const moved = here.moveTo(there, one);
    there.feed(moved, [client('R1\n')]);
    expect(there.output(moved).at(-1)).toMatchObject({ flags: [], attributes: { 'trial.text': 'x' } });
  });

  test('the oldest definitions go when there are too many bytes of them', () => {
    const harness = new Harness(trial);
    const connection = harness.open();
    const many = Array.from({ length: 40 }, (_, key) => `D${String.fromCharCode(0x40 + key)}${'y'.repeat(1990)}\n`);
    harness.feed(connection, many.map(client));
    harness.feed(connection, [client('R@\n'), client('Rg\n')]);
    expect(harness.output(connection).slice(-2)).toMatchObject([{ flags: ['partial'] }, { flags: [] }]);
  });

  test('after an upgrade nothing reaches the module any more, and the others go on', () => {
    const harness = new Harness(line);
    const [one, two] = [harness.open(), harness.open()];
    const send = (connection: number, text: string) => ({ connection, step: client(text) });
    harness.feedAll([
      send(one, 'Q a\n'),
      send(one, '!V\nQ b\n'),
      send(two, 'Q c\n'),
      send(one, 'Q d\n'),
      send(two, 'Q e\n'),
    ]);
    harness.feed(one, [client('Q f\n')]);
    expect(harness.output(one)).toMatchObject([{ attributes: { 'rpc.method': 'a' } }, { type: 'upgrade', status: 2 }]);
    expect(harness.output(two)).toMatchObject([
      { attributes: { 'rpc.method': 'c' } },
      { attributes: { 'rpc.method': 'e' } },
    ]);
  });

  test('state survives GROW and SHRINK', () => {
    expect(parse(line, [client('Q a\n!g\n!w\n!s\n'), client('!w\n')])).toMatchObject([
      { type: 'request' },
      { type: 'request', status: 2 },
      { type: 'request', status: 4 },
    ]);
  });

  test('SKIP is remembered by direction, and is no message', () => {
    const harness = new Harness(trial);
    const connection = harness.open();
    harness.feed(connection, [client('S\n')]);
    expect(harness.skips(connection)).toEqual([99, 0]);
    expect(harness.output(connection)).toEqual([]);
  });

  test('fuel is counted for what a call is paid for', () => {
    const harness = new Harness(trial);
    const connection = harness.open();
    harness.feed(connection, [client('Qa\n')]);
    const one = harness.guest.fuelPerKib.get('run')!;
    expect(one).toBeGreaterThan(0);
    harness.feed(
      connection,
      Array.from({ length: 100 }, () => client('Qa\n')),
    );
    expect(harness.guest.fuelPerKib.get('run')!).toBeGreaterThan(one);
  });
});

test('a package that only tools need: how to get it', async () => {
  const missing: unknown = await import(['no', 'such', 'package'].join('-')).catch((error: unknown) => error);
  expect(withRemedy(missing)).toMatchObject({ message: expect.stringContaining('npm install --save-dev') });
  const other = new Error('something else');
  expect(withRemedy(other)).toBe(other);
});

test('a step that lost its front is a gap and the rest', () => {
  const step = client('abcdef');
  expect(loseFront(step, 0)).toEqual([step]);
  expect(loseFront(step, 2).map(({ kind, bytes, wireLength }) => [kind, bytes.length, wireLength])).toEqual([
    [GAP, 0, 2],
    [DATA, 4, 4],
  ]);
  expect(loseFront(step, 9)).toMatchObject([{ kind: GAP, wireLength: 6 }]);
});

test('steps written as a case are read as the same steps', () => {
  const file = join(import.meta.dirname, '../../parsers/http1/cases/upgrades.md');
  const cases = parseCases(readFileSync(file, 'utf8'), file).concat(parseCases(casesTextOf(redis.bytes), 'redis'));
  for (const { title, steps } of cases) {
    const [again] = parseCases(`# ${title}\n${formatSteps(steps)}\n\`\`\`messages\n\`\`\`\n`, file);
    const bare = (all: readonly Step[]) => all.map(({ timestamp: _, ...step }) => step);
    expect(bare(again!.steps)).toEqual(bare(steps));
  }
});
