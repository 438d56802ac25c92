/**
 * Options of the OTLP exporter. What is given here wins over the environment; all the rest of OTEL_EXPORTER_OTLP_* is
 * read by OpenTelemetry's exporters themselves.
 * https://opentelemetry.io/docs/specs/otel/protocol/exporter/
 */

export type OtlpProtocol = 'http/protobuf' | 'http/json' | 'grpc';

export interface OtlpConfig {
  /** http: base URL, to which /v1/traces is added unless it ends so already. grpc: http://host:port or host:port. */
  readonly endpoint?: string | undefined;
  readonly protocol?: OtlpProtocol | undefined;
  readonly headers?: Readonly<Record<string, string>> | undefined;
  readonly timeoutMs?: number | undefined;
  readonly compression?: 'none' | 'gzip' | undefined;
}

/** A setting that cannot work, in words for the person who made it. */
export class ExportConfigError extends Error {
  override readonly name = 'ExportConfigError';
}

const PROTOCOLS: readonly string[] = ['http/protobuf', 'http/json', 'grpc'] satisfies OtlpProtocol[];
const TRACES_PATH = '/v1/traces';
const DEFAULT_TIMEOUT_MS = 10_000;

/** The environment names an OTLP endpoint, or asks for OTLP, and does not forbid it. */
export function otlpAskedForByEnvironment(): boolean {
  const exporters = environment('OTEL_TRACES_EXPORTER')
    ?.split(',')
    .map((name) => name.trim());
  return exporters === undefined ? environmentEndpoint() !== undefined : exporters.includes('otlp');
}

export function otlpProtocol(config: OtlpConfig): OtlpProtocol {
  const name =
    config.protocol ??
    environment('OTEL_EXPORTER_OTLP_TRACES_PROTOCOL') ??
    environment('OTEL_EXPORTER_OTLP_PROTOCOL') ??
    'http/protobuf';
  if (!PROTOCOLS.includes(name)) {
    throw new ExportConfigError(`OTLP protocol '${name}' is not known: use ${PROTOCOLS.join(', ')}`);
  }
  return name as OtlpProtocol;
}

/** Checks what can be checked before anything is sent, so that a wrong setting ends the start and not each batch. */
export function checkOtlpConfig(config: OtlpConfig): void {
  const protocol = otlpProtocol(config);
  const endpoint = config.endpoint ?? environmentEndpoint();
  if (endpoint !== undefined) parseEndpoint(endpoint, protocol);
  if (config.timeoutMs !== undefined && !(config.timeoutMs > 0 && Number.isFinite(config.timeoutMs))) {
    throw new ExportConfigError(`OTLP timeout ${config.timeoutMs} is not a number of milliseconds above 0`);
  }
}

/** How long one export may take. */
export function otlpTimeoutMs(config: OtlpConfig): number {
  if (config.timeoutMs !== undefined) return config.timeoutMs;
  const text = environment('OTEL_EXPORTER_OTLP_TRACES_TIMEOUT') ?? environment('OTEL_EXPORTER_OTLP_TIMEOUT');
  const timeoutMs = Number(text);
  return timeoutMs > 0 && Number.isFinite(timeoutMs) ? timeoutMs : DEFAULT_TIMEOUT_MS;
}

/** The URL that the exporter gets for an explicit endpoint. */
export function tracesUrl(endpoint: string, protocol: OtlpProtocol): string {
  const url = parseEndpoint(endpoint, protocol);
  if (protocol === 'grpc') return endpoint;
  const path = url.pathname.replace(/\/+$/, '');
  url.pathname = path.endsWith(TRACES_PATH) ? path : path + TRACES_PATH;
  return url.href;
}

/** An endpoint as it may stand in a log: without user, password and query. */
export function loggable(endpoint: string): string {
  if (!URL.canParse(endpoint)) return endpoint;
  const { protocol, host, pathname } = new URL(endpoint);
  return host === '' ? endpoint : `${protocol}//${host}${pathname === '/' ? '' : pathname}`;
}

function parseEndpoint(endpoint: string, protocol: OtlpProtocol): URL {
  const hasScheme = /^[a-z][a-z0-9+.-]*:\/\//i.test(endpoint);
  const text = protocol === 'grpc' && !hasScheme ? `https://${endpoint}` : endpoint;
  const url = URL.canParse(text) ? new URL(text) : undefined;
  const schemes = protocol === 'grpc' ? ['http:', 'https:', 'unix:'] : ['http:', 'https:'];
  if (url !== undefined && schemes.includes(url.protocol)) return url;
  const example = protocol === 'grpc' ? 'http://localhost:4317' : 'http://localhost:4318';
  throw new ExportConfigError(
    `OTLP endpoint '${loggable(endpoint)}' is not a URL for ${protocol}: write it like ${example}`,
  );
}

function environmentEndpoint(): string | undefined {
  return environment('OTEL_EXPORTER_OTLP_TRACES_ENDPOINT') ?? environment('OTEL_EXPORTER_OTLP_ENDPOINT');
}

/** As the specification has it, an empty variable is an unset one. */
function environment(name: string): string | undefined {
  const value = process.env[name]?.trim();
  return value === '' ? undefined : value;
}
