/**
 * OTLP over gRPC through OpenTelemetry's exporter.
 *
 * The gRPC channel has a connection back-off of its own that grows to two minutes and an exporter cannot be told to
 * cancel a call; the queue does both for every sink alike. So after a failure worth a retry the exporter is replaced by
 * a fresh one, and an aborted call is cancelled through its HTTP/2 stream, of which Node tells (diagnostics_channel).
 *
 * Which codes are retried: https://opentelemetry.io/docs/specs/otlp/#failures-1
 */
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { type ClientHttp2Stream, constants, type OutgoingHttpHeaders } from 'node:http2';
import { Metadata, status } from '@grpc/grpc-js';
import { type ExportResult, ExportResultCode } from '@opentelemetry/core';
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-grpc';
import { CompressionAlgorithm } from '@opentelemetry/otlp-exporter-base';
import type { ReadableSpan, SpanExporter } from '@opentelemetry/sdk-trace';
import type { ExportOutcome } from '../spans/span.ts';
import { acceptedOutcome, shorten } from './otel-diagnostics.ts';
import type { OtlpClient } from './otlp.ts';
import { loggable, type OtlpConfig, tracesUrl } from './otlp-config.ts';
import { retryDelayMs } from './retry-info.ts';

const STREAM_CREATED = 'http2.client.stream.created';
const EXPORT_PATH = '/opentelemetry.proto.collector.trace.v1.TraceService/Export';

const RETRYABLE = new Set<number>([
  status.CANCELLED,
  status.DEADLINE_EXCEEDED,
  status.ABORTED,
  status.OUT_OF_RANGE,
  status.UNAVAILABLE,
  status.DATA_LOSS,
]);

const REMEDIES: Readonly<Record<number, string>> = {
  [status.UNAUTHENTICATED]: 'check OTEL_EXPORTER_OTLP_HEADERS',
  [status.PERMISSION_DENIED]: 'check OTEL_EXPORTER_OTLP_HEADERS',
  [status.UNIMPLEMENTED]: 'this server takes no traces over gRPC, check endpoint and OTEL_EXPORTER_OTLP_PROTOCOL',
};

export function openGrpcClient(config: OtlpConfig): OtlpClient {
  const metadata = new Metadata();
  for (const [name, value] of Object.entries(config.headers ?? {})) metadata.set(name, value);
  const options = {
    ...(config.endpoint !== undefined && { url: tracesUrl(config.endpoint, 'grpc') }),
    ...(config.timeoutMs !== undefined && { timeoutMillis: config.timeoutMs }),
    ...(config.compression !== undefined && {
      compression: config.compression === 'gzip' ? CompressionAlgorithm.GZIP : CompressionAlgorithm.NONE,
    }),
    metadata,
  };
  return new GrpcClient(() => new OTLPTraceExporter(options), loggable(config.endpoint ?? 'the gRPC endpoint'));
}

class GrpcClient implements OtlpClient {
  readonly #make: () => SpanExporter;
  readonly #target: string;
  readonly #streams = new Set<ClientHttp2Stream>();
  #exporter: SpanExporter | undefined;

  constructor(make: () => SpanExporter, target: string) {
    this.#make = make;
    this.#target = target;
    this.#exporter = make();
    subscribe(STREAM_CREATED, this.#adopt);
  }

  async send(spans: ReadableSpan[], signal: AbortSignal): Promise<ExportOutcome> {
    const { promise, resolve } = Promise.withResolvers<ExportOutcome>();
    this.#exporter ??= this.#make();
    const abort = () => {
      this.#cancel();
      resolve({ ok: false, retry: true, reason: `cannot export to ${this.#target}: ${shorten(signal.reason)}` });
    };
    signal.addEventListener('abort', abort, { once: true });
    this.#exporter.export(spans, ({ code, error }: ExportResult) => {
      resolve(code === ExportResultCode.SUCCESS ? acceptedOutcome(spans.length) : this.#outcome(error));
    });
    const outcome = await promise;
    signal.removeEventListener('abort', abort);
    if (!outcome.ok && outcome.retry) this.#discard();
    return outcome;
  }

  async close(): Promise<void> {
    unsubscribe(STREAM_CREATED, this.#adopt);
    this.#cancel();
    await this.#exporter?.shutdown();
  }

  #adopt = (message: unknown): void => {
    const { stream, headers } = message as { stream: ClientHttp2Stream; headers: OutgoingHttpHeaders };
    if (headers[':path'] !== EXPORT_PATH) return;
    this.#streams.add(stream);
    stream.once('close', () => this.#streams.delete(stream));
  };

  #cancel(): void {
    for (const stream of this.#streams) stream.close(constants.NGHTTP2_CANCEL);
  }

  /** Closes connection and back-off of this exporter; the next send makes a new one. */
  #discard(): void {
    this.#exporter?.shutdown().catch(() => {});
    this.#exporter = undefined;
  }

  #outcome(error: Error | undefined): ExportOutcome {
    const code = error !== undefined && 'code' in error && typeof error.code === 'number' ? error.code : -1;
    const remedy = REMEDIES[code] === undefined ? '' : `; ${REMEDIES[code]}`;
    const reason = `cannot export to ${this.#target}: ${shorten(error)}${remedy}`;
    const retryAfterMs = retryDelay(error);
    const retry = RETRYABLE.has(code) || (code === status.RESOURCE_EXHAUSTED && retryAfterMs !== undefined);
    return { ok: false, retry, reason, ...(retry && retryAfterMs !== undefined && { retryAfterMs }) };
  }
}

function retryDelay(error: Error | undefined): number | undefined {
  if (error === undefined || !('metadata' in error) || !(error.metadata instanceof Metadata)) return undefined;
  const details = error.metadata.get('grpc-status-details-bin')[0];
  return details instanceof Uint8Array ? retryDelayMs(details) : undefined;
}
