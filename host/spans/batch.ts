/**
 * Spans as columns. The assembler fills one SpanBatch again and again; `seal` copies what is filled into arrays of
 * just that length and hands them on as a SealedBatch, which exporters read span by span (or column by column).
 * Times are nanoseconds since the Unix epoch in two u32 halves, ids are u32 words, attributes are refined attribute
 * records (refine.ts) of request and response one after the other in one word array.
 */

import { ATTRIBUTES_MAX, MESSAGE_MAX } from '../../parsers/sdk/abi.ts';
import { decodeAttributes } from './attributes.ts';
import { addPeerAttributes, type Endpoint } from './endpoint.ts';
import { nameSpan, type SpanProtocol, spanKind } from './protocols.ts';
import { refinedMax } from './refine.ts';
import type { Attributes, FilledBatch, Span, SpanStatus, Spans } from './span.ts';

/** Span flags. */
export const SPAN_SERVER = 1;
export const SPAN_ERROR = 2;
export const SPAN_PARTIAL = 4;
export const SPAN_HAS_PARENT = 8;
export const SPAN_SUSPECT = 16;
/** The request expects no response: duration is the request's own. */
export const SPAN_ONE_WAY = 32;

const NS_PER_SECOND = 1e9;
const ATTRIBUTE_WORDS_PER_SPAN = 96;
/**
 * However many spans a batch may hold, as a request it stays below the 4 MiB that gRPC receivers take by default: what a
 * span takes in it beside its attributes' values, and what all may come to when no value stands in a name as well.
 */
const REQUEST_BYTES_PER_SPAN = 560;
const REQUEST_BYTES_MAX = 3_000_000;
/** A request and a response of the longest kind: an empty batch takes any span. */
const PAIR_WORDS_MAX = 2 * refinedMax(MESSAGE_MAX >>> 2, ATTRIBUTES_MAX);

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
  /** First word in `words`, number of words, number of attributes of the request and of the response. */
  readonly attributesAt: Uint32Array;
  readonly requestAttributes: Uint16Array;
  readonly responseAttributes: Uint16Array;
  readonly words: Uint32Array;
  readonly endpoints: Endpoint[];

  constructor(spans: number, words: number, source?: SpanColumns) {
    const column = <T extends { slice(from: number, to: number): T }>(
      make: new (length: number) => T,
      width: number,
      from: T | undefined,
    ): T => (from === undefined ? new make(spans * width) : from.slice(0, spans * width));
    this.protocol = column(Uint16Array, 1, source?.protocol);
    this.flags = column(Uint16Array, 1, source?.flags);
    this.traceFlags = column(Uint8Array, 1, source?.traceFlags);
    this.status = column(Uint32Array, 1, source?.status);
    this.traceId = column(Uint32Array, 4, source?.traceId);
    this.spanId = column(Uint32Array, 2, source?.spanId);
    this.parentSpanId = column(Uint32Array, 2, source?.parentSpanId);
    this.start = column(Uint32Array, 2, source?.start);
    this.end = column(Uint32Array, 2, source?.end);
    this.requestBodyBytes = column(Float64Array, 1, source?.requestBodyBytes);
    this.responseBodyBytes = column(Float64Array, 1, source?.responseBodyBytes);
    this.firstByteNs = column(Float64Array, 1, source?.firstByteNs);
    this.attributesAt = column(Uint32Array, 1, source?.attributesAt);
    this.requestAttributes = column(Uint16Array, 1, source?.requestAttributes);
    this.responseAttributes = column(Uint16Array, 1, source?.responseAttributes);
    this.words = source === undefined ? new Uint32Array(words) : source.words.slice(0, words);
    this.endpoints = source === undefined ? [] : source.endpoints.slice(0, spans);
  }
}

/** The batch being filled. */
export class SpanBatch {
  /** Spans that it takes before it is full: at most as many as it was made for. */
  limit: number;
  readonly columns: SpanColumns;
  length = 0;
  wordsUsed = 0;

  constructor(capacity: number) {
    this.limit = capacity;
    const words = Math.min(capacity * ATTRIBUTE_WORDS_PER_SPAN, REQUEST_BYTES_MAX >>> 2);
    this.columns = new SpanColumns(capacity, Math.max(words, PAIR_WORDS_MAX));
  }

  hasRoom(words: number): boolean {
    if (this.length === 0) return true;
    const used = this.wordsUsed + words;
    const bytes = (this.length + 1) * REQUEST_BYTES_PER_SPAN + used * 4;
    return this.length < this.limit && used <= this.columns.words.length && bytes <= REQUEST_BYTES_MAX;
  }

  /** What is filled, as a batch of its own; this one is empty afterwards. */
  seal(protocols: readonly SpanProtocol[]): SealedBatch {
    const sealed = new SealedBatch(new SpanColumns(this.length, this.wordsUsed, this.columns), this.length, protocols);
    this.columns.endpoints.length = 0;
    this.length = 0;
    this.wordsUsed = 0;
    return sealed;
  }
}

/** A finished batch: immutable, owns its memory. */
export class SealedBatch implements Spans, FilledBatch {
  readonly columns: SpanColumns;
  readonly length: number;
  readonly protocols: readonly SpanProtocol[];

  constructor(columns: SpanColumns, length: number, protocols: readonly SpanProtocol[]) {
    this.columns = columns;
    this.length = length;
    this.protocols = protocols;
  }

  /** As a request of protobuf, by the same reckoning that bounds a batch. */
  get bytes(): number {
    return this.length * REQUEST_BYTES_PER_SPAN + this.columns.words.byteLength;
  }

  seal(): SealedBatch {
    return this;
  }

  read(index: number): Span {
    const c = this.columns;
    if (index < 0 || index >= this.length) throw new RangeError(`span ${index} of ${this.length}`);
    const protocol = this.protocols[c.protocol[index]!]!;
    const flags = c.flags[index]!;
    const endpoint = c.endpoints[index]!;
    const isServer = (flags & SPAN_SERVER) !== 0;
    const { attributes, traceState } = this.#attributes(index, protocol, endpoint, isServer, flags);
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
      resource: endpoint.resource,
    };
  }

  #attributes(index: number, protocol: SpanProtocol, endpoint: Endpoint, isServer: boolean, flags: number) {
    const c = this.columns;
    const attributes: Attributes = { ...protocol.constants };
    addPeerAttributes(attributes, endpoint, isServer);
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
