/** Streams over time: both temporalities, shards and processes, failed exports. */
import { expect, test } from 'vitest';
import { CONVENTIONS } from '../../../host/metrics/conventions.ts';
import { type Collected, MetricStore, type Temporality } from '../../../host/metrics/store.ts';
import type { Measured } from '../../../host/metrics/table.ts';
import type { Attributes } from '../../../host/spans/span.ts';

const IDLE_MS = 60_000;
const LINGER_MS = 1000;
const START_MS = 1_700_000_000_000;

function storeOf(temporality: Temporality): MetricStore {
  const scope = { name: 'spanwire', version: '0' };
  return new MetricStore({ temporality, scope, idleMs: IDLE_MS, lingerMs: LINGER_MS }, START_MS);
}

/** As many spans of just these seconds. */
function measured(
  count: number,
  seconds: number,
  resource: Attributes = { 'service.name': 'a' },
  route = '/',
): Measured {
  const { server: metric, bounds } = CONVENTIONS.http;
  const buckets = new Array<number>(bounds.length + 1).fill(0);
  buckets[bounds.findIndex((bound) => seconds <= bound)] = count;
  const attributes = { 'http.route': route };
  return {
    metric,
    attributes,
    resource: { attributes: resource },
    bounds,
    buckets,
    sum: count * seconds,
    min: seconds,
    max: seconds,
  };
}

interface Shown {
  service: unknown;
  count: number;
  sum: number;
  min: number;
  max: number;
  fromMs: number;
  untilMs: number;
}

function shown(requests: readonly Collected[]): Shown[] {
  const ms = ([seconds, nanos]: readonly [number, number]) => seconds * 1000 + nanos / 1e6 - START_MS;
  return requests
    .flatMap(({ metrics }) => metrics)
    .flatMap(({ resource, scopeMetrics }) =>
      scopeMetrics.flatMap(({ metrics }) =>
        metrics.flatMap(({ dataPoints }) =>
          dataPoints.map(({ startTime, endTime, value }) => {
            const { count, sum, min, max } = value as { count: number; sum: number; min: number; max: number };
            const service = resource.attributes['service.name'];
            return { service, count, sum, min, max, fromMs: ms(startTime), untilMs: ms(endTime) };
          }),
        ),
      ),
    );
}

/** Collects and settles. */
function exported(store: MetricStore, afterMs: number, delivered = true): Shown[] {
  const requests = store.collect(START_MS + afterMs);
  const seen = shown(requests);
  for (const request of requests) store.settle(request, delivered, START_MS + afterMs);
  return seen;
}

test('cumulative points grow, also over a failed export and an interval without spans', () => {
  const store = storeOf('cumulative');
  store.add([measured(2, 0.25)], START_MS);
  expect(exported(store, 100)).toEqual([
    { service: 'a', count: 2, sum: 0.5, min: 0.25, max: 0.25, fromMs: 0, untilMs: 100 },
  ]);
  store.add([measured(1, 0.5)], START_MS + 150);
  expect(exported(store, 200, false)).toMatchObject([
    { count: 3, sum: 1, min: 0.25, max: 0.5, fromMs: 0, untilMs: 200 },
  ]);
  expect(exported(store, 300)).toMatchObject([{ count: 3, sum: 1, fromMs: 0, untilMs: 300 }]);
});

test('delta points hold what is new, and what a failed export did not deliver', () => {
  const store = storeOf('delta');
  store.add([measured(2, 0.25)], START_MS);
  expect(exported(store, 100)).toEqual([
    { service: 'a', count: 2, sum: 0.5, min: 0.25, max: 0.25, fromMs: 0, untilMs: 100 },
  ]);
  expect(exported(store, 200)).toEqual([]);
  store.add([measured(1, 0.5)], START_MS + 250);
  expect(exported(store, 300, false)).toMatchObject([{ count: 1, fromMs: 200, untilMs: 300 }]);
  store.add([measured(4, 0.125)], START_MS + 350);
  expect(exported(store, 400, false)).toEqual([
    { service: 'a', count: 5, sum: 1, min: 0.125, max: 0.5, fromMs: 200, untilMs: 400 },
  ]);
  expect(exported(store, 500)).toMatchObject([{ count: 5, fromMs: 200, untilMs: 500 }]);
  expect(store.size).toBe(0);
});

test('what comes while a delta export is under way belongs to the next one', () => {
  const store = storeOf('delta');
  store.add([measured(1, 1)], START_MS);
  const [request] = store.collect(START_MS + 100);
  store.add([measured(1, 2)], START_MS + 150);
  store.settle(request!, false, START_MS + 200);
  expect(exported(store, 300)).toMatchObject([{ count: 2, sum: 3, min: 1, max: 2, fromMs: 0 }]);
});

test('shards are summed up; resources and attributes are kept apart', () => {
  const store = storeOf('cumulative');
  store.add([measured(1, 1), measured(1, 1, { 'service.name': 'b' })], START_MS);
  store.add([measured(2, 1), measured(5, 1, { 'service.name': 'a' }, '/other')], START_MS);
  const requests = store.collect(START_MS + 1);
  expect(shown(requests).map(({ service, count }) => [service, count])).toEqual([
    ['a', 3],
    ['a', 5],
    ['b', 1],
  ]);
  // One ResourceMetrics for each resource, one metric for each name.
  expect(requests.map(({ metrics }) => metrics.map(({ scopeMetrics }) => scopeMetrics[0]!.metrics.length))).toEqual([
    [1, 1],
  ]);
});

test('an idle stream is no longer exported, and begins anew', () => {
  const store = storeOf('cumulative');
  store.add([measured(1, 1)], START_MS);
  expect(exported(store, IDLE_MS - 1).length).toBe(1);
  expect(exported(store, IDLE_MS)).toEqual([]);
  expect(store.size).toBe(0);
  store.add([measured(2, 1)], START_MS + IDLE_MS + 10);
  expect(exported(store, IDLE_MS + 20)).toMatchObject([{ count: 2, fromMs: IDLE_MS, untilMs: IDLE_MS + 20 }]);
});

test('what a process measured is exported once more when it has ended', () => {
  const store = storeOf('cumulative');
  store.add([measured(1, 1, { 'process.pid': 7 }), measured(1, 1, { 'process.pid': 8 })], START_MS);
  store.ended(7, START_MS);
  store.ended(4242, START_MS);
  expect(exported(store, LINGER_MS - 1).length).toBe(2);
  store.add([measured(1, 1, { 'process.pid': 7 })], START_MS + LINGER_MS - 1);
  expect(exported(store, LINGER_MS, false).length).toBe(2);
  expect(exported(store, LINGER_MS + 1).map(({ count }) => count)).toEqual([2, 1]);
  expect(exported(store, LINGER_MS + 2).length).toBe(1);
});

test('many points are several requests', () => {
  const store = storeOf('cumulative');
  store.add(
    Array.from({ length: 4500 }, (_, i) => measured(1, 1, { 'service.name': 'a' }, `/${i}`)),
    START_MS,
  );
  const requests = store.collect(START_MS + 1);
  expect(requests.map((request) => shown([request]).length)).toEqual([2000, 2000, 500]);
});
