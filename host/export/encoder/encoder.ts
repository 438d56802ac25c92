/**
 * Span batches as OTLP requests, without an object per span: the columns go into the memory of a module of ours, which
 * writes what OpenTelemetry's protobuf serializer would (test/export/encoder.test.ts holds them equal in meaning).
 *
 * The module's memory: what stays (protocol records and their texts), then what belongs to the batch at work (columns,
 * endpoints, resources), then the request.
 */
import { readFileSync } from 'node:fs';
import type { InstrumentationScope } from '@opentelemetry/core';
import { buildProduct } from '../../self/build-product.ts';
import type { SealedBatch, SpanColumns } from '../../spans/batch.ts';
import type { Endpoint } from '../../spans/endpoint.ts';
import type { SpanProtocol } from '../../spans/protocols.ts';
import type { Resource, Spans } from '../../spans/span.ts';
import { Arena, SLACK } from './arena.ts';
import { resourceField, scopeField, utf8 } from './fields.ts';
import * as l from './layout.ts';
import { type ProtocolRecord, putProtocol } from './protocol-record.ts';

interface Exports {
  readonly memory: WebAssembly.Memory;
  base(): number;
  encode(batch: number, output: number, fixedBytes: number, copies: number): number;
}

/** Room for what stays; when it is full (after many reloads of modules), all of it is made anew. */
const TABLES_BYTES = 4 * 1024 * 1024;
const TABLES_FULL = TABLES_BYTES / 2;
/** Alignment and slack of everything that a batch takes but for its columns. */
const BATCH_ROOM = 4096;

const COLUMNS: readonly (readonly [offset: number, name: keyof SpanColumns])[] = [
  [l.BATCH_PROTOCOL, 'protocol'],
  [l.BATCH_FLAGS, 'flags'],
  [l.BATCH_TRACE_FLAGS, 'traceFlags'],
  [l.BATCH_STATUS, 'status'],
  [l.BATCH_TRACE_ID, 'traceId'],
  [l.BATCH_SPAN_ID, 'spanId'],
  [l.BATCH_PARENT_SPAN_ID, 'parentSpanId'],
  [l.BATCH_START, 'start'],
  [l.BATCH_END, 'end'],
  [l.BATCH_REQUEST_BODY, 'requestBodyBytes'],
  [l.BATCH_RESPONSE_BODY, 'responseBodyBytes'],
  [l.BATCH_FIRST_BYTE, 'firstByteNs'],
  [l.BATCH_ATTRIBUTES_AT, 'attributesAt'],
  [l.BATCH_REQUEST_ATTRIBUTES, 'requestAttributes'],
  [l.BATCH_RESPONSE_ATTRIBUTES, 'responseAttributes'],
  [l.BATCH_WORDS, 'words'],
];

export class OtlpEncoder {
  readonly #exports: Exports;
  readonly #scope: Uint8Array;
  readonly #tables: Arena;
  readonly #batch: Arena;
  readonly #protocols = new Map<SpanProtocol, ProtocolRecord>();
  readonly #encodedResources = new WeakMap<Resource, Uint8Array>();
  /** Of the batch at work. */
  readonly #endpoints = new Map<string, number>();
  readonly #resources = new Map<Resource, number>();

  constructor({ name, version = '' }: InstrumentationScope) {
    const module = new WebAssembly.Module(readFileSync(buildProduct('otlp-encoder.wasm')));
    this.#exports = new WebAssembly.Instance(module).exports as unknown as Exports;
    this.#scope = scopeField(name, version);
    const { memory } = this.#exports;
    this.#tables = new Arena(memory, this.#exports.base());
    this.#batch = new Arena(memory, this.#exports.base() + TABLES_BYTES);
  }

  /** The spans as an ExportTraceServiceRequest: those of their batches, which are one request when joined. */
  encode({ batches }: Spans): Uint8Array {
    const requests = batches.map((batch) => this.#encodeBatch(batch));
    return requests.length === 1 ? requests[0]! : Buffer.concat(requests);
  }

  #encodeBatch(sealed: SealedBatch): Uint8Array {
    const { columns, length, protocols } = sealed;
    this.#begin(sealed);
    const batch = this.#batch.take(l.BATCH_SIZE);
    const { fixedBytes, copies } = this.#putProtocols(batch, columns.protocol, protocols);
    for (const [offset, name] of COLUMNS) this.#set(batch + offset, this.#putColumn(columns[name]));
    this.#putEndpoints(batch, sealed);
    this.#putResources(batch);
    this.#set(batch + l.BATCH_SPANS, length);
    this.#set(batch + l.BATCH_NEXT, this.#batch.take(length * 4));
    const output = this.#batch.top;
    const end = this.#exports.encode(batch, output, fixedBytes, copies);
    return new Uint8Array(this.#exports.memory.buffer).slice(output, end);
  }

  #begin({ columns, resources, length }: SealedBatch): void {
    if (this.#tables.used > TABLES_FULL) {
      this.#tables.clear();
      this.#protocols.clear();
    }
    this.#endpoints.clear();
    this.#resources.clear();
    this.#batch.clear();
    let bytes = BATCH_ROOM + this.#scope.length;
    for (const [, name] of COLUMNS) bytes += columns[name].byteLength + SLACK;
    for (const resource of resources) {
      if (!this.#resources.has(resource)) this.#resources.set(resource, this.#resources.size);
    }
    for (const resource of this.#resources.keys()) bytes += this.#encoded(resource).length + 2 * SLACK;
    bytes += length * (l.ENDPOINT_SIZE + 2 * SLACK);
    this.#batch.reserve(bytes);
    this.#tables.reserve(0);
  }

  /** The table of protocol records, by index; what spans of those protocols take at most. */
  #putProtocols(batch: number, used: Uint16Array, protocols: readonly SpanProtocol[]) {
    const table = this.#batch.take(protocols.length * 4);
    let fixedBytes = 0;
    let copies = 0;
    let last = -1;
    for (const index of used) {
      if (index === last) continue;
      last = index;
      const record = this.#recordOf(protocols[index]!);
      this.#set(table + index * 4, record.address);
      fixedBytes = Math.max(fixedBytes, record.fixedBytes);
      copies = Math.max(copies, record.copies);
    }
    this.#set(batch + l.BATCH_PROTOCOLS, table);
    return { fixedBytes, copies };
  }

  #recordOf(protocol: SpanProtocol): ProtocolRecord {
    let record = this.#protocols.get(protocol);
    if (record === undefined) {
      record = putProtocol(this.#tables, protocol);
      this.#protocols.set(protocol, record);
    }
    return record;
  }

  #putColumn(column: SpanColumns[keyof SpanColumns]): number {
    const at = this.#batch.take(column.byteLength);
    const Column = column.constructor as new (buffer: ArrayBufferLike, at: number, length: number) => typeof column;
    new Column(this.#exports.memory.buffer, at, column.length).set(column as never);
    return at;
  }

  #putEndpoints(batch: number, sealed: SealedBatch): void {
    const { columns, resources, length } = sealed;
    const table = this.#batch.take(length * 4);
    for (let i = 0; i < length; i++) {
      const resource = this.#resources.get(resources[i]!)!;
      const addresses = Buffer.from(columns.addresses.buffer, columns.addresses.byteOffset + i * 32, 32);
      const ports = `${columns.family[i]} ${columns.localPort[i]} ${columns.remotePort[i]}`;
      const key = `${resource} ${ports} ${addresses.toString('latin1')}`;
      let at = this.#endpoints.get(key);
      if (at === undefined) {
        at = this.#putEndpoint(resource, sealed.endpoint(i));
        this.#endpoints.set(key, at);
      }
      this.#set(table + i * 4, at);
    }
    this.#set(batch + l.BATCH_ENDPOINTS, table);
  }

  #putEndpoint(resource: number, endpoint: Endpoint): number {
    const { bytes, view } = this.#batch;
    const at = this.#batch.take(l.ENDPOINT_SIZE);
    const text = (offset: number, address: string) =>
      utf8.encodeInto(address, bytes.subarray(at + offset, at + offset + l.ENDPOINT_ADDRESS_MAX)).written;
    this.#set(at + l.ENDPOINT_RESOURCE, resource);
    view.setUint16(at + l.ENDPOINT_LOCAL_PORT, endpoint.localPort, true);
    view.setUint16(at + l.ENDPOINT_REMOTE_PORT, endpoint.remotePort, true);
    view.setUint16(at + l.ENDPOINT_LOCAL_LENGTH, text(l.ENDPOINT_LOCAL, endpoint.localAddress), true);
    view.setUint16(at + l.ENDPOINT_REMOTE_LENGTH, text(l.ENDPOINT_REMOTE, endpoint.remoteAddress), true);
    return at;
  }

  #putResources(batch: number): void {
    const count = this.#resources.size;
    const table = this.#batch.take(count * 12);
    for (const [resource, index] of this.#resources) this.#putEncoded(table + index * 8, this.#encoded(resource));
    this.#set(batch + l.BATCH_RESOURCES, table);
    this.#set(batch + l.BATCH_RESOURCE_COUNT, count);
    this.#putEncoded(batch + l.BATCH_SCOPE, this.#scope);
  }

  /** Once for each process: like OpenTelemetry's resources, what it gains later is not seen. */
  #encoded(resource: Resource): Uint8Array {
    let encoded = this.#encodedResources.get(resource);
    if (encoded === undefined) {
      encoded = resourceField(resource.attributes);
      this.#encodedResources.set(resource, encoded);
    }
    return encoded;
  }

  /** An address and length, at `at`, of a copy. */
  #putEncoded(at: number, encoded: Uint8Array): void {
    this.#set(at, this.#batch.put(encoded));
    this.#set(at + 4, encoded.length);
  }

  #set(at: number, value: number): void {
    this.#batch.view.setUint32(at, value, true);
  }
}
