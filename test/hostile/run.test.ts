/**
 * Modules that misbehave in run, open and close. The first failure costs the connections at work, the second soon after
 * pauses the module, and HTTP/1 and Redis on the same shard lose nothing (siege.ts).
 */
import { describe, expect, test, vi } from 'vitest';
import type { CounterId } from '../../host/self/counters.ts';
import { hostile, type Parts, SPIN, times } from './modules.ts';
import { besiege } from './siege.ts';

const CONSUMED = '(call $consumed (local.get $i))';
const GREEDY = { limits: { memoryPages: 1024, fuelPerKiB: 1_000_000, outputPerCall: 1_048_576 } };
/** A request of so many bytes, zero but for its header. */
const message = (size: number, attributes: number) =>
  `(call $message (local.get $i) (i32.const 1) (i32.const ${size}) (i32.const ${attributes}))`;
/** Address of a field of that message, once it is written. */
const last = (size: number, offset: number) => `(i32.add (global.get $at) (i32.const ${offset - size}))`;

interface Failing extends Parts {
  readonly name: string;
  readonly reason: string;
  readonly counter: CounterId;
  readonly manifest?: object;
  /** The connection at fault is still there when the run goes on, so one strike is two failures. */
  readonly twice?: boolean;
}

const FUEL = { reason: 'fuel used up', counter: 'parser_fuel' } as const;
const TRAP = { reason: 'trap: unreachable', counter: 'parser_traps' } as const;
const output = (reason: string) => ({ reason, counter: 'parser_bad_output' }) as const;
const malformed = (reason: string) => output(`malformed output record: ${reason}`);

const FAILING: readonly Failing[] = [
  // ── time ──
  { name: 'an endless loop', bad: `${SPIN} ${CONSUMED}`, ...FUEL },
  {
    name: 'an endless loop of br_table',
    bad: `(loop $l (br_table $l $l $l (local.get $n))) ${CONSUMED}`,
    ...FUEL,
  },
  {
    name: 'a loop without end in run, before the first chunk',
    run: `(local.set $n (local.get $first))
      (loop $l
        (if (i32.eq (call $byte (local.get $n)) (i32.const 0x21)) (then ${SPIN}))
        (br_if $l (i32.lt_u (local.tee $n (i32.add (local.get $n) (i32.const 1))) (local.get $end))))
      (call $all (local.get $first) (local.get $end))`,
    more: `(func $all (param $first i32) (param $end i32) (result i32)
      (loop $l (if (i32.lt_u (local.get $first) (local.get $end)) (then
        (drop (call $good (local.get $first)))
        (local.set $first (i32.add (local.get $first) (i32.const 1))) (br $l))))
      (call $length (call $written)) (local.get $end))`,
    ...FUEL,
  },
  {
    name: 'a bomb of memory.fill',
    bad: `(loop $l (memory.fill (global.get $slots) (i32.const 0) (i32.const 4096)) (br $l)) ${CONSUMED}`,
    ...FUEL,
  },
  {
    name: 'a bomb of memory.copy',
    bad: `(loop $l (memory.copy (global.get $out) (global.get $in) (i32.const 65536)) (br $l)) ${CONSUMED}`,
    ...FUEL,
  },
  {
    name: 'a bomb of table.grow',
    more: '(table $t 1 funcref)',
    bad: `(loop $l (drop (table.grow $t (ref.null func) (i32.const 60000))) (br $l)) ${CONSUMED}`,
    ...FUEL,
  },
  {
    name: 'recursion without end',
    more: '(func $deep (param $n i64) (result i64) (call $deep (call $deep (local.get $n))))',
    bad: `(drop (call $deep (i64.const 1))) ${CONSUMED}`,
    manifest: GREEDY,
    reason: 'trap: Maximum call stack size exceeded',
    counter: 'parser_traps',
  },
  {
    name: 'recursion of functions with fifty thousand locals',
    more: `(func $deep (result i64) ${'(local i64)'.repeat(40_000)} (call $deep))`,
    bad: `(drop (call $deep)) ${CONSUMED}`,
    manifest: GREEDY,
    reason: 'trap: Maximum call stack size exceeded',
    counter: 'parser_traps',
  },
  // ── memory ──
  { name: 'growth of memory', bad: `(drop (memory.grow (i32.const 1))) ${CONSUMED}`, ...output('run grew the memory') },
  {
    name: 'growth of memory, then a trap',
    bad: '(drop (memory.grow (i32.const 1))) (unreachable)',
    ...TRAP,
  },
  {
    name: 'growth of memory until there is none',
    bad: `(loop $l (br_if $l (i32.ge_s (memory.grow (i32.const 1)) (i32.const 0)))) ${CONSUMED}`,
    manifest: { limits: { ...GREEDY.limits, memoryPages: 128 } },
    ...output('run grew the memory'),
  },
  {
    name: 'a write behind its memory',
    bad: `(i32.store (i32.const -4) (i32.const 1)) ${CONSUMED}`,
    reason: 'trap: memory access out of bounds',
    counter: 'parser_traps',
  },
  // ── what it says of its output ──
  {
    name: 'more output than the arena holds',
    bad: '(call $length (i32.const 0x7ffffff8)) (global.set $at (i32.const 0x7fff0000)) (i32.const 0)',
    ...output('bytes of output in an arena of 65536'),
  },
  {
    name: 'output of a negative length',
    bad: '(global.set $at (i32.const 8)) (i32.const 0)',
    ...output('bytes of output in an arena of 65536'),
  },
  {
    name: 'output cut off in a record',
    bad: `${message(64, 0)} (global.set $at (i32.sub (global.get $at) (i32.const 56))) (i32.const 0)`,
    ...malformed('cut off'),
  },
  {
    name: 'a record of no length',
    bad: `${message(64, 0)} (i32.store ${last(64, 0)} (i32.const 0)) ${CONSUMED}`,
    ...malformed('0 bytes'),
  },
  {
    name: 'a record of 17 bytes',
    bad: `${message(64, 0)} (i32.store ${last(64, 0)} (i32.const 17)) ${CONSUMED}`,
    ...malformed('17 bytes'),
  },
  {
    name: 'a record of 4 GiB',
    bad: `${message(64, 0)} (i32.store ${last(64, 0)} (i32.const -8)) ${CONSUMED}`,
    ...malformed('4294967288 bytes'),
  },
  {
    name: 'a record of an address that is no slot',
    bad: `${message(64, 0)} (i32.store ${last(64, 4)} (i32.const -64)) ${CONSUMED}`,
    ...malformed('of 4294967232, which is no slot'),
  },
  {
    name: 'a record of the middle of a slot',
    bad: `${message(64, 0)} (i32.store ${last(64, 4)} (i32.add (i32.const 8) (call $slot (local.get $i)))) ${CONSUMED}`,
    ...malformed('of'),
  },
  {
    name: 'a message shorter than its header',
    bad: `(call $hint (local.get $i) (i32.const 1) (i32.const 0)) ${CONSUMED}`,
    ...malformed('its fields do not fit'),
  },
  {
    name: 'a message of type 0',
    bad: `${message(64, 0)} (i32.store16 ${last(64, 8)} (i32.const 0)) ${CONSUMED}`,
    ...malformed('its fields do not fit'),
  },
  {
    name: 'a protocol the manifest has not',
    bad: `${message(64, 0)} (i32.store8 ${last(64, 58)} (i32.const 255)) ${CONSUMED}`,
    ...malformed('its fields do not fit'),
  },
  {
    name: '65,535 attributes where there are none',
    bad: `${message(64, 65_535)} ${CONSUMED}`,
    ...malformed('its fields do not fit'),
  },
  { name: '257 attributes', bad: `${message(64 + 260 * 4, 257)} ${CONSUMED}`, ...malformed('its fields do not fit') },
  {
    name: 'a string that runs over the end of its message',
    bad: `${message(72, 1)} (i32.store ${last(72, 64)} (i32.const 0xffff0001)) ${CONSUMED}`,
    ...malformed('its fields do not fit'),
  },
  {
    name: 'a string that begins in its message and ends 4 GiB further',
    bad: `${message(72, 2)} (i32.store ${last(72, 64)} (i32.const 1)) (i32.store ${last(72, 68)} (i32.const -65535)) ${CONSUMED}`,
    ...malformed('its fields do not fit'),
  },
  {
    name: 'a message of 8 KiB and more',
    bad: `${message(64 + 8200, 0)} ${CONSUMED}`,
    ...malformed('its fields do not fit'),
  },
  {
    name: 'a definition that runs over its end',
    bad: `(call $keyed (local.get $i) (i32.const 32) (i32.const 1) (i64.const 7)) ${CONSUMED}`,
    ...malformed('its fields do not fit'),
  },
  {
    name: 'a definition of 4 billion attributes',
    bad: `(call $keyed (local.get $i) (i32.const 32) (i32.const -1) (i64.const 7)) ${CONSUMED}`,
    ...malformed('its fields do not fit'),
  },
  {
    name: 'a SKIP without its offset',
    bad: `(call $hint (local.get $i) (i32.const 21) (i32.const 0)) ${CONSUMED}`,
    ...malformed('its fields do not fit'),
  },
  // ── what it says of its progress ──
  {
    name: 'a result behind the last chunk',
    bad: `(global.set $count (i32.const 9)) ${CONSUMED}`,
    run: '(call $all (local.get $first) (local.get $end))',
    more: lying('(i32.add (local.get $end) (i32.const 1000))'),
    ...output('run returned'),
  },
  {
    name: 'a negative result',
    bad: `(global.set $count (i32.const 9)) ${CONSUMED}`,
    run: '(call $all (local.get $first) (local.get $end))',
    more: lying('(i32.const -1)'),
    ...output('run returned 4294967295'),
  },
  { name: 'no progress', bad: '(i32.const 0)', ...output('run makes no progress') },
  { name: 'messages without progress', bad: `${message(64, 0)} (i32.const 0)`, ...output('run makes no progress') },
  {
    name: 'SHRINK for ever',
    bad: '(call $hint (local.get $i) (i32.const 18) (i32.const 0)) (i32.const 0)',
    ...output('run makes no progress'),
  },
  // ── traps that lie ──
  {
    name: 'a trap on the third of its chunks',
    more: '(global $calls (mut i32) (i32.const 0))',
    bad: `(global.set $calls (i32.add (global.get $calls) (i32.const 1))) (if (i32.eqz (i32.rem_u (global.get $calls) (i32.const 3))) (then (unreachable))) ${CONSUMED}`,
    ...TRAP,
  },
  {
    name: 'a trap that wrote over every slot',
    bad: '(memory.fill (global.get $slots) (i32.const 0xff) (i32.sub (i32.shl (memory.size) (i32.const 16)) (global.get $slots))) (unreachable)',
    ...TRAP,
  },
  {
    name: 'a trap that wrote over all of its memory',
    bad: '(memory.fill (i32.const 0) (i32.const 0xff) (i32.shl (memory.size) (i32.const 16))) (unreachable)',
    manifest: GREEDY,
    ...TRAP,
  },
  {
    name: 'a trap that zeroed all of its memory',
    bad: '(memory.fill (i32.const 0) (i32.const 0) (i32.shl (memory.size) (i32.const 16))) (unreachable)',
    manifest: GREEDY,
    ...TRAP,
  },
  {
    name: 'a trap that names a chunk which is not there',
    bad: '(call $current (i32.const 77777)) (unreachable)',
    ...TRAP,
  },
  {
    name: 'a trap that names the chunk before',
    bad: '(call $current (i32.sub (local.get $i) (i32.const 1))) (unreachable)',
    twice: true,
    ...TRAP,
  },
  { name: 'a trap with output behind the arena', bad: '(call $length (i32.const 0x7fffffff)) (unreachable)', ...TRAP },
  {
    name: 'a trap in a chunk table of its own making',
    bad: `${times(8, '(memory.fill (call $chunk (local.get $n)) (i32.const 0xff) (i32.const 40))')} (unreachable)`,
    twice: true,
    reason: 'trap: ',
    counter: 'parser_traps',
  },
  // ── volume ──
  {
    name: 'a MiB of hints for each run, without progress',
    bad: `(if (i32.eqz (global.get $count)) (then (global.set $count (i32.const 1)) ${times(65_000, '(call $hint (local.get $i) (i32.const 16) (i32.const 0))')})) (global.set $at (i32.add (global.get $out) (i32.const 1040000))) (i32.const 0)`,
    manifest: GREEDY,
    ...output('more output than its input accounts for'),
  },
  {
    name: 'the longest messages, written once and put out again and again',
    bad: `(if (i32.eqz (global.get $count)) (then (global.set $count (i32.const 1)) ${times(120, message(8256, 0))}))
      (global.set $at (i32.add (global.get $out) (i32.const ${120 * 8256}))) (i32.const 0)`,
    manifest: GREEDY,
    ...output('more output than its input accounts for'),
  },
  {
    name: 'slots of a MiB, to and fro',
    bad: `${times(30_000, '(call $hint (local.get $i) (i32.const 17) (i32.const 0)) (call $hint (local.get $i) (i32.const 18) (i32.const 0))')} (i32.const 0)`,
    manifest: { ...GREEDY, slots: [64, 1_048_576] },
    ...output('more output than its input accounts for'),
  },
];

/** run() as it should be, until a chunk set $count: then the answer is another. */
function lying(answer: string): string {
  return `(func $all (param $first i32) (param $end i32) (result i32)
    (global.set $count (i32.const 0))
    (loop $l (if (i32.lt_u (local.get $first) (local.get $end)) (then
      (drop (call $step (local.get $first)))
      (local.set $first (i32.add (local.get $first) (i32.const 1))) (br $l))))
    (call $length (call $written))
    (select ${answer} (local.get $end) (global.get $count)))`;
}

describe('fails, is paused when it fails again, and hurts nobody', () => {
  test.each(FAILING)('$name', ({ reason, counter, manifest, twice = false, ...parts }) => {
    const siege = besiege(hostile(parts, manifest));
    const strike = () =>
      siege.round((attackers) => {
        attackers[0]!.ask('E fine', 10);
        for (let i = 0; i < 3; i++) attackers[1]!.ask('!', 10);
        attackers[2]!.ask('E fine', 10);
      });
    expect(siege.failures).toEqual([]);
    strike();
    expect(siege.failures[0]).toContain(reason);
    expect(siege.count('connections_reidentified')).toBeGreaterThan(0);
    if (!twice) {
      expect(siege.count(counter)).toBe(1);
      expect(siege.status()).toMatchObject({ state: 'running', failures: 1 });
      siege.round((attackers) => {
        for (const one of attackers) one.ask('E again', 20);
      });
      strike();
    }
    expect(siege.failures).toHaveLength(2);
    expect(siege.failures[1]).toContain(reason);
    expect(siege.count(counter)).toBe(2);
    expect(siege.status()).toMatchObject({ state: 'paused', connections: 0, failures: 2 });
    siege.expectHeld();
  });
});

test('fails whenever it is let back: paused for longer each time, and retired in the end', () => {
  let later = 0;
  const { now } = performance;
  const clock = vi.spyOn(performance, 'now').mockImplementation(() => now.call(performance) + later);
  const siege = besiege(hostile({ bad: '(unreachable)' }));
  const states: string[] = [];
  for (let pauseMs = 500; siege.retired.length === 0 && states.length < 10; pauseMs *= 2) {
    siege.round(([, one]) => {
      one!.ask('E once more', 10);
      siege.run();
      one!.ask('!', 10);
    });
    states.push(siege.status().state);
    later += states.length > 1 ? pauseMs + 100 : 0;
  }
  expect(states).toEqual(['running', ...Array(5).fill('paused')]);
  expect(siege.retired).toEqual(['hostile']);
  later += 3_600_000;
  siege.round(([one]) => one!.ask('E after an hour', 20));
  expect(siege.status()).toMatchObject({ state: 'paused', connections: 0, failures: 6 });
  siege.expectHeld();
  clock.mockRestore();
});
