/**
 * A real Apache Kafka broker with the clients that people use, through real eBPF: kcat (librdkafka), Kafka's own Java tools
 * and kafkajs. The agent is there before the broker, so every request of the broker's own log is one server span; and what
 * the clients did is what spans say of records, topics, groups, transactions and errors.
 */
import { CompressionTypes, Kafka, logLevel } from 'kafkajs';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { accountingErrors } from '../../e2e/support/accounting.ts';
import { type Counters, type Span, startAgent, stopAgent } from '../../e2e/support/agent.ts';
import { describeLive } from '../../e2e/support/live.ts';
import { sayUnavailable } from '../../support/unavailable.ts';
import { KafkaBroker, kafkaMissing, runClient, runJava, type Served } from './broker.ts';
import { placeOf, placeOfSpan, topicsOf, wordsOf, wordsOfSpan } from './served.ts';

const CODECS = ['none', 'gzip', 'snappy', 'lz4', 'zstd'] as const;
const RECORDS = 200;
const TRANSACTED = 100;
const LINES = Array.from({ length: RECORDS }, (_, i) => `order number ${i}\n`).join('');
const TRACE = '0af7651916cd43dd8448eb211c80319c';
const PARENT = 'b7ad6b7169203331';
const ENVELOPE = 58;

const reason = kafkaMissing();
if (reason) sayUnavailable('a real Kafka broker', reason);

await describeLive('Apache Kafka', () => {
  const spans: Span[] = [];
  let served: Served[] = [];
  let counters: Counters;
  let broker: KafkaBroker;

  beforeAll(async () => {
    if (reason) return;
    // Broker and clients are children of this process, and kafkajs is in it.
    const options = ['--attributes', 'kafka.correlation_id', '--payload', '16KiB', '--printer', 'json'];
    const agent = await startAgent(['--pid', String(process.pid), ...options], (span) => spans.push(span));
    broker = await KafkaBroker.start();
    const at = `127.0.0.1:${broker.ports.broker}`;
    const kafka = new Kafka({ clientId: 'js', brokers: [at], logLevel: logLevel.NOTHING });
    await createTopics(kafka);
    await runKcat(at);
    await runJavaTools(at);
    await runKafkaJs(kafka);
    await broker.stop();
    counters = await stopAgent(agent);
    served = broker.served();
  });

  afterAll(() => broker?.[Symbol.asyncDispose]());

  const sideOf = (side: 'server' | 'client') => spans.filter(({ kind }) => (kind === 'server') === (side === 'server'));
  /** Of those that were granted: what a leader that is not ready yet refuses is sent again. */
  const sendsOf = (side: 'server' | 'client', client: string, topic: string) =>
    requestsOf(side, client, `send ${topic}`).filter(({ status }) => status === 'unset');
  const requestsOf = (side: 'server' | 'client', client: string, name: string) =>
    sideOf(side).filter((span) => span.attributes['messaging.client.id'] === client && span.name === name);
  const recordsOf = (some: readonly Span[]) =>
    some.reduce((sum, { attributes }) => sum + Number(attributes['messaging.batch.message_count'] ?? 0), 0);

  test.skipIf(reason)('every request that the broker served is one server span, as its log says', () => {
    const topics = topicsOf(served);
    const logged = new Map(
      served.filter(({ isForwarded }) => !isForwarded).map((one) => [placeOf(one), wordsOf(one, topics)]),
    );
    const found = new Map<string, string>();
    for (const span of sideOf('server').filter(({ attributes }) => attributes['kafka.api.key'] !== ENVELOPE)) {
      const place = placeOfSpan(span);
      expect(found.has(place), place).toBe(false);
      found.set(place, wordsOfSpan(span, logged.get(place)));
    }
    expect(logged.size).toBeGreaterThan(100);
    expect(found).toEqual(logged);
    const envelopes = sideOf('server').filter(({ attributes }) => attributes['kafka.api.key'] === ENVELOPE);
    expect(envelopes).toHaveLength(served.filter(({ isForwarded }) => isForwarded).length);
  });

  test.skipIf(reason)('the same on the side of the clients, but for the fetches that one did not wait for', () => {
    const wordsOn = (side: 'server' | 'client') =>
      Map.groupBy(sideOf(side), (span) => `${span.attributes['kafka.correlation_id']} ${wordsOfSpan(span)}`);
    const [theirs, ours] = [wordsOn('client'), wordsOn('server')];
    for (const [words, some] of theirs) expect(ours.get(words)?.length, words).toBeGreaterThanOrEqual(some.length);
    const unanswered = [...ours].filter(([words, some]) => theirs.get(words)?.length !== some.length);
    expect(unanswered.map(([, some]) => some[0]!.attributes['messaging.operation.name'])).toEqual(
      unanswered.map(() => 'poll'),
    );
  });

  test.skipIf(reason).each(CODECS)('kcat, compression %s: all records, on both sides', (codec) => {
    for (const side of ['server', 'client'] as const) {
      const sends = sendsOf(side, `kcat-${codec}`, 'packed');
      expect(recordsOf(sends)).toBe(RECORDS);
      // A batch that compression does not make smaller goes out as it is.
      const codecs = new Set(sends.map(({ attributes }) => attributes['kafka.compression']));
      expect(codecs).toContain(codec);
      expect([...codecs].filter((one) => one !== codec && one !== 'none')).toEqual([]);
    }
    expect(new Set(sendsOf('client', `kcat-${codec}`, 'packed').map(({ kind }) => kind))).toEqual(
      new Set(['producer']),
    );
  });

  test.skipIf(reason)('batches of one partition say where they begin', () => {
    const sends = CODECS.flatMap((codec) => sendsOf('server', `kcat-${codec}`, 'packed'));
    let next = 0;
    for (const { attributes } of sends.sort((a, b) => offsetOf(a.attributes) - offsetOf(b.attributes))) {
      expect(offsetOf(attributes)).toBe(next);
      next += Number(attributes['messaging.batch.message_count']);
    }
    expect(next).toBe(CODECS.length * RECORDS);
  });

  test.skipIf(reason)('without acknowledgement: requests, and no response', () => {
    for (const side of ['server', 'client'] as const) {
      const sends = sendsOf(side, 'kcat-acks0', 'loose');
      expect(recordsOf(sends)).toBe(RECORDS);
      expect(new Set(sends.map(({ attributes }) => attributes['kafka.acks']))).toEqual(new Set([0]));
    }
  });

  test.skipIf(reason)('consumers have what was produced; what ends a transaction is no record', () => {
    const fetched = (client: string, topic: string) => recordsOf(requestsOf('client', client, `poll ${topic}`));
    expect(fetched('kcat-c', 'packed')).toBe(CODECS.length * RECORDS);
    expect(fetched('kcat-g', 'bills')).toBe(TRANSACTED);
    expect(fetched('java-c', 'orders')).toBe(RECORDS);
    expect(fetched('js', 'letters')).toBe(3);
    expect(new Set(requestsOf('client', 'java-c', 'poll orders').map(({ kind }) => kind))).toEqual(
      new Set(['consumer']),
    );
  });

  test.skipIf(reason)('topics of the Java clients, which name them by id', () => {
    const sends = sendsOf('client', 'java-p', 'orders');
    expect(recordsOf(sends)).toBe(RECORDS);
    expect(sends[0]!.attributes).toMatchObject({ 'kafka.api.version': 13, 'kafka.compression': 'zstd' });
  });

  test.skipIf(reason)('transactions: what is sent in one, and its end', () => {
    for (const [client, id, topic, records] of [
      ['java-t', 'java-tx', 'bills', TRANSACTED],
      ['js', 'js-tx', 'letters', 2],
    ] as const) {
      const sends = sendsOf('client', client, topic).filter(
        ({ attributes }) => attributes['kafka.transactional_id'] === id,
      );
      expect(recordsOf(sends)).toBe(records);
      const ends = requestsOf('server', client, 'EndTxn');
      expect(ends.length).toBeGreaterThan(0);
      expect(new Set(ends.map(({ attributes }) => attributes['kafka.transactional_id']))).toEqual(new Set([id]));
    }
  });

  test.skipIf(reason)('groups: joined, committed and left under their names', () => {
    for (const [client, group, topic] of [
      ['java-c', 'java-group', 'orders'],
      ['js', 'js-group', 'letters'],
      ['kcat-g', 'kcat-group', 'bills'],
    ] as const) {
      for (const name of ['JoinGroup', 'SyncGroup', 'LeaveGroup', `commit ${topic}`]) {
        const groups = requestsOf('server', client, name).map(
          ({ attributes }) => attributes['messaging.consumer.group.name'],
        );
        expect(new Set(groups), `${client} ${name}`).toEqual(new Set([group]));
      }
    }
  });

  test.skipIf(reason)('an unknown topic is an error with its name', () => {
    for (const client of ['kcat-l', 'js']) {
      const asked = requestsOf('client', client, 'Metadata nowhere');
      expect(asked.length).toBeGreaterThan(0);
      for (const { status, attributes } of asked) {
        expect(status).toBe('error');
        expect(attributes).toMatchObject({ 'error.type': 'UNKNOWN_TOPIC_OR_PARTITION', 'kafka.error_code': 3 });
      }
    }
  });

  test.skipIf(reason)('the trace of a record is the parent, where it is not compressed', () => {
    for (const side of ['server', 'client'] as const) {
      const traced = sendsOf(side, 'js', 'letters').filter(({ traceId }) => traceId === TRACE);
      expect(traced.map(({ parentSpanId }) => parentSpanId)).toEqual([PARENT]);
    }
  });

  test.skipIf(reason)('nothing was lost, and all is accounted for', () => {
    expect(counters.kernel.bytes_lost).toBe(0);
    expect(accountingErrors(counters)).toEqual([]);
  });
});

function offsetOf(attributes: Span['attributes']): number {
  return Number(attributes['messaging.kafka.offset']);
}

async function createTopics(kafka: Kafka): Promise<void> {
  const admin = kafka.admin();
  await admin.connect();
  const topics = ['packed', 'loose', 'orders', 'bills', 'letters'].map((topic) => ({ topic, numPartitions: 1 }));
  await admin.createTopics({ topics, waitForLeaders: true });
  await admin.disconnect();
}

async function runKcat(at: string): Promise<void> {
  const kcat = (client: string, ...args: string[]) =>
    runClient('kcat', ['-b', at, '-X', `client.id=${client}`, ...args], LINES);
  for (const codec of CODECS) await kcat(`kcat-${codec}`, '-P', '-t', 'packed', '-X', `compression.codec=${codec}`);
  await kcat('kcat-acks0', '-P', '-t', 'loose', '-X', 'acks=0');
  const printed = await kcat('kcat-c', '-C', '-e', '-q', '-t', 'packed', '-o', 'beginning');
  expect(printed.split('\n')).toHaveLength(CODECS.length * RECORDS + 1);
  await kcat('kcat-l', '-L', '-t', 'nowhere');
}

async function runJavaTools(at: string): Promise<void> {
  const produce = ['--topic', 'orders', '--compression-codec', 'zstd', '--producer-property', 'client.id=java-p'];
  await runJava(['org.apache.kafka.tools.ConsoleProducer', '--bootstrap-server', at, ...produce], LINES);
  const group = ['--group', 'java-group', '--from-beginning', '--consumer-property', 'client.id=java-c'];
  const consume = ['--topic', 'orders', '--max-messages', String(RECORDS), ...group];
  const consumed = await runJava(
    ['org.apache.kafka.tools.consumer.ConsoleConsumer', '--bootstrap-server', at, ...consume],
    '',
  );
  expect(consumed).toBe(LINES);
  const load = ['--num-records', String(TRANSACTED), '--record-size', '50', '--throughput', '-1'];
  const transaction = ['--transactional-id', 'java-tx', '--transaction-duration-ms', '20'];
  const producer = ['--producer-props', `bootstrap.servers=${at}`, 'client.id=java-t'];
  const main = 'org.apache.kafka.tools.ProducerPerformance';
  await runJava([main, '--topic', 'bills', ...load, ...transaction, ...producer], '');
  const committed = ['-X', 'auto.offset.reset=earliest', '-X', 'isolation.level=read_committed'];
  await runClient('kcat', ['-b', at, '-X', 'client.id=kcat-g', ...committed, '-G', 'kcat-group', '-e', 'bills'], '');
}

async function runKafkaJs(kafka: Kafka): Promise<void> {
  const producer = kafka.producer({ transactionalId: 'js-tx', idempotent: true, maxInFlightRequests: 1 });
  await producer.connect();
  const transaction = await producer.transaction();
  const messages = [{ value: 'one' }, { value: 'two' }];
  await transaction.send({ topic: 'letters', compression: CompressionTypes.GZIP, messages });
  await transaction.commit();
  await producer.disconnect();
  await sendTraced(kafka);
  await sendNowhere(kafka);
  const consumer = kafka.consumer({ groupId: 'js-group' });
  await consumer.connect();
  await consumer.subscribe({ topic: 'letters', fromBeginning: true });
  const all = Promise.withResolvers<void>();
  let received = 0;
  await consumer.run({
    eachMessage: async () => {
      if (++received === 3) all.resolve();
    },
  });
  await all.promise;
  await consumer.disconnect();
}

async function sendTraced(kafka: Kafka): Promise<void> {
  const producer = kafka.producer();
  await producer.connect();
  const headers = { traceparent: `00-${TRACE}-${PARENT}-01` };
  await producer.send({ topic: 'letters', messages: [{ value: 'three', headers }] });
  await producer.disconnect();
}

async function sendNowhere(kafka: Kafka): Promise<void> {
  const producer = kafka.producer({ retry: { retries: 0 } });
  await producer.connect();
  await expect(producer.send({ topic: 'nowhere', messages: [{ value: 'none' }] })).rejects.toThrow(/topic/);
  await producer.disconnect();
}
