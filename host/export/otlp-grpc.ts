/**
 * OTLP over gRPC: bytes of our encoder, and OpenTelemetry's transport.
 *
 * The gRPC channel has a connection back-off of its own that grows to two minutes, and it cannot be told to
 * cancel a call; the queue does both for every sink alike. So a transport is used until the first failure worth a
 * retry, then replaced, and it is ended by destroying its sockets, of which Node tells (diagnostics_channel, told
 * apart by async context): its calls then fail at once instead of keeping the process until their deadline.
 *
 * Which codes are retried: https://opentelemetry.io/docs/specs/otlp/#failures-1
 */
import { AsyncLocalStorage } from 'node:async_hooks';
import { subscribe } from 'node:diagnostics_channel';
import type { Socket } from 'node:net';
import { Metadata, status } from '@grpc/grpc-js';
import { type ExportResult, ExportResultCode } from '@opentelemetry/core';
import { CompressionAlgorithm, type IOtlpExportDelegate } from '@opentelemetry/otlp-exporter-base';
import { convertLegacyOtlpGrpcOptions, createOtlpGrpcExportDelegate } from '@opentelemetry/otlp-grpc-exporter-base';
import type { EncodedSpans, ExportOutcome } from '../spans/span.ts';
import { encodedMetrics, encodedSerializer } from './encoder/request.ts';
import { acceptedOutcome, shorten } from './otel-diagnostics.ts';
import type { OtlpClient } from './otlp.ts';
import { loggable, type OtlpConfig, tracesUrl } from './otlp-config.ts';
import { retryDelayMs } from './retry-info.ts';

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

export function openGrpcClient(config: OtlpConfig): OtlpClient<EncodedSpans> {
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
  const makeTransport = () =>
    createOtlpGrpcExportDelegate(
      convertLegacyOtlpGrpcOptions(options, 'TRACES'),
      encodedSerializer,
      'otlp_grpc_span_exporter',
      encodedMetrics,
      undefined,
      'TraceExportService',
      '/opentelemetry.proto.collector.trace.v1.TraceService/Export',
    );
  return new GrpcClient(makeTransport, loggable(config.endpoint ?? 'the gRPC endpoint'));
}

type Transport = IOtlpExportDelegate<EncodedSpans>;

class GrpcClient implements OtlpClient<EncodedSpans> {
  readonly #make: () => Transport;
  readonly #target: string;
  #connection: Connection | undefined;

  constructor(make: () => Transport, target: string) {
    this.#make = make;
    this.#target = target;
  }

  async send(spans: EncodedSpans, signal: AbortSignal): Promise<ExportOutcome> {
    const { promise, resolve } = Promise.withResolvers<ExportOutcome>();
    this.#connection ??= new Connection(this.#make());
    const abort = () => {
      resolve({ ok: false, retry: true, reason: `cannot export to ${this.#target}: ${shorten(signal.reason)}` });
    };
    signal.addEventListener('abort', abort, { once: true });
    this.#connection.export(spans, ({ code, error }) => {
      resolve(code === ExportResultCode.SUCCESS ? acceptedOutcome(spans.length) : this.#outcome(error));
    });
    const outcome = await promise;
    signal.removeEventListener('abort', abort);
    if (!outcome.ok && outcome.retry) this.#replace();
    return outcome;
  }

  async close(): Promise<void> {
    await this.#connection?.end();
  }

  #replace(): void {
    this.#connection?.end().catch(() => {});
    this.#connection = undefined;
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

/** A transport and the sockets that were opened for it. */
class Connection {
  readonly #transport: Transport;
  readonly #sockets = new Set<Socket>();
  #ended = false;

  constructor(transport: Transport) {
    this.#transport = transport;
  }

  export(request: EncodedSpans, done: (result: ExportResult) => void): void {
    connections.run(this, () => this.#transport.export(request, done));
  }

  adopt(socket: Socket): void {
    if (this.#ended) process.nextTick(() => socket.destroy());
    this.#sockets.add(socket);
    socket.once('close', () => this.#sockets.delete(socket));
  }

  async end(): Promise<void> {
    this.#ended = true;
    for (const socket of this.#sockets) socket.destroy();
    await this.#transport.shutdown();
  }
}

const connections = new AsyncLocalStorage<Connection>();
subscribe('net.client.socket', (message) => {
  connections.getStore()?.adopt((message as { socket: Socket }).socket);
});

function retryDelay(error: Error | undefined): number | undefined {
  if (error === undefined || !('metadata' in error) || !(error.metadata instanceof Metadata)) return undefined;
  const details = error.metadata.get('grpc-status-details-bin')[0];
  return details instanceof Uint8Array ? retryDelayMs(details) : undefined;
}
