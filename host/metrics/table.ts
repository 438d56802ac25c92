/**
 * The engine's series (engine/assembly/metrics.ts) as TypeScript reads them. `take` hands out what was measured since the
 * last time and begins at zero again; who sums it up, over time and over the shards, is metrics/store.ts.
 */
import { randomFillSync } from 'node:crypto';
import type { Engine } from '../engine/engine.ts';
import * as l from '../engine/layout/metrics.ts';
import { decodeAttributes } from '../spans/attributes.ts';
import { addressText } from '../spans/endpoint.ts';
import type { SpanProtocol } from '../spans/protocols.ts';
import type { Attributes, Resource } from '../spans/span.ts';
import { CONVENTIONS, type DurationMetric, KINDS, metricOf } from './conventions.ts';
import { type Shape, Shapes } from './shapes.ts';

/** What one series measured in a while. */
export interface Measured {
  readonly metric: DurationMetric;
  readonly attributes: Attributes;
  readonly resource: Resource;
  readonly bounds: readonly number[];
  /** One more than bounds. */
  readonly buckets: number[];
  readonly sum: number;
  readonly min: number;
  readonly max: number;
}

export interface Taken {
  readonly measured: readonly Measured[];
  /** Spans that went into series of overflow, and that found no place at all. */
  readonly overflowed: number;
  readonly unmeasured: number;
}

export interface SeriesOptions {
  /** Series at most, those of overflow aside. */
  readonly seriesMax: number;
  /** A series without a span for so long is forgotten. */
  readonly idleMs: number;
  /** What the number stands for; undefined for one that is not known any more. */
  readonly resourceOf: (number: number) => Resource | undefined;
}

/** https://opentelemetry.io/docs/specs/otel/metrics/sdk/#overflow-attribute */
const OVERFLOW: Attributes = { 'otel.metric.overflow': true };
/** Room for series of overflow is left. */
export const SERIES_LIMIT_MAX = l.SERIES_MAX / 2;

type Identity = Pick<Measured, 'metric' | 'attributes' | 'bounds'> & { readonly resource: number };

export class SeriesTable {
  readonly #engine: Engine;
  readonly #options: SeriesOptions;
  readonly #shapes: Shapes;
  readonly #view: DataView;
  readonly #buckets: Float64Array;
  readonly #sums: Float64Array;
  readonly #least: Float64Array;
  readonly #most: Float64Array;
  readonly #keyBytes: Uint32Array;
  /** By series number: what its key says, and when it last had a span. */
  readonly #identities: (Identity | undefined)[] = [];
  readonly #lastMs: number[] = [];
  readonly #gone = new Set<number>();

  constructor(engine: Engine, options: SeriesOptions) {
    this.#engine = engine;
    this.#options = options;
    this.#shapes = new Shapes(engine);
    this.#view = new DataView(engine.u8.buffer);
    this.#buckets = engine.column(Float64Array, l.SERIES_BUCKETS, l.SERIES_MAX * l.BUCKETS_MAX);
    this.#sums = engine.column(Float64Array, l.SERIES_SUM, l.SERIES_MAX);
    this.#least = engine.column(Float64Array, l.SERIES_LEAST, l.SERIES_MAX);
    this.#most = engine.column(Float64Array, l.SERIES_MOST, l.SERIES_MAX);
    this.#keyBytes = engine.column(Uint32Array, l.SERIES_KEY_BYTES, l.SERIES_MAX);
    randomFillSync(engine.u8, l.METRICS_SEED, 8);
    this.#view.setUint32(l.METRICS_LIMIT, Math.min(options.seriesMax, SERIES_LIMIT_MAX), true);
  }

  /** A protocol of the protocol table, before its first span. False when there is no room for it. */
  add(index: number, protocol: SpanProtocol): boolean {
    return this.#shapes.add(index, protocol);
  }

  /** Series there are, those of overflow included. */
  get size(): number {
    return this.#view.getUint32(l.METRICS_NEXT, true) - this.#view.getUint32(l.METRICS_FREE, true);
  }

  /** The resource has no more spans: its series are forgotten when they were taken for the last time. */
  release(resource: number): void {
    this.#gone.add(resource);
  }

  take(nowMs: number): Taken {
    const measured: Measured[] = [];
    const end = this.#view.getUint32(l.METRICS_NEXT, true);
    let dropped = 0;
    for (let series = 0; series < end; series++) {
      if (this.#keyBytes[series] === 0) continue;
      const one = this.#takeOne(series, nowMs);
      if (one !== undefined) measured.push(one);
      if (this.#isOver(series, nowMs)) {
        this.#identities[series] = undefined;
        this.#engine.exports.dropSeries!(series);
        dropped++;
      }
    }
    if (dropped > 0) this.#engine.exports.settleSeries!();
    this.#gone.clear();
    return {
      measured,
      overflowed: this.#takeCount(l.METRICS_OVERFLOWED),
      unmeasured: this.#takeCount(l.METRICS_UNMEASURED),
    };
  }

  #isOver(series: number, nowMs: number): boolean {
    const { resource } = this.#identities[series]!;
    return this.#gone.has(resource) || nowMs - this.#lastMs[series]! >= this.#options.idleMs;
  }

  /** Undefined when nothing was measured. */
  #takeOne(series: number, nowMs: number): Measured | undefined {
    this.#identities[series] ??= this.#identify(series);
    const { metric, attributes, bounds, resource: number } = this.#identities[series]!;
    const at = series * l.BUCKETS_MAX;
    const buckets = Array.from(this.#buckets.subarray(at, at + bounds.length + 1));
    if (buckets.every((count) => count === 0)) return undefined;
    const [sum, min, max] = [this.#sums[series]!, this.#least[series]!, this.#most[series]!];
    this.#engine.exports.clearSeries!(series);
    this.#lastMs[series] = nowMs;
    const resource = this.#options.resourceOf(number);
    return resource === undefined ? undefined : { metric, attributes, resource, bounds, buckets, sum, min, max };
  }

  #takeCount(address: number): number {
    const count = this.#view.getFloat64(address, true);
    this.#view.setFloat64(address, 0, true);
    return count;
  }

  /** What a key says: the same attributes that the spans have. */
  #identify(series: number): Identity {
    const at = l.SERIES_KEYS + series * l.KEY_BYTES_MAX;
    const resource = this.#view.getUint32(at + l.KEY_RESOURCE, true);
    const number = this.#view.getUint16(at + l.KEY_SHAPE, true);
    const bits = this.#view.getUint16(at + l.KEY_BITS, true);
    const isServer = (bits & l.KEY_IS_SERVER) !== 0;
    if ((bits & l.KEY_IS_OVERFLOW) !== 0) {
      const kind = KINDS[number]!;
      return {
        metric: metricOf(kind, isServer, OVERFLOW),
        attributes: OVERFLOW,
        bounds: CONVENTIONS[kind].bounds,
        resource,
      };
    }
    const shape = this.#shapes.at(number)!;
    const attributes = sorted(this.#attributes(at, shape, bits));
    return {
      metric: metricOf(shape.kind, isServer, attributes),
      attributes,
      bounds: CONVENTIONS[shape.kind].bounds,
      resource,
    };
  }

  #attributes(at: number, shape: Shape, bits: number): Attributes {
    const isServer = (bits & l.KEY_IS_SERVER) !== 0;
    const { statusAttribute: statusName, isStatusListed } = shape;
    const attributes: Attributes = { ...(isServer ? shape.serverConstants : shape.clientConstants) };
    this.#addPeer(attributes, at, bits);
    const fields = { attributes: shape.fields, tracestateId: 0 };
    let word = (at + l.KEY_ATTRIBUTES) >>> 2;
    for (let left = this.#view.getUint8(at + l.KEY_COUNT); left > 0; left--) {
      decodeAttributes(attributes, fields, this.#engine.u32, word, 1);
      word += ((4 + (this.#engine.u32[word]! >>> 16) + 7) >>> 3) << 1;
    }
    const status = this.#view.getUint32(at + l.KEY_STATUS, true);
    if (statusName !== undefined && status !== 0) attributes[statusName] ??= status;
    if ((bits & l.KEY_IS_ERROR) !== 0) {
      const said = statusName === undefined ? undefined : attributes[statusName];
      attributes['error.type'] ??= status !== 0 ? String(said ?? status) : '_OTHER';
    }
    if (statusName !== undefined && !isStatusListed) delete attributes[statusName];
    return attributes;
  }

  #addPeer(attributes: Attributes, at: number, bits: number): void {
    const address = this.#engine.u8.subarray(at + l.KEY_ADDRESS, at + l.KEY_ADDRESS + 16);
    const family = this.#view.getUint8(at + l.KEY_FAMILY);
    if ((bits & l.KEY_HAS_ADDRESS) !== 0) attributes['server.address'] = addressText(address, family);
    if ((bits & l.KEY_HAS_PORT) !== 0) attributes['server.port'] = this.#view.getUint16(at + l.KEY_PORT, true);
  }
}

/** Equal attributes in an equal order. */
function sorted(attributes: Attributes): Attributes {
  return Object.fromEntries(Object.entries(attributes).sort(([a], [b]) => (a < b ? -1 : 1)));
}
