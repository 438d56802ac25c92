/** Messages and definitions as a parser puts them out: words of its memory, laid out as parsers/sdk/abi.ts says. */

import { expect } from 'vitest';
import { Engine } from '../../host/engine/engine.ts';
import { SLAB } from '../../host/engine/layout/messages.ts';
import { PROTOCOL_TABLE } from '../../host/engine/layout/protocols.ts';
import { ROW_WORDS } from '../../host/engine/layout/spans.ts';
import { ProtocolRules } from '../../host/spans/protocol-rules.ts';
import type { SpanProtocol } from '../../host/spans/protocols.ts';
import { Refiner } from '../../host/spans/refine.ts';
import {
  DEFINE,
  MESSAGE_ATTRIBUTES,
  MESSAGE_BODY_BYTES,
  MESSAGE_FIRST,
  MESSAGE_KEY,
  MESSAGE_LAST,
  MESSAGE_SIZE,
  MESSAGE_STATUS,
  OUT_FLAGS,
  OUT_KEY,
  OUT_LENGTH,
  OUT_LONG,
  OUT_TYPE,
  OUT_VALUE,
  REFERENCE,
  REQUEST,
} from '../../parsers/sdk/abi.ts';

export interface AttributeRecord {
  readonly id: number;
  readonly value: Uint8Array | string;
}

export interface MessageFields {
  readonly type?: number;
  readonly flags?: number;
  readonly status?: number;
  readonly first?: number | bigint;
  readonly last?: number | bigint;
  readonly bodyBytes?: number | bigint;
  readonly protocol?: number;
  readonly key?: number | bigint;
  readonly attributes?: readonly AttributeRecord[];
}

/** The message at byte 0. */
export function messageMemory(fields: MessageFields): Uint32Array {
  const { attributes = [], first = 1 } = fields;
  const { view, words } = record(MESSAGE_SIZE, attributes);
  view.setUint16(OUT_TYPE, fields.type ?? REQUEST, true);
  view.setUint16(OUT_FLAGS, fields.flags ?? 0, true);
  view.setUint32(MESSAGE_STATUS, fields.status ?? 0, true);
  view.setBigUint64(MESSAGE_KEY, BigInt(fields.key ?? 0), true);
  view.setBigUint64(MESSAGE_FIRST, BigInt(first), true);
  view.setBigUint64(MESSAGE_LAST, BigInt(fields.last ?? first), true);
  view.setBigUint64(MESSAGE_BODY_BYTES, BigInt(fields.bodyBytes ?? 0), true);
  view.setUint16(MESSAGE_ATTRIBUTES, attributes.length, true);
  view.setUint8(58, fields.protocol ?? 0);
  return words;
}

/** The DEFINE record at byte 0; UNDEFINE has the same head. */
export function definitionMemory(
  key: number | bigint,
  attributes: readonly AttributeRecord[] = [],
  flags = 0,
): Uint32Array {
  const { view, words } = record(OUT_LONG, attributes);
  view.setUint16(OUT_FLAGS, flags, true);
  view.setUint16(OUT_TYPE, DEFINE, true);
  view.setUint32(OUT_VALUE, attributes.length, true);
  view.setBigUint64(OUT_KEY, BigInt(key), true);
  return words;
}

export function reference(key: number | bigint): AttributeRecord {
  const value = Buffer.alloc(8);
  value.writeBigUInt64LE(BigInt(key));
  return { id: REFERENCE, value };
}

/** A record of `head` bytes and attributes. */
function record(head: number, attributes: readonly AttributeRecord[]): { view: DataView; words: Uint32Array } {
  const values = attributes.map(({ id, value }) => ({ id, bytes: Buffer.from(value) }));
  const payload = values.reduce((sum, { bytes }) => sum + 4 + ((bytes.length + 3) & ~3), 0);
  const length = (head + payload + 7) & ~7;
  const view = new DataView(new ArrayBuffer(length));
  view.setUint32(OUT_LENGTH, length, true);
  let at = head;
  for (const { id, bytes } of values) {
    view.setUint16(at, id, true);
    view.setUint16(at + 2, bytes.length, true);
    new Uint8Array(view.buffer).set(bytes, at + 4);
    at += 4 + ((bytes.length + 3) & ~3);
  }
  return { view, words: new Uint32Array(view.buffer) };
}

const engine = new Engine();
const rules = new ProtocolRules(engine);

/** Attributes of a message as they stand in a batch. */
export function refined(protocol: SpanProtocol, attributes: readonly AttributeRecord[]) {
  const source = messageMemory({ attributes }).subarray(MESSAGE_SIZE >>> 2);
  rules.put(0, protocol);
  const refiner = new Refiner(engine, [protocol]);
  engine.serve({ change: refiner.change.bind(refiner) });
  engine.u32.set(source, SLAB >>> 2);
  const address = engine.u32[PROTOCOL_TABLE >>> 2]!;
  const end = engine.exports.refine!(0, address, SLAB, attributes.length, ROW_WORDS)!;
  const words = engine.u32.slice(ROW_WORDS >>> 2, end >>> 2);
  expect(words.length).toBeLessThanOrEqual(engine.exports.refinedMax!(source.length, attributes.length)!);
  return { words, count: engine.exports.takenAttributes!()! };
}
