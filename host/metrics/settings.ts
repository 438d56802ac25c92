/**
 * Where metrics go: what the configuration says, and OpenTelemetry's environment variables.
 * https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/
 */
import type { Config } from '../config.ts';
import type { OtlpProtocol } from '../export/otlp-config.ts';

export type MetricsExporter = 'otlp' | 'console' | 'none';

const METRICS_PATH = '/v1/metrics';
const TRACES_PATH = '/v1/traces';
const DEFAULT_TIMEOUT_MS = 10_000;

/** Metrics are exported by default where an OTLP endpoint is named. */
export function metricsExporter({ metricsExporter: asked, otlpEndpoint }: Config): MetricsExporter {
  if (asked !== undefined) return asked;
  const named =
    otlpEndpoint ?? variable('OTEL_EXPORTER_OTLP_METRICS_ENDPOINT') ?? variable('OTEL_EXPORTER_OTLP_ENDPOINT');
  return named === undefined ? 'none' : 'otlp';
}

const PROTOCOLS: readonly string[] = ['http/protobuf', 'http/json', 'grpc'] satisfies OtlpProtocol[];

/** One that is not known is the default one: that of the spans, told by whoever reads it for them. */
export function metricsProtocol({ otlpProtocol }: Config): OtlpProtocol {
  const name =
    otlpProtocol ?? variable('OTEL_EXPORTER_OTLP_METRICS_PROTOCOL') ?? variable('OTEL_EXPORTER_OTLP_PROTOCOL');
  return PROTOCOLS.includes(name ?? '') ? (name as OtlpProtocol) : 'http/protobuf';
}

/** How long one export may take by the exporter's own settings. */
export function otlpMetricsTimeoutMs(): number {
  const text = variable('OTEL_EXPORTER_OTLP_METRICS_TIMEOUT') ?? variable('OTEL_EXPORTER_OTLP_TIMEOUT');
  const timeoutMs = Number(text);
  return timeoutMs > 0 && Number.isFinite(timeoutMs) ? timeoutMs : DEFAULT_TIMEOUT_MS;
}

/** The URL that OpenTelemetry's transport gets for an explicit endpoint, which may be that of the traces. */
export function metricsUrl(endpoint: string, protocol: OtlpProtocol): string {
  if (protocol === 'grpc') return endpoint;
  const url = new URL(endpoint);
  const path = url.pathname.replace(/\/+$/, '');
  const base = path.endsWith(TRACES_PATH) ? path.slice(0, -TRACES_PATH.length) : path;
  url.pathname = base.endsWith(METRICS_PATH) ? base : base + METRICS_PATH;
  return url.href;
}

/** As the specification has it, an empty variable is an unset one. */
function variable(name: string): string | undefined {
  const value = process.env[name]?.trim();
  return value === '' ? undefined : value;
}
