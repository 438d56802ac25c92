/**
 * OTLP over HTTP: protobuf of our encoder through OpenTelemetry's transport, JSON through its exporter.
 *
 * Both retry by themselves, do not say what Retry-After was, and cannot be cancelled; the queue does all that for
 * every sink alike. So an export here is one request:
 * - The exporter is given a timeout shorter than its smallest back-off (0.8 s), which is its documented way of not
 *   retrying; the socket timeout it derives from that is taken off again, the queue's abort signal ends the request.
 * - Node tells of each HTTP request made within an export (diagnostics_channel, told apart by async context): from
 *   there come status and Retry-After, and the handle to end it.
 */
import { AsyncLocalStorage } from 'node:async_hooks';
import { subscribe } from 'node:diagnostics_channel';
import type { Agent, ClientRequest, IncomingMessage } from 'node:http';
import { type ExportResult, ExportResultCode, type InstrumentationScope } from '@opentelemetry/core';
import { CompressionAlgorithm, OTLPExporterError } from '@opentelemetry/otlp-exporter-base';
import {
  convertLegacyHttpOptions,
  createOtlpHttpExportDelegate,
  type OTLPExporterNodeConfigBase,
} from '@opentelemetry/otlp-exporter-base/node-http';
import type { EncodedSpans, ExportOutcome, Spans, Taken } from '../spans/span.ts';
import { encodedMetrics, encodedSerializer } from './encoder/request.ts';
import { acceptedOutcome, shorten } from './otel-diagnostics.ts';
import type { OtlpClient } from './otlp.ts';
import { loggable, type OtlpConfig, type OtlpProtocol, tracesUrl } from './otlp-config.ts';

const SHORTER_THAN_ANY_BACKOFF_MS = 500;
const RETRYABLE = new Set([429, 502, 503, 504]);
/** Errors before a byte is sent that no later try will mend. */
const PERMANENT = new Set(['ERR_INVALID_URL', 'ERR_INVALID_PROTOCOL', 'ERR_INVALID_CHAR', 'ERR_INVALID_HTTP_TOKEN']);

const REMEDIES: Readonly<Record<number, string>> = {
  400: 'check OTEL_EXPORTER_OTLP_PROTOCOL',
  401: 'check OTEL_EXPORTER_OTLP_HEADERS',
  403: 'check OTEL_EXPORTER_OTLP_HEADERS',
  404: 'give the base URL as endpoint, /v1/traces is added',
  405: 'give the base URL as endpoint, /v1/traces is added',
  413: 'raise the limit of the collector',
  415: 'check OTEL_EXPORTER_OTLP_PROTOCOL',
};

/** What sends spans: an exporter, or a transport. */
interface Exporter<T extends Taken> {
  export(spans: T, done: (result: ExportResult) => void): void;
  shutdown(): Promise<void>;
}

export async function openJsonClient(config: OtlpConfig, scope: InstrumentationScope): Promise<OtlpClient<Spans>> {
  const { options, agent, url } = await connectionOf('http/json', config);
  const { OTLPTraceExporter } = await import('@opentelemetry/exporter-trace-otlp-http');
  const { toReadableSpans } = await import('./readable-span.ts');
  const exporter = new OTLPTraceExporter(options);
  const converting: Exporter<Spans> = {
    export: (spans, done) => exporter.export(toReadableSpans(spans, scope), done),
    shutdown: () => exporter.shutdown(),
  };
  return new HttpClient(converting, agent, url);
}

export async function openProtobufClient(config: OtlpConfig): Promise<OtlpClient<EncodedSpans>> {
  const { options, agent, url } = await connectionOf('http/protobuf', config);
  const transport = createOtlpHttpExportDelegate(
    convertLegacyHttpOptions(options, 'TRACES', 'v1/traces', { 'Content-Type': 'application/x-protobuf' }),
    encodedSerializer,
    'otlp_http_span_exporter',
    encodedMetrics,
    undefined,
  );
  return new HttpClient(transport, agent, url);
}

async function connectionOf(protocol: Exclude<OtlpProtocol, 'grpc'>, config: OtlpConfig) {
  const options: OTLPExporterNodeConfigBase = {
    ...(config.endpoint !== undefined && { url: tracesUrl(config.endpoint, protocol) }),
    ...(config.headers !== undefined && { headers: config.headers }),
    ...(config.compression !== undefined && {
      compression: config.compression === 'gzip' ? CompressionAlgorithm.GZIP : CompressionAlgorithm.NONE,
    }),
  };
  // What OpenTelemetry makes of options and environment; the agent carries the certificates the environment names.
  const { url, agentFactory } = convertLegacyHttpOptions(options, 'TRACES', 'v1/traces', {});
  const agent = await agentFactory(new URL(url).protocol);
  const all = { ...options, timeoutMillis: SHORTER_THAN_ANY_BACKOFF_MS, httpAgentOptions: () => agent };
  return { options: all, agent, url };
}

class HttpClient<T extends Taken> implements OtlpClient<T> {
  readonly #exporter: Exporter<T>;
  readonly #agent: Agent;
  readonly #url: string;

  constructor(exporter: Exporter<T>, agent: Agent, url: string) {
    this.#exporter = exporter;
    this.#agent = agent;
    this.#url = loggable(url);
  }

  send(spans: T, signal: AbortSignal): Promise<ExportOutcome> {
    const attempt = new Attempt(signal);
    return attempts.run(attempt, async () => {
      const { promise, resolve } = Promise.withResolvers<ExportOutcome>();
      signal.addEventListener('abort', () => resolve(this.#outcome(attempt, spans.length, signal.reason)));
      this.#exporter.export(spans, ({ code, error }: ExportResult) => {
        resolve(
          code === ExportResultCode.SUCCESS
            ? acceptedOutcome(spans.length)
            : this.#outcome(attempt, spans.length, error),
        );
      });
      return promise;
    });
  }

  async close(): Promise<void> {
    this.#agent.destroy();
    await this.#exporter.shutdown();
  }

  /** Of an export that the exporter calls failed, or that was aborted. The status counts for more than the error. */
  #outcome({ status, retryAfterMs }: Attempt, spans: number, error: unknown): ExportOutcome {
    if (status === 0) return this.#unanswered(error);
    if (status < 300) return acceptedOutcome(spans);
    const reason = `HTTP ${status} from ${this.#url}`;
    if (RETRYABLE.has(status)) {
      return { ok: false, retry: true, reason, ...(retryAfterMs !== undefined && { retryAfterMs }) };
    }
    const remedy = REMEDIES[status] === undefined ? '' : `; ${REMEDIES[status]}`;
    const answer = error instanceof OTLPExporterError && error.data ? `: ${shorten(error.data)}` : '';
    return { ok: false, retry: false, reason: `${reason}${remedy}${answer}` };
  }

  #unanswered(error: unknown): ExportOutcome {
    const code = error instanceof Error && 'code' in error ? String(error.code) : '';
    const text = shorten(error) || code;
    return { ok: false, retry: !PERMANENT.has(code), reason: `cannot export to ${this.#url}: ${text}` };
  }
}

/** One export and the one HTTP request it may make. */
class Attempt {
  status = 0;
  retryAfterMs: number | undefined;
  readonly #signal: AbortSignal;
  #requested = false;

  constructor(signal: AbortSignal) {
    this.#signal = signal;
  }

  /** The exporter is still in the call that makes the request, and has no listeners on it: hence the next tick. */
  adopt(request: ClientRequest): void {
    const isFirst = !this.#requested;
    this.#requested = true;
    request.once('response', (response) => this.#note(response));
    process.nextTick(() => {
      if (!isFirst || this.#signal.aborted) request.destroy(new Error('this export is over'));
      else request.setTimeout(0);
    });
    this.#signal.addEventListener('abort', () => request.destroy(this.#signal.reason), { once: true });
  }

  #note({ statusCode, headers }: IncomingMessage): void {
    this.status = statusCode ?? 0;
    this.retryAfterMs = parseRetryAfter(headers['retry-after']);
  }
}

const attempts = new AsyncLocalStorage<Attempt>();
subscribe('http.client.request.created', (message) => {
  attempts.getStore()?.adopt((message as { request: ClientRequest }).request);
});

/** Seconds or a date: https://www.rfc-editor.org/rfc/rfc9110#field.retry-after */
export function parseRetryAfter(value: string | undefined, nowMs = Date.now()): number | undefined {
  if (value === undefined) return undefined;
  if (/^\d{1,9}$/.test(value.trim())) return Number(value) * 1000;
  const at = Date.parse(value);
  return Number.isNaN(at) ? undefined : Math.max(at - nowMs, 0);
}
