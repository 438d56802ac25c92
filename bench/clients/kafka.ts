/** Requests as kafkajs encodes them, a broker's answers to them, and kafkajs's decoders of those answers. */
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import type { Step } from '../../host/modules/trial/steps.ts';
import { FROM_CLIENT, FROM_SERVER } from '../../parsers/sdk/abi.ts';
import { type ParserTraffic, step } from '../parser-traffic.ts';
import type { Side } from '../parsers.ts';

const CLIENT_ID = 'shop';
const TOPIC = 'orders';
const GROUP = { groupId: 'billing', groupGenerationId: 7, memberId: 'shop-7f9c2ba4-e88f-4d6a-9b1e' };
const RECORDS = 10;
/** Of a message of one record beside its note. */
const BATCH_HEAD = 250;
const TIME = 1730800800000;
/** Size and correlation id, which kafkajs's connection takes off. */
const HEADER = 8;

export interface KafkaTraffic extends ParserTraffic {
  readonly answers: readonly { readonly payload: Buffer; readonly response: Response }[];
}

/**
 * A producer that is also a consumer: batches of ten records of some 200 bytes both ways, and what keeps a group alive.
 * With a size: produce and fetch alone, whose batches make messages of that size.
 */
export async function kafkaTraffic(batchBytes?: number): Promise<KafkaTraffic> {
  const kafka = kafkajs();
  const turns =
    batchBytes === undefined
      ? [metadata, produce, fetch, produce, fetch, heartbeat, produce, fetch, offsetCommit, fetch]
      : [produce, fetch].map((turn) => (client: Kafkajs) => turn(client, messages(batchBytes)));
  const lap: Step[] = [];
  const answers: { payload: Buffer; response: Response }[] = [];
  for (const [correlationId, turn] of turns.entries()) {
    const { asked, answer } = await turn(kafka);
    const request = await kafka.request({ correlationId, clientId: CLIENT_ID, request: asked.request });
    const header = new kafka.Encoder().writeInt32(answer.size() + 4).writeInt32(correlationId);
    const bytes = header.writeEncoder(answer).buffer;
    lap.push(step(FROM_CLIENT, request.buffer), step(FROM_SERVER, bytes));
    answers.push({ payload: Buffer.from(bytes.subarray(HEADER)), response: asked.response });
  }
  return { prologue: [], lap, answers };
}

/** How many answers were decoded. */
export function kafkajsSide({ answers }: KafkaTraffic): Side {
  return {
    run: async (laps) => {
      let decoded = 0;
      for (let n = 0; n < laps; n++) {
        for (const { payload, response } of answers) {
          await response.parse(await response.decode(payload));
          decoded++;
        }
      }
      return decoded;
    },
  };
}

// ── kafkajs, file by file: it exports its clients only ──

interface Encoder {
  readonly buffer: Buffer;
  size(): number;
  writeInt8(value: number): Encoder;
  writeInt16(value: number): Encoder;
  writeInt32(value: number): Encoder;
  writeInt64(value: number): Encoder;
  writeBoolean(value: boolean): Encoder;
  writeString(value: string | null): Encoder;
  writeArray(values: readonly unknown[]): Encoder;
  writeEncoder(value: Encoder): Encoder;
}

interface Response {
  decode(payload: Buffer): Promise<unknown>;
  parse(data: unknown): Promise<unknown>;
}

interface Asked {
  readonly request: object;
  readonly response: Response;
}

interface Kafkajs {
  readonly Encoder: new () => Encoder;
  request(request: object): Promise<Encoder>;
  record(record: object): Encoder;
  recordBatch(batch: object): Promise<Encoder>;
  api(name: string, version: number, options: object): Asked;
}

interface Turn {
  readonly asked: Asked;
  readonly answer: Encoder;
}

function kafkajs(): Kafkajs {
  const require = createRequire(import.meta.url);
  const folder = join(dirname(require.resolve('kafkajs')), 'src', 'protocol');
  const { requests } = require(join(folder, 'requests'));
  return {
    Encoder: require(join(folder, 'encoder.js')),
    request: require(join(folder, 'request.js')),
    record: require(join(folder, 'recordBatch', 'record', 'v0')),
    recordBatch: require(join(folder, 'recordBatch', 'v0')).RecordBatch,
    api: (name, version, options) => requests[name].protocol({ version })(options),
  };
}

// ── the turns ──

interface Message {
  readonly key: string;
  readonly value: string;
  readonly timestamp: number;
  readonly headers: object;
}

/** A batch of ten, or with a size one message, which makes most of it. */
function messages(batchBytes?: number): Message[] {
  if (batchBytes !== undefined) return [message(0, Math.max(1, batchBytes - BATCH_HEAD))];
  return Array.from({ length: RECORDS }, (_, index) => message(index, 120));
}

function message(index: number, noteBytes: number): Message {
  return {
    key: `order-${4711 + index}`,
    value: JSON.stringify({ id: 4711 + index, email: 'a.customer@example.com', note: 'x'.repeat(noteBytes) }),
    timestamp: TIME + index,
    headers: { source: 'shop' },
  };
}

async function produce(kafka: Kafkajs, batch = messages()): Promise<Turn> {
  const topicData = [{ topic: TOPIC, partitions: [{ partition: 0, firstSequence: 0, messages: batch }] }];
  const asked = kafka.api('Produce', 7, { acks: -1, timeout: 30000, topicData });
  const { Encoder } = kafka;
  const partition = new Encoder().writeInt32(0).writeInt16(0).writeInt64(1000).writeInt64(-1).writeInt64(0);
  return { asked, answer: topics(kafka, new Encoder(), partition).writeInt32(0) };
}

async function fetch(kafka: Kafkajs, sent = messages()): Promise<Turn> {
  const { Encoder } = kafka;
  const partitions = [{ partition: 0, fetchOffset: 1000, maxBytes: 1048576 }];
  const wanted = { maxWaitTime: 5000, minBytes: 1, maxBytes: 10485760, topics: [{ topic: TOPIC, partitions }] };
  const records = sent.map((message, offsetDelta) =>
    kafka.record({ ...message, offsetDelta, timestampDelta: message.timestamp - TIME }),
  );
  const batch = await kafka.recordBatch({
    records,
    firstTimestamp: TIME,
    maxTimestamp: TIME + sent.length - 1,
    lastOffsetDelta: sent.length - 1,
  });
  const partition = new Encoder().writeInt32(0).writeInt16(0).writeInt64(1010).writeInt64(1010).writeInt64(0);
  partition.writeArray([]).writeInt32(-1).writeInt32(batch.size()).writeEncoder(batch);
  const start = new Encoder().writeInt32(0).writeInt16(0).writeInt32(0);
  return { asked: kafka.api('Fetch', 11, wanted), answer: topics(kafka, start, partition) };
}

async function heartbeat(kafka: Kafkajs): Promise<Turn> {
  return { asked: kafka.api('Heartbeat', 0, GROUP), answer: new kafka.Encoder().writeInt16(0) };
}

async function offsetCommit(kafka: Kafkajs): Promise<Turn> {
  const partitions = [{ partition: 0, offset: 1010, metadata: null }];
  const asked = kafka.api('OffsetCommit', 5, { ...GROUP, topics: [{ topic: TOPIC, partitions }] });
  const answer = topics(kafka, new kafka.Encoder().writeInt32(0), new kafka.Encoder().writeInt32(0).writeInt16(0));
  return { asked, answer };
}

async function metadata(kafka: Kafkajs): Promise<Turn> {
  const { Encoder } = kafka;
  const asked = kafka.api('Metadata', 6, { topics: [TOPIC], allowAutoTopicCreation: false });
  const brokers = [1, 2, 3].map((id) =>
    new Encoder().writeInt32(id).writeString(`kafka-${id}.example.com`).writeInt32(9092).writeString(null),
  );
  const partitions = [0, 1, 2].map((id) => {
    const partition = new Encoder()
      .writeInt16(0)
      .writeInt32(id)
      .writeInt32(id + 1);
    return partition.writeArray([1, 2, 3]).writeArray([1, 2, 3]).writeArray([]);
  });
  const topic = new Encoder().writeInt16(0).writeString(TOPIC).writeBoolean(false).writeArray(partitions);
  const start = new Encoder().writeInt32(0).writeArray(brokers).writeString('MkU3OEVBNTcwNTJENDM2Qg');
  return { asked, answer: start.writeInt32(1).writeArray([topic]) };
}

/** One topic with one partition, as most answers have them. */
function topics({ Encoder }: Kafkajs, start: Encoder, partition: Encoder): Encoder {
  return start.writeArray([new Encoder().writeString(TOPIC).writeArray([partition])]);
}
