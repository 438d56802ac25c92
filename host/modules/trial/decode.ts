/**
 * Output records as plain objects, each field held against the ABI and the module's manifest on the way: what a test
 * sees is what a host that trusts nothing would have accepted. Layout: parsers/sdk/abi.ts.
 */
import * as abi from '../../../parsers/sdk/abi.ts';
import type { AttributeDefinition, Manifest } from '../../wasm/manifest.ts';
import { NO_SETTINGS } from '../../wasm/settings.ts';
import type { Subject } from './guest.ts';

export type AttributeValue = string | number | boolean | readonly string[];
export type Attributes = Readonly<Record<string, AttributeValue>>;

export interface OutputRecord {
  readonly slot: number;
  /** See TYPES. */
  readonly type: string;
  /** OUT_VALUE of a hint, MESSAGE_STATUS of a message. */
  readonly status: number;
  readonly flags: readonly string[];
  /** MESSAGE_KEY, the key of a definition, the stream offset of SKIP. */
  readonly key: bigint;
  readonly first: number;
  readonly last: number;
  readonly bytes: number;
  readonly bodyBytes: number;
  readonly protocol: number;
  readonly attributes: Attributes;
  /** Keys of the definitions whose attributes belong to the message, too. */
  readonly references: readonly bigint[];
  /** Bytes that the attributes take, for the budget of definitions. */
  readonly attributeBytes: number;
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
  [abi.DEFINE, 'define'],
  [abi.UNDEFINE, 'undefine'],
]);

const FLAGS: readonly (readonly [number, string])[] = [
  [abi.MESSAGE_ERROR, 'error'],
  [abi.MESSAGE_PARTIAL, 'partial'],
  [abi.MESSAGE_PUSH, 'push'],
  [abi.MESSAGE_NO_RESPONSE, 'no-response'],
  [abi.MESSAGE_SUSPECT, 'suspect'],
];

/** Names of message flags, in the order in which a record lists them. */
export const FLAG_NAMES: readonly string[] = FLAGS.map(([, name]) => name);
const ALL_FLAGS = FLAGS.reduce((all, [bit]) => all | bit, 0);

const NOTHING = {
  status: 0,
  flags: [],
  key: 0n,
  first: 0,
  last: 0,
  bytes: 0,
  bodyBytes: 0,
  protocol: 0,
  attributes: {},
  references: [],
  attributeBytes: 0,
} as const;

/** The module, and what it was told. */
type Told = Pick<Subject, 'manifest' | 'settings'>;

/** A module broke the ABI. */
export class OutputError extends Error {
  override readonly name = 'OutputError';
}

/** Decodes the records in [start, end) of the module's memory. Types that only a newer minor knows are left out. */
export function decodeOutput(view: DataView, start: number, end: number, subject: Told): OutputRecord[] {
  const records: OutputRecord[] = [];
  for (let at = start; at < end; ) {
    require(at + abi.OUT_SHORT <= end, `record at ${at - start} is cut off`);
    const length = view.getUint32(at + abi.OUT_LENGTH, true);
    require(length >= abi.OUT_SHORT && length % 8 === 0 && at + length <= end, `record of ${length} bytes`);
    const record = decodeRecord(view, at, length, subject);
    if (record) records.push(record);
    at += length;
  }
  return records;
}

function decodeRecord(view: DataView, at: number, length: number, subject: Told): OutputRecord | undefined {
  const type = view.getUint16(at + abi.OUT_TYPE, true);
  const name = TYPES.get(type);
  if (name === undefined) {
    // What the host skips, a module that claims no newer minor has no reason to write.
    require(subject.manifest.abi.minor > abi.ABI_MINOR, `record type ${type}`);
    return undefined;
  }
  if (type < abi.DESYNC) return decodeMessage(view, at, length, name, subject);
  if (type === abi.DEFINE) return decodeDefinition(view, at, length, name, subject);
  return decodeHint(view, at, length, name);
}

function decodeHint(view: DataView, at: number, length: number, type: string): OutputRecord {
  const isLong = type === 'skip' || type === 'undefine';
  require(length === (isLong ? abi.OUT_LONG : abi.OUT_SHORT), `${type} of ${length} bytes`);
  const status = view.getUint32(at + abi.OUT_VALUE, true);
  const key = isLong ? view.getBigUint64(at + abi.OUT_KEY, true) : 0n;
  if (type === 'skip') require(status <= abi.FROM_SERVER, `skip of direction ${status}`);
  if (type === 'upgrade') require(status >= 1 && status <= abi.UPGRADE_TLS, `upgrade to ${status}`);
  return { ...NOTHING, slot: view.getUint32(at + abi.OUT_SLOT, true), type, status, key };
}

function decodeDefinition(view: DataView, at: number, length: number, type: string, subject: Told): OutputRecord {
  require(length >= abi.OUT_LONG && length <= abi.MESSAGE_MAX, `${type} of ${length} bytes`);
  const count = view.getUint32(at + abi.OUT_VALUE, true);
  const { attributes, references } = decodeAttributes(view, at + abi.OUT_LONG, at + length, count, subject);
  require(references.length === 0, 'a definition refers to a definition');
  return {
    ...NOTHING,
    slot: view.getUint32(at + abi.OUT_SLOT, true),
    type,
    key: view.getBigUint64(at + abi.OUT_KEY, true),
    attributes,
    attributeBytes: length - abi.OUT_LONG,
  };
}

function decodeMessage(view: DataView, at: number, length: number, type: string, subject: Told): OutputRecord {
  const { manifest } = subject;
  require(length >= abi.MESSAGE_SIZE && length <= abi.MESSAGE_MAX, `message of ${length} bytes`);
  const flags = view.getUint16(at + abi.OUT_FLAGS, true);
  require((flags & ~ALL_FLAGS) === 0 || manifest.abi.minor > abi.ABI_MINOR, `message flags ${flags}`);
  const protocol = view.getUint8(at + abi.MESSAGE_PROTOCOL);
  require(protocol < manifest.protocols.length, `protocol ${protocol}`);
  const number = (offset: number) => Number(view.getBigUint64(at + offset, true));
  const count = view.getUint16(at + abi.MESSAGE_ATTRIBUTES, true);
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
    ...decodeAttributes(view, at + abi.MESSAGE_SIZE, at + length, count, subject),
    attributeBytes: length - abi.MESSAGE_SIZE,
  };
}

function decodeAttributes(view: DataView, start: number, end: number, count: number, subject: Told) {
  require(count <= abi.ATTRIBUTES_MAX, `${count} attributes`);
  const attributes: Record<string, AttributeValue> = {};
  const references: bigint[] = [];
  let pairs = 0;
  let cursor = start;
  for (let left = count; left > 0; left--) {
    require(cursor + abi.ATTRIBUTE_VALUE <= end, 'attribute is cut off');
    const id = view.getUint16(cursor + abi.ATTRIBUTE_ID, true);
    const size = view.getUint16(cursor + abi.ATTRIBUTE_LENGTH, true);
    const at = cursor + abi.ATTRIBUTE_VALUE;
    require(at + size <= end, `attribute ${id} is cut off`);
    if (id === abi.REFERENCE) references.push(decodeReference(view, at, size));
    else {
      const definition = definitionOf(id, subject.manifest);
      if (definition.type === 'pair') require(++pairs <= abi.PAIRS_MAX, `${pairs} pairs`);
      if (definition.type === 'pair') addPair(attributes, view, at, size, definition, subject);
      else addAttribute(attributes, view, at, size, definition);
    }
    cursor = at + ((size + 3) & ~3);
  }
  require(cursor <= end && end - cursor < 8, 'record is longer than its attributes');
  return { attributes, references };
}

function decodeReference(view: DataView, at: number, size: number): bigint {
  require(size === 8, `reference of ${size} bytes`);
  return view.getBigUint64(at, true);
}

function definitionOf(id: number, { attributes }: Manifest): AttributeDefinition {
  const definition = attributes.find((one) => one.id === id);
  if (!definition) throw new OutputError(`attribute id ${id} is not in the manifest`);
  return definition;
}

function addAttribute(
  attributes: Record<string, AttributeValue>,
  view: DataView,
  at: number,
  size: number,
  definition: AttributeDefinition,
): void {
  require(!Object.hasOwn(attributes, definition.name), `attribute ${definition.name} comes twice`);
  attributes[definition.name] = decodeValue(view, at, size, definition);
}

/** One more element of the attribute that the key makes: one of those that the settings name. */
function addPair(
  attributes: Record<string, AttributeValue>,
  view: DataView,
  at: number,
  size: number,
  { name, keys }: AttributeDefinition,
  { settings = NO_SETTINGS }: Told,
): void {
  const length = size < abi.PAIR_KEY ? size : view.getUint16(at, true);
  require(length + abi.PAIR_KEY <= size, `attribute ${name}: a pair of ${size} bytes has a key of ${length}`);
  const text = (from: number, to: number) =>
    Buffer.from(view.buffer as ArrayBuffer, at + from, to - from).toString('utf8');
  const key = text(abi.PAIR_KEY, abi.PAIR_KEY + length).toLowerCase();
  require(settings.get(keys!)?.includes(key) === true, `attribute ${name}: nobody asked for "${key}"`);
  require(size - length - abi.PAIR_KEY <= abi.STRING_MAX, `attribute ${name} of ${size} bytes`);
  const before = attributes[`${name}.${key}`] ?? [];
  if (Array.isArray(before)) attributes[`${name}.${key}`] = [...before, text(abi.PAIR_KEY + length, size)];
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
