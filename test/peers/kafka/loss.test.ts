/**
 * What a real broker and its clients say to each other, with one captured call in a hundred lost at random, forty times
 * over: each time, of the exchanges that were wholly captured at least 95 % come out, all that comes out is true, and so
 * it is when the connections are joined midway.
 */
import { isDeepStrictEqual } from 'node:util';
import { Kafka, logLevel } from 'kafkajs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { loadParsers } from '../../../fuzz/parsers.ts';
import { type Output, parse } from '../../../host/modules/trial/harness.ts';
import { type Step, splitEvery } from '../../../host/modules/trial/steps.ts';
import { DATA, FROM_CLIENT, FROM_SERVER, GAP, OPEN_MID_STREAM } from '../../../parsers/sdk/abi.ts';
import { openTap, type Tap } from '../../support/tap.ts';
import { sayUnavailable } from '../../support/unavailable.ts';
import { KafkaBroker, kafkaMissing, runJava } from './broker.ts';

const EXCHANGES = 1000;
const INPUT_BYTES = 256 * 1024;
const SEEDS = Array.from({ length: 40 }, (_, index) => index + 1);

const kafka = (await loadParsers()).find(({ name }) => name === 'kafka');
const reason = kafka ? kafkaMissing() : 'the kafka parser is not selected';
if (reason) sayUnavailable('loss in a real Kafka broker’s traffic', reason);

describe.skipIf(reason)('one call in a hundred lost', () => {
  let broker: KafkaBroker;
  let tap: Tap;
  let connections: Step[][] = [];
  let truths: Map<string, Output>[] = [];

  beforeAll(async () => {
    broker = await KafkaBroker.start(async (port) => {
      tap = await openTap(port);
      return tap.port;
    });
    await talk(`127.0.0.1:${tap.port}`);
    connections = tap.connections.filter((steps) => steps.length > 4);
    truths = connections.map((steps) => new Map(outputOf(steps).map((message) => [placeOf(message), message])));
  });

  afterAll(async () => {
    await broker?.[Symbol.asyncDispose]();
    await tap?.close();
  });

  test.each(SEEDS)('most of what was captured is found, and nothing else (%i)', (seed) => {
    const random = randomFrom(seed);
    let [wanted, found] = [0, 0];
    for (const [index, steps] of connections.entries()) {
      const truth = truths[index]!;
      const lossy = steps.map((step) =>
        random() < 0.01 ? { ...step, kind: GAP, bytes: new Uint8Array(0), timestamp: 0 } : step,
      );
      const places = expectTrue(outputOf(lossy), truth);
      const whole = exchangesOf(truth).filter((pair) => pair.every((message) => isCaptured(lossy, message)));
      wanted += whole.length;
      found += countFound(whole, places);
    }
    expect(wanted).toBeGreaterThan(3 * EXCHANGES * 0.9);
    expect(found / wanted).toBeGreaterThanOrEqual(0.95);
  });

  test('joined midway: only true messages, and most of what comes, if without the names told before', () => {
    let [wanted, found] = [0, 0];
    for (const seed of SEEDS) {
      const random = randomFrom(seed);
      for (const [index, steps] of connections.entries()) {
        const truth = truths[index]!;
        const later = steps.slice(Math.floor(steps.length * random()));
        const places = expectTrue(outputOf(later, OPEN_MID_STREAM), truth);
        const whole = exchangesOf(truth).filter(([request]) => request.first >= later[0]!.timestamp);
        wanted += whole.length;
        found += countFound(whole, places);
      }
    }
    expect(wanted).toBeGreaterThan(SEEDS.length * EXCHANGES);
    expect(found / wanted).toBeGreaterThanOrEqual(0.95);
  });
});

/** Many exchanges: each record is sent, and fetched, by itself. */
async function talk(at: string): Promise<void> {
  const client = new Kafka({ clientId: 'js', brokers: [at], logLevel: logLevel.NOTHING });
  const admin = client.admin();
  await admin.connect();
  await admin.createTopics({ topics: [{ topic: 'single' }], waitForLeaders: true });
  await admin.disconnect();
  const producer = client.producer();
  await producer.connect();
  for (let i = 0; i < EXCHANGES; i++) await producer.send({ topic: 'single', messages: [{ value: `record ${i}` }] });
  await producer.disconnect();
  const load = ['--num-records', String(EXCHANGES), '--record-size', '40', '--throughput', '-1'];
  const settings = [`bootstrap.servers=${at}`, 'batch.size=1', 'linger.ms=0', 'client.id=java-p'];
  const producing = ['--topic', 'single', ...load, '--producer-props', ...settings];
  await runJava(['org.apache.kafka.tools.ProducerPerformance', ...producing], '');
  const small = ['fetch.max.bytes=10', 'max.partition.fetch.bytes=10', 'auto.commit.interval.ms=20'];
  const properties = small.flatMap((one) => ['--consumer-property', one]);
  const consume = ['--topic', 'single', '--from-beginning', '--max-messages', String(2 * EXCHANGES)];
  const main = 'org.apache.kafka.tools.consumer.ConsoleConsumer';
  await runJava([main, '--bootstrap-server', at, ...consume, '--group', 'java-group', ...properties], '');
}

function outputOf(steps: readonly Step[], flags = 0): readonly Output[] {
  const output = parse(kafka!, splitEvery(steps, INPUT_BYTES / 8), flags, { inputBytes: INPUT_BYTES });
  return output.filter(({ type }) => type === 'request' || type === 'response');
}

const placeOf = ({ type, key, first }: Output) => `${type} ${key} @${first}`;

/**
 * Each message is one of those without a loss, and the same but for the partial ones, as far as they are read. Places of
 * those that are the same, and of requests that lack only the name of a topic which an id stands for: it is told on another
 * connection, or in what was lost.
 */
function expectTrue(output: readonly Output[], truth: ReadonlyMap<string, Output>): Set<string> {
  const places = new Set<string>();
  for (const message of output) {
    const { type, flags, attributes, last, status } = message;
    const real = truth.get(placeOf(message));
    expect(real, placeOf(message)).toBeDefined();
    // It ended in what was lost, nobody knows when: the host makes no span of it.
    if (last === 0) continue;
    expect(real, placeOf(message)).toMatchObject(status === 0 ? { last } : { last, status });
    expect(real!.attributes).toMatchObject(attributes);
    if (flags.includes('partial') && !real!.flags.includes('partial')) {
      const { 'messaging.destination.name': _, ...nameless } = real!.attributes;
      if (type !== 'request' || !isDeepStrictEqual(attributes, nameless)) continue;
    } else expect({ attributes, status }).toEqual({ attributes: real!.attributes, status: real!.status });
    places.add(placeOf(message));
  }
  return places;
}

function exchangesOf(truth: ReadonlyMap<string, Output>): [Output, Output][] {
  const waiting = new Map<bigint, Output>();
  const pairs: [Output, Output][] = [];
  for (const message of truth.values()) {
    if (message.type === 'request') waiting.set(message.key, message);
    else if (waiting.has(message.key)) pairs.push([waiting.get(message.key)!, message]);
  }
  return pairs;
}

function countFound(pairs: readonly (readonly Output[])[], places: ReadonlySet<string>): number {
  return pairs.filter((pair) => pair.every((message) => places.has(placeOf(message)))).length;
}

/** Steps are numbered by their times, from 1. */
function isCaptured(steps: readonly Step[], { type, first, last }: Output): boolean {
  const direction = type === 'request' ? FROM_CLIENT : FROM_SERVER;
  return steps.slice(first - 1, last).every((step) => step.direction !== direction || step.kind === DATA);
}

/** The same numbers in 0 … 1 for the same seed. */
function randomFrom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
}
