/** Histograms against OpenTelemetry's own SDK, over durations at random and at the bounds. */
import { metrics } from '@opentelemetry/api';
import {
  AggregationTemporality,
  type HistogramMetricData,
  InMemoryMetricExporter,
  MeterProvider,
  PeriodicExportingMetricReader,
} from '@opentelemetry/sdk-metrics';
import { expect, test } from 'vitest';
import { CONVENTIONS } from '../../../host/metrics/conventions.ts';
import { loadModules, shippedModuleFolder } from '../../../host/wasm/load.ts';
import { bench } from './rows.ts';

const manifests = new Map(loadModules(shippedModuleFolder()).map(({ manifest }) => [manifest.name, manifest]));

test.each([
  ['http1', 'http'],
  ['redis', 'db'],
  ['kafka', 'messaging'],
] as const)('%s', async (module, kind) => {
  const { bounds } = CONVENTIONS[kind];
  const rig = bench([manifests.get(module)!]);
  const durations = [...edges(bounds), ...atRandom(5000)];
  for (const ns of durations) rig.measure({ ns });
  const [ours] = rig.take();
  const theirs = await throughSdk(bounds, durations);
  expect(ours!.buckets).toEqual(theirs.buckets.counts);
  expect(ours!.bounds).toEqual(theirs.buckets.boundaries);
  expect([ours!.min, ours!.max]).toEqual([theirs.min, theirs.max]);
  expect(ours!.sum).toBe(theirs.sum);
  expect(rig.take()).toEqual([]);
  rig.measure({ ns: 3_000_000_000 });
  expect(rig.take()[0]).toMatchObject({ sum: 3, min: 3, max: 3 });
});

/** One nanosecond below, at and above each bound; nothing at all; a day. */
function edges(bounds: readonly number[]): number[] {
  const around = bounds.flatMap((bound) => [-1, 0, 1].map((by) => Math.round(bound * 1e9) + by));
  return [...around, 0, 86_400e9];
}

/** Of all magnitudes from a nanosecond to a hundred seconds. */
function atRandom(count: number): number[] {
  return Array.from({ length: count }, () => Math.floor(10 ** (Math.random() * 11)));
}

async function throughSdk(bounds: readonly number[], durations: readonly number[]) {
  const exporter = new InMemoryMetricExporter(AggregationTemporality.CUMULATIVE);
  const reader = new PeriodicExportingMetricReader({ exporter, exportIntervalMillis: 3_600_000 });
  const provider = new MeterProvider({ readers: [reader] });
  const advice = { explicitBucketBoundaries: [...bounds] };
  const histogram = provider.getMeter('test').createHistogram('d', { unit: 's', advice });
  for (const ns of durations) histogram.record(ns / 1e9);
  await provider.forceFlush();
  const [metric] = exporter.getMetrics()[0]!.scopeMetrics[0]!.metrics as HistogramMetricData[];
  await provider.shutdown();
  metrics.disable();
  return metric!.dataPoints[0]!.value;
}
