/**
 * Who asks? identify() of the Redis parser on the first bytes of connections that were joined in mid-stream: every
 * conversation is shown the right and the wrong way round, from each of its chunks on, as the host would.
 */
import { describe, expect, test } from 'vitest';
import { loadParsers } from '../../fuzz/parsers.ts';
import { Harness } from '../../host/modules/trial/harness.ts';
import type { Step } from '../../host/modules/trial/steps.ts';
import {
  DATA,
  FROM_CLIENT,
  FROM_SERVER,
  IDENTIFY_MORE,
  IDENTIFY_SCORE_MAX,
  IDENTIFY_SWAPPED,
} from '../../parsers/sdk/abi.ts';

const redis = (await loadParsers()).find(({ name }) => name === 'redis');

type Said = readonly ['ask' | 'answer', string];

const array = (...words: string[]) =>
  `*${words.length}\r\n${words.map((word) => `$${Buffer.byteLength(word)}\r\n${word}\r\n`).join('')}`;
const ask = (...words: string[]): Said => ['ask', array(...words)];
const answer = (bytes: string): Said => ['answer', bytes];

/** Replies as Redis gives them: with a first string that is no command's name, and with one that is. */
const CONVERSATIONS: Readonly<Record<string, readonly Said[]>> = {
  'HGETALL, a field no command is called': [
    ask('HGETALL', 'item:1'),
    answer(array('name', 'item 1', 'price', '101')),
    ask('HGETALL', 'item:2'),
    answer(array('name', 'item 2', 'price', '102')),
  ],
  'LRANGE, strings no command is called': [
    ask('LRANGE', 'items', '0', '9'),
    answer(array('alpha', 'beta')),
    ask('LRANGE', 'items', '0', '9'),
    answer(array('alpha', 'beta')),
  ],
  'SMEMBERS, strings that are no names': [
    ask('SMEMBERS', 'tags'),
    answer(array('item:1', 'item:2')),
    ask('SMEMBERS', 'tags'),
    answer(array('item:1')),
  ],
  'LRANGE of numbers, HGET, an error': [
    ask('LRANGE', 'items', '0', '9'),
    answer(array('20', '19')),
    ask('HGET', 'item:20', 'name'),
    answer('$7\r\nitem 20\r\n'),
    ask('INCR', 'items'),
    answer('-WRONGTYPE Operation against a key holding the wrong kind of value\r\n'),
  ],
  'a name that is only the beginning of a command': [
    ask('hgetall', 'h'),
    answer(array('typ', 'x')),
    ask('get', 'a'),
    answer('$-1\r\n'),
  ],
  'a command of a module': [ask('JSON.MGET', 'a', 'b', '$'), answer(array('[1]', '[2]')), ask('FT._LIST')],
  'a pipeline and its answers': [
    ['ask', array('HGETALL', 'a') + array('GET', 'b') + array('SMEMBERS', 'c')],
    ['answer', `${array('color', 'red')}$1\r\n1\r\n${array('x')}`],
  ],
  'RESP3: a map and a set': [
    ask('HGETALL', 'item:1'),
    answer('%1\r\n$4\r\nname\r\n$6\r\nitem 1\r\n'),
    ask('SMEMBERS', 'tags'),
    answer('~1\r\n$4\r\ntype\r\n'),
  ],
  'empty and null arrays': [ask('KEYS', 'x'), answer('*0\r\n'), ask('BLPOP', 'a', '1'), answer('*-1\r\n')],
};

/** A first string that is the name of a command: the other kinds of replies in between decide. */
const AMBIGUOUS: Readonly<Record<string, readonly Said[]>> = {
  'HGETALL, a field that is a command': [
    ask('HGETALL', 'item:1'),
    answer(array('type', 'book', 'name', 'item 1')),
    ask('INCR', 'n'),
    answer(':1\r\n'),
  ],
  'SMEMBERS, a member that is a command': [
    ask('SMEMBERS', 'words'),
    answer(array('get', 'set')),
    ask('SADD', 'words', 'go'),
    answer(':1\r\n'),
  ],
};

/** The verdict after each chunk, until it is not MORE any more. */
function identify(said: readonly Said[], swapped: boolean): number {
  const harness = new Harness(redis!);
  const client = swapped ? 'answer' : 'ask';
  const steps = said.map(([who, text]): Step => {
    const bytes = new Uint8Array(Buffer.from(text));
    const direction = who === client ? FROM_CLIENT : FROM_SERVER;
    return { kind: DATA, direction, bytes, wireLength: bytes.length, timestamp: 1 };
  });
  const verdicts = steps.map((_, index) => harness.identify(steps.slice(0, index + 1)));
  return verdicts.find((verdict) => verdict !== IDENTIFY_MORE) ?? IDENTIFY_MORE;
}

const isSwapped = (verdict: number) => (verdict & IDENTIFY_SWAPPED) !== 0;

describe.skipIf(!redis)('who asks', () => {
  for (const [title, said] of Object.entries(CONVERSATIONS)) {
    // From the last chunk on there is no other side to weigh.
    for (const from of said.slice(0, -1).keys()) {
      test(`${title}, from chunk ${from} on`, () => {
        const right = identify(said.slice(from), false);
        expect(right).toBeGreaterThan(IDENTIFY_MORE);
        expect(isSwapped(right)).toBe(false);
        const wrong = identify(said.slice(from), true);
        expect(wrong).toBeGreaterThan(IDENTIFY_MORE);
        expect(isSwapped(wrong)).toBe(true);
      });
    }
  }

  for (const [title, said] of Object.entries(AMBIGUOUS)) {
    test(`${title}: heard from the question on, decided by what comes later`, () => {
      expect(isSwapped(identify(said, false))).toBe(false);
      expect(isSwapped(identify(said, true))).toBe(true);
    });
  }
});

describe.skipIf(!redis)('what is not decided yet', () => {
  test('requests of the server, while the client is silent', () => {
    expect(identify([ask('HGETALL', 'item:1')], true)).toBe(IDENTIFY_MORE);
    expect(identify([ask('HGETALL', 'item:1'), ask('GET', 'a')], true)).toBe(IDENTIFY_MORE);
  });

  test('an unknown name of the client, while the server is silent or has only begun', () => {
    expect(identify([answer(array('name', 'item 1'))], true)).toBe(IDENTIFY_MORE);
    expect(identify([answer(array('name', 'item 1')), ['ask', '*2\r\n$7\r\nHGE']], true)).toBe(IDENTIFY_MORE);
  });

  test('names that are unknown on both sides', () => {
    expect(identify([ask('RENAMED', 'a'), answer(array('b', 'c'))], false)).toBe(IDENTIFY_MORE);
  });

  test('names that are known on both sides, when the server was heard first', () => {
    expect(identify([answer(array('type', 'book')), ask('HGETALL', 'item:1')], false)).toBe(IDENTIFY_MORE);
  });
});

describe.skipIf(!redis)('what is believed', () => {
  test('a known command while the server is silent; with a reply it is certain', () => {
    expect(identify([ask('HGETALL', 'h')], false)).toBe(95);
    expect(
      identify(
        [
          ['ask', '*2\r\n$7\r\nHGE'],
          ['answer', '$1\r\n1\r\n'],
          ['ask', 'TALL\r\n$1\r\nh\r\n'],
        ],
        false,
      ),
    ).toBe(IDENTIFY_SCORE_MAX);
  });

  test('an unknown command and a reply that is no request', () => {
    const verdict = identify([ask('RENAMED', 'a'), answer('+OK\r\n')], false);
    expect(verdict).toBe(IDENTIFY_SCORE_MAX);
  });

  test('names that are known on both sides go on to be weighed, and end with the belief', () => {
    const turns = Array.from({ length: 12 }, () => [answer(array('type', 'book')), ask('HGETALL', 'item:1')]).flat();
    const verdict = identify(turns, false);
    expect(verdict).toBeGreaterThan(IDENTIFY_MORE);
    expect(verdict).toBeLessThan(IDENTIFY_SCORE_MAX);
  });

  test('never certain of an unknown name against a command, however the sample ends', () => {
    for (const tail of ['+OK\r\n', 'garbage\r\n', '$5\r\nab', '*1\r\n$4\r\nPING\r\n']) {
      for (const end of ['', '+OK\r\n', 'PING\r\n']) {
        const said: Said[] = [
          ['ask', array('name', 'x') + tail],
          ['answer', array('GET', 'a') + end],
        ];
        expect(identify(said, false), JSON.stringify([tail, end])).not.toBe(IDENTIFY_SCORE_MAX);
      }
    }
  });
});
