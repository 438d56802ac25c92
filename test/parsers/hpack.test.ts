/** HPACK by the examples of RFC 7541, by the stories of other encoders, and where blocks were missed. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeEach, describe, expect, test } from 'vitest';
import { Hpack } from './hpack-module.ts';

const STORIES = new URL('../../../shared/corpora/hpack/', import.meta.url).pathname;

interface Story {
  readonly cases: readonly { readonly wire: string; readonly headers: readonly Record<string, string>[] }[];
}

const hpack = await Hpack.compile();
beforeEach(() => hpack.open());

const encoders = existsSync(STORIES) ? readdirSync(STORIES) : [];
if (encoders.length === 0) process.stderr.write('SKIPPED stories of other encoders: ../shared/corpora is not here\n');

describe.skipIf(encoders.length === 0)('stories', () => {
  test.each(encoders)('%s', (encoder) => {
    for (const file of readdirSync(join(STORIES, encoder))) {
      const { cases } = JSON.parse(readFileSync(join(STORIES, encoder, file), 'utf8')) as Story;
      hpack.open();
      for (const [index, { wire, headers }] of cases.entries()) {
        const expected = headers.map((one) => Object.entries(one)[0]!);
        const latin1 = expected.map(([name, value]) => [name, Buffer.from(value).toString('latin1')]);
        expect(hpack.decode(wire), `${file}, block ${index}`).toEqual(latin1);
      }
    }
  });
});

describe('RFC 7541, appendix C', () => {
  const first = [
    [':method', 'GET'],
    [':scheme', 'http'],
    [':path', '/'],
    [':authority', 'www.example.com'],
  ];

  test('C.4: requests with Huffman coding', () => {
    expect(hpack.decode('828684418cf1e3c2e5f23a6ba0ab90f4ff')).toEqual(first);
    expect(hpack.decode('828684be5886a8eb10649cbf')).toEqual([...first, ['cache-control', 'no-cache']]);
    expect(hpack.decode('828785bf408825a849e95ba97d7f8925a849e95bb8e8b4bf')).toEqual([
      [':method', 'GET'],
      [':scheme', 'https'],
      [':path', '/index.html'],
      [':authority', 'www.example.com'],
      ['custom-key', 'custom-value'],
    ]);
    expect(hpack.held).toBe(3);
  });

  test('C.6: responses that evict', () => {
    const blocks = [
      '488264025885aec3771a4b6196d07abe941054d444a8200595040b8166e082a62d1bff6e919d29ad171863c78f0b97c8e9ae82ae43d3',
      '4883640effc1c0bf',
      '88c16196d07abe941054d444a8200595040b8166e084a62d1bffc05a839bd9ab77ad94e7821dd7f2e6c7b335dfdfcd5b3960d5af27087f3672c1ab270fb5291f9587316065c003ed4ee5b1063d5007',
    ];
    const last = blocks.map((block, index) => hpack.decode((index === 0 ? '3fe101' : '') + block)).at(-1);
    expect(last).toEqual([
      [':status', '200'],
      ['cache-control', 'private'],
      ['date', 'Mon, 21 Oct 2013 20:13:22 GMT'],
      ['location', 'https://www.example.com'],
      ['content-encoding', 'gzip'],
      ['set-cookie', 'foo=ASDJKHQKBZXOQWEOPIUAXQWEOIU; max-age=3600; version=1'],
    ]);
    expect(hpack.held).toBe(3);
  });
});

describe('not a block', () => {
  test.each([
    ['index 0', '80'],
    ['an index that nothing was added for', 'be'],
    ['an integer without end', 'ffffffffffffffffffff'],
    ['an integer that is cut', 'ff80'],
    ['a string beyond the end', '4003616263'],
    ['a name without its value', '400161'],
    ['a size update behind a field', '8220'],
    ['padding of eight bits', '000161 82 1fff'],
    ['padding that is not all ones', '000161 81 18'],
    ['the end-of-string symbol', '000161 84 fffffffc'],
  ])('%s', (_, wire) => {
    expect(hpack.decode(wire)).toBeUndefined();
  });
});

describe('blocks were missed', () => {
  test('an entry that was not seen is unknown, and so is its name', () => {
    hpack.open({ isWhole: false });
    expect(hpack.decode('82be7e0161')).toEqual([
      [':method', 'GET'],
      [undefined, undefined],
      [undefined, 'a'],
    ]);
  });

  test('what is added from then on is known by its place', () => {
    hpack.open({ isWhole: false });
    // a: 1, then b: 2, then the name of what came before both: 3.
    expect(hpack.decode('4001610131 4001620132 be bf c0')).toEqual([
      ['a', '1'],
      ['b', '2'],
      ['b', '2'],
      ['a', '1'],
      [undefined, undefined],
    ]);
    expect(hpack.decode('7e0133 be bf')).toEqual([
      ['b', '3'],
      ['b', '3'],
      ['b', '2'],
    ]);
  });

  test('an entry that was added with an unknown name has an unknown name', () => {
    hpack.open({ isWhole: false });
    expect(hpack.decode('7e0133 be')).toEqual([
      [undefined, '3'],
      [undefined, '3'],
    ]);
  });

  test('forgetting begins anew', () => {
    hpack.decode('4001610131');
    hpack.doubt();
    expect(hpack.decode('be')).toEqual([[undefined, undefined]]);
  });
});

describe('an encoder with a larger table than ours', () => {
  const fill = (count: number) =>
    Array.from({ length: count }, (_, i) => `400161${Buffer.from([2, 65 + (i >> 4), 65 + (i & 15)]).toString('hex')}`);

  test('the oldest are unknown, the newest right', () => {
    hpack.open({ capacity: 128 });
    hpack.decode('3fe17f');
    for (const block of fill(40)) hpack.decode(block);
    expect(hpack.decode('be bf c0 c1')).toEqual([
      ['a', 'CH'],
      ['a', 'CG'],
      ['a', 'CF'],
      [undefined, undefined],
    ]);
  });

  test('an entry larger than our table is there, and unknown', () => {
    hpack.open({ capacity: 64 });
    hpack.decode('3fe17f');
    const long = `40016150${'78'.repeat(80)}`;
    expect(hpack.decode(`${long} be`)).toEqual([
      ['a', 'x'.repeat(80)],
      [undefined, undefined],
    ]);
    expect(hpack.decode('4001620131 be bf')).toEqual([
      ['b', '1'],
      ['b', '1'],
      [undefined, undefined],
    ]);
  });

  test('when it becomes small again, an index beyond it is an error', () => {
    hpack.open({ capacity: 128 });
    hpack.decode('3fe17f');
    for (const block of fill(40)) hpack.decode(block);
    expect(hpack.decode('3f21 be bf')).toBeUndefined();
  });
});

test('text moves within the table, names of entries included, and stays right', () => {
  const value = '7a'.repeat(100);
  hpack.decode(`4004${Buffer.from('name').toString('hex')}64${value}`);
  for (let i = 0; i < 500; i++) {
    const own = Buffer.from(String(i).padStart(100, 'v'));
    // Index 63 after the first: the name of the entry before the newest.
    const wire = `7e64${own.toString('hex')}be`;
    expect(hpack.decode(wire)).toEqual([
      ['name', own.toString()],
      ['name', own.toString()],
    ]);
  }
});
