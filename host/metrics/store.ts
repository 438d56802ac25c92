/**
 * All shards' measurements together, as OpenTelemetry wants them exported: one stream for each metric, resource and set of
 * attributes, whichever shard measured it. Cumulative streams grow until they are idle for long or their process is gone;
 * delta streams hold what no export has delivered yet.
 * https://opentelemetry.io/docs/specs/otel/metrics/data-model/
 */
import { type HrTime, ValueType } from '@opentelemetry/api';
import type { InstrumentationScope } from '@opentelemetry/core';
import type { ProtobufMetricsSerializer } from '@opentelemetry/otlp-transformer';
import { resourceFromAttributes } from '@opentelemetry/resources';
import type { Attributes } from '../spans/span.ts';
import type { Measured } from './table.ts';

/** What OpenTelemetry's serializers take. */
export type ResourceMetrics = Parameters<typeof ProtobufMetricsSerializer.serializeRequest>[0];
type MetricData = ResourceMetrics['scopeMetrics'][number]['metrics'][number];
type HistogramMetric = Extract<MetricData, { readonly dataPointType: 0 }>;

export type Temporality = 'cumulative' | 'delta';

// Of @opentelemetry/sdk-metrics, which is no dependency of ours but for its types.
const TEMPORALITIES = { delta: 0, cumulative: 1 } as const;
const HISTOGRAM = 0;

export interface StoreOptions {
  readonly temporality: Temporality;
  readonly scope: InstrumentationScope;
  /** A cumulative stream without a span for so long is no longer exported. */
  readonly idleMs: number;
  /** What a process that is gone has measured may still be on its way from the shards for so long. */
  readonly lingerMs: number;
}

/** A request has so many points at most: some 4 MiB is what receivers take, a point has some hundred bytes. */
const POINTS_MAX = 2000;

export class MetricStore {
  readonly #options: StoreOptions;
  #streams = new Map<string, Stream>();
  /** When each process ended whose streams are still here, by pid. */
  readonly #gone = new Map<number, number>();
  /** Nothing that is new now was measured before. */
  #collectedMs: number;

  constructor(options: StoreOptions, nowMs: number) {
    this.#options = options;
    this.#collectedMs = nowMs;
  }

  get size(): number {
    return this.#streams.size;
  }

  add(all: readonly Measured[], nowMs: number): void {
    for (const measured of all) {
      const stream = this.#streamOf(measured);
      stream.add(measured);
      stream.lastMs = nowMs;
    }
  }

  /** The process ended: what it measured is exported once more. */
  ended(pid: number, nowMs: number): void {
    this.#gone.set(pid, nowMs);
  }

  /** What is to be exported now, request by request. Each must be settled. */
  collect(nowMs: number): Collected[] {
    const idleSince = nowMs - this.#options.idleMs;
    const streams = [...this.#streams.values()].filter(({ lastMs }) => lastMs > idleSince);
    this.#streams = new Map(this.#isDelta ? [] : streams.map((stream) => [stream.key, stream]));
    this.#collectedMs = nowMs;
    this.#forgetStrangers(streams, nowMs);
    const requests: Collected[] = [];
    for (let at = 0; at < streams.length; at += POINTS_MAX) {
      const part = streams.slice(at, at + POINTS_MAX);
      requests.push({ streams: part, metrics: this.#metricsOf(part, hrTime(nowMs)) });
    }
    return requests;
  }

  /** What became of a request. What did not get through is part of the next one. */
  settle({ streams }: Collected, delivered: boolean, nowMs: number): void {
    if (delivered) this.#forgetGone(streams, nowMs);
    else if (this.#isDelta) for (const stream of streams) this.#restore(stream);
  }

  get #isDelta(): boolean {
    return this.#options.temporality === 'delta';
  }

  #streamOf(measured: Measured): Stream {
    const { metric, attributes, resource } = measured;
    const key = JSON.stringify([metric.name, attributes, resource.attributes]);
    let stream = this.#streams.get(key);
    if (stream === undefined) {
      stream = new Stream(key, measured, this.#collectedMs);
      this.#streams.set(key, stream);
    }
    return stream;
  }

  #restore(stream: Stream): void {
    const newer = this.#streams.get(stream.key);
    if (newer !== undefined) stream.add(newer);
    stream.lastMs = Math.max(stream.lastMs, newer?.lastMs ?? 0);
    this.#streams.set(stream.key, stream);
  }

  #forgetGone(streams: readonly Stream[], nowMs: number): void {
    if (this.#gone.size === 0) return;
    const over = new Set([...this.#gone].flatMap(([pid, ms]) => (nowMs - ms >= this.#options.lingerMs ? [pid] : [])));
    for (const { key, pid, lastMs } of streams) {
      if (over.has(pid) && lastMs < this.#gone.get(pid)! + this.#options.lingerMs) this.#streams.delete(key);
    }
    for (const pid of over) this.#gone.delete(pid);
  }

  /** Most processes that end were never measured. */
  #forgetStrangers(streams: readonly Stream[], nowMs: number): void {
    if (this.#gone.size === 0) return;
    const known = new Set(streams.map(({ pid }) => pid));
    for (const [pid, ms] of this.#gone) {
      if (!known.has(pid) && nowMs - ms >= this.#options.lingerMs) this.#gone.delete(pid);
    }
  }

  #metricsOf(streams: readonly Stream[], endTime: HrTime): ResourceMetrics[] {
    const resources = new Map<string, Map<string, HistogramMetric>>();
    const attributes = new Map<string, Attributes>();
    for (const stream of streams) {
      const metrics = resources.get(stream.resourceKey) ?? new Map<string, HistogramMetric>();
      resources.set(stream.resourceKey, metrics);
      attributes.set(stream.resourceKey, stream.resource);
      const metric = metrics.get(stream.metric.name) ?? this.#metricOf(stream);
      metrics.set(stream.metric.name, metric);
      metric.dataPoints.push(stream.point(endTime));
    }
    return [...resources].map(([key, metrics]) => ({
      resource: resourceFromAttributes(attributes.get(key)!),
      scopeMetrics: [{ scope: this.#options.scope, metrics: [...metrics.values()] }],
    }));
  }

  #metricOf({ metric }: Stream): HistogramMetric {
    return {
      descriptor: { ...metric, unit: 's', valueType: ValueType.DOUBLE },
      aggregationTemporality: TEMPORALITIES[this.#options.temporality],
      dataPointType: HISTOGRAM,
      dataPoints: [],
    };
  }
}

/** One request's worth. */
export interface Collected {
  readonly streams: readonly Stream[];
  readonly metrics: readonly ResourceMetrics[];
}

class Stream {
  readonly key: string;
  readonly metric: Measured['metric'];
  readonly attributes: Attributes;
  /** As they were: those of the object may still change. */
  readonly resource: Attributes;
  readonly resourceKey: string;
  readonly startTime: HrTime;
  readonly bounds: readonly number[];
  readonly buckets: number[];
  sum = 0;
  min = Number.POSITIVE_INFINITY;
  max = Number.NEGATIVE_INFINITY;
  lastMs = 0;

  constructor(key: string, { metric, attributes, resource, bounds }: Measured, startMs: number) {
    this.key = key;
    this.metric = metric;
    this.attributes = attributes;
    this.resource = { ...resource.attributes };
    this.resourceKey = JSON.stringify(this.resource);
    this.startTime = hrTime(startMs);
    this.bounds = bounds;
    this.buckets = new Array<number>(bounds.length + 1).fill(0);
  }

  get pid(): number {
    return Number(this.resource['process.pid']);
  }

  add({ buckets, sum, min, max }: Pick<Measured, 'buckets' | 'sum' | 'min' | 'max'>): void {
    for (let i = 0; i < buckets.length; i++) this.buckets[i]! += buckets[i]!;
    this.sum += sum;
    this.min = Math.min(this.min, min);
    this.max = Math.max(this.max, max);
  }

  point(endTime: HrTime): HistogramMetric['dataPoints'][number] {
    const { startTime, attributes, sum, min, max } = this;
    const buckets = { boundaries: [...this.bounds], counts: [...this.buckets] };
    const count = this.buckets.reduce((total, one) => total + one, 0);
    return { startTime, endTime, attributes, value: { buckets, sum, count, min, max } };
  }
}

function hrTime(ms: number): HrTime {
  return [Math.floor(ms / 1000), Math.round((ms % 1000) * 1e6)];
}
