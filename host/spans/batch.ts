/**
 * Spans as columns. The engine fills the rows of one SpanBatch again and again (engine/assembly/assemble.ts); `seal`
 * copies what is filled into arrays of just that length and hands them on as a SealedBatch, which exporters read span by
 * span (or column by column).
 * Times are nanoseconds since the Unix epoch in two u32 halves, ids are u32 words, attributes are refined attribute
 * records (refine.ts) of request and response one after the other in one word array.
 */

import type { Engine } from '../engine/engine.ts';
import * as l from '../engine/layout/spans.ts';
import {
  SPAN_ERROR,
  SPAN_HAS_PARENT,
  SPAN_ONE_WAY,
  SPAN_PARTIAL,
  SPAN_SERVER,
  SPAN_SUSPECT,
} from '../engine/layout/spans.ts';
import { decodeAttributes } from './attributes.ts';
import { addPeerAttributes, addressText, type Endpoint } from './endpoint.ts';
import { nameSpan, type SpanProtocol, spanKind } from './protocols.ts';
import type { Resources } from './resources.ts';
import type { Attributes, FilledBatch, Resource, Span, SpanStatus, Spans } from './span.ts';

export { SPAN_ERROR, SPAN_HAS_PARENT, SPAN_ONE_WAY, SPAN_PARTIAL, SPAN_SERVER, SPAN_SUSPECT };

const NS_PER_SECOND = 1e9;
/** Local and remote, 16 bytes each. */
const ADDRESS_BYTES = 16;
/** Of attributes: a request of nothing else. Any span has less. */
const WORDS_MAX = l.REQUEST_BYTES_MAX >>> 2;

type Column = Uint8Array | Uint16Array | Uint32Array | Float64Array;
/** `count` values of a column that begins at an address of the engine. */
type Place = <T extends Column>(
  make: new (...memory: [ArrayBuffer, number, number]) => T,
  at: number,
  count: number,
) => T;

export class SpanColumns {
  readonly protocol: Uint16Array;
  readonly flags: Uint16Array;
  readonly traceFlags: Uint8Array;
  readonly status: Uint32Array;
  /** 4 words per span. */
  readonly traceId: Uint32Array;
  /** 2 words per span each. */
  readonly spanId: Uint32Array;
  readonly parentSpanId: Uint32Array;
  /** 2 words per span each: low, high. */
  readonly start: Uint32Array;
  readonly end: Uint32Array;
  readonly requestBodyBytes: Float64Array;
  /** NaN: not known. */
  readonly responseBodyBytes: Float64Array;
  /** From the start to the response's first byte; 0 where that is not told. */
  readonly firstByteNs: Float64Array;
  /** First word in `words`, number of attributes of the request and of the response. */
  readonly attributesAt: Uint32Array;
  readonly requestAttributes: Uint16Array;
  readonly responseAttributes: Uint16Array;
  readonly words: Uint32Array;
  /** As the socket has them: 2 is IPv4, 10 is IPv6, 0 an unknown peer. */
  readonly family: Uint8Array;
  readonly localPort: Uint16Array;
  readonly remotePort: Uint16Array;
  /** Local and remote, 16 bytes each. */
  readonly addresses: Uint8Array;

  /** Empty columns of their own unless `place` says where they are. */
  constructor(
    spans: number,
    words: number,
    place: Place = (make, _, count) => new make(new ArrayBuffer(count * 8), 0, count),
  ) {
    this.protocol = place(Uint16Array, l.ROW_PROTOCOL, spans);
    this.flags = place(Uint16Array, l.ROW_FLAGS, spans);
    this.traceFlags = place(Uint8Array, l.ROW_TRACE_FLAGS, spans);
    this.status = place(Uint32Array, l.ROW_STATUS, spans);
    this.traceId = place(Uint32Array, l.ROW_TRACE_ID, spans * 4);
    this.spanId = place(Uint32Array, l.ROW_SPAN_ID, spans * 2);
    this.parentSpanId = place(Uint32Array, l.ROW_PARENT_SPAN_ID, spans * 2);
    this.start = place(Uint32Array, l.ROW_START, spans * 2);
    this.end = place(Uint32Array, l.ROW_END, spans * 2);
    this.requestBodyBytes = place(Float64Array, l.ROW_REQUEST_BODY, spans);
    this.responseBodyBytes = place(Float64Array, l.ROW_RESPONSE_BODY, spans);
    this.firstByteNs = place(Float64Array, l.ROW_FIRST_BYTE, spans);
    this.attributesAt = place(Uint32Array, l.ROW_ATTRIBUTES_AT, spans);
    this.requestAttributes = place(Uint16Array, l.ROW_REQUEST_ATTRIBUTES, spans);
    this.responseAttributes = place(Uint16Array, l.ROW_RESPONSE_ATTRIBUTES, spans);
    this.words = place(Uint32Array, l.ROW_WORDS, words);
    this.family = place(Uint8Array, l.ROW_FAMILY, spans);
    this.localPort = place(Uint16Array, l.ROW_LOCAL_PORT, spans);
    this.remotePort = place(Uint16Array, l.ROW_REMOTE_PORT, spans);
    this.addresses = place(Uint8Array, l.ROW_ADDRESSES, spans * 2 * ADDRESS_BYTES);
  }
}

/** The part of a batch that is being filled: rows of the engine. */
export class SpanBatch implements FilledBatch {
  readonly engine: Engine;
  readonly columns: SpanColumns;
  readonly protocols: readonly SpanProtocol[];
  /** By row: number in the table of resources. */
  readonly resource: Uint32Array;
  isLast = true;
  readonly #resources: Resources;
  readonly #rows: number;
  #limit = 0;

  constructor(engine: Engine, capacity: number, protocols: readonly SpanProtocol[], resources: Resources) {
    const rows = Math.min(capacity, l.ROWS_MAX);
    this.engine = engine;
    this.protocols = protocols;
    this.#resources = resources;
    this.#rows = rows;
    this.columns = new SpanColumns(rows, WORDS_MAX, (make, at, count) => engine.column(make, at, count));
    this.resource = engine.column(Uint32Array, l.ROW_RESOURCE, rows);
    this.limit = rows;
  }

  /** Spans that it takes before it is full: at most as many as there are rows. */
  get limit(): number {
    return this.#limit;
  }

  set limit(rows: number) {
    this.#limit = Math.min(rows, this.#rows);
    this.engine.exports.setBatch!(this.#limit, WORDS_MAX);
  }

  get length(): number {
    return this.engine.u32[l.ROW_COUNT >>> 2]!;
  }

  set length(rows: number) {
    this.engine.u32[l.ROW_COUNT >>> 2] = rows;
  }

  get words(): number {
    return this.engine.u32[l.ROW_WORDS_USED >>> 2]!;
  }

  set words(words: number) {
    this.engine.u32[l.ROW_WORDS_USED >>> 2] = words;
  }

  resourceOf(number: number): Resource {
    return this.#resources.at(number);
  }

  hasRoom(words: number): boolean {
    return this.engine.exports.hasRowRoom!(words) !== 0;
  }

  seal(): SealedBatch {
    const { engine, length } = this;
    const columns = new SpanColumns(
      length,
      this.words,
      <T extends Column>(...column: Parameters<typeof engine.column<T>>) => {
        return engine.column(...column).slice() as T;
      },
    );
    const resources = Array.from(this.resource.subarray(0, length), (number) => this.resourceOf(number));
    return new SealedBatch(columns, length, this.protocols, resources);
  }

  clear(): void {
    this.length = 0;
    this.words = 0;
  }
}

/** A finished batch: immutable, owns its memory. */
export class SealedBatch implements Spans {
  readonly columns: SpanColumns;
  readonly length: number;
  readonly protocols: readonly SpanProtocol[];
  /** By row. */
  readonly resources: readonly Resource[];

  constructor(
    columns: SpanColumns,
    length: number,
    protocols: readonly SpanProtocol[],
    resources: readonly Resource[],
  ) {
    this.columns = columns;
    this.length = length;
    this.protocols = protocols;
    this.resources = resources;
  }

  /** As a request of protobuf, by the same reckoning that bounds a batch. */
  get bytes(): number {
    return this.length * l.REQUEST_BYTES_PER_SPAN + this.columns.words.byteLength;
  }

  /** Who talks to whom. */
  endpoint(index: number): Endpoint {
    const c = this.columns;
    const at = index * 2 * ADDRESS_BYTES;
    const family = c.family[index]!;
    return {
      localAddress: addressText(c.addresses.subarray(at, at + ADDRESS_BYTES), family),
      localPort: c.localPort[index]!,
      remoteAddress: addressText(c.addresses.subarray(at + ADDRESS_BYTES, at + 2 * ADDRESS_BYTES), family),
      remotePort: c.remotePort[index]!,
    };
  }

  read(index: number): Span {
    const c = this.columns;
    if (index < 0 || index >= this.length) throw new RangeError(`span ${index} of ${this.length}`);
    const protocol = this.protocols[c.protocol[index]!]!;
    const flags = c.flags[index]!;
    const isServer = (flags & SPAN_SERVER) !== 0;
    const { attributes, traceState } = this.#attributes(index, protocol, isServer, flags);
    return {
      name: nameSpan(protocol, attributes),
      kind: spanKind(protocol, attributes, isServer),
      protocol: protocol.name,
      traceId: hex(c.traceId, index, 4),
      spanId: hex(c.spanId, index, 2),
      ...((flags & SPAN_HAS_PARENT) !== 0 && { parentSpanId: hex(c.parentSpanId, index, 2) }),
      ...(traceState !== undefined && { traceState }),
      traceFlags: c.traceFlags[index]!,
      startTimeUnixNano: nanos(c.start, index),
      endTimeUnixNano: nanos(c.end, index),
      status: statusOf(flags),
      attributes,
      resource: this.resources[index]!,
    };
  }

  #attributes(index: number, protocol: SpanProtocol, isServer: boolean, flags: number) {
    const c = this.columns;
    const attributes: Attributes = { ...protocol.constants };
    addPeerAttributes(attributes, this.endpoint(index), isServer);
    const count = c.requestAttributes[index]! + c.responseAttributes[index]!;
    const traceState = decodeAttributes(attributes, protocol, c.words, c.attributesAt[index]!, count);
    const status = c.status[index]!;
    // A message may say the status in words of its own, under the same attribute.
    const statusName = protocol.statusAttribute;
    if (statusName !== undefined && status !== 0) attributes[statusName] ??= status;
    if (protocol.requestBodyAttribute !== undefined && c.requestBodyBytes[index]! > 0) {
      attributes[protocol.requestBodyAttribute] = c.requestBodyBytes[index]!;
    }
    const received = c.responseBodyBytes[index]!;
    if (protocol.responseBodyAttribute !== undefined && (flags & SPAN_ONE_WAY) === 0 && received >= 0) {
      attributes[protocol.responseBodyAttribute] = received;
    }
    const firstByteNs = c.firstByteNs[index]!;
    if (firstByteNs > 0) attributes['spanwire.time_to_first_byte'] = firstByteNs / NS_PER_SECOND;
    if ((flags & SPAN_ERROR) !== 0) {
      const said = statusName === undefined ? undefined : attributes[statusName];
      attributes['error.type'] ??= status !== 0 ? String(said ?? status) : '_OTHER';
    }
    if ((flags & SPAN_PARTIAL) !== 0) attributes['spanwire.partial'] = true;
    if ((flags & SPAN_SUSPECT) !== 0) attributes['spanwire.suspect'] = true;
    return { attributes, traceState };
  }
}

function statusOf(flags: number): SpanStatus {
  return (flags & SPAN_ERROR) !== 0 ? 'error' : 'unset';
}

/** Two hex digits of each byte. */
const HEX = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, '0'));

function hex(words: Uint32Array, index: number, width: number): string {
  let text = '';
  for (let i = index * width; i < (index + 1) * width; i++) {
    const word = words[i]!;
    text += HEX[word >>> 24]! + HEX[(word >>> 16) & 0xff]! + HEX[(word >>> 8) & 0xff]! + HEX[word & 0xff]!;
  }
  return text;
}

function nanos(halves: Uint32Array, index: number): bigint {
  return (BigInt(halves[index * 2 + 1]!) << 32n) | BigInt(halves[index * 2]!);
}
