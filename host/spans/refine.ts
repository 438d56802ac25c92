/**
 * What a parser says of a message becomes what a span may show: on the way from the messages into the batch, attributes
 * that are not reported are left out, secrets are redacted, and pairs become lists under the names of their keys. So no
 * secret stands in a batch, and whatever reads one, as text or as bytes, shows the same.
 */
import { STRING_MAX } from '../../parsers/sdk/abi.ts';
import { pairValueAt, pairValueLength } from './pair-names.ts';
import type { AttributeField, SpanProtocol } from './protocols.ts';
import { type Redaction, redact, redactedMax } from './redact.ts';

/** What a message of so many words of attributes may come to: each byte may become three. */
export function refinedMax(words: number, attributes: number): number {
  return words * 3 + attributes * 3;
}

const scratch = new Uint8Array(redactedMax(STRING_MAX));

/** Lists are what pairs become here: their ids are not in the manifest, and not a module's to use. */
function isTaken(field: AttributeField, id: number, protocol: SpanProtocol): boolean {
  return (field.reported && field.type !== 'strings') || id === protocol.tracestateId;
}

export class Refiner {
  readonly #target: Uint32Array;
  readonly #targetBytes: Uint8Array;
  #source: Uint32Array = new Uint32Array(0);
  sourceBytes: Uint8Array = new Uint8Array(0);
  /** Where the next record goes, in words. */
  #to = 0;
  /** Of the last message: attributes that came through, and where its traceparent stands in `sourceBytes`; 0: nowhere. */
  count = 0;
  traceparentAt = 0;
  traceparentLength = 0;

  constructor(target: Uint32Array) {
    this.#target = target;
    this.#targetBytes = new Uint8Array(target.buffer, target.byteOffset, target.byteLength);
  }

  /** Takes `count` attributes from word `at` of `source` to word `to` of the target; returns where they end there. */
  take(protocol: SpanProtocol, source: Uint32Array, at: number, count: number, to: number): number {
    if (source !== this.#source) {
      this.#source = source;
      this.sourceBytes = new Uint8Array(source.buffer, source.byteOffset, source.byteLength);
    }
    this.#to = to;
    this.count = 0;
    this.traceparentAt = 0;
    let word = at;
    for (let left = count; left > 0; left--) {
      const head = source[word]!;
      const id = head & 0xffff;
      const length = head >>> 16;
      const words = 1 + ((length + 3) >>> 2);
      const field = protocol.attributes[id];
      if (id === protocol.traceparentId && id !== 0) {
        this.traceparentAt = (word + 1) * 4;
        this.traceparentLength = length;
      } else if (field !== undefined && isTaken(field, id, protocol)) {
        if (field.pairs === undefined && field.redaction === undefined && length <= STRING_MAX) this.#copy(word, words);
        else this.#change(protocol, field, id, (word + 1) * 4, length);
      }
      word += words;
    }
    return this.#to;
  }

  #copy(from: number, words: number): void {
    const to = this.#to;
    for (let w = 0; w < words; w++) this.#target[to + w] = this.#source[from + w]!;
    this.#to = to + words;
    this.count++;
  }

  #change(protocol: SpanProtocol, field: AttributeField, id: number, at: number, length: number): void {
    if (field.pairs === undefined) this.#write(id, field.redaction, at, Math.min(length, STRING_MAX));
    else {
      const bytes = this.sourceBytes;
      const place = field.pairs.names.find(bytes, at, length);
      if (place < 0) return;
      const name = field.pairs.first + place;
      const from = at + pairValueAt(bytes, at, length);
      this.#write(name, protocol.attributes[name]!.redaction, from, pairValueLength(bytes, at, length));
    }
  }

  /** A record of its own for the value, redacted where it must be. */
  #write(id: number, redaction: Redaction | undefined, at: number, length: number): void {
    let value = this.sourceBytes.subarray(at, at + length);
    if (redaction !== undefined) {
      value = scratch.subarray(0, redact(redaction, this.sourceBytes, at, length, scratch));
    }
    const to = this.#to;
    this.#target[to] = id | (value.length << 16);
    this.#targetBytes.set(value, (to + 1) * 4);
    this.#to = to + 1 + ((value.length + 3) >>> 2);
    this.count++;
  }
}
