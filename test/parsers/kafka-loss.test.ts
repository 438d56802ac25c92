/**
 * With one chunk in a hundred lost, at least 95 % of the requests and responses that were wholly captured are found, and
 * nothing else: a consumer that polls, commits and beats, in frames of one chunk each.
 */
import { expect, test } from 'vitest';
import { loadParsers } from '../../fuzz/parsers.ts';
import { type Output, parse } from '../../host/modules/trial/harness.ts';
import type { Step } from '../../host/modules/trial/steps.ts';
import { data } from '../../host/modules/trial/traffic.ts';
import { FROM_CLIENT, FROM_SERVER, GAP } from '../../parsers/sdk/abi.ts';
import { frame, int } from './kafka-schema.ts';

const kafka = (await loadParsers()).find(({ name }) => name === 'kafka');
const EXCHANGES = 2000;

function text(value: string): Buffer {
  return Buffer.concat([int(value.length, 2), Buffer.from(value)]);
}

/** Heartbeat v0, each with its own time. */
function conversation(): Step[] {
  return Array.from({ length: EXCHANGES }, (_, index) => {
    const request = frame(
      int(12, 2),
      int(0, 2),
      int(index, 4),
      text('app'),
      text('billing'),
      int(3, 4),
      text('member'),
    );
    const response = frame(int(index, 4), int(index % 7 === 0 ? 27 : 0, 2));
    return [
      { ...data(FROM_CLIENT, request), timestamp: 2 * index + 1 },
      { ...data(FROM_SERVER, response), timestamp: 2 * index + 2 },
    ];
  }).flat();
}

const placeOf = ({ type, first, key }: Output) => `${type} ${key} @${first}`;

test.skipIf(!kafka)('one chunk in a hundred lost', () => {
  const steps = conversation();
  // 97 is odd: chunks of either direction are lost.
  const lossy = steps.map((step, index) =>
    index % 97 === 50 ? { ...step, kind: GAP, bytes: new Uint8Array(0), timestamp: 0 } : step,
  );
  const truth = new Set(parse(kafka!, steps).map(placeOf));
  expect(truth.size).toBe(steps.length);
  const found = parse(kafka!, lossy).filter(({ type }) => type !== 'desync');
  for (const message of found) expect(truth).toContain(placeOf(message));
  const whole = found.filter(({ flags }) => !flags.includes('partial'));
  expect(whole.length / lossy.filter(({ kind }) => kind !== GAP).length).toBeGreaterThanOrEqual(0.95);
});

test.skipIf(!kafka)('responses lost while five requests are in flight: no other request is forgotten', () => {
  const steps = conversation();
  const [requests, responses] = [FROM_CLIENT, FROM_SERVER].map((side) =>
    steps.filter((step) => step.direction === side),
  );
  const inFlight = requests!.flatMap((request, index) => (index < 5 ? [request] : [request, responses![index - 5]!]));
  const lossy = inFlight.map((step, index) =>
    step.direction === FROM_SERVER && index % 50 < 2
      ? { ...step, kind: GAP, bytes: new Uint8Array(0), timestamp: 0 }
      : step,
  );
  const found = parse(kafka!, lossy).filter(({ type }) => type === 'response');
  expect(found.length).toBeGreaterThan(EXCHANGES * 0.9);
  expect(found.filter(({ flags }) => flags.includes('partial'))).toEqual([]);
});
