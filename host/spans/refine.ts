/**
 * What becomes of each attribute that a parser reports, on the way into a batch: the engine drops and copies
 * (engine/assembly/refine.ts); secrets are redacted, and pairs become lists under the names of their keys, here.
 */
import { STRING_MAX } from '../../parsers/sdk/abi.ts';
import type { Engine } from '../engine/engine.ts';
import { CHANGE, CHANGED, CHANGED_BYTES, COPY, DROP, TRACEPARENT } from '../engine/layout/protocols.ts';
import { pairValueAt, pairValueLength } from './pair-names.ts';
import type { AttributeField, SpanProtocol } from './protocols.ts';
import { type Redaction, redact, redactedMax } from './redact.ts';

if (redactedMax(STRING_MAX) > CHANGED_BYTES) throw new Error('a redacted string does not fit its place in the engine');

/** What the engine does with attributes of an id. */
export function actionOf(protocol: SpanProtocol, id: number): number {
  if (id === protocol.traceparentId && id !== 0) return TRACEPARENT;
  const field = protocol.attributes[id];
  if (field === undefined || !isTaken(field, id, protocol)) return DROP;
  return field.pairs === undefined && field.redaction === undefined ? COPY : CHANGE;
}

/** Lists are what pairs become here: their ids are not in the manifest, and not a module's to use. */
function isTaken(field: AttributeField, id: number, protocol: SpanProtocol): boolean {
  return (field.reported && field.type !== 'strings') || id === protocol.tracestateId;
}

/** Answers what the engine asks of attributes that it may not copy. */
export class Refiner {
  readonly #protocols: readonly SpanProtocol[];
  readonly #bytes: Uint8Array;
  readonly #changed: Uint8Array;

  constructor({ u8 }: Engine, protocols: readonly SpanProtocol[]) {
    this.#protocols = protocols;
    this.#bytes = u8;
    this.#changed = u8.subarray(CHANGED, CHANGED + CHANGED_BYTES);
  }

  /**
   * Puts what may be shown of the value of `length` bytes at `at` to CHANGED. Returns the head of its record, 0 when
   * nothing may.
   */
  change(protocol: number, id: number, at: number, length: number): number {
    const { attributes } = this.#protocols[protocol]!;
    const { pairs, redaction } = attributes[id]!;
    if (pairs === undefined) return this.#write(id, redaction, at, Math.min(length, STRING_MAX));
    const bytes = this.#bytes;
    const place = pairs.names.find(bytes, at, length);
    if (place < 0) return 0;
    const list = pairs.first + place;
    const from = at + pairValueAt(bytes, at, length);
    return this.#write(list, attributes[list]!.redaction, from, pairValueLength(bytes, at, length));
  }

  #write(id: number, redaction: Redaction | undefined, at: number, length: number): number {
    if (redaction !== undefined) return id | (redact(redaction, this.#bytes, at, length, this.#changed) << 16);
    this.#bytes.copyWithin(CHANGED, at, at + length);
    return id | (length << 16);
  }
}
