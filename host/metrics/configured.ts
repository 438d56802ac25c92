/** The metrics of a run, as configuration and environment ask for them. */
import type { Config } from '../config.ts';
import { bridgeDiagnostics } from '../export/otel-diagnostics.ts';
import type { Counters } from '../self/counters.ts';
import type { Log } from '../self/log.ts';
import { VERSION } from '../version.ts';
import type { MetricSink } from './exporters.ts';
import { MetricReader } from './reader.ts';
import { metricsExporter, metricsProtocol, otlpMetricsTimeoutMs } from './settings.ts';
import { IDLE_MS, LINGER_MS } from './span-metrics.ts';
import { MetricStore } from './store.ts';
import type { Taken } from './table.ts';

export interface Metrics {
  readonly store: MetricStore;
  readonly reader: MetricReader;
}

/** Undefined where nobody wants metrics. `take` asks all shards. */
export function createMetrics(
  config: Config,
  counters: Counters,
  log: Log,
  take: () => Promise<readonly Taken[]>,
): Metrics | undefined {
  const exporter = metricsExporter(config);
  if (exporter === 'none') return undefined;
  const store = new MetricStore(
    {
      temporality: config.metricsTemporality === 'cumulative' ? 'cumulative' : 'delta',
      scope: { name: 'spanwire', version: VERSION },
      idleMs: IDLE_MS,
      // The shards tell of the last spans at the next interval.
      lingerMs: LINGER_MS + config.metricsInterval,
    },
    Date.now(),
  );
  const reader = new MetricReader({
    store,
    take,
    open: (timeoutMs) => openSink(exporter, config, timeoutMs, log),
    intervalMs: config.metricsInterval,
    timeoutMs: exporter === 'otlp' ? Math.min(config.metricsTimeout, otlpMetricsTimeoutMs()) : config.metricsTimeout,
    seriesMax: config.metricsSeries,
    counters,
    log,
  });
  return { store, reader };
}

async function openSink(
  exporter: 'otlp' | 'console',
  config: Config,
  timeoutMs: number,
  log: Log,
): Promise<MetricSink> {
  const { consoleSink, openOtlp } = await import('./exporters.ts');
  if (exporter === 'console') return consoleSink((line) => process.stdout.write(line));
  bridgeDiagnostics(log);
  return openOtlp({ endpoint: config.otlpEndpoint, protocol: metricsProtocol(config), timeoutMs });
}
