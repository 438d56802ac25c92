/**
 * Rows of spans as OTLP requests, without an object per span: the engine writes from where they stand what OpenTelemetry's
 * protobuf serializer would (test/export/encoder.test.ts holds them equal in meaning). What rows refer to by number,
 * protocols and resources, is put into the engine's tables when it first comes, and kept.
 */
import type { InstrumentationScope } from '@opentelemetry/core';
import type { Engine } from '../../engine/engine.ts';
import * as l from '../../engine/layout/otlp.ts';
import { ROW_ATTRIBUTES_AT, ROWS_MAX } from '../../engine/layout/spans.ts';
import type { Rows } from '../../engine/rows.ts';
import type { SpanProtocol } from '../../spans/protocols.ts';
import type { EncodedSpans, Resource } from '../../spans/span.ts';
import { Arena } from './arena.ts';
import { Bodies, joined } from './bodies.ts';
import { resourceField, scopeField } from './fields.ts';
import { type ProtocolRecord, putProtocol } from './protocol-record.ts';

/** When the tables are fuller than this (after many reloads of modules), all of it is made anew. */
const TABLES_FULL = (l.OTLP_TABLES_END - l.OTLP_TABLES) / 2;
/** Some 150 bytes to a span: the parts of a batch that is on its way, and of the next. */
const BODY_ROUND_UP = 32 * 1024;
const BODIES_KEPT = 32;
/** A byte that is no UTF-8 becomes three. */
const GROWTH = 3;
/** What stands before the spans of a resource, beside the encoded fields. */
const RESOURCE_SPANS_BYTES = 32;

export class OtlpEncoder {
  readonly #engine: Engine;
  readonly #scope: Uint8Array;
  readonly #tables: Arena;
  readonly #bodies = new Bodies(BODY_ROUND_UP, BODIES_KEPT);
  readonly #attributesAt: Uint32Array;
  /** What is in the tables, by number. */
  readonly #resources: (Resource | undefined)[] = [];
  readonly #protocols: (SpanProtocol | undefined)[] = [];
  readonly #records = new Map<SpanProtocol, ProtocolRecord>();

  constructor(engine: Engine, { name, version = '' }: InstrumentationScope) {
    this.#engine = engine;
    this.#scope = scopeField(name, version);
    this.#tables = new Arena(engine, l.OTLP_TABLES, l.OTLP_TABLES_END);
    this.#attributesAt = engine.column(Uint32Array, ROW_ATTRIBUTES_AT, ROWS_MAX);
    this.#begin();
  }

  /** The rows as an ExportTraceServiceRequest. They are read, and may be filled anew when this returns. */
  encode(rows: Rows): EncodedSpans {
    if (this.#tables.used > TABLES_FULL) this.#begin();
    return this.#encodeRange(rows, 0, rows.length);
  }

  #begin(): void {
    this.#tables.clear();
    this.#resources.length = 0;
    this.#protocols.length = 0;
    this.#records.clear();
    this.#set(l.SCOPE_FIELD, this.#tables.put(this.#scope), this.#scope.length);
  }

  /** Rows that might come to more than there is room for are two requests, joined. */
  #encodeRange(rows: Rows, from: number, to: number): EncodedSpans {
    this.#engine.exports.selectRows!(from, to);
    if (this.#putResources(rows) + this.#putProtocols(rows, from, to) > l.OUTPUT_BYTES && to - from > 1) {
      const middle = (from + to) >>> 1;
      return joined(this.#bodies, [this.#encodeRange(rows, from, middle), this.#encodeRange(rows, middle, to)]);
    }
    return this.#copyOut(to - from, this.#engine.exports.encodeRows!() as number);
  }

  #copyOut(length: number, end: number): EncodedSpans {
    const request = this.#bodies.take(length, end - l.OUTPUT);
    request.body.set(this.#engine.u8.subarray(l.OUTPUT, end));
    return request;
  }

  /** Those of the selected rows. Like OpenTelemetry's resources: what they gain later is not seen. Returns their bytes. */
  #putResources(rows: Rows): number {
    const { u32 } = this.#engine;
    const count = u32[l.USED_RESOURCE_COUNT >>> 2]!;
    let bytes = 0;
    for (let i = 0; i < count; i++) {
      const number = u32[(l.USED_RESOURCES >>> 2) + i]!;
      const at = l.RESOURCE_FIELDS + number * 8;
      const resource = rows.resourceOf(number);
      if (this.#resources[number] !== resource) {
        const field = resourceField(resource.attributes);
        this.#set(at, this.#tables.put(field), field.length);
        this.#resources[number] = resource;
      }
      bytes += u32[(at >>> 2) + 1]! + this.#scope.length + RESOURCE_SPANS_BYTES;
    }
    return bytes;
  }

  /** Those of the selected rows. Returns what the spans take at most. */
  #putProtocols({ protocols, words, length }: Rows, from: number, to: number): number {
    const { u32 } = this.#engine;
    const count = u32[l.USED_PROTOCOL_COUNT >>> 2]!;
    let fixedBytes = 0;
    let copies = 0;
    for (let i = 0; i < count; i++) {
      const index = u32[(l.USED_PROTOCOLS >>> 2) + i]!;
      const record = this.#recordOf(protocols[index]!);
      if (this.#protocols[index] !== protocols[index]) {
        this.#protocols[index] = protocols[index];
        u32[(l.PROTOCOL_RECORDS >>> 2) + index] = record.address;
      }
      fixedBytes = Math.max(fixedBytes, record.fixedBytes);
      copies = Math.max(copies, record.copies);
    }
    const end = to < length ? this.#attributesAt[to]! : words;
    return (to - from) * fixedBytes + (end - this.#attributesAt[from]!) * 4 * GROWTH * copies;
  }

  #recordOf(protocol: SpanProtocol): ProtocolRecord {
    let record = this.#records.get(protocol);
    if (record === undefined) {
      record = putProtocol(this.#tables, protocol);
      this.#records.set(protocol, record);
    }
    return record;
  }

  #set(at: number, address: number, length: number): void {
    this.#engine.u32[at >>> 2] = address;
    this.#engine.u32[(at >>> 2) + 1] = length;
  }
}
