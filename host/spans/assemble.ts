/**
 * Paired messages become spans: one row of the batch each, no objects.
 * A span runs from the request's first byte to the response's last byte, as the side that owns the socket saw them.
 */
import { MESSAGE_ERROR, MESSAGE_PARTIAL, MESSAGE_SUSPECT } from '../../parsers/sdk/abi.ts';
import { C, type Counters } from '../self/counters.ts';
import {
  type SealedBatch,
  SPAN_ERROR,
  SPAN_HAS_PARENT,
  SPAN_ONE_WAY,
  SPAN_PARTIAL,
  SPAN_SERVER,
  SPAN_SUSPECT,
  SpanBatch,
  type SpanColumns,
} from './batch.ts';
import type { Endpoint } from './endpoint.ts';
import type { Messages } from './messages.ts';
import type { ProtocolTable, SpanProtocol } from './protocols.ts';
import { Refiner, refinedMax } from './refine.ts';
import { emptyTraceParent, IdSource, parseTraceParent } from './trace-context.ts';

const TWO_32 = 0x1_0000_0000;
/** Without a traceparent the span is a root of its own, and sampled. */
const SAMPLED = 1;

export interface AssemblerOptions {
  readonly batchSpans: number;
  /** Takes each finished batch. */
  readonly emit: (batch: SealedBatch) => void;
  /** Sees each row when it is filled. */
  readonly measure?: ((columns: SpanColumns, row: number) => void) | undefined;
}

export class Assembler {
  readonly #batch: SpanBatch;
  readonly #refiner: Refiner;
  readonly #messages: Messages;
  readonly #protocols: ProtocolTable;
  readonly #counters: Counters;
  readonly #emit: (batch: SealedBatch) => void;
  readonly #measure: AssemblerOptions['measure'];
  readonly #ids = new IdSource();
  readonly #parent = emptyTraceParent();
  #offsetLow = 0;
  #offsetHigh = 0;
  /** Time of the oldest span in the batch, by the caller's clock; Infinity when it is empty. */
  #oldestMs = Number.POSITIVE_INFINITY;

  constructor(messages: Messages, protocols: ProtocolTable, counters: Counters, options: AssemblerOptions) {
    this.#batch = new SpanBatch(options.batchSpans);
    this.#refiner = new Refiner(this.#batch.columns.words);
    this.#messages = messages;
    this.#protocols = protocols;
    this.#counters = counters;
    this.#emit = options.emit;
    this.#measure = options.measure;
  }

  /** CLOCK_REALTIME minus the clock of the records, in two u32 halves. */
  setClockOffset(low: number, high: number): void {
    this.#offsetLow = low;
    this.#offsetHigh = high;
  }

  /**
   * Adds the span of a pair; `response` is -1 for a request that gets none. `firstProtocol` is where the module's
   * protocols begin in the table. The messages stay the caller's.
   */
  add(request: number, response: number, firstProtocol: number, endpoint: Endpoint, isServer: boolean): void {
    const m = this.#messages;
    const last = response < 0 ? request : response;
    if (isUntimed(m.firstLow[request]!, m.firstHigh[request]!) || isUntimed(m.lastLow[last]!, m.lastHigh[last]!)) {
      this.#counters[C.pairs_dropped_untimed]! += 1;
      return;
    }
    if (!this.#batch.hasRoom(this.#mostWords(request) + (response < 0 ? 0 : this.#mostWords(response)))) this.flush();
    const index = firstProtocol + m.protocol[request]!;
    const protocol = this.#protocols.list[index]!;
    const batch = this.#batch;
    const c = batch.columns;
    const i = batch.length++;
    const status = m.status[last]!;
    c.protocol[i] = index;
    c.status[i] = status;
    c.endpoints[i] = endpoint;
    c.requestBodyBytes[i] = m.bodyBytes[request]!;
    c.responseBodyBytes[i] = response < 0 ? 0 : bodyBytesOf(m, response);
    c.firstByteNs[i] = response < 0 ? 0 : firstByteNs(m, request, response);
    this.#addTimes(c.start, i, m.firstLow[request]!, m.firstHigh[request]!);
    this.#addTimes(c.end, i, m.lastLow[last]!, m.lastHigh[last]!);
    if (endsBeforeStart(c.start, c.end, i)) this.#addTimes(c.end, i, m.firstLow[request]!, m.firstHigh[request]!);
    c.attributesAt[i] = batch.wordsUsed;
    c.requestAttributes[i] = this.#takeAttributes(request, protocol);
    const parent = this.#identify(i);
    c.responseAttributes[i] = response < 0 ? 0 : this.#takeAttributes(response, protocol);
    const seen = m.flags[request]! | m.flags[last]!;
    let flags = isServer ? SPAN_SERVER : 0;
    const isError = isServer ? protocol.isServerError(status) : protocol.isClientError(status);
    if ((seen & MESSAGE_ERROR) !== 0 || isError) flags |= SPAN_ERROR;
    if ((seen & MESSAGE_PARTIAL) !== 0) flags |= SPAN_PARTIAL;
    if ((seen & MESSAGE_SUSPECT) !== 0) flags |= SPAN_SUSPECT;
    if (response < 0) flags |= SPAN_ONE_WAY;
    c.flags[i] = flags | parent;
    this.#measure?.(c, i);
    this.#counters[C.spans_made]! += 1;
    this.#oldestMs = Math.min(this.#oldestMs, performance.now());
  }

  /** Hands on what there is, if it has waited long enough. */
  flushOlderThan(ms: number): void {
    if (performance.now() - this.#oldestMs >= ms) this.flush();
  }

  flush(): void {
    this.#oldestMs = Number.POSITIVE_INFINITY;
    if (this.#batch.length > 0) this.#emit(this.#batch.seal(this.#protocols.list));
  }

  #addTimes(column: Uint32Array, i: number, low: number, high: number): void {
    const sum = low + this.#offsetLow;
    column[i * 2] = sum;
    column[i * 2 + 1] = high + this.#offsetHigh + (sum >= TWO_32 ? 1 : 0);
  }

  /** Room that the attributes of a message may need. */
  #mostWords(message: number): number {
    const m = this.#messages;
    return refinedMax(m.attributesWords[message]!, m.attributes[message]!);
  }

  /** Returns how many there are. */
  #takeAttributes(message: number, protocol: SpanProtocol): number {
    const m = this.#messages;
    const { slab, attributesAt, attributes } = m;
    const batch = this.#batch;
    const at = attributesAt[message]!;
    batch.wordsUsed = this.#refiner.take(protocol, slab.words, at, attributes[message]!, batch.wordsUsed);
    return this.#refiner.count;
  }

  /** Trace, parent and span id of row i, whose request was just taken; returns SPAN_HAS_PARENT or 0. */
  #identify(i: number): number {
    const c = this.#batch.columns;
    this.#ids.fill(c.spanId, i * 2, 2);
    if (this.#findParent()) {
      for (let w = 0; w < 4; w++) c.traceId[i * 4 + w] = this.#parent.traceId[w]!;
      for (let w = 0; w < 2; w++) c.parentSpanId[i * 2 + w] = this.#parent.parentId[w]!;
      c.traceFlags[i] = this.#parent.flags;
      return SPAN_HAS_PARENT;
    }
    this.#ids.fill(c.traceId, i * 4, 4);
    c.traceFlags[i] = SAMPLED;
    return 0;
  }

  #findParent(): boolean {
    const { traceparentAt, traceparentLength, sourceBytes } = this.#refiner;
    return traceparentAt > 0 && parseTraceParent(sourceBytes, traceparentAt, traceparentLength, this.#parent);
  }
}

function endsBeforeStart(start: Uint32Array, end: Uint32Array, i: number): boolean {
  const high = end[i * 2 + 1]! - start[i * 2 + 1]!;
  return high < 0 || (high === 0 && end[i * 2]! < start[i * 2]!);
}

/** A message that is not all there may have lost the length of its body with the rest: then it says 0, and who knows. */
function bodyBytesOf({ bodyBytes, flags }: Messages, m: number): number {
  const bytes = bodyBytes[m]!;
  return bytes === 0 && (flags[m]! & MESSAGE_PARTIAL) !== 0 ? Number.NaN : bytes;
}

/** Of a response that came in more than one piece; of another it is the span's duration. */
function firstByteNs(m: Messages, request: number, response: number): number {
  const [low, high] = [m.firstLow[request]!, m.firstHigh[request]!];
  const first = (m.firstHigh[response]! - high) * TWO_32 + (m.firstLow[response]! - low);
  const last = (m.lastHigh[response]! - high) * TWO_32 + (m.lastLow[response]! - low);
  return first > 0 && first < last ? first : 0;
}

/** The time of lost bytes. */
function isUntimed(low: number, high: number): boolean {
  return low === 0 && high === 0;
}
