/**
 * What is reported of a request and of a response. A response names its request by the correlation id: pairing `key`.
 * https://opentelemetry.io/docs/specs/semconv/messaging/kafka/
 *
 * Rule: what could not be read to its end says nothing that depends on the rest: no topic, no count.
 */
import { MESSAGE_ERROR, MESSAGE_NO_RESPONSE, MESSAGE_PARTIAL, REQUEST, RESPONSE } from '../sdk/abi';
import { Message } from '../sdk/output';
import { isTraceparent } from '../sdk/traceparent';
import { apiName, FETCH, OFFSET_COMMIT, PRODUCE, SHARE_ACKNOWLEDGE, SHARE_FETCH, TXN_OFFSET_COMMIT } from './apis';
import {
  ERROR_TYPE,
  KAFKA_ACKS,
  KAFKA_API_KEY,
  KAFKA_API_VERSION,
  KAFKA_COMPRESSION,
  KAFKA_CORRELATION_ID,
  KAFKA_ERROR_CODE,
  KAFKA_ERROR_COUNT,
  KAFKA_PARTITION_COUNT,
  KAFKA_TOPIC_COUNT,
  KAFKA_TRANSACTIONAL_ID,
  MESSAGING_BATCH_MESSAGE_COUNT,
  MESSAGING_CLIENT_ID,
  MESSAGING_CONSUMER_GROUP_NAME,
  MESSAGING_DESTINATION_NAME,
  MESSAGING_DESTINATION_PARTITION_ID,
  MESSAGING_KAFKA_OFFSET,
  MESSAGING_OPERATION_NAME,
  MESSAGING_OPERATION_TYPE,
  TRACEPARENT,
} from './attributes';
import { errorName } from './errors';
import { find, wantTopic, withdraw } from './pending';
import { ANSWER, CLIENT_ID, Connection, GROUP, Half, TOPIC, TRACE, TRANSACTION } from './state';

/** FindCoordinator: what the key is. */
const GROUP_KEY: u8 = 0;
const TRANSACTION_KEY: u8 = 1;

const codecs: StaticArray<string> = ['none', 'gzip', 'snappy', 'lz4', 'zstd'];
const CODECS: u32 = 5;

const scratch: usize = memory.data(48, 8);

export function writeRequest(c: Connection, half: Half, now: u64): void {
  const message = open(c, half, REQUEST, now);
  const api: u32 = half.api;
  text(message, MESSAGING_OPERATION_NAME, operationName(api));
  text(message, MESSAGING_OPERATION_TYPE, operationType(api));
  message.int(KAFKA_API_KEY, api);
  message.int(KAFKA_API_VERSION, half.version);
  message.int(KAFKA_CORRELATION_ID, half.correlation);
  kept(message, c, MESSAGING_CLIENT_ID, CLIENT_ID);
  writeKeys(message, c, half);
  if (!half.isCut) writeTopics(message, c, half, TOPIC);
  writeRecords(message, half);
  writeTrace(message, c);
  if (half.hasAcks) writeAcks(message, c, half);
  message.commit();
  awaitTopic(c, half);
}

export function writeResponse(c: Connection, half: Half, now: u64): void {
  const message = open(c, half, RESPONSE, now);
  if (half.error != 0) {
    // A status is a positive number: of -1 it is the code as it is on the wire, 65535.
    message.status = <u32>half.error & 0xffff;
    if (half.error < 0) message.int(KAFKA_ERROR_CODE, half.error);
    if (half.errors > 1 && !half.isCut) message.int(KAFKA_ERROR_COUNT, half.errors);
    message.flag(MESSAGE_ERROR);
    text(message, ERROR_TYPE, errorName(half.error));
  }
  if (half.wantsTopic && !half.isCut) writeTopics(message, c, half, ANSWER);
  writeRecords(message, half);
  if (hasOffset(half)) message.int(MESSAGING_KAFKA_OFFSET, half.offset);
  message.commit();
}

/** Where what was sent or fetched begins, if it is of one partition. A fetched set may have several batches. */
function hasOffset(half: Half): bool {
  const isOne = <u32>half.api == PRODUCE ? half.offsets == 1 : half.offsets > 0 && half.partitions == 1;
  return isOne && !half.isCut && half.offset >= 0;
}

function open(c: Connection, half: Half, type: u32, now: u64): Message {
  const message = Message.open(c.slot, type);
  message.key = half.correlation;
  message.first = half.first;
  message.last = now;
  message.bytes = half.size;
  message.bodyBytes = half.size - 4;
  if (half.isPartial) message.flag(MESSAGE_PARTIAL);
  return message;
}

/** What the conventions call it, or as Kafka does. */
function operationName(api: u32): string {
  if (api == PRODUCE) return 'send';
  if (api == FETCH || api == SHARE_FETCH) return 'poll';
  if (api == OFFSET_COMMIT || api == TXN_OFFSET_COMMIT) return 'commit';
  return apiName(api);
}

function operationType(api: u32): string {
  if (api == PRODUCE) return 'send';
  if (api == FETCH || api == SHARE_FETCH) return 'receive';
  return api == OFFSET_COMMIT || api == TXN_OFFSET_COMMIT || api == SHARE_ACKNOWLEDGE ? 'settle' : '';
}

/** Consumer group and transaction. Of several groups none is reported. */
function writeKeys(message: Message, c: Connection, half: Half): void {
  if (half.groups == 1 && half.keyType == GROUP_KEY) kept(message, c, MESSAGING_CONSUMER_GROUP_NAME, GROUP);
  const isCoordinated = half.groups == 1 && half.keyType == TRANSACTION_KEY;
  kept(message, c, KAFKA_TRANSACTIONAL_ID, isCoordinated ? GROUP : TRANSACTION);
}

/** The topic and its partition when there is one, else how many. */
function writeTopics(message: Message, c: Connection, half: Half, id: u32): void {
  if (half.topics > 1) message.int(KAFKA_TOPIC_COUNT, half.topics);
  if (half.partitions > 1) message.int(KAFKA_PARTITION_COUNT, half.partitions);
  if (half.topics != 1) return;
  if (half.topicId != 0) message.reference(half.topicId);
  else kept(message, c, MESSAGING_DESTINATION_NAME, id);
  if (half.partitions == 1) {
    message.string(MESSAGING_DESTINATION_PARTITION_ID, scratch, writeNumber(half.partition));
  }
}

function writeRecords(message: Message, half: Half): void {
  if (half.codec == 0) return;
  if (!half.isCut && !half.isUncounted) message.int(MESSAGING_BATCH_MESSAGE_COUNT, half.messages);
  const codec = <u32>half.codec - 1;
  if (codec < CODECS) text(message, KAFKA_COMPRESSION, unchecked(codecs[codec]));
}

function writeTrace(message: Message, c: Connection): void {
  const length = c.textLength(TRACE);
  const at = c.text(TRACE);
  if (length > 0 && isTraceparent(at, at + length)) message.string(TRACEPARENT, at, length);
}

/** Nobody answers what needs no acknowledgement. */
function writeAcks(message: Message, c: Connection, half: Half): void {
  message.int(KAFKA_ACKS, half.acks);
  if (half.acks != 0) return;
  message.flag(MESSAGE_NO_RESPONSE);
  const entry = find(c, half.correlation);
  if (entry != 0) withdraw(c, entry);
}

/** In a fetch session a request names only what has changed; the response has what there is. */
function awaitTopic(c: Connection, half: Half): void {
  if (half.topics > 0 || half.isCut || (<u32>half.api != FETCH && <u32>half.api != SHARE_FETCH)) return;
  const entry = find(c, half.correlation);
  if (entry != 0) wantTopic(entry);
}

function kept(message: Message, c: Connection, attribute: u32, id: u32): void {
  const length = c.textLength(id);
  if (length > 0) message.string(attribute, c.text(id), length);
}

/** A constant: ASCII, of up to 48 letters. */
function text(message: Message, attribute: u32, value: string): void {
  const length = <u32>value.length;
  if (length == 0) return;
  const units = changetype<usize>(value);
  for (let i: u32 = 0; i < length; i++) store<u8>(scratch + i, load<u8>(units + (i << 1)));
  message.string(attribute, scratch, length);
}

/** Decimal digits at `scratch`. */
function writeNumber(value: u32): u32 {
  let length: u32 = 1;
  for (let rest = value; rest >= 10; rest /= 10) length++;
  for (let i = length; i > 0; i--) {
    store<u8>(scratch + i - 1, <u8>(0x30 + (value % 10)));
    value /= 10;
  }
  return length;
}
