/**
 * Modules that keep the letter of the ABI and mean harm: forged attributes, absurd numbers, floods, hints without end,
 * chunks rewritten before they are handed on. None of it is a failure; each is bounded, counted, and theirs alone.
 */
import { describe, expect, test } from 'vitest';
import { createProber, Identifier, UNDECIDED, UNKNOWN } from '../../host/conn/identify.ts';
import type { CounterId } from '../../host/self/counters.ts';
import { type HeldChunk, InputArena } from '../../host/wasm/arena.ts';
import { ParserInstance } from '../../host/wasm/instance.ts';
import { GuestMemory } from '../../host/wasm/memory.ts';
import { CHUNK_DATA } from '../../parsers/sdk/abi.ts';
import { flood, HOSTILE_MANIFEST, hostile, type Parts, SETTINGS, TOLD } from './modules.ts';
import { besiege, type Siege, shipped } from './siege.ts';

const GREEDY = { limits: { memoryPages: 128, fuelPerKiB: 1_000_000, outputPerCall: 65_536 } };
const CONSUMED = '(call $consumed (local.get $i))';
const hint = (type: number, value = 0) => `(call $hint (local.get $i) (i32.const ${type}) (i32.const ${value}))`;
const [DESYNC, GROW, GIVE_UP, UPGRADE, SKIP, DEFINE, UNDEFINE] = [16, 17, 19, 20, 21, 32, 33];

/** A one-way message with these attributes: [id, length in bytes, words of the value as hex]. */
function says(attributes: readonly (readonly [number, number, string])[], header: Record<number, string> = {}): string {
  const size = attributes.reduce((sum, [, length]) => sum + 4 + ((length + 3) & ~3), 64);
  const whole = (size + 7) & ~7;
  const at = (offset: number) => `(i32.sub (global.get $at) (i32.const ${whole - offset}))`;
  let offset = 64;
  const stores = attributes.flatMap(([id, length, hex]) => {
    const begin = offset;
    offset += 4 + ((length + 3) & ~3);
    const bytes = hex.match(/../g) ?? [];
    return [
      `(i32.store ${at(begin)} (i32.const ${(length * 65_536 + id) | 0}))`,
      ...bytes.map((byte, i) => `(i32.store8 ${at(begin + 4 + i)} (i32.const 0x${byte}))`),
    ];
  });
  const fields = Object.entries(header).map(
    ([field, value]) => `(i64.store ${at(Number(field))} (i64.const ${value}))`,
  );
  const message = `(call $message (local.get $i) (i32.const 3) (i32.const ${whole}) (i32.const ${attributes.length}))`;
  return `${message} ${stores.join(' ')} ${fields.join(' ')} ${CONSUMED}`;
}

interface Lying extends Parts {
  readonly name: string;
  readonly manifest?: object;
  /** What its connections say; `!` three times where nothing stands. */
  readonly attack?: readonly string[];
  readonly holds: (siege: Siege) => void;
}

const counts = (expected: Partial<Record<CounterId, number>>) => (siege: Siege) => {
  const found = Object.keys(expected).map((name) => [name, siege.count(name as CounterId)]);
  expect(Object.fromEntries(found)).toEqual(expected);
};
/** Spans of the messages that the attack made. */
const forged = (siege: Siege) => siege.stolen().filter(({ startTimeUnixNano }) => startTimeUnixNano !== 1n);
const attributes = (siege: Siege) => forged(siege)[0]?.attributes;

const LYING: readonly Lying[] = [
  {
    name: 'attribute ids that its manifest has not',
    bad: says([
      [1, 2, '6f6b'],
      [77, 2, '6f6b'],
      [65_535, 2, '6f6b'],
      [5, 8, ''],
    ]),
    holds: (siege) => {
      expect(attributes(siege)).toMatchObject({ 'rpc.method': 'ok' });
      expect(siege.count('attributes_refused')).toBe(9);
    },
  },
  {
    name: 'numbers and booleans of the wrong size',
    bad: says([
      [1, 2, '6f6b'],
      [2, 4, '01'],
      [3, 2, ''],
      [4, 8, '01'],
      [2, 0, ''],
    ]),
    holds: (siege) => {
      expect(Object.keys(attributes(siege)!)).toEqual(
        expect.not.arrayContaining(['rpc.size', 'rpc.ratio', 'rpc.last']),
      );
      expect(siege.count('attributes_refused')).toBe(12);
    },
  },
  {
    name: 'strings that are no UTF-8',
    bad: says([[1, 6, 'ff80c0afed41']]),
    holds: (siege) => expect(attributes(siege)?.['rpc.method']).toMatch(/^\ufffd+A$/),
  },
  {
    name: 'a string of 8 KiB',
    bad: says([[1, 8100, '41']]),
    holds: (siege) => expect(String(attributes(siege)?.['rpc.method'])).toHaveLength(2048),
  },
  {
    name: 'a value that looks like a span name template',
    bad: says([
      [1, 10, Buffer.from('{rpc.size}').toString('hex')],
      [2, 8, '2a'],
    ]),
    holds: (siege) => expect(forged(siege).map(({ name }) => name)).toContain('{rpc.size}'),
  },
  {
    name: 'times and sizes that cannot be',
    bad: says([[1, 2, '6f6b']], { 24: '-1', 32: '1', 40: '-1', 48: '-1' }),
    holds: (siege) => {
      const span = forged(siege)[0]!;
      expect(span.endTimeUnixNano).toBeGreaterThanOrEqual(span.startTimeUnixNano);
      expect(span.attributes['rpc.request.size']).toBeGreaterThan(2 ** 63);
    },
  },
  {
    name: 'references to what was never defined',
    bad: says([
      [0, 8, '07'],
      [0, 8, 'ffffffffffffffff'],
      [1, 2, '6f6b'],
    ]),
    holds: (siege) => {
      expect(siege.count('references_unknown')).toBe(6);
      expect(attributes(siege)).toMatchObject({ 'rpc.method': 'ok' });
    },
  },
  {
    name: 'record types that nobody knows, and sub-streams',
    bad: `${[0x7fff, 4, 15, 22, 40, 41, 42].map((type) => `(call $head (i32.const 64) (call $slot (local.get $i)) (i32.const ${type}) (i32.const -1))`).join(' ')} ${CONSUMED}`,
    holds: counts({ parser_bad_output: 0, messages_oneway: 0 }),
  },
  {
    name: 'a flood of definitions',
    bad: flood(
      800,
      '(call $keyed (local.get $i) (i32.const 32) (i32.const 0) (i64.extend_i32_u (i32.add (i32.mul (global.get $count) (i32.const 800)) (local.get $n))))',
    ).replace(CONSUMED, `(global.set $count (i32.add (global.get $count) (i32.const 1))) ${CONSUMED}`),
    attack: Array(30).fill(`!${'x'.repeat(500)}`),
    holds: (siege) => expect(siege.count('definitions_dropped')).toBe(30 * 800 - 8192),
  },
  {
    name: 'a flood of keys to forget',
    bad: flood(
      800,
      `(call $keyed (local.get $i) (i32.const ${UNDEFINE}) (i32.const 0) (i64.extend_i32_u (local.get $n)))`,
    ),
    holds: counts({ parser_bad_output: 0 }),
  },
  {
    name: 'a definition that refers to itself',
    bad: `(call $head (i32.const 40) (call $slot (local.get $i)) (i32.const ${DEFINE}) (i32.const 1))
      (i64.store (i32.sub (global.get $at) (i32.const 24)) (i64.const 7))
      (i32.store (i32.sub (global.get $at) (i32.const 16)) (i32.const 0x80000))
      (i64.store (i32.sub (global.get $at) (i32.const 12)) (i64.const 7)) ${says([[0, 8, '07']])}`,
    holds: counts({ references_unknown: 0, messages_oneway: 3 }),
  },
  {
    name: 'a flood of DESYNC',
    bad: flood(900, hint(DESYNC)),
    holds: counts({ parser_bad_output: 0 }),
  },
  {
    name: 'a flood of SKIP to the end of all streams',
    bad: flood(
      800,
      `(call $keyed (local.get $i) (i32.const ${SKIP}) (i32.and (local.get $n) (i32.const 7)) (i64.const -1))`,
    ),
    holds: (siege) => expect(siege.count('bytes_skipped')).toBeGreaterThan(0),
  },
  {
    name: 'requests that nobody answers',
    bad: flood(900, '(call $message (local.get $i) (i32.const 1) (i32.const 64) (i32.const 0))'),
    attack: Array(10).fill('!'),
    holds: (siege) => {
      expect(siege.count('messages_pending')).toBeLessThanOrEqual(8192);
      expect(siege.count('messages_dropped_overflow')).toBeGreaterThan(0);
    },
  },
  {
    name: 'correlation keys that never match',
    manifest: { protocols: [{ ...HOSTILE_MANIFEST.protocols[0], pairing: 'key' }] },
    bad: flood(
      900,
      `(call $message (local.get $i) (i32.add (i32.const 1) (i32.and (local.get $n) (i32.const 1))) (i32.const 64) (i32.const 0))
       (i64.store (i32.sub (global.get $at) (i32.const 48)) (i64.extend_i32_u (i32.add (i32.mul (global.get $count) (i32.const 900)) (local.get $n))))`,
    ).replace(CONSUMED, `(global.set $count (i32.add (global.get $count) (i32.const 1))) ${CONSUMED}`),
    attack: Array(10).fill('!'),
    holds: (siege) => {
      expect(siege.count('messages_pending')).toBeLessThanOrEqual(8192 + 8);
      expect(siege.count('messages_dropped_overflow') + siege.count('messages_dropped_unpaired')).toBeGreaterThan(0);
    },
  },
  {
    name: 'GROW for ever',
    bad: `${hint(GROW)} (i32.const 0)`,
    holds: counts({ slots_grown: 1, connections_refused: 1, connections_given_up: 1 }),
  },
  {
    name: 'GIVE_UP at once, on everything',
    bad: `${hint(GIVE_UP)} ${CONSUMED}`,
    attack: ['!', 'E', '!', 'E', '!', 'E', '!'],
    holds: (siege) => {
      expect(siege.count('connections_given_up')).toBeLessThanOrEqual(1);
      expect(siege.status().state).toBe('running');
    },
  },
  {
    name: 'UPGRADE to and fro',
    manifest: { accepts: ['tunnel', 'websocket', 'http2', 'tls'] },
    bad: `${hint(UPGRADE, 1)} (i32.const 0)`,
    holds: (siege) => {
      expect(siege.count('connections_upgraded')).toBe(3);
      expect(siege.ignored).toEqual([9001]);
    },
  },
  {
    name: 'UPGRADE to what there is not',
    bad: `${hint(UPGRADE, -1)} ${CONSUMED}`,
    attack: ['!'],
    holds: counts({ connections_upgraded: 1 }),
  },
  {
    name: 'output for a slot of its own that is not at work',
    bad: `(call $message (local.get $i) (i32.const 3) (i32.const 64) (i32.const 0))
      (i32.store (i32.sub (global.get $at) (i32.const 60)) (global.get $slots)) ${CONSUMED}`,
    holds: (siege) => expect(forged(siege)).toHaveLength(3),
  },
  {
    name: 'gives the chunks of one connection to another, and takes all for consumed',
    bad: `(i32.store (call $chunk (i32.add (local.get $i) (i32.const 1))) (call $slot (local.get $i)))
      (i32.store (call $chunk (i32.add (local.get $i) (i32.const 2))) (i32.const -64)) ${CONSUMED}`,
    holds: counts({ parser_bad_output: 0, parser_traps: 0 }),
  },
  {
    name: 'writes over the slots of all its connections',
    bad: `(memory.fill (global.get $slots) (i32.const 0xff) (i32.sub (i32.shl (memory.size) (i32.const 16)) (global.get $slots))) ${hint(GROW)} (i32.const 0)`,
    manifest: { limits: { memoryPages: 128, fuelPerKiB: 1_000_000, outputPerCall: 65_536 } },
    holds: counts({ slots_grown: 1, connections_refused: 1 }),
  },
];

describe('is bounded and counted, and hurts nobody', () => {
  test.each(LYING)('$name', ({ manifest = {}, attack = ['!', '!', '!'], holds, ...parts }) => {
    const siege = besiege(hostile(parts, manifest));
    siege.round((attackers) => {
      for (const text of attack) {
        attackers[1]!.ask(text, 10);
        siege.run();
      }
      attackers[2]!.ask('E fine', 10);
    });
    siege.round();
    holds(siege);
    siege.expectHeld();
  });
});

/** A pair for `says`: its key may be said to be longer than it is. */
function pair(key: string, value: string, keyLength = key.length): readonly [number, number, string] {
  const bytes = Buffer.concat([Buffer.from([keyLength & 0xff, keyLength >>> 8]), Buffer.from(key + value)]);
  return [5, bytes.length, bytes.toString('hex')];
}

describe('pairs', () => {
  const TOLD_AND_GREEDY = { ...TOLD, ...GREEDY };
  const attack = (bad: string, configure = '(i32.const 1)') => {
    const siege = besiege(hostile({ bad, configure }, TOLD_AND_GREEDY), shipped, SETTINGS);
    siege.round(([, one]) => one!.ask('!', 10));
    siege.round();
    return siege;
  };

  test('of other keys than the configuration has, and such as cannot be, are left out and counted', () => {
    const bad = says([
      pair('tag', 'one'),
      pair('tah', 'no'),
      pair('tags', 'no'),
      pair('', 'no'),
      pair('http.request.method', 'no'),
      pair('tag', 'no', 100),
      pair('tag', 'no', 0xffff),
      [5, 1, '03'],
      [5, 0, ''],
      pair('TAG', 'two'),
      pair('cookie', 'secret'),
    ]);
    const siege = attack(bad);
    const { 'rpc.metadata.tag': tag, 'rpc.metadata.cookie': cookie, ...others } = attributes(siege)!;
    expect([tag, cookie]).toEqual([['one', 'two'], ['REDACTED']]);
    expect(Object.keys(others).filter((name) => name.startsWith('rpc.metadata'))).toEqual([]);
    expect(JSON.stringify(attributes(siege))).not.toMatch(/no"|secret/);
    expect(siege.count('attributes_refused')).toBe(8);
    siege.expectHeld();
  });

  test('as many as there may be come out; one more is a failure', () => {
    const most = attack(says(Array(64).fill(pair('tag', 'v'))));
    expect(attributes(most)!['rpc.metadata.tag']).toEqual(Array(64).fill('v'));
    most.expectHeld();
    const more = attack(says(Array(65).fill(pair('tag', 'v'))));
    expect(more.failures).toEqual(['malformed output record: its fields do not fit']);
    expect(forged(more)).toEqual([]);
    more.expectHeld();
  });

  test('a definition holds no more of them either', () => {
    const define = (count: number) => {
      const size = 24 + count * 12;
      const whole = (size + 7) & ~7;
      const from = `(i32.sub (global.get $at) (i32.const ${whole - 24}))`;
      const store = `(i64.store (i32.add ${from} (i32.mul (local.get $n) (i32.const 12))) (i64.const 0x00000000_00060005))`;
      return `(call $head (i32.const ${whole}) (call $slot (local.get $i)) (i32.const 32) (i32.const ${count}))
        (local.set $n (i32.const 0)) (loop $all ${store} (local.set $n (i32.add (local.get $n) (i32.const 1)))
          (br_if $all (i32.lt_u (local.get $n) (i32.const ${count})))) ${CONSUMED}`;
    };
    expect(attack(define(64)).failures).toEqual([]);
    expect(attack(define(65)).failures).toEqual(['malformed output record: its fields do not fit']);
  });

  test('an instance that takes the place of one that trapped is told the settings, too', () => {
    // The settings stand at 512: `rpc.keys tag`. The pair is made of what stands there.
    const keep = '(memory.copy (i32.const 512) (global.get $in) (local.get $length)) (i32.const 1)';
    const key = '(memory.copy (i32.sub (global.get $at) (i32.const 10)) (i32.const 521) (i32.const 3))';
    const second = '(i32.load8_u offset=1 (i32.load offset=8 (call $chunk (local.get $i))))';
    const trap = `(if (i32.eq ${second} (i32.const 0x54)) (then (unreachable)))`;
    const bad = `${trap} ${says([pair('___', 'v')]).replace(CONSUMED, `${key} ${CONSUMED}`)}`;
    const siege = besiege(hostile({ bad, configure: keep }, TOLD_AND_GREEDY), shipped, SETTINGS);
    siege.round(([one]) => one!.ask('!T', 10));
    expect(siege.failures).toEqual(['trap: unreachable']);
    siege.round(([, one]) => one!.ask('!x', 20));
    siege.round();
    expect(attributes(siege)!['rpc.metadata.tag']).toEqual(['v']);
    siege.expectHeld();
  });
});

/** What the module changes of the chunk it hands on: its own connection's bytes are all it can forge. */
describe('a chunk that was rewritten before an UPGRADE', () => {
  const FORGED: readonly (readonly [string, string, string])[] = [
    ['is of no kind', '(i32.store8 offset=4 (call $chunk (local.get $i)) (i32.const 77))', ''],
    ['has more bytes than came', '(i32.store offset=12 (call $chunk (local.get $i)) (i32.const -1))', ''],
    ['lies outside of the memory', '(i32.store offset=8 (call $chunk (local.get $i)) (i32.const -16))', ''],
    ['had fewer bytes on the wire than it has', '(i32.store offset=16 (call $chunk (local.get $i)) (i32.const 1))', ''],
    ['is of the other direction', '(i32.store8 offset=5 (call $chunk (local.get $i)) (i32.const 255))', ''],
    ['comes from the end of the stream', '(i64.store offset=32 (call $chunk (local.get $i)) (i64.const -1))', ''],
    [
      'is said to be all of the arena, in every place of the table',
      flood(
        1024,
        `(memory.copy (call $chunk (local.get $n)) (call $chunk (local.get $i)) (i32.const 40))
         (i32.store offset=12 (call $chunk (local.get $n)) (i32.const 524288))`,
      ).replace(CONSUMED, ''),
      'which is no slot',
    ],
  ];

  test.each(FORGED)('%s', (_, forge, reason) => {
    const advance =
      '(i32.store offset=8 (call $chunk (local.get $i)) (i32.add (i32.const 1) (i32.load offset=8 (call $chunk (local.get $i)))))';
    const siege = besiege(hostile({ bad: `${advance} ${forge} ${hint(UPGRADE, 1)} (i32.const 0)` }));
    siege.round((attackers) => {
      attackers[1]!.ask(`!GET /tunnel HTTP/1.1\r\nHost: x.example\r\nContent-Length: 100\r\n\r\nhello`, 10);
      for (let i = 0; i < 3; i++) attackers[2]!.ask('E fine', 10);
      attackers[1]!.ask(`GET /more HTTP/1.1\r\nHost: x.example\r\n\r\n`, 10);
    });
    siege.round();
    expect(siege.count('connections_upgraded')).toBe(1);
    expect(siege.failures).toEqual(reason === '' ? [] : [expect.stringContaining(reason)]);
    siege.expectHeld();
  });
});

describe('an UPGRADE of chunks that never were', () => {
  const CHUNKS = 1000;
  const HALF_MIB = 524_288;

  test('of half a MiB each: no more bytes go on than came in, and none has fewer on the wire', () => {
    const memory = new GuestMemory(new WebAssembly.Memory({ initial: 16 }), 16);
    const arena = new InputArena(memory, 0);
    const slot = 64;
    for (let i = 0; i < CHUNKS; i++) arena.describe(slot, 0, 0, 0, 100, 100, 0, 0, 0);
    arena.deliver();
    for (let i = 0; i < CHUNKS; i++) memory.u32.set([0, HALF_MIB, 1], (arena.at(i) + CHUNK_DATA) >>> 2);
    const held: HeldChunk[] = [];
    arena.withdraw(slot, 0, held);
    expect(held.reduce((sum, { bytes }) => sum + bytes.length, 0)).toBe(100 * CHUNKS);
    expect(held.filter(({ bytes, wireLength }) => wireLength < bytes.length)).toEqual([]);
    expect(arena.count).toBe(0);
  });

  test('of more bytes than identify has room for: it sees what fits', () => {
    const module = hostile({ identify: '(i32.const 1)' }, { limits: { ...GREEDY.limits, outputPerCall: 8192 } });
    const prober = createProber(new ParserInstance(module, 0));
    const identifier = new Identifier(
      () => [prober],
      () => expect.unreachable(),
    );
    const offer = (length: number) => {
      const bytes = Buffer.alloc(length, 'E');
      const chunk = { direction: 0, bytes, wireLength: length, timeLow: 0, timeHigh: 0, offset: 0 };
      return identifier.offer(1, chunk, 0, false, [1, 2]);
    };
    expect(offer(30_000)).toBe(UNDECIDED);
    expect(offer(HALF_MIB)).toBe(UNKNOWN);
  });
});
