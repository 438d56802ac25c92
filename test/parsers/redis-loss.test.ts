/**
 * Redis after a loss, with values made to deceive: they are full of what looks like requests and replies, in pipelines
 * cut anywhere. Whatever is lost, no request meets the reply of another, and no span is made of a value's text.
 */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { loadParsers } from '../../fuzz/parsers.ts';
import { type Output, parse } from '../../host/modules/trial/harness.ts';
import type { Step } from '../../host/modules/trial/steps.ts';
import { data } from '../../host/modules/trial/traffic.ts';
import { FROM_CLIENT, FROM_SERVER, GAP } from '../../parsers/sdk/abi.ts';

const redis = (await loadParsers()).find(({ name }) => name === 'redis');
const RUNS = 500;

const bulk = (value: string) => `$${value.length}\r\n${value}\r\n`;
const array = (...words: string[]) => `*${words.length}\r\n${words.map(bulk).join('')}`;

/** What a value may hold: whole requests and replies, and the ends that would make them fit what surrounds them. */
const piece = fc.constantFrom(
  ...[array('GET', 'x'), array('SET', 'x', 'y'), array('PING'), array('CLIENT', 'REPLY', 'OFF'), array('SELECT', '7')],
  ...[
    '+OK\r\n',
    ':1\r\n',
    '$-1\r\n',
    bulk('value'),
    '-ERR no\r\n',
    '*2\r\n',
    '$3\r\nGET\r\n',
    '\r\n',
    'PING\r\n',
    'text',
  ],
);
const value = fc.array(piece, { maxLength: 12 }).map((pieces) => pieces.join(''));

interface Exchange {
  readonly request: string;
  readonly reply: string;
}

const exchange: fc.Arbitrary<Exchange> = fc.oneof(
  value.map((text) => ({ request: array('SET', 'k', text), reply: '+OK\r\n' })),
  value.map((text) => ({ request: array('GET', 'k'), reply: bulk(text) })),
  fc
    .array(value, { maxLength: 3 })
    .map((list) => ({ request: array('LRANGE', 'l', '0', '-1'), reply: array(...list) })),
  fc.constant({ request: array('INCR', 'k'), reply: '-WRONGTYPE no\r\n' }),
);

/** Pipelines: all requests, then all replies, each side in calls of its own cutting. */
const turn = fc.record({
  exchanges: fc.array(exchange, { minLength: 1, maxLength: 4 }),
  cuts: fc.array(fc.nat(400), { maxLength: 3 }),
});
const conversation = fc.array(turn, { minLength: 3, maxLength: 20 });

function stepsOf(turns: readonly { exchanges: readonly Exchange[]; cuts: readonly number[] }[]): Step[] {
  const steps = turns.flatMap(({ exchanges, cuts }) => [
    ...cut(exchanges.map(({ request }) => request).join(''), cuts).map((text) => data(FROM_CLIENT, Buffer.from(text))),
    ...cut(exchanges.map(({ reply }) => reply).join(''), cuts).map((text) => data(FROM_SERVER, Buffer.from(text))),
  ]);
  return steps.map((step, index) => ({ ...step, timestamp: index + 1 }));
}

function cut(text: string, places: readonly number[]): string[] {
  const at = [0, ...places.map((place) => place % text.length), text.length].sort((a, b) => a - b);
  return at.slice(1).flatMap((end, index) => (end > at[index]! ? [text.slice(at[index], end)] : []));
}

interface Pair {
  /** Where request and reply lie in time and how long they are. */
  readonly place: string;
  /** Of the request; undefined when it lay in lost bytes. */
  readonly name: unknown;
}

/** As the host pairs them: the k-th answers the k-th, and none across a DESYNC. */
function pairs(output: readonly Output[]): Pair[] {
  const waiting: Pair[] = [];
  return output.flatMap((message) => {
    const { type, flags, first, last, bytes, attributes } = message;
    if (type === 'desync' || type === 'give-up') waiting.length = 0;
    const one = { place: `${first}-${last} ${bytes}`, name: attributes['db.operation.name'] };
    if (type === 'request' && flags.includes('no-response')) return [one];
    if (type === 'request') waiting.push(one);
    const request = type === 'response' && !flags.includes('push') ? waiting.shift() : undefined;
    return request === undefined ? [] : [{ ...request, place: `${request.place} → ${one.place}` }];
  });
}

function isAmong(truth: readonly Pair[], { place, name }: Pair): boolean {
  return truth.some((one) => one.place === place && (name === undefined || one.name === name));
}

interface Lossy {
  readonly truth: readonly Pair[];
  readonly seen: readonly Pair[];
  /** Of the truth, what lost nothing. */
  readonly whole: readonly Pair[];
}

function lose(steps: readonly Step[], isLost: (index: number) => boolean): Lossy {
  const lossy = steps.map((step, index) => (isLost(index) ? { ...step, kind: GAP, bytes: new Uint8Array(0) } : step));
  const truth = pairs(parse(redis!, steps));
  const isWhole = ({ place }: Pair) =>
    [...place.matchAll(/(\d+)-(\d+)/g)].every(([, first, last]) =>
      lossy.slice(Number(first) - 1, Number(last)).every(({ kind }) => kind !== GAP),
    );
  return { truth, seen: pairs(parse(redis!, lossy)), whole: truth.filter(isWhole) };
}

test.skipIf(!redis)('lookalikes in values, calls lost anywhere: no wrong pair', { timeout: 120_000 }, () => {
  fc.assert(
    fc.property(conversation, fc.array(fc.nat(200), { minLength: 1, maxLength: 4 }), (turns, places) => {
      const steps = stepsOf(turns);
      const lost = new Set(places.map((place) => place % steps.length));
      const { truth, seen } = lose(steps, (index) => lost.has(index));
      expect(truth).toHaveLength(turns.reduce((sum, { exchanges }) => sum + exchanges.length, 0));
      expect(seen.filter((pair) => !isAmong(truth, pair))).toEqual([]);
    }),
    { numRuns: RUNS },
  );
});

test.skipIf(!redis)('one call in a hundred lost: at least 95 % of what was wholly captured is found', () => {
  let [found, wanted] = [0, 0];
  for (const [n, turns] of fc.sample(conversation, { seed: 1, numRuns: 200 }).entries()) {
    const { truth, seen, whole } = lose(stepsOf(turns), (index) => (index + n * 37) % 100 === 99);
    expect(seen.filter((pair) => !isAmong(truth, pair))).toEqual([]);
    found += whole.filter((pair) => isAmong(seen, pair)).length;
    wanted += whole.length;
  }
  expect(wanted).toBeGreaterThan(2000);
  expect(found / wanted).toBeGreaterThanOrEqual(0.95);
});
