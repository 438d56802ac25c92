/** The few protobuf fields that are encoded once and copied often: resources, scope, keys. */
import type { Attributes, AttributeValue } from '../../spans/span.ts';

const VARINT = 0;
const FIXED64 = 1;
const BYTES = 2;

export const utf8 = new TextEncoder();

/** A length-delimited field. */
export function bytesField(field: number, ...content: readonly Uint8Array[]): Uint8Array {
  const length = content.reduce((sum, part) => sum + part.length, 0);
  return joined([Uint8Array.of((field << 3) | BYTES), varint(BigInt(length)), ...content]);
}

export function textField(field: number, text: string): Uint8Array {
  return bytesField(field, utf8.encode(text));
}

/** ResourceSpans.resource, from the attributes of a resource. */
export function resourceField(attributes: Readonly<Attributes>): Uint8Array {
  const pairs = Object.entries(attributes).map(([name, value]) => bytesField(1, keyField(name), anyValue(value)));
  return bytesField(1, ...pairs);
}

/** ScopeSpans.scope. */
export function scopeField(name: string, version: string): Uint8Array {
  return bytesField(1, textField(1, name), textField(2, version));
}

/** Span.attributes: one of them. */
export function attributeField(name: string, value: AttributeValue): Uint8Array {
  return bytesField(9, keyField(name), anyValue(value));
}

/** KeyValue.key. */
export function keyField(name: string): Uint8Array {
  return textField(1, name);
}

/** KeyValue.value. */
function anyValue(value: AttributeValue): Uint8Array {
  if (Array.isArray(value)) {
    return bytesField(2, bytesField(5, ...value.map((one) => bytesField(1, textField(1, one)))));
  }
  switch (typeof value) {
    case 'string':
      return bytesField(2, textField(1, value));
    case 'boolean':
      return bytesField(2, Uint8Array.of((2 << 3) | VARINT, value ? 1 : 0));
    case 'number':
      return bytesField(2, Number.isSafeInteger(value) ? intField(value) : doubleField(value));
  }
}

function intField(value: number): Uint8Array {
  return joined([Uint8Array.of((3 << 3) | VARINT), varint(BigInt.asUintN(64, BigInt(value)))]);
}

function doubleField(value: number): Uint8Array {
  const field = new Uint8Array(9);
  field[0] = (4 << 3) | FIXED64;
  new DataView(field.buffer).setFloat64(1, value, true);
  return field;
}

function varint(value: bigint): Uint8Array {
  const bytes: number[] = [];
  let left = value;
  for (; left >= 0x80n; left >>= 7n) bytes.push(Number(left & 0x7fn) | 0x80);
  return Uint8Array.from([...bytes, Number(left)]);
}

function joined(parts: readonly Uint8Array[]): Uint8Array {
  const all = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}
