/** Puts a sealed batch into the rows of an engine, as if its spans had been assembled there. */
import type { Engine } from '../../engine/engine.ts';
import { RESOURCES_MAX } from '../../engine/layout/otlp.ts';
import * as l from '../../engine/layout/spans.ts';
import type { Rows } from '../../engine/rows.ts';
import type { SealedBatch, SpanColumns } from '../../spans/batch.ts';
import type { Endpoint } from '../../spans/endpoint.ts';
import type { Resource } from '../../spans/span.ts';
import { addressBytes } from './address-bytes.ts';

const COLUMNS: readonly (readonly [at: number, name: Exclude<keyof SpanColumns, 'endpoints'>])[] = [
  [l.ROW_PROTOCOL, 'protocol'],
  [l.ROW_FLAGS, 'flags'],
  [l.ROW_TRACE_FLAGS, 'traceFlags'],
  [l.ROW_STATUS, 'status'],
  [l.ROW_TRACE_ID, 'traceId'],
  [l.ROW_SPAN_ID, 'spanId'],
  [l.ROW_PARENT_SPAN_ID, 'parentSpanId'],
  [l.ROW_START, 'start'],
  [l.ROW_END, 'end'],
  [l.ROW_REQUEST_BODY, 'requestBodyBytes'],
  [l.ROW_RESPONSE_BODY, 'responseBodyBytes'],
  [l.ROW_FIRST_BYTE, 'firstByteNs'],
  [l.ROW_ATTRIBUTES_AT, 'attributesAt'],
  [l.ROW_REQUEST_ATTRIBUTES, 'requestAttributes'],
  [l.ROW_RESPONSE_ATTRIBUTES, 'responseAttributes'],
  [l.ROW_WORDS, 'words'],
];

/** A connection's part of its rows. */
interface Peer {
  readonly resource: number;
  readonly family: number;
  readonly addresses: Uint8Array;
}

export class RowWriter {
  readonly #engine: Engine;
  readonly #bytes: Uint8Array;
  readonly #ports: Uint16Array;
  readonly #resources: Uint32Array;
  readonly #numbers = new Map<Resource, number>();
  #byNumber: Resource[] = [];
  #peers = new WeakMap<Endpoint, Peer>();

  constructor(engine: Engine) {
    this.#engine = engine;
    this.#bytes = engine.u8;
    this.#ports = engine.column(Uint16Array, l.ROW_LOCAL_PORT, l.ROWS_MAX * 2);
    this.#resources = engine.column(Uint32Array, l.ROW_RESOURCE, l.ROWS_MAX);
  }

  put({ columns, length, protocols }: SealedBatch): Rows {
    const words = columns.words.length;
    if (length > l.ROWS_MAX || words > l.ROW_WORDS_MAX) throw new RangeError(`${length} spans are no batch`);
    if (this.#byNumber.length + length > RESOURCES_MAX) this.#forget();
    for (const [at, name] of COLUMNS) this.#column(at, columns[name]);
    for (let row = 0; row < length; row++) this.#putEndpoint(row, columns.endpoints[row]!);
    const byNumber = this.#byNumber;
    return { engine: this.#engine, length, words, protocols, resourceOf: (number) => byNumber[number]! };
  }

  #column(at: number, column: Uint8Array | Uint16Array | Uint32Array | Float64Array): void {
    this.#bytes.set(new Uint8Array(column.buffer, column.byteOffset, column.byteLength), at);
  }

  #putEndpoint(row: number, endpoint: Endpoint): void {
    const { resource, family, addresses } = this.#peerOf(endpoint);
    this.#resources[row] = resource;
    this.#ports[row] = endpoint.localPort;
    this.#ports[(l.ROW_REMOTE_PORT - l.ROW_LOCAL_PORT) / 2 + row] = endpoint.remotePort;
    this.#bytes[l.ROW_FAMILY + row] = family;
    this.#bytes.set(addresses, l.ROW_ADDRESSES + row * 32);
  }

  #peerOf(endpoint: Endpoint): Peer {
    let peer = this.#peers.get(endpoint);
    if (peer === undefined) {
      const { resource, localAddress, remoteAddress } = endpoint;
      peer = { resource: this.#numberOf(resource), ...addressBytes(localAddress, remoteAddress) };
      this.#peers.set(endpoint, peer);
    }
    return peer;
  }

  #numberOf(resource: Resource): number {
    let number = this.#numbers.get(resource);
    if (number === undefined) {
      number = this.#byNumber.push(resource) - 1;
      this.#numbers.set(resource, number);
    }
    return number;
  }

  /** Processes come and go: numbers are given out anew. */
  #forget(): void {
    this.#byNumber = [];
    this.#numbers.clear();
    this.#peers = new WeakMap();
  }
}
