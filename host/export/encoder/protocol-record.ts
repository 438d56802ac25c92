/** What the encoder knows of a protocol: every name it can write, encoded, and which values go by it. */

import * as l from '../../engine/layout/otlp.ts';
import { type AttributeField, type NamePart, OPERATION_TYPE, type SpanProtocol } from '../../spans/protocols.ts';
import type { SingleValue } from '../../spans/span.ts';
import type { Arena } from './arena.ts';
import { attributeField, keyField, utf8 } from './fields.ts';

const TYPES: Readonly<Record<Exclude<AttributeField['type'], 'pair'>, number>> = {
  string: l.TEXT,
  strings: l.TEXTS,
  int: l.INT,
  double: l.DOUBLE,
  boolean: l.BOOLEAN,
};

export interface ProtocolRecord {
  readonly address: number;
  /** What a span of it takes at most beside its attributes' values. */
  readonly fixedBytes: number;
  /** How often a value may stand in a span. */
  readonly copies: number;
}

/** Ids, times, kind, status, flags, peer addresses and the like, with their tags and lengths. */
const SPAN_BYTES = 512;
/** Tags and lengths of an attribute, and a number. */
const VALUE_BYTES = 32;

/** What stands before and behind a key, each with a length behind it: Span.attributes and KeyValue.value. */
const ATTRIBUTE_TAG = (9 << 3) | 2;
const VALUE_TAG = (2 << 3) | 2;
/** Records of keys that are put side by side. */
const KEYS_PER_BLOCK = 16;

/** The records of a protocol's keys. */
class Keys {
  readonly #memory: Arena;
  readonly #addresses = new Map<string, number>();
  /** Those that were asked for twice. */
  readonly #shared = new Set<string>();
  #next = 0;
  #end = 0;

  constructor(memory: Arena) {
    this.#memory = memory;
  }

  get names(): string[] {
    return [...this.#addresses.keys()];
  }

  isShared(name: string): boolean {
    return this.#shared.has(name);
  }

  /** Address of its record. */
  keyOf(name: string | undefined): number {
    if (name === undefined) return l.NO_KEY;
    const known = this.#addresses.get(name);
    if (known !== undefined) {
      this.#shared.add(name);
      return known;
    }
    const address = this.#put(keyField(name));
    this.#addresses.set(name, address);
    return address;
  }

  #put(field: Uint8Array): number {
    const { view, bytes } = this.#memory;
    const address = this.#take();
    const hasHead = field.length + 4 <= l.KEY_HEAD_MAX;
    view.setUint32(address + l.KEY_NAME, this.#memory.put(field), true);
    view.setUint16(address + l.KEY_NAME_LENGTH, field.length, true);
    view.setUint16(address + l.KEY_HEAD_LENGTH, hasHead ? field.length + 4 : l.KEY_NO_HEAD, true);
    if (hasHead) bytes.set([ATTRIBUTE_TAG, 0, ...field, VALUE_TAG, 0], address + l.KEY_HEAD);
    return address;
  }

  #take(): number {
    if (this.#next === this.#end) {
      const block = this.#memory.put((KEYS_PER_BLOCK + 1) * l.KEY_SIZE);
      this.#next = Math.ceil(block / l.KEY_SIZE) * l.KEY_SIZE;
      this.#end = this.#next + KEYS_PER_BLOCK * l.KEY_SIZE;
    }
    this.#next += l.KEY_SIZE;
    return this.#next - l.KEY_SIZE;
  }
}

export function putProtocol(memory: Arena, protocol: SpanProtocol): ProtocolRecord {
  const keys = new Keys(memory);
  const address = memory.put(l.PROTOCOL_SIZE);
  const u32 = (offset: number, value: number) => memory.view.setUint32(address + offset, value, true);
  const constants = Object.entries(protocol.constants);
  u32(l.PROTOCOL_ATTRIBUTES, putAttributes(memory, keys, protocol.attributes));
  u32(l.PROTOCOL_ATTRIBUTE_COUNT, protocol.attributes.length);
  u32(l.PROTOCOL_CONSTANTS, putConstants(memory, keys, constants));
  u32(l.PROTOCOL_CONSTANT_COUNT, constants.length);
  u32(l.PROTOCOL_NAME, putName(memory, keys, protocol.nameParts));
  u32(l.PROTOCOL_NAME_FALLBACK, putName(memory, keys, protocol.fallbackParts));
  const plain = utf8.encode(protocol.nameFallback);
  u32(l.PROTOCOL_NAME_PLAIN, memory.put(plain));
  u32(l.PROTOCOL_NAME_PLAIN + 4, plain.length);
  u32(l.PROTOCOL_TRACESTATE_ID, protocol.tracestateId);
  u32(l.PROTOCOL_OPERATION_KEY, keys.keyOf(protocol.kind === 'messaging' ? OPERATION_TYPE : undefined));
  u32(l.PROTOCOL_STATUS_KEY, keys.keyOf(protocol.statusAttribute));
  u32(l.PROTOCOL_REQUEST_BODY_KEY, keys.keyOf(protocol.requestBodyAttribute));
  u32(l.PROTOCOL_RESPONSE_BODY_KEY, keys.keyOf(protocol.responseBodyAttribute));
  for (const [offset, name] of HOST_KEYS) u32(offset, keys.keyOf(name));
  const shared = ENDPOINT_KEYS.map((name, bit) => Number(keys.isShared(name)) << bit);
  memory.view.setUint8(
    address + l.PROTOCOL_SHARED,
    shared.reduce((all, bit) => all | bit),
  );
  const literals = [...protocol.nameParts, ...protocol.fallbackParts].filter((part) => 'literal' in part);
  const nameBytes = literals.reduce((sum, part) => sum + utf8.encode(part.literal).length, plain.length);
  const keyBytes = keys.names.reduce((sum, name) => sum + utf8.encode(name).length + VALUE_BYTES, 0);
  const constantBytes = constants.reduce((sum, [, value]) => sum + String(value).length * 3, 0);
  const copies = 1 + Math.max(protocol.nameParts.length, protocol.fallbackParts.length);
  return { address, fixedBytes: SPAN_BYTES + nameBytes + keyBytes + constantBytes * copies, copies };
}

/** As PROTOCOL_SHARED has them. */
const ENDPOINT_KEYS = [
  'server.address',
  'server.port',
  'client.address',
  'client.port',
  'network.peer.address',
  'network.peer.port',
];

const HOST_KEYS: readonly (readonly [offset: number, name: string])[] = [
  [l.PROTOCOL_FIRST_BYTE_KEY, 'spanwire.time_to_first_byte'],
  [l.PROTOCOL_ERROR_TYPE_KEY, 'error.type'],
  [l.PROTOCOL_PARTIAL_KEY, 'spanwire.partial'],
  [l.PROTOCOL_SUSPECT_KEY, 'spanwire.suspect'],
  ...ENDPOINT_KEYS.map((name, index) => [l.PROTOCOL_SERVER_ADDRESS_KEY + index * 4, name] as const),
];

function putAttributes(memory: Arena, keys: Keys, attributes: SpanProtocol['attributes']): number {
  const table = memory.put(attributes.length * 4);
  attributes.forEach((field, id) => {
    if (!field?.reported || field.type === 'pair') return;
    memory.view.setUint32(table + id * 4, keys.keyOf(field.name) | TYPES[field.type], true);
  });
  return table;
}

function putConstants(memory: Arena, keys: Keys, constants: readonly (readonly [string, SingleValue])[]): number {
  const table = memory.put(constants.length * l.CONSTANT_SIZE);
  constants.forEach(([name, value], index) => {
    const at = table + index * l.CONSTANT_SIZE;
    memory.view.setUint32(at + l.CONSTANT_KEY, keys.keyOf(name), true);
    putValue(memory, at, value);
    const encoded = attributeField(name, value);
    memory.view.setUint32(at + l.CONSTANT_ENCODED, memory.put(encoded), true);
    memory.view.setUint32(at + l.CONSTANT_ENCODED + 4, encoded.length, true);
  });
  return table;
}

function putValue(memory: Arena, constant: number, value: SingleValue): void {
  const at = constant + l.CONSTANT_VALUE;
  const kind = (is: number) => memory.view.setUint8(constant + l.CONSTANT_KIND, is);
  if (typeof value === 'string') {
    const text = utf8.encode(value);
    kind(l.TEXT);
    const address = memory.put(text);
    memory.view.setUint32(at, address, true);
    memory.view.setUint32(at + 4, text.length, true);
  } else if (typeof value === 'boolean') {
    kind(l.BOOLEAN);
    memory.view.setUint8(at, value ? 1 : 0);
  } else if (Number.isSafeInteger(value)) {
    kind(l.INT);
    memory.view.setBigInt64(at, BigInt(value), true);
  } else {
    kind(l.DOUBLE);
    memory.view.setFloat64(at, value, true);
  }
}

function putName(memory: Arena, keys: Keys, parts: readonly NamePart[]): number {
  const table = memory.put((parts.length + 1) * l.PART_SIZE);
  const put = (index: number, what: number, length: number) => {
    memory.view.setUint32(table + index * l.PART_SIZE, what, true);
    memory.view.setUint32(table + index * l.PART_SIZE + 4, length, true);
  };
  parts.forEach((part, index) => {
    const text = 'literal' in part ? utf8.encode(part.literal) : undefined;
    if (text !== undefined) put(index, memory.put(text), text.length);
    else if ('attribute' in part) put(index, keys.keyOf(part.attribute), l.PART_KEY);
  });
  put(parts.length, 0, l.PART_END);
  return table;
}
