/** The sinks that a configuration and the environment ask for. */
import type { Config } from '../config.ts';
import type { Counters } from '../self/counters.ts';
import type { Log } from '../self/log.ts';
import { UsageError } from '../usage-error.ts';
import { VERSION } from '../version.ts';
import { ExportConfigError, otlpAskedForByEnvironment } from './otlp-config.ts';
import { createSinks, type Sinks } from './sinks.ts';

/** Throws UsageError when the configuration names no way out for spans: said before anything is loaded. */
export function requireOutput({ printer, otlpEndpoint }: Config): void {
  if (printer !== 'disabled' || otlpEndpoint !== undefined || otlpAskedForByEnvironment()) return;
  throw new UsageError(
    'spans have no way out: give --otlp-endpoint http://HOST:4318, set OTEL_EXPORTER_OTLP_ENDPOINT, or --printer text',
  );
}

/** Throws UsageError when spans would have no way out or an endpoint makes no sense. */
export function createConfiguredSinks(config: Config, counters: Counters, log: Log): Sinks {
  const { otlpEndpoint, otlpProtocol } = config;
  const asked = otlpEndpoint !== undefined || otlpAskedForByEnvironment();
  try {
    return createSinks(
      {
        printer: config.printer,
        otlp: asked
          ? {
              ...(otlpEndpoint !== undefined && { endpoint: otlpEndpoint }),
              ...(otlpProtocol !== undefined && { protocol: otlpProtocol }),
            }
          : undefined,
      },
      { counters, log, version: VERSION, queue: { capacitySpans: config.queue } },
    );
  } catch (error) {
    if (error instanceof ExportConfigError) throw new UsageError(`${error.message} (--otlp-endpoint, --printer)`);
    throw error;
  }
}
