/** Messages as a parser puts them out: words of its memory, laid out as parsers/sdk/abi.ts says. */
import {
  MESSAGE_ATTRIBUTES,
  MESSAGE_BODY_BYTES,
  MESSAGE_FIRST,
  MESSAGE_LAST,
  MESSAGE_SIZE,
  MESSAGE_STATUS,
  OUT_FLAGS,
  OUT_LENGTH,
  OUT_TYPE,
  REQUEST,
} from '../../parsers/sdk/abi.ts';

export interface MessageFields {
  readonly type?: number;
  readonly flags?: number;
  readonly status?: number;
  readonly first?: number | bigint;
  readonly last?: number | bigint;
  readonly bodyBytes?: number | bigint;
  readonly protocol?: number;
  readonly attributes?: readonly { id: number; value: Uint8Array | string }[];
}

/** The message at byte 0. */
export function messageMemory(fields: MessageFields): Uint32Array {
  const { attributes = [], first = 0 } = fields;
  const values = attributes.map(({ id, value }) => ({ id, bytes: Buffer.from(value) }));
  const payload = values.reduce((sum, { bytes }) => sum + 4 + ((bytes.length + 3) & ~3), 0);
  const length = (MESSAGE_SIZE + payload + 7) & ~7;
  const view = new DataView(new ArrayBuffer(length));
  view.setUint32(OUT_LENGTH, length, true);
  view.setUint16(OUT_TYPE, fields.type ?? REQUEST, true);
  view.setUint16(OUT_FLAGS, fields.flags ?? 0, true);
  view.setUint32(MESSAGE_STATUS, fields.status ?? 0, true);
  view.setBigUint64(MESSAGE_FIRST, BigInt(first), true);
  view.setBigUint64(MESSAGE_LAST, BigInt(fields.last ?? first), true);
  view.setBigUint64(MESSAGE_BODY_BYTES, BigInt(fields.bodyBytes ?? 0), true);
  view.setUint16(MESSAGE_ATTRIBUTES, values.length, true);
  view.setUint8(58, fields.protocol ?? 0);
  let at = MESSAGE_SIZE;
  for (const { id, bytes } of values) {
    view.setUint16(at, id, true);
    view.setUint16(at + 2, bytes.length, true);
    new Uint8Array(view.buffer).set(bytes, at + 4);
    at += 4 + ((bytes.length + 3) & ~3);
  }
  return new Uint32Array(view.buffer);
}
