/**
 * Attribute records of the ABI (u16 id, u16 length, value, padding to 4) into OpenTelemetry attributes.
 * Lengths were checked when the message was taken in (wasm/output.ts, which also counts what is left out here); ids,
 * types and UTF-8 are checked here, and secrets redacted.
 */
import { STRING_MAX } from '../../parsers/sdk/abi.ts';
import { type PairNames, pairValue } from './pair-names.ts';
import type { AttributeField, SpanProtocol } from './protocols.ts';
import { type Redaction, redact, redactedMax } from './redact.ts';
import { REDACTED } from './redacted.ts';
import type { Attributes, AttributeValue } from './span.ts';

/** Bytes that are not UTF-8 become U+FFFD; a byte order mark stays what it is. */
const utf8 = new TextDecoder('utf-8', { ignoreBOM: true });
const redacted = new Uint8Array(redactedMax(STRING_MAX));
const SECRET = utf8.decode(REDACTED);

/** Adds `count` attributes that start at word `at`; returns the trace state if there is one. */
export function decodeAttributes(
  into: Attributes,
  protocol: SpanProtocol,
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
    if (field !== undefined) {
      if (id === protocol.tracestateId) traceState = text(words, word + 1, Math.min(length, STRING_MAX));
      else if (field.pairs !== undefined) {
        if (field.reported) addPair(into, field.pairs, words, word + 1, length);
      } else if (field.reported) {
        const value = decodeValue(field, words, word + 1, length);
        if (value !== undefined) into[field.name] = value;
      }
    }
    word += 1 + ((length + 3) >>> 2);
  }
  return traceState;
}

/**
 * One element more of the attribute that the pair's key makes. What the module said in an attribute of its own stays: it
 * knows what the value means.
 */
function addPair(into: Attributes, names: PairNames, words: Uint32Array, word: number, length: number): void {
  const bytes = new Uint8Array(words.buffer, words.byteOffset + word * 4, length);
  const name = names.find(bytes, 0, length);
  if (name === undefined) return;
  const value = name.isSecret ? SECRET : utf8.decode(pairValue(bytes, 0, length));
  const before = into[name.attribute];
  if (before === undefined) into[name.attribute] = [value];
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
      return field.redaction === undefined
        ? text(words, word, Math.min(length, STRING_MAX))
        : redactedText(field.redaction, words, word, Math.min(length, STRING_MAX));
    case 'int':
      return length === 8 ? Number((BigInt(words[word + 1]! | 0) << 32n) | BigInt(words[word]!)) : undefined;
    case 'double':
      return length === 8 ? new DataView(words.buffer, words.byteOffset + word * 4, 8).getFloat64(0, true) : undefined;
    case 'boolean':
      return length === 1 ? (words[word]! & 0xff) !== 0 : undefined;
    case 'pair':
      return undefined;
  }
}

function text(words: Uint32Array, word: number, length: number): string {
  return utf8.decode(new Uint8Array(words.buffer, words.byteOffset + word * 4, length));
}

function redactedText(kind: Redaction, words: Uint32Array, word: number, length: number): string {
  const bytes = new Uint8Array(words.buffer, words.byteOffset + word * 4, length);
  return utf8.decode(redacted.subarray(0, redact(kind, bytes, 0, length, redacted)));
}
