/**
 * Output records as plain objects, each field held against the ABI and the module's manifest on the way: what a test
 * sees is what a host that trusts nothing would have accepted. Layout: parsers/sdk/abi.ts.
 */

import type { AttributeDefinition, Manifest } from '../host/wasm/manifest.ts';
import * as abi from '../parsers/sdk/abi.ts';

export type AttributeValue = string | number | boolean;

export interface OutputRecord {
  readonly slot: number;
  /** A message type, or a hint: see TYPES. */
  readonly type: string;
  /** OUT_VALUE of a hint, MESSAGE_STATUS of a message. */
  readonly status: number;
  readonly flags: readonly string[];
  readonly key: bigint;
  readonly first: number;
  readonly last: number;
  readonly bytes: number;
  readonly bodyBytes: number;
  readonly protocol: number;
  readonly attributes: Readonly<Record<string, AttributeValue>>;
}

const TYPES: ReadonlyMap<number, string> = new Map([
  [abi.REQUEST, 'request'],
  [abi.RESPONSE, 'response'],
  [abi.ONEWAY, 'oneway'],
  [abi.DESYNC, 'desync'],
  [abi.GROW, 'grow'],
  [abi.SHRINK, 'shrink'],
  [abi.GIVE_UP, 'give-up'],
  [abi.UPGRADE, 'upgrade'],
  [abi.SKIP, 'skip'],
]);

const FLAGS: readonly (readonly [number, string])[] = [
  [abi.MESSAGE_ERROR, 'error'],
  [abi.MESSAGE_PARTIAL, 'partial'],
  [abi.MESSAGE_PUSH, 'push'],
  [abi.MESSAGE_NO_RESPONSE, 'no-response'],
  [abi.MESSAGE_SUSPECT, 'suspect'],
];

/** A module broke the ABI. */
export class OutputError extends Error {
  override readonly name = 'OutputError';
}

/** Decodes the records in [start, end) of the module's memory. */
export function decodeOutput(view: DataView, start: number, end: number, manifest: Manifest): OutputRecord[] {
  const records: OutputRecord[] = [];
  for (let at = start; at < end; ) {
    require(at + abi.OUT_SHORT <= end, `record at ${at - start} is cut off`);
    const length = view.getUint32(at + abi.OUT_LENGTH, true);
    require(length >= abi.OUT_SHORT && length % 8 === 0 && at + length <= end, `record of ${length} bytes`);
    const name = TYPES.get(view.getUint16(at + abi.OUT_TYPE, true));
    require(name !== undefined, `record type ${view.getUint16(at + abi.OUT_TYPE, true)}`);
    const isMessage = view.getUint16(at + abi.OUT_TYPE, true) < abi.DESYNC;
    records.push(isMessage ? decodeMessage(view, at, length, name!, manifest) : decodeHint(view, at, length, name!));
    at += length;
  }
  return records;
}

function decodeHint(view: DataView, at: number, length: number, type: string): OutputRecord {
  require(length === abi.OUT_SHORT, `hint of ${length} bytes`);
  const status = view.getUint32(at + abi.OUT_VALUE, true);
  const slot = view.getUint32(at + abi.OUT_SLOT, true);
  const none = { flags: [], key: 0n, first: 0, last: 0, bytes: 0, bodyBytes: 0, protocol: 0, attributes: {} };
  return { slot, type, status, ...none };
}

function decodeMessage(view: DataView, at: number, length: number, type: string, manifest: Manifest): OutputRecord {
  require(length >= abi.MESSAGE_SIZE && length <= abi.MESSAGE_MAX, `message of ${length} bytes`);
  const flags = view.getUint16(at + abi.OUT_FLAGS, true);
  const known = FLAGS.reduce((all, [bit]) => all | bit, 0);
  require((flags & ~known) === 0, `message flags ${flags}`);
  const protocol = view.getUint8(at + abi.MESSAGE_PROTOCOL);
  require(protocol < manifest.protocols.length, `protocol ${protocol}`);
  const number = (offset: number) => Number(view.getBigUint64(at + offset, true));
  return {
    slot: view.getUint32(at + abi.OUT_SLOT, true),
    type,
    status: view.getUint32(at + abi.MESSAGE_STATUS, true),
    flags: FLAGS.filter(([bit]) => flags & bit).map(([, name]) => name),
    key: view.getBigUint64(at + abi.MESSAGE_KEY, true),
    first: number(abi.MESSAGE_FIRST),
    last: number(abi.MESSAGE_LAST),
    bytes: number(abi.MESSAGE_BYTES),
    bodyBytes: number(abi.MESSAGE_BODY_BYTES),
    protocol,
    attributes: decodeAttributes(view, at, length, manifest),
  };
}

function decodeAttributes(view: DataView, at: number, length: number, manifest: Manifest) {
  const attributes: Record<string, AttributeValue> = {};
  let cursor = at + abi.MESSAGE_SIZE;
  for (let left = view.getUint16(at + abi.MESSAGE_ATTRIBUTES, true); left > 0; left--) {
    require(cursor + abi.ATTRIBUTE_VALUE <= at + length, 'attribute is cut off');
    const id = view.getUint16(cursor + abi.ATTRIBUTE_ID, true);
    const size = view.getUint16(cursor + abi.ATTRIBUTE_LENGTH, true);
    const definition = manifest.attributes.find((one) => one.id === id);
    if (!definition) throw new OutputError(`attribute id ${id} is not in the manifest`);
    require(cursor + abi.ATTRIBUTE_VALUE + size <= at + length, `attribute ${definition.name} is cut off`);
    require(!(definition.name in attributes), `attribute ${definition.name} comes twice`);
    attributes[definition.name] = decodeValue(view, cursor + abi.ATTRIBUTE_VALUE, size, definition);
    cursor += abi.ATTRIBUTE_VALUE + ((size + 3) & ~3);
  }
  require(at + length - cursor < 8 && cursor <= at + length, 'record is longer than its attributes');
  return attributes;
}

function decodeValue(view: DataView, at: number, size: number, { name, type }: AttributeDefinition): AttributeValue {
  if (type === 'string') {
    require(size <= abi.STRING_MAX, `attribute ${name} of ${size} bytes`);
    return Buffer.from(view.buffer as ArrayBuffer, at, size).toString('utf8');
  }
  require(size === (type === 'boolean' ? 1 : 8), `attribute ${name} (${type}) of ${size} bytes`);
  if (type === 'boolean') return view.getUint8(at) !== 0;
  return type === 'int' ? Number(view.getBigInt64(at, true)) : view.getFloat64(at, true);
}

function require(condition: boolean, what: string): void {
  if (!condition) throw new OutputError(what);
}
