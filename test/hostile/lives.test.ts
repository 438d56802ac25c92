/**
 * Modules that strike at the edges of a connection's life: when they are asked whose it is, when it is opened, handed
 * over, upgraded and closed, and when another version takes over.
 */
import { describe, expect, test } from 'vitest';
import { createRig, expectBalanced } from '../host/rig.ts';
import { Conversation } from '../host/scripted-source.ts';
import { hostile, type Parts, SPIN } from './modules.ts';
import { besiege, shipped } from './siege.ts';

const GREEDY = { memoryPages: 128, fuelPerKiB: 1_000_000, outputPerCall: 65_536 };
const EVERYTHING = { magic: [], ports: [6379, 8080] };

describe('identify', () => {
  test.each([
    ['burns all its fuel', SPIN, 'fuel used up', 'parser_fuel'],
    ['traps', '(unreachable)', 'trap: unreachable', 'parser_traps'],
    ['grows its memory', '(memory.grow (i32.const 1))', 'identify grew the memory', 'parser_bad_output'],
    [
      'overwrites all of its memory and traps',
      '(memory.fill (i32.const 0) (i32.const 0xff) (i32.shl (memory.size) (i32.const 16))) (unreachable)',
      'trap: unreachable',
      'parser_traps',
    ],
  ] as const)('%s: the answer is no, and it is paused', (_, identify, reason, counter) => {
    const body = identify === SPIN ? `${SPIN} (i32.const 0)` : identify;
    const siege = besiege(hostile({ identify: body }, { ...EVERYTHING, limits: GREEDY }));
    expect(siege.failures).toEqual([expect.stringContaining(reason), expect.stringContaining(reason)]);
    expect(siege.count(counter)).toBe(2);
    expect(siege.status()).toMatchObject({ state: 'paused', connections: 0 });
    siege.expectHeld();
  });

  test.each(['0x7fffffff', '-1', '101', '0x201', '0x100', '0x80000064', '0x10001'])(
    'answers %s, which is no verdict: that is a no',
    (verdict) => {
      const siege = besiege(hostile({ identify: `(i32.const ${verdict})` }, EVERYTHING));
      expect(siege.status()).toMatchObject({ state: 'running', connections: 0, failures: 0 });
      siege.expectHeld();
    },
  );

  test('wants more for ever: who knows the protocol has it all the same, and nothing of a short connection is lost', () => {
    const siege = besiege(hostile({ identify: '(i32.const 1)' }, EVERYTHING));
    // A command on a line of its own is Redis, but not for certain: from 50 on nobody is waited for.
    const short = new Conversation(siege.source, 70, { localPort: 6379 });
    short.ask('PING\r\n', 5);
    siege.run();
    short.answer('+PONG\r\n', 6);
    siege.run();
    short.close(7);
    siege.run();
    expect(siege.spans.filter(({ name }) => name === 'PING')).toHaveLength(1);
    const odd = new Conversation(siege.source, 71, { cookie: 71 });
    for (let i = 0; i < 100; i++) odd.ask('\x16\x03\x01', i);
    siege.run();
    expect(siege.ignored).toContain(71);
    siege.expectHeld();
  });

  test('a manifest that wants 4 KiB before it is asked holds up nobody', () => {
    besiege(hostile({ identify: '(i32.const 0)' }, { ...EVERYTHING, minBytes: 4096 })).expectHeld();
  });

  test('claims a little of everything: whoever knows more has it', () => {
    const siege = besiege(hostile({ identify: '(i32.const 30)' }, EVERYTHING));
    siege.expectHeld();
  });
});

describe('open and close', () => {
  test('a trap in open, while other connections of the module wait in the same batch: they lose nothing', () => {
    const bad = '(call $good (local.get $i))';
    const open = '(if (i32.eq (i32.load (i32.const 128)) (i32.const 1)) (then (unreachable)))';
    const arm = `(i32.store (i32.const 128) (i32.const 1)) ${bad}`;
    // A chunk of nine bytes must be the one that says "E asked!!".
    const chunk = '(call $chunk (local.get $first))';
    const isWrong = `(i32.and (i32.eq (i32.load offset=12 ${chunk}) (i32.const 9))
      (i32.ne (i32.load8_u offset=2 (i32.load offset=8 ${chunk})) (i32.const 0x61)))`;
    const run = `(loop $l (if (i32.lt_u (local.get $first) (local.get $end)) (then
      (if ${isWrong} (then (unreachable)))
      (drop (call $step (local.get $first))) (local.set $first (i32.add (local.get $first) (i32.const 1))) (br $l))))
      (call $length (call $written)) (local.get $first)`;
    const siege = besiege(hostile({ open, bad: arm, run }));
    siege.round(([one]) => one!.ask('!', 10));
    siege.round(([, two, three]) => {
      two!.ask('E asked!!', 20);
      three!.ask('E asked!!', 20);
      new Conversation(siege.source, 72).ask('E new', 20);
      two!.answer('E told', 30);
      three!.answer('E told', 30);
    });
    expect(siege.failures).toEqual(['trap: unreachable']);
    expect(siege.count('connections_refused')).toBe(1);
    expect(siege.stolen().filter(({ startTimeUnixNano }) => startTimeUnixNano === 20n)).toHaveLength(2);
    siege.expectHeld();
  });

  test.each([
    ['open never returns', { open: SPIN }, 'fuel used up'],
    ['open grows the memory', { open: '(drop (memory.grow (i32.const 1)))' }, 'the module grew its memory'],
    ['open traps', { open: '(unreachable)' }, 'trap: unreachable'],
  ] as const)('%s: its connections are refused, and it is paused', (_, parts, reason) => {
    const siege = besiege(hostile(parts));
    expect(siege.failures).toEqual([reason, reason]);
    expect(siege.status()).toMatchObject({ state: 'paused', connections: 0 });
    siege.expectHeld();
  });

  test.each([
    ['close never returns', { close: SPIN }, 'fuel used up'],
    ['close grows the memory', { close: '(drop (memory.grow (i32.const 1)))' }, 'the module grew its memory'],
    ['close traps', { close: '(unreachable)' }, 'trap: unreachable'],
  ] as const)('%s: the connections end all the same', (_, parts, reason) => {
    const siege = besiege(hostile(parts));
    siege.round((attackers) => {
      for (const one of attackers) one.close(100);
    });
    expect(siege.failures.slice(0, 2)).toEqual([reason, reason]);
    expect(siege.source.released).toEqual(expect.arrayContaining([0, 1, 2, 3]));
    expect(siege.status()).toMatchObject({ state: 'paused', connections: 0 });
    siege.expectHeld();
  });
});

describe('another version that takes over', () => {
  const begun = (parts: Parts, manifest: object = {}) => {
    const siege = besiege(hostile(parts, { slots: [64, 128] }));
    siege.pipeline.load(hostile(parts, { version: '2.0.0', stateVersion: 2, ...manifest }), performance.now());
    return siege;
  };

  test.each([
    ['traps in migrate', '(unreachable)'],
    ['never returns from migrate', `${SPIN} (i32.const 1)`],
    ['grows its memory in migrate', '(drop (memory.grow (i32.const 1))) (i32.const 1)'],
    ['grows its memory in migrate, and traps', '(drop (memory.grow (i32.const 1))) (unreachable)'],
    ['answers 7', '(i32.const 7)'],
  ])('%s: connections stay where they are, new ones come', (_, migrate) => {
    const siege = begun({ migrate });
    const states = () => siege.pipeline.modules(performance.now()).slice(-2);
    expect(states()).toMatchObject([
      { version: '1.0.0', state: 'draining', connections: 4 },
      { version: '2.0.0', state: 'running', connections: 0 },
    ]);
    siege.round(([one]) => {
      one!.ask('E asked', 20);
      one!.answer('E told', 30);
      const next = new Conversation(siege.source, 73);
      next.ask('E new', 20);
      next.answer('E new', 30);
    });
    expect(states().map(({ connections }) => connections)).toEqual([4, 1]);
    expect(siege.stolen().filter(({ startTimeUnixNano }) => startTimeUnixNano === 20n)).toHaveLength(2);
    siege.expectHeld();
  });

  test('migrate is not asked again once it trapped', () => {
    const counting = '(global.set $count (i32.add (global.get $count) (i32.const 1)))';
    // The second call would grow the memory for good, and with it what the module holds.
    const migrate = `${counting} (if (i32.gt_u (global.get $count) (i32.const 1)) (then (drop (memory.grow (i32.const 20))))) (unreachable)`;
    const siege = begun({ migrate });
    const [old, next] = siege.pipeline.modules(performance.now()).slice(-2);
    expect(next!.memoryBytes).toBeLessThan(old!.memoryBytes + 20 * 65_536);
    siege.expectHeld();
  });

  test('slots that lie of their size are copied as the host knows them', () => {
    const bad = `(i32.store (call $slot (local.get $i)) (i32.const -1)) (call $consumed (local.get $i))`;
    const siege = besiege(hostile({ bad }));
    siege.round(([one]) => one!.ask('!', 10));
    const report = siege.pipeline.load(
      hostile({ migrate: '(i32.const 1)' }, { version: '2.0.0', stateVersion: 2 }),
      performance.now(),
    );
    expect(report).toMatchObject({ moved: 4, draining: 0 });
    siege.expectHeld();
  });
});

describe('an upgrade', () => {
  const upgrade =
    '(call $hint (local.get $i) (i32.const 20) (i32.const 1)) (drop (call $consumed (local.get $i))) (i32.const 0)';
  const http = (talk: Conversation, path: string, time: number) => {
    talk.ask(`GET ${path} HTTP/1.1\r\nHost: x.example\r\n\r\n`, time);
    talk.answer('HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n', time + 1);
  };

  test('after a SKIP to the end of the stream: the next protocol sees its bytes', () => {
    const skip = (side: number) =>
      `(call $keyed (local.get $i) (i32.const 21) (i32.const ${side}) (i64.const 0xffffffffffff))`;
    const rig = createRig([...shipped, hostile({ bad: `${skip(0)} ${skip(1)} ${upgrade}` })]);
    const talk = new Conversation(rig.source, 0);
    talk.ask('E hello', 1);
    talk.ask('!', 2);
    http(talk, '/tunnel', 10);
    rig.run();
    http(talk, '/again', 20);
    expect(rig.finish().map(({ attributes }) => attributes['url.path'])).toEqual(['/tunnel', '/again']);
    expectBalanced(rig);
  });
});
