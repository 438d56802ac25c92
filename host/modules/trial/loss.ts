/**
 * What a parser may say after bytes were lost, as the ABI demands it: every message it reports is one of the true ones
 * (or marked partial), and between two DESYNCs no message that pairs is left out, so that the host can count.
 * A message is known by the place of its first byte: stampBytes makes that its first timestamp.
 */
import assert from 'node:assert/strict';
import { isDeepStrictEqual } from 'node:util';
import { GAP, OPEN_MID_STREAM } from '../../../parsers/sdk/abi.ts';
import { type Case, openFlags, under } from './cases.ts';
import { type Output, parse } from './harness.ts';
import type { Parser } from './parser.ts';
import { shownAs } from './replay.ts';
import { loseSteps, mergeGaps, type Step } from './steps.ts';

/** The messages of a run without loss: by where they begin, and their order among those that pair by it. */
export interface Truth {
  readonly byPlace: ReadonlyMap<string, Output>;
  readonly order: ReadonlyMap<string, number>;
}

const placeOf = ({ type, first }: Output) => `${type}@${first}`;

/** Pairing by key needs no order: a message that is missing spoils no other. */
function pairsByOrder({ manifest }: Parser, { type, flags, protocol }: Output): boolean {
  if (manifest.protocols[protocol]!.pairing !== 'fifo') return false;
  return (type === 'request' && !flags.includes('no-response')) || (type === 'response' && !flags.includes('push'));
}

export function truthOf(parser: Parser, output: readonly Output[]): Truth {
  const order = new Map<string, number>();
  for (const type of ['request', 'response']) {
    const ofType = output.filter((message) => message.type === type && pairsByOrder(parser, message));
    for (const [index, message] of ofType.entries()) order.set(placeOf(message), index);
  }
  return { byPlace: new Map(output.map((message) => [placeOf(message), message])), order };
}

export function checkLoss(parser: Parser, one: Case, steps: Step[], from: number, to: number, truth: Truth): void {
  const output = parse(under(parser, one), mergeGaps(loseSteps(steps, from, to)), openFlags(one));
  const where = `${one.title}, bytes ${from} to ${to} lost`;
  for (const message of output) expectTrue(message, truth, where);
  expectUnbroken(output, truth, where);
}

export function checkJoin(parser: Parser, one: Case, steps: Step[], truth: Truth): void {
  const turn = steps.findIndex(({ direction }) => direction !== steps[0]!.direction);
  const since = turn < 0 ? Number.POSITIVE_INFINITY : steps[turn]!.timestamp;
  const where = `${one.title}, joined at byte ${steps[0]!.timestamp - 1}`;
  for (const message of parse(under(parser, one), steps, openFlags(one) | OPEN_MID_STREAM)) {
    if (message.first >= since) expectTrue(message, truth, where);
  }
}

/** A message that is not partial is one of the true ones, and says nothing that the true one does not. */
function expectTrue(message: Output, { byPlace }: Truth, where: string): void {
  if (!['request', 'response', 'oneway'].includes(message.type) || message.flags.includes('partial')) return;
  const original = byPlace.get(placeOf(message));
  assert(original, `${where}: invented ${shown(message)}`);
  const differs = Object.entries(message.attributes).some(
    ([name, value]) => !isDeepStrictEqual(original.attributes[name], value),
  );
  // The end of one that ended in lost bytes has no time.
  if ((message.last === original.last || message.last === 0) && !differs) return;
  assert.fail(`${where}: says ${shown(message)}, where without loss it is ${shown(original)}`);
}

/** Between two DESYNCs the k-th request and the k-th response stay k apart: none is left out. */
function expectUnbroken(output: readonly Output[], { order }: Truth, where: string): void {
  const next: Record<string, number | undefined> = { request: 0, response: 0 };
  for (const message of output) {
    if (message.type === 'desync') {
      next.request = undefined;
      next.response = undefined;
    }
    const index = order.get(placeOf(message));
    if (index === undefined) continue;
    assert.equal(index, next[message.type] ?? index, `${where}: a ${message.type} is missing without a DESYNC`);
    next[message.type] = index + 1;
  }
}

function shown(message: Output): string {
  return JSON.stringify(shownAs(message, undefined));
}

/** A capture from its first byte on, without gaps: what the properties about loss compare with. */
export function isComplete({ midStream, lookalike, steps }: Case): boolean {
  return (
    !midStream &&
    !lookalike &&
    steps.every(({ kind, bytes, wireLength }) => kind !== GAP && wireLength === bytes.length)
  );
}
