/**
 * Every request and response of Kafka in every version, encoded by Kafka's own schemas, comes out as what it is: API key,
 * version, correlation id, client id, and of a response the error code, wherever in it that stands.
 */
import { describe, expect, test } from 'vitest';
import { loadParsers } from '../../fuzz/parsers.ts';
import { Harness, type Output } from '../../host/modules/trial/harness.ts';
import { splitEvery } from '../../host/modules/trial/steps.ts';
import { data } from '../../host/modules/trial/traffic.ts';
import { FROM_CLIENT, FROM_SERVER } from '../../parsers/sdk/abi.ts';
import {
  type Encoded,
  encodeBody,
  type Filling,
  frame,
  int,
  isFlexible,
  loadSchemas,
  type Schema,
  varint,
  versionsOf,
} from './kafka-schema.ts';

const kafka = (await loadParsers()).find(({ name }) => name === 'kafka');
const schemas = loadSchemas();

const CLIENT_ID = 'kafka-messages';
const CONTROLLED_SHUTDOWN = 7;
const API_VERSIONS = 18;
/** Their only version had another layout before Kafka 4, where it was not for production. */
const REPLACED = new Set(['ReadShareGroupStateSummary']);
const PLAIN: Filling = {
  errorAt: -1,
  error: 0,
  isNull: false,
  isTagged: false,
  elements: 2,
  records: Buffer.from('less than a batch'),
};
const FILLINGS: Readonly<Record<string, Filling>> = {
  plain: PLAIN,
  'null where it may be': { ...PLAIN, isNull: true },
  'with tagged fields': { ...PLAIN, isTagged: true, elements: 1 },
  'without elements': { ...PLAIN, elements: 0 },
};
/** Bytes of a chunk: whole, and in pieces. */
const PIECES = [1 << 20, 3];

function request(schema: Schema, version: number, correlation: number, filling: Filling): Buffer {
  const head = [int(schema.apiKey, 2), int(version, 2), int(correlation, 4)];
  if (schema.apiKey !== CONTROLLED_SHUTDOWN || version > 0) head.push(int(CLIENT_ID.length, 2), Buffer.from(CLIENT_ID));
  if (isFlexible(schema, version)) head.push(tags(filling));
  return frame(...head, encodeBody(schema, version, filling).bytes);
}

function response(schema: Schema, version: number, correlation: number, body: Encoded, filling: Filling): Buffer {
  const isLong = isFlexible(schema, version) && schema.apiKey !== API_VERSIONS;
  return frame(int(correlation, 4), ...(isLong ? [tags(filling)] : []), body.bytes);
}

/** Tagged fields of a header: nobody has defined one yet. */
function tags({ isTagged }: Filling): Buffer {
  return isTagged ? Buffer.concat([varint(2), varint(0), varint(1), int(9, 1), varint(300), varint(0)]) : varint(0);
}

function parse(...frames: readonly (readonly [number, Buffer])[]): readonly Output[] {
  const [whole, pieces] = PIECES.map((length) => {
    const harness = new Harness(kafka!);
    const connection = harness.open(0);
    for (const [direction, bytes] of frames) harness.feed(connection, splitEvery([data(direction, bytes)], length));
    return harness.output(connection).filter(({ type }) => type !== 'define');
  });
  expect(pieces).toEqual(whole);
  return whole!;
}

describe.skipIf(!kafka || schemas.size === 0)('messages by their schemas', () => {
  for (const [apiKey, one] of [...schemas].sort(([a], [b]) => a - b)) {
    if (REPLACED.has(one.request.name.replace('Request', ''))) continue;
    const name = one.request.name.replace('Request', '');
    for (const [title, filling] of Object.entries(FILLINGS)) {
      test(`${name}, ${title}`, () => {
        for (const version of versionsOf(one.request)) {
          const body = encodeBody(one.response, version, filling);
          const [asked, answered] = parse(
            [FROM_CLIENT, request(one.request, version, 77, filling)],
            [FROM_SERVER, response(one.response, version, 77, body, filling)],
          );
          const isBare = apiKey === CONTROLLED_SHUTDOWN && version === 0;
          expect(asked, `request v${version}`).toMatchObject({ type: 'request', key: 77n, flags: [] });
          expect(asked!.attributes).toMatchObject({ 'kafka.api.key': apiKey, 'kafka.api.version': version });
          expect(asked!.attributes['messaging.client.id']).toBe(isBare ? undefined : CLIENT_ID);
          expect(answered, `response v${version}`).toMatchObject({ type: 'response', key: 77n, status: 0, flags: [] });
        }
      });
    }

    test(`${name}, each of its error codes`, () => {
      for (const version of versionsOf(one.response)) {
        const { errors } = encodeBody(one.response, version, PLAIN);
        for (let errorAt = 0; errorAt < errors; errorAt++) {
          const filling = { ...PLAIN, errorAt, error: 40 + errorAt };
          const [, answered] = parse(
            [FROM_CLIENT, request(one.request, version, errorAt, filling)],
            [
              FROM_SERVER,
              response(one.response, version, errorAt, encodeBody(one.response, version, filling), filling),
            ],
          );
          const where = `error ${errorAt} of response v${version}`;
          expect(answered, where).toMatchObject({ type: 'response', status: filling.error, flags: ['error'] });
        }
      }
    });
  }
});
