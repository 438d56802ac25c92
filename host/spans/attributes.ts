/**
 * Attribute records of a batch (u16 id, u16 length, value, padding to 4) into OpenTelemetry attributes. What may be
 * shown was decided when they were taken in (refine.ts); lengths, types and UTF-8 are checked here.
 */
import type { AttributeField, SpanProtocol } from './protocols.ts';
import type { Attributes, AttributeValue } from './span.ts';

/** Bytes that are not UTF-8 become U+FFFD; a byte order mark stays what it is. */
const utf8 = new TextDecoder('utf-8', { ignoreBOM: true });

/** Adds `count` attributes that start at word `at`; returns the trace state if there is one. */
export function decodeAttributes(
  into: Attributes,
  protocol: Pick<SpanProtocol, 'attributes' | 'tracestateId'>,
  words: Uint32Array,
  at: number,
  count: number,
): string | undefined {
  let traceState: string | undefined;
  let word = at;
  for (let left = count; left > 0; left--) {
    const head = words[word]!;
    const length = head >>> 16;
    const id = head & 0xffff;
    const field = protocol.attributes[id];
    if (id === protocol.tracestateId && id !== 0) traceState = text(words, word + 1, length);
    else if (field?.type === 'strings') addText(into, field.name, text(words, word + 1, length));
    else if (field?.reported) {
      const value = decodeValue(field, words, word + 1, length);
      if (value !== undefined) into[field.name] = value;
    }
    word += 1 + ((length + 3) >>> 2);
  }
  return traceState;
}

/**
 * One element more of a list. What the module said in an attribute of its own stays: it knows what the value means.
 */
function addText(into: Attributes, name: string, value: string): void {
  const before = into[name];
  if (before === undefined) into[name] = [value];
  else if (Array.isArray(before)) before.push(value);
}

function decodeValue(
  field: AttributeField,
  words: Uint32Array,
  word: number,
  length: number,
): AttributeValue | undefined {
  switch (field.type) {
    case 'string':
      return text(words, word, length);
    case 'int':
      return length === 8 ? Number((BigInt(words[word + 1]! | 0) << 32n) | BigInt(words[word]!)) : undefined;
    case 'double':
      return length === 8 ? new DataView(words.buffer, words.byteOffset + word * 4, 8).getFloat64(0, true) : undefined;
    case 'boolean':
      return length === 1 ? (words[word]! & 0xff) !== 0 : undefined;
    default:
      return undefined;
  }
}

function text(words: Uint32Array, word: number, length: number): string {
  return utf8.decode(new Uint8Array(words.buffer, words.byteOffset + word * 4, length));
}
